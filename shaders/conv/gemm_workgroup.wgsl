// Convolution or transposed convolution as an implicit GEMM, shared within workgroups: in each step, the weights and
// samples of 16 input channels at one tap are staged in workgroup memory, and each thread sums squares of 4 rows by 4
// columns. While it sums those of one step, its loads of the next are under way.
//
// A file with the tile stands before this one: ROW_QUADS and COLUMN_QUADS are the tile's rows and columns divided by 4,
// ROW_SQUARES and COLUMN_SQUARES (1 or 2) say how many squares a thread sums.

override workgroup_size: u32 = THREADS;
override split: bool = false; // whether sums continue from one dispatch to the next; if not, their loads are left out
override has_tail: bool = true; // whether a sum may have a number of channels that STAGED does not divide

const STAGED = 16u; // input channels that are staged at a time; divides CHANNELS
const ROW_THREADS = ROW_QUADS / ROW_SQUARES;
const COLUMN_THREADS = COLUMN_QUADS / COLUMN_SQUARES;
const THREADS = ROW_THREADS * COLUMN_THREADS;

// A thread stages samples of one column, and weights of one quad of rows. These are the channels from one that it
// stages to the next.
const SAMPLE_STEP = THREADS / (4u * COLUMN_QUADS);
const WEIGHT_STEP = THREADS / ROW_QUADS;
const SAMPLES = STAGED / SAMPLE_STEP; // samples that a thread stages: a multiple of 4
const WEIGHTS = STAGED / WEIGHT_STEP; // quads of weights that a thread stages: 1, 2 or 4

// The inner sizes are constants, and indices of channels too, so that a compiler checks few indices.
var<workgroup> weights: array<array<vec4<f32>, ROW_QUADS>, STAGED>;
var<workgroup> samples: array<array<vec4<f32>, COLUMN_QUADS>, STAGED>;

// The column whose samples a thread stages.
struct Column {
    x_at: u32, // address of the sample of the first input channel and m = 0
    i: vec3<i32>, // i of m = 0
    exists: bool,
}

// Where a column stands: image and block, counted from this dispatch's first.
struct Position {
    n: u32,
    d: u32,
    h: u32,
    w: u32,
}

fn position_of(column: u32) -> Position {
    let by_w = column / params.w.blocks;
    let by_h = by_w / params.h.blocks;
    let n = by_h / params.d.blocks;
    return Position(n, by_h - n * params.d.blocks, by_w - by_h * params.h.blocks, column - by_w * params.w.blocks);
}

fn next_position(position: Position) -> Position {
    let w = position.w + 1u;
    let carry_h = w == params.w.blocks;
    let h = position.h + select(0u, 1u, carry_h);
    let carry_d = h == params.h.blocks;
    let d = position.d + select(0u, 1u, carry_d);
    let carry_n = d == params.d.blocks;
    let n = position.n + select(0u, 1u, carry_n);
    return Position(n, select(d, 0u, carry_n), select(h, 0u, carry_d), select(w, 0u, carry_h));
}

fn column_of(work: Work, number: u32) -> Column {
    let position = position_of(work.first_column + number);
    let block = vec3<i32>(vec3(position.d, position.h, position.w))
        + vec3(params.d.first_block, params.h.first_block, params.w.first_block);
    let i = block * vec3(params.d.i_step, params.h.i_step, params.w.i_step) + vec3(
        shift(work.phase.x, work.tap.x, params.d),
        shift(work.phase.y, work.tap.y, params.h),
        shift(work.phase.z, work.tap.z, params.w));
    let x_at = params.x_base + (work.group * params.in_per_group + work.first_in) * params.x_channel
        + position.n * params.x_batch + u32(i.x) * params.d.x_stride + u32(i.y) * params.h.x_stride
        + u32(i.z) * params.w.x_stride;
    return Column(x_at, i, position.n < params.batch_count);
}

