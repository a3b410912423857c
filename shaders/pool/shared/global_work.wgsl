// What a workgroup of a global pooling reduces: a slice of the planes of a few neighbouring channels.
//
// A slice has the same samples in every dispatch and on every device, and its threads combine them in a fixed order, so
// that every run gives the same bits.

struct Axis {
    size: u32,     // samples of a plane along the axis
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    number: u32,   // increase of a stored index from one sample to the next
    unused: u32,   // fills the struct to a multiple of 16 bytes
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,    // images of this dispatch
    first_batch: u32,    // this dispatch's first image
    first_channel: u32,  // this dispatch's first channel
    channel_count: u32,  // and how many channels it reduces
    first: u32,          // in each plane, the first sample of this dispatch
    count: u32,          // and how many samples it reduces
    slice: u32,          // samples of a slice
    slices: u32,         // slices of each plane that this dispatch reduces
    x_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,        // from one image to the next
    x_channel: u32,      // from one channel to the next
    e_base: u32,         // the same address in the integers that an earlier pass left beside x, with the same strides
    y_base: u32,         // address of channel 0 in this dispatch's first image and first slice
    y_batch: u32,        // from one image to the next
    y_channel: u32,      // from one channel to the next
    y_slice: u32,        // from one slice to the next
    i_base: u32,         // as y_base, in the integers that this pass writes beside y
    i_batch: u32,        // from one image to the next
    i_channel: u32,      // from one channel to the next
    i_slice: u32,        // from one slice to the next
    // A stored index is image * number_batch + channel * number_channel + the sum of its sample's d, h and w * number.
    number_batch: u32,
    number_channel: u32,
    power: i32,          // p of an Lp norm
    scale: f32,          // what the sum of a whole plane is multiplied by
    row_workgroups: u32, // workgroups in one row of the grid
}

override tile_channels: u32 = 1u; // channels of a workgroup, each of which has every tile_channels-th thread
override is_line: bool = true;    // whether a plane's samples lie w.x_stride apart in row-major order

struct Work {
    n: u32,       // image, counted from this dispatch's first one
    channel: u32,
    slice: u32,   // counted from this dispatch's first slice
    lane: u32,    // number of this thread among those of its channel
    there: bool,  // whether there is such an image and channel
    first: u32,   // this thread's first sample; the next one's lies the number of lanes further
    end: u32,     // where the slice ends
}

fn work_of(workgroup: vec3<u32>, thread: u32) -> Work {
    let tiles = (params.channel_count + tile_channels - 1u) / tile_channels;
    var rest = workgroup.y * params.row_workgroups + workgroup.x;
    let channel = rest % tiles * tile_channels + thread % tile_channels;
    rest /= tiles;
    let slice = rest % params.slices;
    let n = rest / params.slices;
    let there = n < params.batch_count && channel < params.channel_count;
    let lane = thread / tile_channels;
    let start = slice * params.slice;
    let end = select(0u, params.first + min(start + params.slice, params.count), there);
    return Work(n, channel + params.first_channel, slice, lane, there, params.first + start + lane, end);
}

// The address of a sample, without the base.
fn offset_of(work: Work, sample: u32) -> u32 {
    let plane = work.n * params.x_batch + work.channel * params.x_channel;
    if (is_line) {
        return plane + sample * params.w.x_stride;
    }
    let row = sample / params.w.size;
    return plane + row / params.h.size * params.d.x_stride + row % params.h.size * params.h.x_stride
        + sample % params.w.size * params.w.x_stride;
}
