// Convolution or transposed convolution as an implicit GEMM, shared within workgroups: in each step, the weights and
// samples of 16 input channels at one tap are staged in workgroup memory, and each thread sums squares of 4 rows by 4
// columns. While it sums those of one step, its loads of the next are under way.
//
// A file with the tile stands before this one: ROW_QUADS and COLUMN_QUADS are the tile's rows and columns divided by 4,
// ROW_SQUARES and COLUMN_SQUARES (1 or 2) say how many squares a thread sums.

override workgroup_size: u32 = THREADS;
override split: bool = false; // whether sums continue from one dispatch to the next; if not, their loads are left out

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

// Where a thread reads its samples of a step: the first one's address, and the step from one to the next. In the
// padding both are 0, and so is the number of channels.
struct SampleReads {
    at: u32,
    step: u32,
    channels: u32, // the step's input channels; fewer than STAGED in the last step of a tap
}

fn samples_of(column: Column, m: vec3<i32>, channel: u32, channels: u32) -> SampleReads {
    let offset = m * vec3(params.d.m_step, params.h.m_step, params.w.m_step);
    let i = column.i + offset;
    let there = column.exists & (i.x >= 0) & (i.x < params.d.input) & (i.y >= 0) & (i.y < params.h.input)
        & (i.z >= 0) & (i.z < params.w.input);
    let steps = vec3<u32>(offset) * vec3(params.d.x_stride, params.h.x_stride, params.w.x_stride);
    let at = column.x_at + channel * params.x_channel + steps.x + steps.y + steps.z;
    return SampleReads(
        select(0u, at, there), select(0u, SAMPLE_STEP * params.x_channel, there), select(0u, channels, there));
}

// Four samples of one column, at one channel of four that are staged by this thread, and at the next three.
fn four_samples(reads: SampleReads, number: u32) -> vec4<In> {
    let at = reads.at + number * reads.step + reads.step * vec4(0u, 1u, 2u, 3u);
    return vec4<In>(x[at.x], x[at.y], x[at.z], x[at.w]);
}

// The same where there may be fewer channels than STAGED: past the last one, the sample at address 0 is read.
fn last_samples(reads: SampleReads, number: u32, channel: u32) -> vec4<In> {
    let channels = channel + SAMPLE_STEP * (number + vec4(0u, 1u, 2u, 3u));
    let all = reads.at + number * reads.step + reads.step * vec4(0u, 1u, 2u, 3u);
    let at = select(vec4(0u), all, channels < vec4(reads.channels));
    return vec4<In>(x[at.x], x[at.y], x[at.z], x[at.w]);
}

