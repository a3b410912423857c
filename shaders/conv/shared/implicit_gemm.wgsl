// A convolution or its transpose as an implicit GEMM: a matrix product whose matrices are never written. This file is
// appended to the shaders that compute it.
//
// For each group, rows are output channels (`merged`: every pair of a channel and a phase), columns are blocks of
// output positions of all images, and the sum runs over input channels and taps. On each axis, output q, sample i and
// tap t are
//
//     q = block * q_step + phase - q_pad
//     i = block * i_step + shift(phase) + m * m_step        for m = 0, 1, ...
//     t = first(phase) + m * t_step                         if 0 <= t < kernel
//
// A transposed convolution has as many phases as its stride: with a = q + pad = block * stride + phase,
// t * dilation = a (mod stride) has the solutions first, first + stride/gcd, ... if gcd = gcd(stride, dilation) divides
// the phase, else none; i = (a - t * dilation) / stride. Where the dilation is 1, first = phase and shift = 0: all
// phases read the same samples, and can be rows of one product.
//
// A convolution has one phase: q = block, i = block * stride - pad + m * dilation, t = m. Where the dilation is 1, any
// number of neighbouring outputs can be the phases of a block: i = (block * phases + phase) * stride - pad + t, and
// with m = t + phase * stride all phases read the same samples again.

// One spatial axis, in the names of the equations above.
struct Axis {
    input: i32,       // samples of the input: i is in the input if 0 <= i < input
    kernel: i32,      // taps of the kernel: t is in the kernel if 0 <= t < kernel
    taps: i32,        // if merged, the loop visits m = 0 .. taps - 1 for all phases
    phases: i32,      // phases of an output index: 0 <= phase < phases
    gcd: i32,         // gcd(stride, dilation) of a transposed convolution; 1 in a convolution
    // first(phase) = (phase / gcd * inverse) mod (phases / gcd) + phase * t_phase, if gcd divides phase. Transposed:
    // inverse * (dilation / gcd) = 1 (mod stride / gcd), t_phase = 0. Convolution: inverse = 0, t_phase = -stride.
    inverse: u32,
    t_phase: i32,
    t_step: i32,      // t = first(phase) + m * t_step
    m_step: i32,      // i = block * i_step + shift(phase) + m * m_step
    i_step: i32,      // i = block * i_step + shift(phase) + m * m_step
    i_base: i32,      // shift(phase) = i_base + (phase + first(phase) * m_step * gcd) / phases; if merged, i_base
    q_step: i32,      // q = block * q_step + phase - q_pad
    q_pad: i32,       // q = block * q_step + phase - q_pad
    first_block: i32, // this dispatch's first block: block = first_block .. first_block + blocks - 1
    blocks: u32,      // blocks of this dispatch
    first: i32,       // this dispatch's first output index: it writes q if first <= q < end
    end: i32,         // one past this dispatch's last output index
    x_stride: u32,    // elements from one sample to the next, modulo 2^32 like every address here
    w_stride: u32,    // elements from one tap to the next
    y_stride: u32,    // elements from one output to the next
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,    // images of this dispatch
    first_group: u32,    // this dispatch's first group
    group_count: u32,    // and how many groups it computes
    first_channel: u32,  // in each of these groups, the first output channel that this dispatch computes
    channel_count: u32,  // and how many output channels it computes there
    in_per_group: u32,   // input channels of a group
    out_per_group: u32,  // output channels of a group
    first_in: u32,       // in each group, the first input channel that this dispatch sums
    count_in: u32,       // and how many input channels it sums
    slice_in: u32,       // input channels of a slice, which one workgroup sums
    slices: u32,         // slices into which this dispatch's input channels are cut
    accumulate: u32,     // 1: go on from the sums that an earlier dispatch left in y
    sum_is_complete: u32, // 1: this dispatch ends the sums, and applies bias and activation
    x_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,        // from one image to the next
    x_channel: u32,      // from one channel to the next
    w_base: u32,         // address of the first weight
    w_group: u32,        // from one group to the next
    w_out: u32,          // from one output channel of a group to the next
    w_in: u32,           // from one input channel of a group to the next
    b_base: u32,         // address of channel 0's bias
    b_stride: u32,       // from one channel's bias to the next
    y_base: u32,         // address of channel 0, output 0 in this dispatch's first image and first slice
    y_batch: u32,        // from one image to the next
    y_channel: u32,      // from one channel to the next
    y_slice: u32,        // from one slice's partial sum to the next
    row_tiles: u32,      // tiles into which the rows of a group are cut
    row_workgroups: u32, // workgroups in one row of the grid: number = id.y * row_workgroups + id.x
    alpha: f32,          // the leaky ReLU's slope, or the clip's lower bound
    beta: f32,           // the clip's upper bound
}

