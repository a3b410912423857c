// Pixel shuffle and its inverse: one thread per sample copies it between the spacious side, where blocks of samples lie
// in space, and the deep side, where they lie in channels.
//
// On the spacious side channel c has a sample at q; on the deep side that sample is at q / factor, in the channel that
// lies c * deep_channel + phase * deep_phase elements after the first. The phase is q % factor, counted row-major over
// the axes. Every sample has one place on each side, so either side may be written.

struct Axis {
    first: u32,           // this dispatch's first index on the spacious side
    count: u32,           // indices of this dispatch
    factor: u32,          // samples of a block along this axis
    spacious_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    deep_stride: u32,     // elements from one sample to the next on the deep side
    unused_0: u32,        // fills the struct to a multiple of 16 bytes
    unused_1: u32,
    unused_2: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,      // images of this dispatch
    first_channel: u32,    // this dispatch's first channel of the spacious side
    channel_count: u32,    // and how many channels of the spacious side it copies
    spacious_base: u32,    // address of channel 0, sample 0 in this dispatch's first image
    spacious_batch: u32,   // from one image to the next
    spacious_channel: u32, // from one channel to the next
    deep_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    deep_batch: u32,       // from one image to the next
    deep_channel: u32,     // from one spacious channel to the next
    deep_phase: u32,       // from one phase to the next
    row_threads: u32,      // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

override workgroup_size: u32 = 64;
override to_depth: bool = false; // whether the deep side is written

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read_write> y: array<Number>;

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
    let phase = (slice % params.d.factor * params.h.factor + row % params.h.factor) * params.w.factor
        + column % params.w.factor;
    let spacious = params.spacious_base + n * params.spacious_batch + channel * params.spacious_channel
        + slice * params.d.spacious_stride + row * params.h.spacious_stride + column * params.w.spacious_stride;
    let deep = params.deep_base + n * params.deep_batch + channel * params.deep_channel + phase * params.deep_phase
        + slice / params.d.factor * params.d.deep_stride + row / params.h.factor * params.h.deep_stride
        + column / params.w.factor * params.w.deep_stride;
    if (to_depth) {
        y[deep] = x[spacious];
    } else {
        y[spacious] = x[deep];
    }
}