// The weights of four rows at one channel.
fn four_weights(at: vec4<u32>) -> vec4<In> {
    return vec4<In>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

fn stage_samples(values: vec4<In>, channel: u32, channels: u32, column: u32) {
    let quad = column / 4u;
    let i = column % 4u;
    let kept = vec4<f32>(values);
    samples[channel][quad][i] = select(0.0, kept.x, channel < channels);
    samples[channel + SAMPLE_STEP][quad][i] = select(0.0, kept.y, channel + SAMPLE_STEP < channels);
    samples[channel + 2u * SAMPLE_STEP][quad][i] = select(0.0, kept.z, channel + 2u * SAMPLE_STEP < channels);
    samples[channel + 3u * SAMPLE_STEP][quad][i] = select(0.0, kept.w, channel + 3u * SAMPLE_STEP < channels);
}

fn stage_weights(values: vec4<In>, channel: u32, channels: u32, there: vec4<bool>, quad: u32) {
    weights[channel][quad] = select(vec4(0.0), vec4<f32>(values), there & vec4(channel < channels));
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

    // What this thread stages: the samples of one column and the weights of one quad of rows, at some channels.
    let column_number = thread % (4u * COLUMN_QUADS);
    let sample_channel = thread / (4u * COLUMN_QUADS);
    let row_quad = thread % ROW_QUADS;
    let weight_channel = thread / ROW_QUADS;
    let column = column_of(work, column_number);
    let rows = rows_of(work, 4u * row_quad);

    var m = vec3<i32>();
    var first = 0u;    // the first of the channels that are summed at all taps
    var end = min(CHANNELS, work.count_in); // one past the last of them
    var channel = 0u;  // the first channel of the step
    var sample_reads = samples_of(column, m, sample_channel, end);
    var weight_reads = weights_at(rows, m, weight_channel);
    let steps = steps_of(work);
    // Round n reads the numbers of step n, sums step n - 1, and then stages what it has read.
    for (var step = 0u; step <= steps; step++) {
        var x0 = vec4<In>();
        var x1 = vec4<In>();
        var x2 = vec4<In>();
        var x3 = vec4<In>();
        var w0 = vec4<In>();
        var w1 = vec4<In>();
        var w2 = vec4<In>();
        var w3 = vec4<In>();
        let channels = end - channel;
        if (step < steps) {
            if (channels >= STAGED) {
                x0 = four_samples(sample_reads, 0u);
                if (SAMPLES > 4u) {
                    x1 = four_samples(sample_reads, 4u);
                }
                if (SAMPLES > 8u) {
                    x2 = four_samples(sample_reads, 8u);
                    x3 = four_samples(sample_reads, 12u);
                }
                w0 = four_weights(weight_reads.at);
                if (WEIGHTS > 1u) {
                    w1 = four_weights(weight_reads.at + WEIGHT_STEP * weight_reads.step);
                }
                if (WEIGHTS > 2u) {
                    w2 = four_weights(weight_reads.at + 2u * WEIGHT_STEP * weight_reads.step);
                    w3 = four_weights(weight_reads.at + 3u * WEIGHT_STEP * weight_reads.step);
                }
            } else {
                x0 = last_samples(sample_reads, 0u, sample_channel);
                if (SAMPLES > 4u) {
                    x1 = last_samples(sample_reads, 4u, sample_channel);
                }
                if (SAMPLES > 8u) {
                    x2 = last_samples(sample_reads, 8u, sample_channel);
                    x3 = last_samples(sample_reads, 12u, sample_channel);
                }
                // Past the last channel the step's first weight is read again.
                let at = weight_reads.at;
                let offset = WEIGHT_STEP * weight_reads.step;
                w0 = four_weights(select(vec4(0u), at, weight_channel < channels));
                if (WEIGHTS > 1u) {
                    w1 = four_weights(select(vec4(0u), at + offset, weight_channel + WEIGHT_STEP < channels));
                }
                if (WEIGHTS > 2u) {
                    w2 = four_weights(select(vec4(0u), at + 2u * offset, weight_channel + 2u * WEIGHT_STEP < channels));
                    w3 = four_weights(select(vec4(0u), at + 3u * offset, weight_channel + 3u * WEIGHT_STEP < channels));
                }
            }
        }
        if (step > 0u) {
            for (var c = 0u; c < STAGED; c += 4u) {
                {
                    let r0 = weights[c][row_thread];
                    let s0 = samples[c][column_thread];
                    q00 += outer(r0, s0);
                    if (COLUMN_SQUARES > 1u) {
                        q01 += outer(r0, samples[c][column_thread + COLUMN_THREADS]);
                    }
                    if (ROW_SQUARES > 1u) {
                        let r1 = weights[c][row_thread + ROW_THREADS];
                        q10 += outer(r1, s0);
                        if (COLUMN_SQUARES > 1u) {
                            q11 += outer(r1, samples[c][column_thread + COLUMN_THREADS]);
                        }
                    }
                }
                {
                    let r0 = weights[c + 1u][row_thread];
                    let s0 = samples[c + 1u][column_thread];
                    q00 += outer(r0, s0);
                    if (COLUMN_SQUARES > 1u) {
                        q01 += outer(r0, samples[c + 1u][column_thread + COLUMN_THREADS]);
                    }
                    if (ROW_SQUARES > 1u) {
                        let r1 = weights[c + 1u][row_thread + ROW_THREADS];
                        q10 += outer(r1, s0);
                        if (COLUMN_SQUARES > 1u) {
                            q11 += outer(r1, samples[c + 1u][column_thread + COLUMN_THREADS]);
                        }
                    }
                }
                {
                    let r0 = weights[c + 2u][row_thread];
                    let s0 = samples[c + 2u][column_thread];
                    q00 += outer(r0, s0);
                    if (COLUMN_SQUARES > 1u) {
                        q01 += outer(r0, samples[c + 2u][column_thread + COLUMN_THREADS]);
                    }
                    if (ROW_SQUARES > 1u) {
                        let r1 = weights[c + 2u][row_thread + ROW_THREADS];
                        q10 += outer(r1, s0);
                        if (COLUMN_SQUARES > 1u) {
                            q11 += outer(r1, samples[c + 2u][column_thread + COLUMN_THREADS]);
                        }
                    }
                }
                {
                    let r0 = weights[c + 3u][row_thread];
                    let s0 = samples[c + 3u][column_thread];
                    q00 += outer(r0, s0);
                    if (COLUMN_SQUARES > 1u) {
                        q01 += outer(r0, samples[c + 3u][column_thread + COLUMN_THREADS]);
                    }
                    if (ROW_SQUARES > 1u) {
                        let r1 = weights[c + 3u][row_thread + ROW_THREADS];
                        q10 += outer(r1, s0);
                        if (COLUMN_SQUARES > 1u) {
                            q11 += outer(r1, samples[c + 3u][column_thread + COLUMN_THREADS]);
                        }
                    }
                }
            }
        }
        workgroupBarrier();
        if (step < steps) {
            stage_samples(x0, sample_channel, sample_reads.channels, column_number);
            if (SAMPLES > 4u) {
                stage_samples(x1, sample_channel + 4u * SAMPLE_STEP, sample_reads.channels, column_number);
            }
            if (SAMPLES > 8u) {
                stage_samples(x2, sample_channel + 8u * SAMPLE_STEP, sample_reads.channels, column_number);
                stage_samples(x3, sample_channel + 12u * SAMPLE_STEP, sample_reads.channels, column_number);
            }
            stage_weights(w0, weight_channel, channels, weight_reads.there, row_quad);
            if (WEIGHTS > 1u) {
                stage_weights(w1, weight_channel + WEIGHT_STEP, channels, weight_reads.there, row_quad);
            }
            if (WEIGHTS > 2u) {
                stage_weights(w2, weight_channel + 2u * WEIGHT_STEP, channels, weight_reads.there, row_quad);
                stage_weights(w3, weight_channel + 3u * WEIGHT_STEP, channels, weight_reads.there, row_quad);
            }
            // The next step: more channels, else the next tap, else the next channels and the first tap.
            channel += STAGED;
            if (channel < end) {
                sample_reads.at += STAGED / SAMPLE_STEP * sample_reads.step;
                sample_reads.channels -= min(STAGED, sample_reads.channels);
                weight_reads.at += STAGED * weight_reads.step;
            } else {
                m.z++;
                if (m.z == work.taps.z) {
                    m.z = 0;
                    m.y++;
                }
                if (m.y == work.taps.y) {
                    m.y = 0;
                    m.x++;
                }
                if (m.x == work.taps.x) {
                    m.x = 0;
                    first = end;
                    end = min(end + CHANNELS, work.count_in);
                }
                channel = first;
                sample_reads = samples_of(column, m, channel + sample_channel, end - channel);
                weight_reads = weights_at(rows, m, channel + weight_channel);
            }
        }
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
