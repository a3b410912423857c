// Gradient of a max unpooling: one thread per index copies the gradient of the place that it names, or writes 0.

struct Axis {
    first: u32,    // this dispatch's first sample of the forward input
    count: u32,    // samples of this dispatch
    index: u32,    // samples of the planes that indices count in
    output: u32,   // samples of the forward output
    x_stride: u32, // elements, modulo 2^32 like every address here
    i_stride: u32,
    y_stride: u32,
    unused: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,
    first_batch: u32,
    first_channel: u32,
    channel_count: u32,
    number_batch: u32, // from one image's indices to the next's
    number_channel: u32,
    unit: u32,         // from one sample's index to the next's
    first_place: u32,  // places of a plane that this dispatch has at hand
    count_places: u32,
    accumulate: u32,   // 1: an output whose place is not at hand stays as it is
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    i_base: u32,
    i_batch: u32,
    i_channel: u32,
    y_base: u32,
    y_batch: u32,
    y_channel: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;       // the bits of f32
@group(0) @binding(2) var<storage, read> indices: array<u32>; // the bits of i32
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

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
    let image = rest / params.channel_count;
    if (image >= params.batch_count) {
        return;
    }
    let n = image + params.first_batch;
    let index = bitcast<i32>(indices[params.i_base + image * params.i_batch + channel * params.i_channel
        + slice * params.d.i_stride + row * params.h.i_stride + column * params.w.i_stride]);
    let place = place_of(index, n * params.number_batch + channel * params.number_channel);
    let y_at = params.y_base + image * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride;
    if (place.found && number_at_hand(place) < params.count_places) {
        y[y_at] = x[params.x_base + image * params.x_batch + channel * params.x_channel
            + place.at.x * params.d.x_stride + place.at.y * params.h.x_stride + place.at.z * params.w.x_stride];
    } else if (params.accumulate == 0u) {
        y[y_at] = 0u;
    }
}