// Four neighbouring columns, of which the first has this number.
fn neighbours_of(work: Work, number: u32) -> Columns {
    let p0 = position_of(work.first_column + number);
    let p1 = next_position(p0);
    let p2 = next_position(p1);
    let p3 = next_position(p2);
    return columns_at(
        work, vec4(p0.n, p1.n, p2.n, p3.n), vec4(p0.d, p1.d, p2.d, p3.d), vec4(p0.h, p1.h, p2.h, p3.h),
        vec4(p0.w, p1.w, p2.w, p3.w));
}

// What a thread stages: samples of one column, and weights of one quad of rows, each at some of a step's channels.
struct Own {
    column: Column,
    column_number: u32, // in the tile
    sample_channel: u32, // the first channel of its samples, counted from the step's first
    rows: Rows,
    row_quad: u32, // in the tile
    weight_channel: u32,
}

// A step of the sum: input channels `channel` to `channel + channels - 1` at tap m. The sum goes over all taps for
// CHANNELS channels, `first` to `end - 1`, before the next channels.
struct Step {
    m: vec3<i32>,
    first: u32,
    end: u32,
    channel: u32,
    channels: u32,
    x_at: u32, // the address of this thread's first sample; 0 in the padding
    w_at: vec4<u32>, // the addresses of its first weights
    x_there: bool, // false in the padding
    w_there: vec4<bool>, // false for a row that does not exist, or has no weight at this tap
}

fn step_at(own: Own, m: vec3<i32>, first: u32, end: u32) -> Step {
    let offset = m * vec3(params.d.m_step, params.h.m_step, params.w.m_step);
    let i = own.column.i + offset;
    // A negative number is large without its sign. After the last step there are no channels, and addresses are 0.
    let there = own.column.exists & (end > first) & (u32(i.x) < u32(params.d.input))
        & (u32(i.y) < u32(params.h.input)) & (u32(i.z) < u32(params.w.input));
    let steps = vec3<u32>(offset) * vec3(params.d.x_stride, params.h.x_stride, params.w.x_stride);
    let at = own.column.x_at + ((first + own.sample_channel) * params.x_channel + steps.x + steps.y + steps.z);
    let reads = weights_at(own.rows, m, first + own.weight_channel);
    return Step(
        m, first, end, first, end - first, select(0u, at, there), select(vec4(0u), reads.at, vec4(end > first)), there,
        reads.there);
}

// More channels, else the next tap, else the next channels at the first tap.
fn next_step(own: Own, work: Work, step: Step) -> Step {
    let channel = step.channel + STAGED;
    if (channel < step.end) {
        return Step(
            step.m, step.first, step.end, channel, step.end - channel, step.x_at + STAGED * params.x_channel,
            step.w_at + STAGED * params.w_in, step.x_there, step.w_there);
    }
    var m = step.m + vec3(0, 0, 1);
    if (m.z == work.taps.z) {
        m = vec3(m.x, m.y + 1, 0);
    }
    if (m.y == work.taps.y) {
        m = vec3(m.x + 1, 0, 0);
    }
    if (m.x == work.taps.x) {
        return step_at(own, vec3(0), step.end, min(step.end + CHANNELS, work.count_in));
    }
    return step_at(own, m, step.first, step.end);
}

// The numbers that a thread stages in a step; those that its tile does not need are not read.
struct Numbers {
    x0: vec4<In>,
    x1: vec4<In>,
    x2: vec4<In>,
    x3: vec4<In>,
    w0: vec4<In>,
    w1: vec4<In>,
    w2: vec4<In>,
    w3: vec4<In>,
}

// Whether channels of a step exist, counted from the step's first.
fn exist_in(step: Step, channels: vec4<u32>) -> vec4<bool> {
    return vec4(!has_tail) | (channels < vec4(step.channels));
}

// The sample of this number among those that a thread stages, and the next three. In the padding others are read, from
// address 0 on, where there are as many channels as in the step. A channel that does not exist is read at address 0.
fn four_samples(own: Own, step: Step, number: u32) -> vec4<In> {
    let channels = SAMPLE_STEP * (number + vec4(0u, 1u, 2u, 3u));
    let exist = exist_in(step, own.sample_channel + channels) & vec4(!has_tail | step.x_there);
    let at = select(vec4(0u), step.x_at + channels * params.x_channel, exist);
    return vec4<In>(x[at.x], x[at.y], x[at.z], x[at.w]);
}

