// Unfold (im2col): one thread per element of the columns copies the sample that a tap of its block reads. Numbers are
// copied as they are stored.

struct Axis {
    size: i32,     // samples of the input
    stride: i32,   // samples from one block to the next
    dilation: i32, // samples from one tap to the next
    pad: i32,      // padding before the input; may be negative: cropping
    kernel: u32,   // taps of a block
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    y_stride: u32, // elements from one block to the next
    first: u32,    // this dispatch's first block
    count: u32,    // and how many blocks it copies
    unused_0: u32, // fills the struct to a multiple of 16 bytes
    unused_1: u32,
    unused_2: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first channel of the columns
    channel_count: u32, // and how many channels of the columns it writes
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, block 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read_write> y: array<Number>;

// The sample that a block reads at a tap; it may lie in the padding.
fn sample_of(block: u32, tap: u32, axis: Axis) -> i32 {
    return i32(block) * axis.stride + i32(tap) * axis.dilation - axis.pad;
}

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
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    // The channel's number is made of a channel of the input and the taps on the three axes.
    var source = channel;
    let w = sample_of(column, source % params.w.kernel, params.w);
    source /= params.w.kernel;
    let h = sample_of(row, source % params.h.kernel, params.h);
    source /= params.h.kernel;
    let d = sample_of(slice, source % params.d.kernel, params.d);
    source /= params.d.kernel;

    var number = number_of(0u);
    if (min(d, min(h, w)) >= 0 && d < params.d.size && h < params.h.size && w < params.w.size) {
        number = x[params.x_base + n * params.x_batch + source * params.x_channel + u32(d) * params.d.x_stride
            + u32(h) * params.h.x_stride + u32(w) * params.w.x_stride];
    }
    y[params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
        + row * params.h.y_stride + column * params.w.y_stride] = number;
}