override merged: bool = false; // whether the rows of a product hold all phases
override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> w: array<In>;
@group(0) @binding(3) var<storage, read> b: array<In>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

// The loop sums this many input channels at one tap, then goes on to the next tap. A sum is only split at multiples of
// it, so that its terms keep their order.
const CHANNELS = 32u;

// first(phase) of the equations above; past the kernel for a phase that has no tap. 0 if phases are merged: then
// `merged_taps` computes it for each row.
fn first_tap(phase: i32, axis: Axis) -> i32 {
    if (merged) {
        return 0;
    }
    // Both factors are residues below 2^16, so the product fits.
    let residue = u32(phase / axis.gcd) * axis.inverse % u32(axis.phases / axis.gcd);
    let tap = i32(residue) + phase * axis.t_phase;
    return select(axis.kernel, tap, phase % axis.gcd == 0);
}

// first(phase) for four merged phases. It takes no division, as an axis with several merged phases has dilation 1.
fn merged_taps(phase: vec4<i32>, axis: Axis) -> vec4<i32> {
    return phase * (i32(axis.inverse) + axis.t_phase);
}

// shift(phase) of the equations above, for a phase whose first tap is `tap`.
fn shift(phase: i32, tap: i32, axis: Axis) -> i32 {
    if (merged) {
        return axis.i_base;
    }
    // In a transposed convolution -m_step * gcd is the dilation. For a tap inside the kernel the quotient is exact; for
    // a tap outside, tap * dilation could pass 2^31, and the quotient is not used.
    let quotient = (phase + tap * axis.m_step * axis.gcd) / axis.phases;
    return axis.i_base + select(quotient, 0, tap >= axis.kernel);
}

// The number of taps that the loop visits on an axis: m runs from 0 to this minus 1. Each phase has its own number;
// merged phases share the largest, and for a phase with fewer taps the other m give taps outside the kernel.
fn taps_of(tap: i32, axis: Axis) -> i32 {
    if (merged) {
        return axis.taps;
    }
    return (axis.kernel - tap + axis.t_step - 1) / axis.t_step;
}

// What a workgroup computes: a tile of one group's rows and columns, of one slice of the sum.
struct Work {
    group: u32,
    first_in: u32, // the slice's first input channel in the group
    count_in: u32, // and how many input channels it sums
    y_at: u32,     // address of the slice's output 0
    phase: vec3<i32>, // the phase of all rows; 0 if merged
    tap: vec3<i32>,   // first(phase); 0 if merged
    taps: vec3<i32>,  // values of m that the loop visits
    first_row: u32,    // the tile's first row in its group
    first_column: u32, // the tile's first column
}

