// Max unpooling, first step: one thread per index marks the place that the index names with the number of its sample
// plus 1. Where several indices name one place, the largest mark stays; indices that name no place are counted. Marks
// and counts are integers, so the order of threads changes nothing.

struct Axis {
    first: u32,    // this dispatch's first sample of the input
    count: u32,    // and how many samples' indices it reads
    size: u32,     // samples of the input
    index: u32,    // samples of the planes in which indices count
    output: u32,   // samples of the output
    i_stride: u32, // elements from one index to the next, modulo 2^32 like every address here
    unused_0: u32, // fills the struct to a multiple of 16 bytes
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_batch: u32,   // this dispatch's first image
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    channels: u32,      // channels of the whole tensor
    i_base: u32,        // address of channel 0, index 0 in this dispatch's first image
    i_batch: u32,       // from one image to the next
    i_channel: u32,     // from one channel to the next
    // A valid index is image * number_batch + channel * number_channel + unit * the place's number in its plane.
    number_batch: u32,
    number_channel: u32,
    unit: u32,
    first_place: u32,   // this dispatch's first place in each plane of the output, row-major
    count_places: u32,  // and how many places of each plane it marks
    marks_base: u32,    // address of image 0, channel 0, mark 0; marks have no gaps
    invalid_base: u32,  // address of the count of indices that name no place
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
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
