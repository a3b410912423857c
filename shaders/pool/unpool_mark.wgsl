// Max unpooling, first: one thread per index marks the place that it names with its own number, the largest of those
// that name one place; indices that name none are counted. Only integers, so that the order of threads changes nothing.

struct Axis {
    first: u32,    // this dispatch's first sample of the input
    count: u32,    // samples of this dispatch
    size: u32,     // samples of the input
    index: u32,    // samples of the planes that indices count in
    output: u32,   // samples of the output
    i_stride: u32, // elements, modulo 2^32 like every address here
    unused_0: u32,
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,
    first_batch: u32,
    first_channel: u32,
    channel_count: u32,
    channels: u32, // of the whole tensor
    i_base: u32,
    i_batch: u32,
    i_channel: u32,
    number_batch: u32, // from one image's indices to the next's
    number_channel: u32,
    unit: u32,         // from one sample's index to the next's
    first_place: u32,  // places of a plane that this dispatch marks
    count_places: u32,
    marks_base: u32,
    invalid_base: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>; // the bits of i32
@group(0) @binding(2) var<storage, read_write> marks: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> invalid: array<atomic<u32>>;

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
    if (!place.found) {
        if (params.first_place == 0u) {
            atomicAdd(&invalid[params.invalid_base], 1u);
        }
        return;
    }
    let at_hand = number_at_hand(place);
    if (at_hand < params.count_places) {
        let plane = (n * params.channels + channel) * (params.d.output * params.h.output * params.w.output);
        let number = (slice * params.h.size + row) * params.w.size + column + 1u;
        atomicMax(&marks[params.marks_base + plane + params.first_place + at_hand], number);
    }
}