fn work_of(number: u32, rows: u32, columns: u32) -> Work {
    let row_tile = number % params.row_tiles;
    var rest = number / params.row_tiles;
    let group = rest % params.group_count + params.first_group;
    rest /= params.group_count;
    var phase = vec3<i32>(0);
    if (!merged) {
        let phases = vec3<u32>(vec3(params.d.phases, params.h.phases, params.w.phases));
        phase.z = i32(rest % phases.z);
        rest /= phases.z;
        phase.y = i32(rest % phases.y);
        rest /= phases.y;
        phase.x = i32(rest % phases.x);
        rest /= phases.x;
    }
    let tap = vec3<i32>(first_tap(phase.x, params.d), first_tap(phase.y, params.h), first_tap(phase.z, params.w));
    let taps = vec3<i32>(taps_of(tap.x, params.d), taps_of(tap.y, params.h), taps_of(tap.z, params.w));
    let slice = rest % params.slices;
    rest /= params.slices;
    let before = slice * params.slice_in;
    let count_in = min(params.slice_in, params.count_in - before);
    let y_at = params.y_base + slice * params.y_slice;
    return Work(group, params.first_in + before, count_in, y_at, phase, tap, taps, row_tile * rows, rest * columns);
}

// Where the outputs of four rows go.
struct Outputs {
    y_at: vec4<u32>, // address of the output of block 0 in image 0
    phase_d: vec4<i32>,
    phase_h: vec4<i32>,
    phase_w: vec4<i32>,
    bias: vec4<f32>,
    exist: vec4<u32>, // 1 for a row that exists
}

// Where the weights of four rows come from.
struct Rows {
    w_at: vec4<u32>,  // address of the weight of the first input channel and m = 0
    tap_d: vec4<i32>, // t of m = 0; past the kernel for a row that does not exist
    tap_h: vec4<i32>,
    tap_w: vec4<i32>,
}

// Channels, counted from first_channel, and phases of the tile's four rows from `number` on.
struct Places {
    channel: vec4<u32>,
    d: vec4<i32>,
    h: vec4<i32>,
    w: vec4<i32>,
}

// A place, and the one that follows it.
struct Place {
    channel: u32,
    phase: vec3<i32>,
}

fn next_place(place: Place) -> Place {
    if (!merged) {
        return Place(place.channel + 1u, place.phase);
    }
    let w = place.phase.z + 1;
    let carry_h = w == params.w.phases;
    let h = place.phase.y + select(0, 1, carry_h);
    let carry_d = h == params.h.phases;
    let d = place.phase.x + select(0, 1, carry_d);
    let carry_channel = d == params.d.phases;
    return Place(
        place.channel + select(0u, 1u, carry_channel),
        select(vec3(d, h, w), vec3(0), vec3(carry_channel, carry_d, carry_h)));
}

// The tile's row of this number. Some drivers divide again for a remainder, so remainders are computed from quotients.
fn place_of(work: Work, number: u32) -> Place {
    let row = work.first_row + number;
    if (!merged) {
        return Place(row, work.phase);
    }
    let phases = vec3<u32>(vec3(params.d.phases, params.h.phases, params.w.phases));
    let by_w = row / phases.z;
    let by_h = by_w / phases.y;
    let channel = by_h / phases.x;
    return Place(channel, vec3<i32>(vec3(by_h - channel * phases.x, by_w - by_h * phases.y, row - by_w * phases.z)));
}

fn places_of(work: Work, number: u32) -> Places {
    let p0 = place_of(work, number);
    let p1 = next_place(p0);
    let p2 = next_place(p1);
    let p3 = next_place(p2);
    return Places(
        vec4(p0.channel, p1.channel, p2.channel, p3.channel),
        vec4(p0.phase.x, p1.phase.x, p2.phase.x, p3.phase.x),
        vec4(p0.phase.y, p1.phase.y, p2.phase.y, p3.phase.y),
        vec4(p0.phase.z, p1.phase.z, p2.phase.z, p3.phase.z));
}

fn rows_of(work: Work, number: u32) -> Rows {
    let places = places_of(work, number);
    var tap_d = vec4(work.tap.x);
    var tap_h = vec4(work.tap.y);
    var tap_w = vec4(work.tap.z);
    if (merged) {
        tap_d = merged_taps(places.d, params.d);
        tap_h = merged_taps(places.h, params.h);
        tap_w = merged_taps(places.w, params.w);
    }
    tap_d = select(vec4(params.d.kernel), tap_d, places.channel < vec4(params.channel_count));
    let w_at = params.w_base + work.group * params.w_group + (params.first_channel + places.channel) * params.w_out
        + work.first_in * params.w_in + vec4<u32>(tap_d) * params.d.w_stride + vec4<u32>(tap_h) * params.h.w_stride
        + vec4<u32>(tap_w) * params.w.w_stride;
    return Rows(w_at, tap_d, tap_h, tap_w);
}

