// Convolution or transposed convolution as an implicit GEMM by cooperative matrices: weights and samples are staged in
// workgroup memory, and each of four subgroups sums a square of 2 by 2 matrices of SIDE rows and columns. Products of
// f16 inputs are exact; sums are f32, rounded as the device rounds them.

override workgroup_size: u32 = 128; // four subgroups

const EDGE = 4u * SIDE; // the tile's rows, and its columns

var<workgroup> weights: array<In, EDGE * SIDE>; // the tile's rows, for each of SIDE input channels
var<workgroup> samples: array<In, EDGE * SIDE>; // the tile's columns, for each of SIDE input channels
var<workgroup> squares: array<f32, 4u * SIDE * SIDE>; // the sums of one matrix of each subgroup, row by row

// Columns that lie side by side are in different quads, so that neighbouring threads read neighbouring samples.
fn columns_of_quad(work: Work, quad: u32) -> Columns {
    return columns_of(work, quad + EDGE / 4u * vec4(0u, 1u, 2u, 3u));
}

fn stage_weights(at: u32, values: vec4<f32>) {
    weights[at] = In(values.x);
    weights[at + 1u] = In(values.y);
    weights[at + 2u] = In(values.z);
    weights[at + 3u] = In(values.w);
}

fn stage_samples(at: u32, values: vec4<f32>) {
    samples[at] = In(values.x);
    samples[at + EDGE / 4u] = In(values.y);
    samples[at + EDGE / 2u] = In(values.z);
    samples[at + EDGE / 4u * 3u] = In(values.w);
}

// Four sums of a row of a subgroup's matrix.
fn square_row(at: u32) -> vec4<f32> {
    return vec4(squares[at], squares[at + 1u], squares[at + 2u], squares[at + 3u]);
}

// Stores a subgroup's matrix, which begins at this row and column of the tile.
fn store_square(work: Work, first_row: u32, first_column: u32, subgroup: u32, thread: u32) {
    const QUADS = SIDE / 4u;
    for (var quad = thread; quad < QUADS * QUADS; quad += workgroup_size / 4u) {
        let row = quad / QUADS * 4u;
        let column = quad % QUADS * 4u;
        let at = (subgroup * SIDE + row) * SIDE + column;
        let sums = mat4x4<f32>(
            square_row(at), square_row(at + SIDE), square_row(at + 2u * SIDE), square_row(at + 3u * SIDE));
        let numbers = first_column + column + vec4<u32>(0u, 1u, 2u, 3u);
        store(outputs_of(work, first_row + row), columns_of(work, numbers), sums);
    }
}

@compute @workgroup_size(workgroup_size)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let work = work_of(workgroup.y * params.row_workgroups + workgroup.x, EDGE, EDGE);
    // What this thread stages: the same rows and columns each time, of one channel or several.
    let rows = rows_of(work, 4u * (thread % SIDE));
    let columns = columns_of_quad(work, thread % SIDE);
    // The subgroup's square of 2 by 2 matrices.
    let first_row = subgroup / 2u * 2u * SIDE;
    let first_column = subgroup % 2u * 2u * SIDE;

    var sums00 = SumMatrix();
    var sums01 = SumMatrix();
    var sums10 = SumMatrix();
    var sums11 = SumMatrix();
    for (var first = 0u; first < work.count_in; first += CHANNELS) {
        let end = min(first + CHANNELS, work.count_in);
        for (var d = 0; d < work.taps.x; d++) {
            for (var h = 0; h < work.taps.y; h++) {
                for (var w_tap = 0; w_tap < work.taps.z; w_tap++) {
                    for (var channel = first; channel < end; channel += SIDE) {
                        let weight_reads = weights_at(rows, vec3(d, h, w_tap), channel);
                        let sample_reads = samples_at(columns, vec3(d, h, w_tap), channel);
                        // Channels past the end are zeros in both matrices.
                        for (var at = thread; at < SIDE * SIDE; at += workgroup_size) {
                            let number = at / SIDE;
                            let there = channel + number < end;
                            let w_there = weight_reads.there & vec4(there);
                            let x_there = sample_reads.there & vec4(there);
                            let w_at = select(vec4(0u), weight_reads.at + number * weight_reads.step, w_there);
                            let x_at = select(vec4(0u), sample_reads.at + number * sample_reads.step, x_there);
                            stage_weights(number * EDGE + 4u * (at % SIDE), read_weights(Reads(w_at, w_at, w_there)));
                            stage_samples(number * EDGE + at % SIDE, read_samples(Reads(x_at, x_at, x_there)));
                        }
                        workgroupBarrier();
                        let rows0 = coopLoad<RowMatrix>(&weights[first_row], EDGE);
                        let rows1 = coopLoad<RowMatrix>(&weights[first_row + SIDE], EDGE);
                        let samples0 = coopLoadT<SampleMatrix>(&samples[first_column], EDGE);
                        let samples1 = coopLoadT<SampleMatrix>(&samples[first_column + SIDE], EDGE);
                        sums00 = coopMultiplyAdd(rows0, samples0, sums00);
                        sums01 = coopMultiplyAdd(rows0, samples1, sums01);
                        sums10 = coopMultiplyAdd(rows1, samples0, sums10);
                        sums11 = coopMultiplyAdd(rows1, samples1, sums11);
                        workgroupBarrier();
                    }
                }
            }
        }
    }
    let square = subgroup * SIDE * SIDE;
    coopStoreT(sums00, &squares[square], SIDE);
    workgroupBarrier();
    store_square(work, first_row, first_column, subgroup, lane);
    workgroupBarrier();
    coopStoreT(sums01, &squares[square], SIDE);
    workgroupBarrier();
    store_square(work, first_row, first_column + SIDE, subgroup, lane);
    workgroupBarrier();
    coopStoreT(sums10, &squares[square], SIDE);
    workgroupBarrier();
    store_square(work, first_row + SIDE, first_column, subgroup, lane);
    workgroupBarrier();
    coopStoreT(sums11, &squares[square], SIDE);
    workgroupBarrier();
    store_square(work, first_row + SIDE, first_column + SIDE, subgroup, lane);
}