// The weights of four rows, so many channels after the first that the thread stages.
fn four_weights(own: Own, step: Step, channel: u32) -> vec4<In> {
    let exists = exist_in(step, vec4(own.weight_channel + channel));
    let at = select(vec4(0u), step.w_at + channel * params.w_in, exists);
    return vec4<In>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

fn read_step(own: Own, step: Step) -> Numbers {
    var numbers = Numbers();
    numbers.x0 = four_samples(own, step, 0u);
    if (SAMPLES > 4u) {
        numbers.x1 = four_samples(own, step, 4u);
    }
    if (SAMPLES > 8u) {
        numbers.x2 = four_samples(own, step, 8u);
        numbers.x3 = four_samples(own, step, 12u);
    }
    numbers.w0 = four_weights(own, step, 0u);
    if (WEIGHTS > 1u) {
        numbers.w1 = four_weights(own, step, WEIGHT_STEP);
    }
    if (WEIGHTS > 2u) {
        numbers.w2 = four_weights(own, step, 2u * WEIGHT_STEP);
        numbers.w3 = four_weights(own, step, 3u * WEIGHT_STEP);
    }
    return numbers;
}

fn stage_samples(own: Own, step: Step, values: vec4<In>, number: u32) {
    let quad = own.column_number / 4u;
    let i = own.column_number % 4u;
    let first = own.sample_channel + number * SAMPLE_STEP;
    let exist = exist_in(step, first + SAMPLE_STEP * vec4(0u, 1u, 2u, 3u)) & vec4(step.x_there);
    let kept = select(vec4(0.0), vec4<f32>(values), exist);
    samples[first][quad][i] = kept.x;
    samples[first + SAMPLE_STEP][quad][i] = kept.y;
    samples[first + 2u * SAMPLE_STEP][quad][i] = kept.z;
    samples[first + 3u * SAMPLE_STEP][quad][i] = kept.w;
}

fn stage_weights(own: Own, step: Step, values: vec4<In>, number: u32) {
    let channel = own.weight_channel + number;
    var kept = vec4<f32>(values);
    // The sums of a row that does not exist are not stored. Of merged phases some have no weight at a tap.
    if (merged | has_tail) {
        kept = select(vec4(0.0), kept, step.w_there & exist_in(step, vec4(channel)));
    }
    weights[channel][own.row_quad] = kept;
}

fn stage_step(own: Own, step: Step, numbers: Numbers) {
    stage_samples(own, step, numbers.x0, 0u);
    if (SAMPLES > 4u) {
        stage_samples(own, step, numbers.x1, 4u);
    }
    if (SAMPLES > 8u) {
        stage_samples(own, step, numbers.x2, 8u);
        stage_samples(own, step, numbers.x3, 12u);
    }
    stage_weights(own, step, numbers.w0, 0u);
    if (WEIGHTS > 1u) {
        stage_weights(own, step, numbers.w1, WEIGHT_STEP);
    }
    if (WEIGHTS > 2u) {
        stage_weights(own, step, numbers.w2, 2u * WEIGHT_STEP);
        stage_weights(own, step, numbers.w3, 3u * WEIGHT_STEP);
    }
}

// Adds the products of one staged channel to a thread's squares.
fn sum_channel(
    channel: u32,
    row_thread: u32,
    column_thread: u32,
    q00: ptr<function, mat4x4<f32>>,
    q01: ptr<function, mat4x4<f32>>,
    q10: ptr<function, mat4x4<f32>>,
    q11: ptr<function, mat4x4<f32>>,
) {
    let r0 = weights[channel][row_thread];
    let r1 = weights[channel][row_thread + (ROW_SQUARES - 1u) * ROW_THREADS];
    let s0 = samples[channel][column_thread];
    let s1 = samples[channel][column_thread + (COLUMN_SQUARES - 1u) * COLUMN_THREADS];
    *q00 += outer(r0, s0);
    if (COLUMN_SQUARES > 1u) {
        *q01 += outer(r0, s1);
    }
    if (ROW_SQUARES > 1u) {
        *q10 += outer(r1, s0);
    }
    if (ROW_SQUARES > 1u && COLUMN_SQUARES > 1u) {
        *q11 += outer(r1, s1);
    }
}

// The steps of the sum: for CHANNELS input channels at a time, all taps, and at each tap STAGED channels at a time.
fn steps_of(work: Work) -> u32 {
    let taps = vec3<u32>(max(work.taps, vec3(0)));
    let rest = work.count_in % CHANNELS;
    let blocks = work.count_in / CHANNELS * (CHANNELS / STAGED) + (rest + STAGED - 1u) / STAGED;
    return taps.x * taps.y * taps.z * blocks;
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let work = work_of(workgroup.y * params.row_workgroups + workgroup.x, 4u * ROW_QUADS, 4u * COLUMN_QUADS);
    let row_thread = thread / COLUMN_THREADS;
    let column_thread = thread % COLUMN_THREADS;

    var q00 = mat4x4<f32>();
    var q01 = mat4x4<f32>();
    var q10 = mat4x4<f32>();
    var q11 = mat4x4<f32>();
    if (split && params.accumulate != 0u) {
        for (var square = 0u; square < ROW_SQUARES * COLUMN_SQUARES; square++) {
            let own_rows = outputs_of(work, 4u * (row_thread + square / COLUMN_SQUARES * ROW_THREADS));
            let own_columns = neighbours_of(work, 4u * (column_thread + square % COLUMN_SQUARES * COLUMN_THREADS));
            let sums = load(own_rows, own_columns);
            switch (square / COLUMN_SQUARES * 2u + square % COLUMN_SQUARES) {
                case 1u: { q01 = sums; }
                case 2u: { q10 = sums; }
                case 3u: { q11 = sums; }
                default: { q00 = sums; }
            }
        }
    }

    let column_number = thread % (4u * COLUMN_QUADS);
    let row_quad = thread % ROW_QUADS;
    let own = Own(
        column_of(work, column_number), column_number, thread / (4u * COLUMN_QUADS), rows_of(work, 4u * row_quad),
        row_quad, thread / ROW_QUADS);
    var step = step_at(own, vec3(0), 0u, min(CHANNELS, work.count_in));
    stage_step(own, step, read_step(own, step));
    workgroupBarrier();
    let steps = steps_of(work);
    // Each round reads the next step's numbers, sums the staged ones meanwhile, and stages what it has read. The last
    // round reads numbers that are not needed.
    for (var number = 0u; number < steps; number++) {
        step = next_step(own, work, step);
        let numbers = read_step(own, step);
        // Written out, as no compiler unrolls a loop around so much.
        sum_channel(0u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(1u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(2u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(3u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(4u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(5u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(6u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(7u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(8u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(9u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(10u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(11u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(12u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(13u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(14u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        sum_channel(15u, row_thread, column_thread, &q00, &q01, &q10, &q11);
        workgroupBarrier();
        stage_step(own, step, numbers);
        workgroupBarrier();
    }

    for (var square = 0u; square < ROW_SQUARES * COLUMN_SQUARES; square++) {
        let own_rows = outputs_of(work, 4u * (row_thread + square / COLUMN_SQUARES * ROW_THREADS));
        let own_columns = neighbours_of(work, 4u * (column_thread + square % COLUMN_SQUARES * COLUMN_THREADS));
        var sums = q00;
        switch (square / COLUMN_SQUARES * 2u + square % COLUMN_SQUARES) {
            case 1u: { sums = q01; }
            case 2u: { sums = q10; }
            case 3u: { sums = q11; }
            default: {}
        }
        store(own_rows, own_columns, sums);
    }
}
