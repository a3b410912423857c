// Uniforms and bindings of the resampling shaders.
//
// A table has a row of entries for each output index of its axis: a sample's index and its weight. The three axes' rows
// lie in one buffer, axis after axis. The host computes indices exactly, and weights in f64, which it rounds to f32. A
// gradient's table is the transpose of the forward one, where an output may have fewer taps than another, or none: END
// fills its row.

struct Axis {
    first: u32,    // this dispatch's first output index
    count: u32,    // output indices of this dispatch
    taps: u32,     // entries in a row of the table
    table: u32,    // where the row of output index 0 would lie in the tables, in entries, modulo 2^32
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    y_stride: u32, // elements from one output to the next
    unused_0: u32, // fills the struct to a multiple of 16 bytes
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    channel_count: u32, // channels of this dispatch
    x_base: u32,        // address of sample 0 in this dispatch's first image and channel
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    y_base: u32,        // address of output 0 in this dispatch's first image and channel
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    extrapolation: f32, // the output where a table says OUTSIDE
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> tables: array<vec2<u32>>; // (index, weight as bits)
@group(0) @binding(3) var<storage, read_write> y: array<Out>;
