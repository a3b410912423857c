// Convolution of 8-bit integers, direct: one thread per output element sums over the input channels of its group and
// the kernel's taps. Taps in the padding add nothing. No term is larger than 255 * 255 in magnitude, and sums wrap.

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let column = rest % params.w.count + params.w.first;
    rest /= params.w.count;
    let row = rest % params.h.count + params.h.first;
    rest /= params.h.count;
    let slice = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let channel = rest % params.channel_count + params.first_channel;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let taps_d = taps_of(slice, params.d);
    let taps_h = taps_of(row, params.h);
    let taps_w = taps_of(column, params.w);

    let first_in = channel / params.out_per_group * params.in_per_group + params.first_in;
    var x_plane = params.x_base + n * params.x_batch + first_in * params.x_channel
        + u32(taps_d.index) * params.d.x_stride + u32(taps_h.index) * params.h.x_stride
        + u32(taps_w.index) * params.w.x_stride;
    var w_plane = params.w_base + channel * params.w_out + params.first_in * params.w_in
        + u32(taps_d.first) * params.d.w_stride + u32(taps_h.first) * params.h.w_stride
        + u32(taps_w.first) * params.w.w_stride;
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride;

    let x_step = vec3<u32>(u32(params.d.index_step), u32(params.h.index_step), u32(params.w.index_step))
        * vec3<u32>(params.d.x_stride, params.h.x_stride, params.w.x_stride);

    let zeros = zero_points(channel);
    var sum = 0u;
    if (params.accumulate != 0u) {
        sum = y[y_at];
    }
    for (var c = 0u; c < params.count_in; c++) {
        var x_slice = x_plane;
        var w_slice = w_plane;
        for (var i = 0; i < taps_d.count; i++) {
            var x_row = x_slice;
            var w_row = w_slice;
            for (var j = 0; j < taps_h.count; j++) {
                var x_at = x_row;
                var w_at = w_row;
                for (var k = 0; k < taps_w.count; k++) {
                    let sample = byte_of(x[x_at >> 2u], x_at, params.x_flip) - zeros.x;
                    let weight = byte_of(w[w_at >> 2u], w_at, params.w_flip) - zeros.y;
                    sum += bitcast<u32>(sample * weight);
                    x_at += x_step.z;
                    w_at += params.w.w_stride;
                }
                x_row += x_step.y;
                w_row += params.h.w_stride;
            }
            x_slice += x_step.x;
            w_slice += params.d.w_stride;
        }
        x_plane += params.x_channel;
        w_plane += params.w_in;
    }
    y[y_at] = sum;
}
