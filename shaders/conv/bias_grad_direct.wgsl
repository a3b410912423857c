// Gradient of a layer with respect to its bias: one thread for each channel and each chunk of the sum over images and
// samples.
//
// Samples are numbered row-major over (image, depth, height, width) and always added in that order, so that neither
// windows nor workgroups change a bit.

struct Params {
    size_d: u32,
    size_h: u32,
    size_w: u32,
    x_d: u32,        // elements, modulo 2^32 like every address here
    x_h: u32,
    x_w: u32,
    first_channel: u32, // channels of this dispatch
    channel_count: u32,
    first: u32,      // this dispatch's first sample, from the image at the base
    count: u32,      // and how many it adds
    chunk: u32,      // samples in a chunk
    chunks: u32,     // chunks that this dispatch takes part in
    lead: u32,       // samples of the first of them that were added before
    accumulate: u32, // 1: the first chunk goes on from the sum that is in the output
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    y_base: u32,
    y_channel: u32,
    y_chunk: u32,
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
    let chunk = thread / params.channel_count;
    if (chunk >= params.chunks) {
        return;
    }
    let y_at = params.y_base + channel * params.y_channel + chunk * params.y_chunk;
    var sum = 0.0;
    if (chunk == 0u && params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    // This chunk's part of the dispatch: samples lead.. of the first chunk, and count in all.
    var at = max(chunk * params.chunk, params.lead) - params.lead;
    let end = min((chunk + 1u) * params.chunk - params.lead, params.count);
    while (at < end) {
        // One row, or what the range has of it.
        let sample = params.first + at;
        let column = sample % params.size_w;
        var outer = sample / params.size_w;
        let row = outer % params.size_h;
        outer /= params.size_h;
        let slice = outer % params.size_d;
        let n = outer / params.size_d;
        let columns = min(end - at, params.size_w - column);
        at += columns;
        var x_at = params.x_base + n * params.x_batch + channel * params.x_channel + slice * params.x_d
            + row * params.x_h + column * params.x_w;
        for (var i = 0u; i < columns; i++) {
            sum += f32(x[x_at]);
            x_at += params.x_w;
        }
    }
    y[y_at] = Out(sum);
}
