// Nearest-neighbour upsampling: one thread per output element copies the sample that the host's tables name.
//
// The tables hold integers worked out exactly on the host, so "which pixel" is never a rounding question here.

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
    let channel = rest % params.channel_count;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let d = tables[params.d.table + slice].x;
    let h = tables[params.h.table + row].x;
    let w = tables[params.w.table + column].x;

    var value = Out(params.extrapolation);
    if (d != OUTSIDE && h != OUTSIDE && w != OUTSIDE) {
        value = Out(x[params.x_base + n * params.x_batch + channel * params.x_channel
            + d * params.d.x_stride + h * params.h.x_stride + w * params.w.x_stride]);
    }
    y[params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride] = value;
}
