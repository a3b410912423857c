// Gradient of a layer with respect to its bias: one thread for each channel and each slice of the sum over images and
// samples.
//
// Samples are numbered row-major over (image, depth, height, width) and always added in that order, so that neither
// windows nor workgroups change a bit.

struct Axis {
    size: u32,     // samples of the input
    x_stride: u32, // elements, modulo 2^32 like every address here
    unused_0: u32,
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    first_channel: u32, // channels of this dispatch
    channel_count: u32,
    first: u32,      // this dispatch's first sample, from the image at the base
    count: u32,      // samples that it adds
    slice: u32,      // samples in a slice of the sum
    slices: u32,     // slices that this dispatch takes part in
    lead: u32,       // samples of the first slice that were added before
    accumulate: u32, // 1: the first slice goes on from the sum that is in the output
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    y_base: u32,
    y_channel: u32,
    y_slice: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let thread = id.y * params.row_threads + id.x;
    let channel = thread % params.channel_count + params.first_channel;
    let slice_number = thread / params.channel_count;
    if (slice_number >= params.slices) {
        return;
    }
    let y_at = params.y_base + channel * params.y_channel + slice_number * params.y_slice;
    var sum = 0.0;
    if (slice_number == 0u && params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    // This slice's part of the dispatch: samples lead.. of the first slice, and count in all.
    var at = max(slice_number * params.slice, params.lead) - params.lead;
    let end = min((slice_number + 1u) * params.slice - params.lead, params.count);
    while (at < end) {
        // One row, or what the range has of it.
        let sample = params.first + at;
        let column = sample % params.w.size;
        var outer = sample / params.w.size;
        let row = outer % params.h.size;
        outer /= params.h.size;
        let plane = outer % params.d.size;
        let n = outer / params.d.size;
        let columns = min(end - at, params.w.size - column);
        at += columns;
        var x_at = params.x_base + n * params.x_batch + channel * params.x_channel + plane * params.d.x_stride
            + row * params.h.x_stride + column * params.w.x_stride;
        for (var i = 0u; i < columns; i++) {
            sum += f32(x[x_at]);
            x_at += params.w.x_stride;
        }
    }
    y[y_at] = Out(sum);
}
