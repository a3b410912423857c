// What the shaders of a resampling take.
//
// A table has a row of entries for each output index of its axis: a sample's index and its weight. Both are worked out
// exactly on the host; the weights are rounded once to f32. A gradient's table is the transposed one, where an output may
// have fewer taps than another, or none: END fills its row.

struct Params {
    first_d: u32, // this dispatch's first output index on each axis
    first_h: u32,
    first_w: u32,
    count_d: u32, // and how many it computes
    count_h: u32,
    count_w: u32,
    taps_d: u32,  // entries in a row of each table
    taps_h: u32,
    taps_w: u32,
    table_d: u32, // where the row of output index 0 of each axis would lie in its table, modulo 2^32
    table_h: u32,
    table_w: u32,
    x_d: u32,     // elements, modulo 2^32 like every address here
    x_h: u32,
    x_w: u32,
    y_d: u32,
    y_h: u32,
    y_w: u32,
    batch_count: u32,
    channel_count: u32,
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    y_base: u32,
    y_batch: u32,
    y_channel: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
    extrapolation: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> table_d: array<vec2<u32>>; // (index, weight as bits)
@group(0) @binding(3) var<storage, read> table_h: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> table_w: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> y: array<Out>;
