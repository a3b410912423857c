// Gradient of the Lp pooling as a gather: one thread per sample of the pooling's input adds, over the windows that hold
// it, g * sign(x) * (|x| / norm)^(p - 1).

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> g: array<In>;
@group(0) @binding(3) var<storage, read> norms: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

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
    let windows_d = windows_of(slice, params.d);
    let windows_h = windows_of(row, params.h);
    let windows_w = windows_of(column, params.w);
    let value = f32(x[params.x_base + n * params.x_batch + channel * params.x_channel + slice * params.d.x_stride
        + row * params.h.x_stride + column * params.w.x_stride]);
    let g_plane = params.g_base + n * params.g_batch + channel * params.g_channel;
    let n_plane = params.n_base + n * params.n_batch + channel * params.n_channel;
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
        + row * params.h.y_stride + column * params.w.y_stride;
    var sum = 0.0;
    if (params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    for (var d = windows_d.first; d < windows_d.end; d++) {
        for (var h = windows_h.first; h < windows_h.end; h++) {
            for (var w = windows_w.first; w < windows_w.end; w++) {
                if (holds(d, slice, params.d) && holds(h, row, params.h) && holds(w, column, params.w)) {
                    let norm = n_plane + u32(d) * params.d.n_stride + u32(h) * params.h.n_stride
                        + u32(w) * params.w.n_stride;
                    let gradient = f32(g[g_plane + u32(d) * params.d.g_stride + u32(h) * params.h.g_stride
                        + u32(w) * params.w.g_stride]);
                    sum += gradient_of(value, gradient, norms[norm], i32(norms[norm + 1u]));
                }
            }
        }
    }
    y[y_at] = Out(sum);
}
