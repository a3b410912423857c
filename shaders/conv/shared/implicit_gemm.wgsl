// A convolution or its transpose as a matrix product, without a matrix in memory: put after the shaders that do it.
//
// For each group, rows are output channels (`merged`: every pair of a channel and a phase), columns are blocks of output
// positions of all images, and the sum runs over input channels and taps. On each axis, output q, sample i and tap t are
//
//     q = block * q_step + phase - q_pad
//     i = block * i_step + shift(phase) + m * m_step        for m = 0, 1, ...
//     t = first(phase) + m * t_step                         as far as it is in the kernel
//
// A transposed convolution has as many phases as its stride: with a = q + pad = block * stride + phase,
// t * dilation = a (mod stride) has the solutions first, first + stride/gcd, ... if gcd = gcd(stride, dilation) divides
// the phase, else none; i = (a - t * dilation) / stride. Where the dilation is 1, first = phase and shift = 0: all phases
// read the same samples, and can be rows of one product.
//
// A convolution has one phase, q = block, i = block * stride - pad + m * dilation, t = m; or, where the dilation is 1, as
// many as one likes: i = (block * phases + phase) * stride - pad + t, and with m = t + phase * stride all phases read the
// same samples again.

// A vector of a parameter has its number for depth, height and width; the fourth is not used.

struct Params {
    input: vec4<i32>,   // input samples
    kernel: vec4<i32>,  // taps
    taps: vec4<i32>,    // values of m that some phase needs
    phases: vec4<i32>,
    gcd: vec4<i32>,     // of stride and dilation; 1 in a convolution
    inverse: vec4<u32>, // of dilation/gcd modulo stride/gcd
    t_phase: vec4<i32>, // what each phase adds to its first tap: a convolution's -stride, or 0
    t_step: vec4<i32>,
    m_step: vec4<i32>,
    i_step: vec4<i32>,
    i_base: vec4<i32>,
    q_step: vec4<i32>,
    q_pad: vec4<i32>,
    first_block: vec4<i32>,
    blocks: vec4<u32>,
    first: vec4<i32>,   // this dispatch's first output index
    end: vec4<i32>,     // and the one after its last
    x_stride: vec4<u32>, // elements, modulo 2^32 like every address here
    w_stride: vec4<u32>,
    y_stride: vec4<u32>,
    batch_count: u32,
    first_group: u32,   // groups of this dispatch
    group_count: u32,
    first_channel: u32, // output channels of each of them
    channel_count: u32,
    in_per_group: u32,
    out_per_group: u32,
    first_in: u32,      // input channels of each group that this dispatch sums
    count_in: u32,
    chunk_in: u32,      // and of them, those that one workgroup sums
    chunks: u32,
    accumulate: u32,    // 1: go on from the sum that is in the output
    finish: u32,        // 1: the sum is whole; bias and activation are due
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    w_base: u32,
    w_group: u32,
    w_out: u32,
    w_in: u32,
    b_base: u32,
    b_stride: u32,
    y_base: u32,
    y_batch: u32,
    y_channel: u32,
    y_chunk: u32,
    row_tiles: u32,     // tiles that the rows of a group come to
    row_workgroups: u32, // workgroups in one row of the grid; rows are folded into y
    alpha: f32,         // slope, or the clip's lower end
    beta: f32,          // the clip's upper end
    unused_0: u32,
    unused_1: u32,
}

override merged: bool = false;
override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> w: array<In>;
@group(0) @binding(3) var<storage, read> b: array<In>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

// Input channels that are summed for one tap before the next tap's turn. A sum is only split at multiples of it, so that
// the order of its terms stays.
const CHANNELS = 32u;

// The tap of m = 0 for a phase of an axis. Those that are merged begin with phase 0, whose tap is 0.
fn first_tap(phase: i32, axis: u32) -> i32 {
    if (merged) {
        return 0;
    }
    // Both factors are residues below 2^16, so the product fits.
    let residue = u32(phase / params.gcd[axis]) * params.inverse[axis] % u32(params.phases[axis] / params.gcd[axis]);
    let tap = i32(residue) + phase * params.t_phase[axis];
    return select(params.kernel[axis], tap, phase % params.gcd[axis] == 0);
}

// The same for four phases that are merged: without a division, as their dilation is 1.
fn merged_taps(phase: vec4<i32>, axis: u32) -> vec4<i32> {
    return phase * (i32(params.inverse[axis]) + params.t_phase[axis]);
}

