// Gradient of a max unpooling: one thread per index copies the gradient of the place that it names, or writes 0.

struct Params {
    first_d: u32, // this dispatch's first sample on each axis
    first_h: u32,
    first_w: u32,
    count_d: u32, // and how many it computes
    count_h: u32,
    count_w: u32,
    index_d: u32, // samples of the planes that indices count in
    index_h: u32,
    index_w: u32,
    output_d: u32, // and of the forward output
    output_h: u32,
    output_w: u32,
    x_d: u32,     // elements, modulo 2^32 like every address here
    x_h: u32,
    x_w: u32,
    i_d: u32,
    i_h: u32,
    i_w: u32,
    y_d: u32,
    y_h: u32,
    y_w: u32,
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
    let column = rest % params.count_w + params.first_w;
    rest /= params.count_w;
    let row = rest % params.count_h + params.first_h;
    rest /= params.count_h;
    let slice = rest % params.count_d + params.first_d;
    rest /= params.count_d;
    let channel = rest % params.channel_count + params.first_channel;
    let image = rest / params.channel_count;
    if (image >= params.batch_count) {
        return;
    }
    let n = image + params.first_batch;
    let index = bitcast<i32>(indices[params.i_base + image * params.i_batch + channel * params.i_channel
        + slice * params.i_d + row * params.i_h + column * params.i_w]);
    let place = place_of(index, n * params.number_batch + channel * params.number_channel);
    let y_at = params.y_base + image * params.y_batch + channel * params.y_channel
        + slice * params.y_d + row * params.y_h + column * params.y_w;
    if (place.found && number_at_hand(place) < params.count_places) {
        y[y_at] = x[params.x_base + image * params.x_batch + channel * params.x_channel
            + place.at.x * params.x_d + place.at.y * params.x_h + place.at.z * params.x_w];
    } else if (params.accumulate == 0u) {
        y[y_at] = 0u;
    }
}
