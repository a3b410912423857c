// What the shaders of a resampling take.
//
// A table has a row of entries for each output index of its axis: a sample's index and its weight. Both are worked out
// exactly on the host; the weights are rounded once to f32. A gradient's table is the transposed one, where an output
// may have fewer taps than another, or none: END fills its row.

struct Axis {
    first: u32,    // this dispatch's first output index
    count: u32,    // output indices of this dispatch
    taps: u32,     // entries in a row of the table
    table: u32,    // where the row of output index 0 would lie in the bound part of the table, modulo 2^32
    x_stride: u32, // elements, modulo 2^32 like every address here
    y_stride: u32,
    unused_0: u32,
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
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
