// Convolution or transposed convolution as an implicit GEMM, shared within workgroups: weights and samples of a few
// input channels are staged in workgroup memory, and each thread sums a square of 4 or 8 rows and columns.

override workgroup_size: u32 = 64;
override staged_rows: u32 = 128; // quads of rows in the tile, times STAGED: vectors of weights that are staged
override staged_columns: u32 = 128; // quads of columns in the tile, times STAGED
override quads: u32 = 2; // quads of rows, and of columns, that a thread sums: 1 or 2
override split: bool = false; // whether sums continue from one dispatch to the next; if not, their loads are left out

const STAGED = 8u; // input channels that are staged at a time

var<workgroup> weights: array<vec4<f32>, staged_rows>;
var<workgroup> samples: array<vec4<f32>, staged_columns>;

// Columns that lie side by side are in different quads, so that neighbouring threads read neighbouring samples.
fn columns_of_quad(work: Work, quad: u32) -> Columns {
    return columns_of(work, quad + staged_columns / STAGED * vec4(0u, 1u, 2u, 3u));
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let number = workgroup.y * params.row_workgroups + workgroup.x;
    let row_quads = staged_rows / STAGED;
    let column_quads = staged_columns / STAGED;
    let row_threads = row_quads / quads;
    let column_threads = column_quads / quads;
    let work = work_of(number, 4u * row_quads, 4u * column_quads);
    let row_thread = thread / column_threads;
    let column_thread = thread % column_threads;
    // What this thread stages: the same rows and columns each time, of one channel or several.
    let rows = rows_of(work, 4u * (thread % row_quads));
    let columns = columns_of_quad(work, thread % column_quads);

    var q00 = mat4x4<f32>();
    var q01 = mat4x4<f32>();
    var q10 = mat4x4<f32>();
    var q11 = mat4x4<f32>();
    if (split && params.accumulate != 0u) {
        for (var square = 0u; square < quads * quads; square++) {
            let own_rows = outputs_of(work, 4u * (row_thread + square / quads * row_threads));
            let own_columns = columns_of_quad(work, column_thread + square % quads * column_threads);
            let sums = load(own_rows, own_columns);
            switch (square) {
                case 1u: { q01 = sums; }
                case 2u: { q10 = sums; }
                case 3u: { q11 = sums; }
                default: { q00 = sums; }
            }
        }
    }
    for (var first = 0u; first < work.count_in; first += CHANNELS) {
        let end = min(first + CHANNELS, work.count_in);
        for (var d = 0; d < work.taps.x; d++) {
            for (var h = 0; h < work.taps.y; h++) {
                for (var w_tap = 0; w_tap < work.taps.z; w_tap++) {
                    for (var channel = first; channel < end; channel += STAGED) {
                        let count = min(STAGED, end - channel);
                        let weight_reads = weights_at(rows, vec3(d, h, w_tap), channel);
                        for (var at = thread; at < row_quads * count; at += workgroup_size) {
                            weights[at] = read_weights(Reads(
                                weight_reads.at + at / row_quads * weight_reads.step,
                                weight_reads.step,
                                weight_reads.there));
                        }
                        let sample_reads = samples_at(columns, vec3(d, h, w_tap), channel);
                        for (var at = thread; at < column_quads * count; at += workgroup_size) {
                            samples[at] = read_samples(Reads(
                                sample_reads.at + at / column_quads * sample_reads.step,
                                sample_reads.step,
                                sample_reads.there));
                        }
                        workgroupBarrier();
                        for (var c = 0u; c < count; c++) {
                            let r0 = weights[c * row_quads + row_thread];
                            let s0 = samples[c * column_quads + column_thread];
                            q00 += outer(r0, s0);
                            if (quads > 1u) {
                                let r1 = weights[c * row_quads + row_thread + row_threads];
                                let s1 = samples[c * column_quads + column_thread + column_threads];
                                q01 += outer(r0, s1);
                                q10 += outer(r1, s0);
                                q11 += outer(r1, s1);
                            }
                        }
                        workgroupBarrier();
                    }
                }
            }
        }
    }
    for (var square = 0u; square < quads * quads; square++) {
        let own_rows = outputs_of(work, 4u * (row_thread + square / quads * row_threads));
        let own_columns = columns_of_quad(work, column_thread + square % quads * column_threads);
        var sums = q00;
        switch (square) {
            case 1u: { sums = q01; }
            case 2u: { sums = q10; }
            case 3u: { sums = q11; }
            default: {}
        }
        store(own_rows, own_columns, sums);
    }
}
