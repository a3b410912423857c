// Gradient of a layer with respect to its bias: one thread for each channel and each slice of the sum over images and
// samples.
//
// Samples are numbered row-major over (image, depth, height, width) and always added in that order, so that neither the
// number of dispatches nor the workgroup size changes a bit of the result.

struct Axis {
    size: u32,     // samples of the input
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    unused_0: u32, // fills the struct to a multiple of 16 bytes
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    first: u32,      // this dispatch's first sample, counted from the start of its first image
    count: u32,      // and how many samples of each channel it sums
    slice: u32,      // samples in a slice of the sum
    slices: u32,     // slices that this dispatch sums, whole or in part
    lead: u32,       // samples of its first slice that earlier dispatches have summed
    accumulate: u32, // 1: the first slice goes on from the sum that an earlier dispatch left in y
    x_base: u32,     // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,    // from one image to the next
    x_channel: u32,  // from one channel to the next
    y_base: u32,     // address of channel 0's sum in this dispatch's first slice
    y_channel: u32,  // from one channel's sum to the next
    y_slice: u32,    // from one slice's partial sum to the next
    row_threads: u32, // threads of one row of workgroups: thread = id.y * row_threads + id.x
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
    // The samples of this slice that the dispatch sums, counted from the dispatch's first sample. The first slice
    // begins at its sample `lead`.
    var at = max(slice_number * params.slice, params.lead) - params.lead;
    let end = min((slice_number + 1u) * params.slice - params.lead, params.count);
    while (at < end) {
        // One row of samples, or the part of it that is in the range.
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
