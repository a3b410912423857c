// Gradient of the global Lp pooling: one thread per sample, g * sign(x) * (|x| / norm)^(p - 1).

struct Axis {
    first: u32,    // this dispatch's first sample
    count: u32,    // and how many samples it computes
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    y_stride: u32, // elements from one element of the gradient to the next
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    g_base: u32,        // address of channel 0 in this dispatch's first image, in the gradient of the norms
    g_batch: u32,       // from one image to the next
    g_channel: u32,     // from one channel to the next
    n_base: u32,        // the same address in the norms: a root, followed by the exponent that it was scaled by
    n_batch: u32,       // from one image to the next
    n_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    power: i32,         // p
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

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
    let value = f32(x[params.x_base + n * params.x_batch + channel * params.x_channel + slice * params.d.x_stride
        + row * params.h.x_stride + column * params.w.x_stride]);
    let gradient = f32(g[params.g_base + n * params.g_batch + channel * params.g_channel]);
    let norm = params.n_base + n * params.n_batch + channel * params.n_channel;
    let result = gradient_of(value, gradient, norms[norm], i32(norms[norm + 1u]));
    y[params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
        + row * params.h.y_stride + column * params.w.y_stride] = Out(result);
}
