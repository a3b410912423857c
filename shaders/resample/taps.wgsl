// Linear, cubic or any other separable resize, and the gradient of each: one thread per output element sums the product
// of the axes' taps.

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
    let at_d = params.table_d + slice * params.taps_d;
    let at_h = params.table_h + row * params.taps_h;
    let at_w = params.table_w + column * params.taps_w;

    var value = params.extrapolation;
    if (table_d[at_d].x != OUTSIDE && table_h[at_h].x != OUTSIDE && table_w[at_w].x != OUTSIDE) {
        let plane = params.x_base + n * params.x_batch + channel * params.x_channel;
        value = 0.0;
        for (var i = 0u; i < params.taps_d; i++) {
            let d = table_d[at_d + i];
            if (d.x == END) {
                break;
            }
            var slice_sum = 0.0;
            for (var j = 0u; j < params.taps_h; j++) {
                let h = table_h[at_h + j];
                if (h.x == END) {
                    break;
                }
                let line = plane + d.x * params.x_d + h.x * params.x_h;
                var row_sum = 0.0;
                for (var k = 0u; k < params.taps_w; k++) {
                    let w = table_w[at_w + k];
                    if (w.x == END) {
                        break;
                    }
                    row_sum += bitcast<f32>(w.y) * f32(x[line + w.x * params.x_w]);
                }
                slice_sum += bitcast<f32>(h.y) * row_sum;
            }
            value += bitcast<f32>(d.y) * slice_sum;
        }
    }
    y[params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.y_d + row * params.y_h + column * params.y_w] = Out(value);
}