// What a phase with this first tap adds to i.
fn shift(phase: i32, tap: i32, axis: u32) -> i32 {
    if (merged) {
        return params.i_base[axis];
    }
    // tap * dilation could pass 2^31 for a tap that is not in the kernel at all; it is used for nothing. Of one that is, the
    // quotient is exact; -m_step * gcd is a transposed convolution's dilation.
    let quotient = (phase + tap * params.m_step[axis] * params.gcd[axis]) / params.phases[axis];
    return params.i_base[axis] + select(quotient, 0, tap >= params.kernel[axis]);
}

// Values of m for a phase with this first tap, or, merged, for all.
fn taps_of(tap: i32, axis: u32) -> i32 {
    if (merged) {
        return params.taps[axis];
    }
    return (params.kernel[axis] - tap + params.t_step[axis] - 1) / params.t_step[axis];
}

// What a workgroup computes: a tile of one group's rows and columns, of one chunk of the sum.
struct Work {
    group: u32,
    first_in: u32, // input channels of the group
    count_in: u32,
    y_at: u32,     // where the chunk's output 0 is
    phase: vec3<i32>, // of all its rows, unless merged
    tap: vec3<i32>,   // and its first tap
    taps: vec3<i32>,
    first_row: u32,
    first_column: u32,
}

fn work_of(number: u32, rows: u32, columns: u32) -> Work {
    let row_tile = number % params.row_tiles;
    var rest = number / params.row_tiles;
    let group = rest % params.group_count + params.first_group;
    rest /= params.group_count;
    var phase = vec3<i32>(0);
    if (!merged) {
        let phases = vec3<u32>(params.phases.xyz);
        phase.z = i32(rest % phases.z);
        rest /= phases.z;
        phase.y = i32(rest % phases.y);
        rest /= phases.y;
        phase.x = i32(rest % phases.x);
        rest /= phases.x;
    }
    let tap = vec3<i32>(first_tap(phase.x, 0u), first_tap(phase.y, 1u), first_tap(phase.z, 2u));
    let taps = vec3<i32>(taps_of(tap.x, 0u), taps_of(tap.y, 1u), taps_of(tap.z, 2u));
    let chunk = rest % params.chunks;
    rest /= params.chunks;
    let before = chunk * params.chunk_in;
    let count_in = min(params.chunk_in, params.count_in - before);
    let y_at = params.y_base + chunk * params.y_chunk;
    return Work(group, params.first_in + before, count_in, y_at, phase, tap, taps, row_tile * rows, rest * columns);
}

// Where the outputs of four rows go.
struct Outputs {
    y_at: vec4<u32>, // the output of image 0 and block 0
    phase_d: vec4<i32>,
    phase_h: vec4<i32>,
    phase_w: vec4<i32>,
    bias: vec4<f32>,
    exist: vec4<u32>,
}

// Where their weights come from.
struct Rows {
    w_at: vec4<u32>,  // that of the first input channel and m = 0
    tap_d: vec4<i32>, // t of m = 0; past the kernel for a row that does not exist
    tap_h: vec4<i32>,
    tap_w: vec4<i32>,
}

// Channels, counted from first_channel, and phases of the four rows from number on.
struct Places {
    channel: vec4<u32>,
    d: vec4<i32>,
    h: vec4<i32>,
    w: vec4<i32>,
}

fn places_of(work: Work, number: u32) -> Places {
    let rest = work.first_row + number + vec4<u32>(0u, 1u, 2u, 3u);
    if (!merged) {
        return Places(rest, vec4(work.phase.x), vec4(work.phase.y), vec4(work.phase.z));
    }
    // A remainder is a second division to some drivers, so that it is made of the quotient.
    let phases = vec3<u32>(params.phases.xyz);
    let by_w = rest / phases.z;
    let by_h = by_w / phases.y;
    let channel = by_h / phases.x;
    let phase_w = vec4<i32>(rest - by_w * phases.z);
    let phase_h = vec4<i32>(by_w - by_h * phases.y);
    let phase_d = vec4<i32>(by_h - channel * phases.x);
    return Places(channel, phase_d, phase_h, phase_w);
}