fn outputs_of(work: Work, number: u32) -> Outputs {
    let places = places_of(work, number);
    let channel = work.group * params.out_per_group + params.first_channel + places.channel;
    let y_at = work.y_at + channel * params.y_channel
        + vec4<u32>(places.d - params.d.q_pad) * params.d.y_stride
        + vec4<u32>(places.h - params.h.q_pad) * params.h.y_stride
        + vec4<u32>(places.w - params.w.q_pad) * params.w.y_stride;
    let there = places.channel < vec4(params.channel_count);
    var bias = vec4(0.0);
    if (has_bias && params.sum_is_complete != 0u) {
        // For a channel that does not exist, a bias that does is read, but not used.
        let at = select(vec4(0u), params.b_base + channel * params.b_stride, there);
        bias = vec4(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w]));
    }
    let exist = select(vec4(0u), vec4(1u), there);
    return Outputs(y_at, places.d, places.h, places.w, bias, exist);
}

// Four columns: where their samples come from, and which outputs they stand for.
struct Columns {
    x_at: vec4<u32>, // address of the sample of the first input channel and m = 0
    i_d: vec4<i32>,  // i of m = 0
    i_h: vec4<i32>,
    i_w: vec4<i32>,
    y_at: vec4<u32>, // added to a row's y_at for the column's image and block
    q_d: vec4<i32>,  // q of phase 0
    q_h: vec4<i32>,
    q_w: vec4<i32>,
    exist: vec4<bool>,
}

fn columns_of(work: Work, number: vec4<u32>) -> Columns {
    let rest = work.first_column + number;
    let by_w = rest / params.w.blocks;
    let by_h = by_w / params.h.blocks;
    let n = by_h / params.d.blocks;
    let h = by_w - by_h * params.h.blocks;
    return columns_at(work, n, by_h - n * params.d.blocks, h, rest - by_w * params.w.blocks);
}

// The columns of these images and blocks, counted from this dispatch's first.
fn columns_at(work: Work, n: vec4<u32>, d: vec4<u32>, h: vec4<u32>, w: vec4<u32>) -> Columns {
    let block_w = vec4<i32>(w) + params.w.first_block;
    let block_h = vec4<i32>(h) + params.h.first_block;
    let block_d = vec4<i32>(d) + params.d.first_block;
    let i_d = block_d * params.d.i_step + shift(work.phase.x, work.tap.x, params.d);
    let i_h = block_h * params.h.i_step + shift(work.phase.y, work.tap.y, params.h);
    let i_w = block_w * params.w.i_step + shift(work.phase.z, work.tap.z, params.w);
    let first_in = (work.group * params.in_per_group + work.first_in) * params.x_channel;
    let x_at = params.x_base + first_in + n * params.x_batch + vec4<u32>(i_d) * params.d.x_stride
        + vec4<u32>(i_h) * params.h.x_stride + vec4<u32>(i_w) * params.w.x_stride;
    let q_d = block_d * params.d.q_step;
    let q_h = block_h * params.h.q_step;
    let q_w = block_w * params.w.q_step;
    let y_at = n * params.y_batch + vec4<u32>(q_d) * params.d.y_stride + vec4<u32>(q_h) * params.h.y_stride
        + vec4<u32>(q_w) * params.w.y_stride;
    let exist = n < vec4(params.batch_count);
    return Columns(
        x_at, i_d, i_h, i_w, y_at, q_d - params.d.q_pad, q_h - params.h.q_pad, q_w - params.w.q_pad, exist);
}
