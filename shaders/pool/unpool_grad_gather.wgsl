// Gradient of a max unpooling: one thread per index copies the gradient of the place that the index names, or writes 0.

struct Axis {
    first: u32,    // this dispatch's first sample of the forward input
    count: u32,    // and how many samples it computes
    index: u32,    // samples of the planes in which indices count
    output: u32,   // samples of the forward output
    x_stride: u32, // elements from one gradient to the next, modulo 2^32 like every address here
    i_stride: u32, // elements from one index to the next
    y_stride: u32, // elements from one sample to the next
    unused: u32,   // fills the struct to a multiple of 16 bytes
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_batch: u32,   // this dispatch's first image
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    // A valid index is image * number_batch + channel * number_channel + unit * the place's number in its plane.
    number_batch: u32,
    number_channel: u32,
    unit: u32,
    first_place: u32,   // this dispatch's first place in each plane of the forward output, row-major
    count_places: u32,  // and how many places of each plane it may read
    accumulate: u32,    // 1: an output whose index names none of these places stays as it is; 0: it becomes 0
    x_base: u32,        // address of channel 0, place 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    i_base: u32,        // address of channel 0, index 0 in this dispatch's first image
    i_batch: u32,       // from one image to the next
    i_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read> indices: array<u32>; // the bits of i32
@group(0) @binding(3) var<storage, read_write> y: array<Number>;

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
        y[y_at] = Number(0);
    }
}
