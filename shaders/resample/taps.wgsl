// Linear, cubic or any other separable resize, and the gradient of each: one thread per output element sums over all
// combinations of the three axes' taps.

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
    let at_d = params.d.table + slice * params.d.taps;
    let at_h = params.h.table + row * params.h.taps;
    let at_w = params.w.table + column * params.w.taps;

    var value = params.extrapolation;
    if (tables[at_d].x != OUTSIDE && tables[at_h].x != OUTSIDE && tables[at_w].x != OUTSIDE) {
        let plane = params.x_base + n * params.x_batch + channel * params.x_channel;
        value = 0.0;
        for (var i = 0u; i < params.d.taps; i++) {
            let d = tables[at_d + i];
            if (d.x == END) {
                break;
            }
            var slice_sum = 0.0;
            for (var j = 0u; j < params.h.taps; j++) {
                let h = tables[at_h + j];
                if (h.x == END) {
                    break;
                }
                let line = plane + d.x * params.d.x_stride + h.x * params.h.x_stride;
                var row_sum = 0.0;
                for (var k = 0u; k < params.w.taps; k++) {
                    let w = tables[at_w + k];
                    if (w.x == END) {
                        break;
                    }
                    row_sum += bitcast<f32>(w.y) * f32(x[line + w.x * params.w.x_stride]);
                }
                slice_sum += bitcast<f32>(h.y) * row_sum;
            }
            value += bitcast<f32>(d.y) * slice_sum;
        }
    }
    y[params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride] = Out(value);
}