fn rows_of(work: Work, number: u32) -> Rows {
    let places = places_of(work, number);
    var tap_d = vec4(work.tap.x);
    var tap_h = vec4(work.tap.y);
    var tap_w = vec4(work.tap.z);
    if (merged) {
        tap_d = merged_taps(places.d, 0u);
        tap_h = merged_taps(places.h, 1u);
        tap_w = merged_taps(places.w, 2u);
    }
    tap_d = select(vec4(params.kernel.x), tap_d, places.channel < vec4(params.channel_count));
    let w_at = params.w_base + work.group * params.w_group + (params.first_channel + places.channel) * params.w_out
        + work.first_in * params.w_in + vec4<u32>(tap_d) * params.w_stride.x + vec4<u32>(tap_h) * params.w_stride.y
        + vec4<u32>(tap_w) * params.w_stride.z;
    return Rows(w_at, tap_d, tap_h, tap_w);
}

fn outputs_of(work: Work, number: u32) -> Outputs {
    let places = places_of(work, number);
    let channel = work.group * params.out_per_group + params.first_channel + places.channel;
    let y_at = work.y_at + channel * params.y_channel
        + vec4<u32>(places.d - params.q_pad.x) * params.y_stride.x
        + vec4<u32>(places.h - params.q_pad.y) * params.y_stride.y
        + vec4<u32>(places.w - params.q_pad.z) * params.y_stride.z;
    var bias = vec4(0.0);
    if (has_bias && params.finish != 0u) {
        // Past the last channel it is read and not used.
        let at = params.b_base + channel * params.b_stride;
        bias = vec4(f32(b[at.x]), f32(b[at.y]), f32(b[at.z]), f32(b[at.w]));
    }
    let exist = select(vec4(0u), vec4(1u), places.channel < vec4(params.channel_count));
    return Outputs(y_at, places.d, places.h, places.w, bias, exist);
}

// Four columns.
struct Columns {
    x_at: vec4<u32>, // the sample of the first input channel and m = 0
    i_d: vec4<i32>,  // i of m = 0
    i_h: vec4<i32>,
    i_w: vec4<i32>,
    y_at: vec4<u32>, // what the image and the block add to a row's y_at
    q_d: vec4<i32>,  // q of phase 0
    q_h: vec4<i32>,
    q_w: vec4<i32>,
    exist: vec4<bool>,
}

fn columns_of(work: Work, number: vec4<u32>) -> Columns {
    let rest = work.first_column + number;
    let by_w = rest / params.blocks.z;
    let by_h = by_w / params.blocks.y;
    let n = by_h / params.blocks.x;
    let block_w = vec4<i32>(rest - by_w * params.blocks.z) + params.first_block.z;
    let block_h = vec4<i32>(by_w - by_h * params.blocks.y) + params.first_block.y;
    let block_d = vec4<i32>(by_h - n * params.blocks.x) + params.first_block.x;
    let i_d = block_d * params.i_step.x + shift(work.phase.x, work.tap.x, 0u);
    let i_h = block_h * params.i_step.y + shift(work.phase.y, work.tap.y, 1u);
    let i_w = block_w * params.i_step.z + shift(work.phase.z, work.tap.z, 2u);
    let first_in = (work.group * params.in_per_group + work.first_in) * params.x_channel;
    let x_at = params.x_base + first_in + n * params.x_batch + vec4<u32>(i_d) * params.x_stride.x
        + vec4<u32>(i_h) * params.x_stride.y + vec4<u32>(i_w) * params.x_stride.z;
    let q_d = block_d * params.q_step.x;
    let q_h = block_h * params.q_step.y;
    let q_w = block_w * params.q_step.z;
    let y_at = n * params.y_batch + vec4<u32>(q_d) * params.y_stride.x + vec4<u32>(q_h) * params.y_stride.y
        + vec4<u32>(q_w) * params.y_stride.z;
    let exist = n < vec4(params.batch_count);
    return Columns(
        x_at, i_d, i_h, i_w, y_at, q_d - params.q_pad.x, q_h - params.q_pad.y, q_w - params.q_pad.z, exist);
}

// Where four rows or columns are read from at one tap, and how far the next input channel is; what is not there is read
// at address 0 over and over, and counts as 0.
struct Reads {
    at: vec4<u32>,
    step: vec4<u32>,
    there: vec4<bool>,
}

