// Max pooling: one thread per output element looks through its window.
//
// Samples are copied as they are stored, and compared as integers, by the bits of an f32: a NaN stays one. Of f32 these
// are the sample's own bits, so that no device flushes subnormals; of f16 the device converts the sample.

struct Axis {
    count_in: i32, // samples of the input
    kernel: i32,   // samples of a window
    stride: i32,   // input samples from one window to the next
    dilation: i32, // input samples from one sample of a window to the next
    pad: i32,      // padding before the input
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    y_stride: u32, // elements from one output to the next
    i_stride: u32, // elements from one output's index to the next, in `indices`
    number: u32,   // increase of the index from one sample to the next
    first: u32,    // this dispatch's first output index
    count: u32,    // and how many output indices it computes
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
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    i_base: u32,        // address in `indices` of channel 0, output 0 in this dispatch's first image
    i_batch: u32,       // from one image to the next
    i_channel: u32,     // from one channel to the next
    // The index of a sample is image * number_batch + channel * number_channel + the sum of its d, h and w * number.
    number_batch: u32,
    number_channel: u32,
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    accumulate: u32,    // 1: go on from what a dispatch for earlier samples of the windows left in y and in indices
}

override workgroup_size: u32 = 64;
override has_indices: bool = false;
override last_nan: bool = false; // whether the last of several NaN is chosen, and not the first

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read_write> y: array<Number>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;

// The index of a maximum that has not been found yet. Indices are below 2^31.
const NO_INDEX = 0xffffffffu;

struct Taps {
    first: i32, // input index of the first sample that lies in the input
    count: i32, // samples that lie in the input, 0 or less: none; neighbours are a dilation apart
}

fn taps_of(o: u32, axis: Axis) -> Taps {
    let base = i32(o) * axis.stride - axis.pad;
    // base + t * dilation >= 0, rounding up: a plain division of a negative number would round towards zero.
    let first = (max(-base, 0) + axis.dilation - 1) / axis.dilation;
    // base + t * dilation <= input - 1. A window holds a sample, but a part of a window may lie past the input.
    let room = axis.count_in - 1 - base;
    let last = min(select(room / axis.dilation, -1, room < 0), axis.kernel - 1);
    return Taps(base + first * axis.dilation, last - first + 1);
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
    let taps_d = taps_of(slice, params.d);
    let taps_h = taps_of(row, params.h);
    let taps_w = taps_of(column, params.w);
    let plane = params.x_base + n * params.x_batch + channel * params.x_channel;
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
        + row * params.h.y_stride + column * params.w.y_stride;
    let i_at = params.i_base + n * params.i_batch + channel * params.i_channel + slice * params.d.i_stride
        + row * params.h.i_stride + column * params.w.i_stride;
    let first_number = (n + params.first_batch) * params.number_batch + channel * params.number_channel;

    // Of a window without a sample so far, -infinity is the maximum and NO_INDEX its index.
    var best_rank = -0x7fffffff;
    var best = number_of(0xff800000u);
    var best_index = NO_INDEX;
    if (params.accumulate != 0u) {
        best = y[y_at];
        best_rank = rank_of(bits_of(best));
        if (has_indices) {
            best_index = indices[i_at];
            best_rank = select(best_rank, -0x7fffffff, best_index == NO_INDEX);
        }
    }
    for (var i = 0; i < taps_d.count; i++) {
        let d = u32(taps_d.first + i * params.d.dilation);
        for (var j = 0; j < taps_h.count; j++) {
            let h = u32(taps_h.first + j * params.h.dilation);
            for (var k = 0; k < taps_w.count; k++) {
                let w = u32(taps_w.first + k * params.w.dilation);
                let number = x[plane + d * params.d.x_stride + h * params.h.x_stride + w * params.w.x_stride];
                let rank = rank_of(bits_of(number));
                if (rank > best_rank || (last_nan && rank == NAN_RANK)) {
                    best_rank = rank;
                    best = number;
                    best_index = first_number + d * params.d.number + h * params.h.number + w * params.w.number;
                }
            }
        }
    }
    y[y_at] = best;
    if (has_indices) {
        indices[i_at] = best_index;
    }
}
