// Pixel shuffle and its inverse: one thread per sample copies it between the spacious side, where blocks of samples lie
// in space, and the deep side, where they lie in channels.
//
// Spacious sample (c, q) is deep sample (c * deep_channel + phase * deep_phase, q / factor), with the phase q % factor
// counted row-major over the axes. Every sample has one place on either side, so either may be written.

struct Params {
    first_d: u32, // this dispatch's first index on each axis of the spacious side
    first_h: u32,
    first_w: u32,
    count_d: u32, // and how many it moves
    count_h: u32,
    count_w: u32,
    factor_d: u32,
    factor_h: u32,
    factor_w: u32,
    spacious_d: u32, // elements, modulo 2^32 like every address here
    spacious_h: u32,
    spacious_w: u32,
    deep_d: u32,
    deep_h: u32,
    deep_w: u32,
    batch_count: u32,
    first_channel: u32, // channels of the spacious side
    channel_count: u32,
    spacious_base: u32,
    spacious_batch: u32,
    spacious_channel: u32,
    deep_base: u32,
    deep_batch: u32,
    deep_channel: u32, // from one spacious channel to the next
    deep_phase: u32,   // from one phase to the next
    row_threads: u32,  // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;
override to_depth: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let column = rest % params.count_w + params.first_w;
    rest /= params.count_w;
    let row = rest % params.count_h + params.first_h;
    rest /= params.count_h;
    let slice = rest % params.count_d + params.first_d;
    rest /= params.count_d;
    let channel = rest % params.channel_count + params.first_channel;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let phase = (slice % params.factor_d * params.factor_h + row % params.factor_h) * params.factor_w
        + column % params.factor_w;
    let spacious = params.spacious_base + n * params.spacious_batch + channel * params.spacious_channel
        + slice * params.spacious_d + row * params.spacious_h + column * params.spacious_w;
    let deep = params.deep_base + n * params.deep_batch + channel * params.deep_channel + phase * params.deep_phase
        + slice / params.factor_d * params.deep_d + row / params.factor_h * params.deep_h
        + column / params.factor_w * params.deep_w;
    if (to_depth) {
        y[deep] = x[spacious];
    } else {
        y[spacious] = x[deep];
    }
}
