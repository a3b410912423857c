// Nearest-neighbour upsampling: one thread per output element copies the sample that the host's tables name.
//
// The tables hold integers worked out exactly on the host, so "which pixel" is never a rounding question here.

override workgroup_size: u32 = 64;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let column = rest % params.count_w + params.first_w;
    rest /= params.count_w;
    let row = rest % params.count_h + params.first_h;
    rest /= params.count_h;
    let slice = rest % params.count_d + params.first_d;
    rest /= params.count_d;
    let channel = rest % params.channel_count;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let d = table_d[params.table_d + slice].x;
    let h = table_h[params.table_h + row].x;
    let w = table_w[params.table_w + column].x;

    var value = Out(params.extrapolation);
    if (d != OUTSIDE && h != OUTSIDE && w != OUTSIDE) {
        value = Out(x[params.x_base + n * params.x_batch + channel * params.x_channel
            + d * params.x_d + h * params.x_h + w * params.x_w]);
    }
    y[params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.y_d + row * params.y_h + column * params.y_w] = value;
}