fn weights_at(rows: Rows, m: vec3<i32>, channel: u32) -> Reads {
    let t = m * params.t_step.xyz;
    let t_d = rows.tap_d + t.x;
    let t_h = rows.tap_h + t.y;
    let t_w = rows.tap_w + t.z;
    let there = (t_d >= vec4(0)) & (t_d < vec4(params.kernel.x)) & (t_h >= vec4(0)) & (t_h < vec4(params.kernel.y))
        & (t_w >= vec4(0)) & (t_w < vec4(params.kernel.z));
    let steps = vec3<u32>(t) * params.w_stride.xyz;
    let at = rows.w_at + (channel * params.w_in + steps.x + steps.y + steps.z);
    return Reads(select(vec4(0u), at, there), select(vec4(0u), vec4(params.w_in), there), there);
}

fn samples_at(columns: Columns, m: vec3<i32>, channel: u32) -> Reads {
    let i = m * params.m_step.xyz;
    let i_d = columns.i_d + i.x;
    let i_h = columns.i_h + i.y;
    let i_w = columns.i_w + i.z;
    let there = columns.exist & (i_d >= vec4(0)) & (i_d < vec4(params.input.x)) & (i_h >= vec4(0))
        & (i_h < vec4(params.input.y)) & (i_w >= vec4(0)) & (i_w < vec4(params.input.z));
    let steps = vec3<u32>(i) * params.x_stride.xyz;
    let at = columns.x_at + (channel * params.x_channel + steps.x + steps.y + steps.z);
    return Reads(select(vec4(0u), at, there), select(vec4(0u), vec4(params.x_channel), there), there);
}

fn read_weights(reads: Reads) -> vec4<f32> {
    let at = reads.at;
    return select(vec4(0.0), vec4(f32(w[at.x]), f32(w[at.y]), f32(w[at.z]), f32(w[at.w])), reads.there);
}

fn read_samples(reads: Reads) -> vec4<f32> {
    let at = reads.at;
    return select(vec4(0.0), vec4(f32(x[at.x]), f32(x[at.y]), f32(x[at.z]), f32(x[at.w])), reads.there);
}

// Which outputs of a row exist: the tile may be larger than the problem.
fn exist(outputs: Outputs, i: u32, columns: Columns) -> vec4<bool> {
    let q_d = columns.q_d + outputs.phase_d[i];
    let q_h = columns.q_h + outputs.phase_h[i];
    let q_w = columns.q_w + outputs.phase_w[i];
    let row = columns.exist & vec4(outputs.exist[i] != 0u);
    return row & (q_d >= vec4(params.first.x)) & (q_d < vec4(params.end.x)) & (q_h >= vec4(params.first.y))
        & (q_h < vec4(params.end.y)) & (q_w >= vec4(params.first.z)) & (q_w < vec4(params.end.z));
}

fn load_row(outputs: Outputs, i: u32, columns: Columns) -> vec4<f32> {
    let there = exist(outputs, i, columns);
    let at = select(vec4(0u), outputs.y_at[i] + columns.y_at, there);
    return select(vec4(0.0), vec4(f32(y[at.x]), f32(y[at.y]), f32(y[at.z]), f32(y[at.w])), there);
}

// The sums of four rows and columns that an earlier dispatch left.
fn load(outputs: Outputs, columns: Columns) -> mat4x4<f32> {
    return mat4x4<f32>(
        load_row(outputs, 0u, columns),
        load_row(outputs, 1u, columns),
        load_row(outputs, 2u, columns),
        load_row(outputs, 3u, columns),
    );
}

fn store_row(outputs: Outputs, i: u32, columns: Columns, sums: vec4<f32>) {
    let there = exist(outputs, i, columns);
    let at = outputs.y_at[i] + columns.y_at;
    var values = sums;
    if (params.finish != 0u) {
        values = activate(sums + outputs.bias[i]);
    }
    if (there.x) { y[at.x] = Out(values.x); }
    if (there.y) { y[at.y] = Out(values.y); }
    if (there.z) { y[at.z] = Out(values.z); }
    if (there.w) { y[at.w] = Out(values.w); }
}

fn store(outputs: Outputs, columns: Columns, sums: mat4x4<f32>) {
    store_row(outputs, 0u, columns, sums[0]);
    store_row(outputs, 1u, columns, sums[1]);
    store_row(outputs, 2u, columns, sums[2]);
    store_row(outputs, 3u, columns, sums[3]);
}
