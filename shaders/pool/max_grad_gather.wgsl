// Gradient of a max pooling: one thread per sample of the pooling's input adds the gradients of those windows that
// chose it.

struct Axis {
    count_in: i32, // windows, whose gradients are the input
    kernel: i32,   // samples of a window
    stride: i32,   // samples from one window to the next
    dilation: i32, // samples from one sample of a window to the next
    pad: i32,      // padding before the samples
    x_stride: u32, // elements from one window's gradient to the next, modulo 2^32 like every address here
    y_stride: u32, // elements from one sample to the next
    i_stride: u32, // elements from one window's index to the next, in `indices`
    number: u32,   // increase of the index from one sample to the next
    first: u32,    // this dispatch's first sample
    count: u32,    // and how many samples it computes
    unused: u32,   // fills the struct to a multiple of 16 bytes
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_batch: u32,   // this dispatch's first image
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    x_base: u32,        // address of channel 0, window 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    i_base: u32,        // address in `indices` of channel 0, window 0 in this dispatch's first image
    i_batch: u32,       // from one image to the next
    i_channel: u32,     // from one channel to the next
    // The index of a sample is image * number_batch + channel * number_channel + the sum of its d, h and w * number.
    number_batch: u32,
    number_channel: u32,
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    accumulate: u32,    // 1: go on from the sum that a dispatch for earlier windows left in y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

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
    let number = (n + params.first_batch) * params.number_batch + channel * params.number_channel
        + slice * params.d.number + row * params.h.number + column * params.w.number;
    let x_plane = params.x_base + n * params.x_batch + channel * params.x_channel;
    let i_plane = params.i_base + n * params.i_batch + channel * params.i_channel;

    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
        + row * params.h.y_stride + column * params.w.y_stride;
    var sum = 0.0;
    if (params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    for (var d = windows_d.first; d < windows_d.end; d++) {
        for (var h = windows_h.first; h < windows_h.end; h++) {
            for (var w = windows_w.first; w < windows_w.end; w++) {
                let window = vec3<u32>(u32(d), u32(h), u32(w));
                let chosen = indices[i_plane + window.x * params.d.i_stride + window.y * params.h.i_stride
                    + window.z * params.w.i_stride];
                let inside = holds(d, slice, params.d) && holds(h, row, params.h) && holds(w, column, params.w);
                if (inside && chosen == number) {
                    sum += f32(x[x_plane + window.x * params.d.x_stride + window.y * params.h.x_stride
                        + window.z * params.w.x_stride]);
                }
            }
        }
    }
    y[y_at] = Out(sum);
}
