// Nearest-neighbour upsampling: one thread per output element copies the sample that the host's tables name.
//
// The tables hold integers worked out exactly on the host, so "which pixel" is never a rounding question here.

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

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> table_d: array<vec2<u32>>; // a row each: (index, weight as bits)
@group(0) @binding(3) var<storage, read> table_h: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> table_w: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> y: array<Out>;

const OUTSIDE = 0xffffffffu; // an index that stands for the extrapolation value

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let column = rest % params.count_w + params.first_w;
    rest /= params.count_w;
    let row = rest % params.count_h + params.first_h;
    rest /= params.count_h;
    let slice = rest % params.count_d + params.first_d;
    rest /= params.count_d;
    let channel = rest % params.channel_count;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let d = table_d[params.table_d + slice].x;
    let h = table_h[params.table_h + row].x;
    let w = table_w[params.table_w + column].x;

    var value = Out(params.extrapolation);
    if (d != OUTSIDE && h != OUTSIDE && w != OUTSIDE) {
        value = Out(x[params.x_base + n * params.x_batch + channel * params.x_channel
            + d * params.x_d + h * params.x_h + w * params.x_w]);
    }
    y[params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.y_d + row * params.y_h + column * params.y_w] = value;
}
