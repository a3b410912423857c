// Gradient of a convolution, or of its transpose, with respect to the weight, as an implicit GEMM shared within
// workgroups: the narrow and the wide samples of a few positions are staged in workgroup memory, and each thread sums a
// square of 4 or 8 rows and columns.

override workgroup_size: u32 = 64;
override staged_rows: u32 = 128; // quads of rows in the tile, times STAGED: vectors of narrow samples that are staged
override staged_columns: u32 = 128; // quads of columns in the tile, times STAGED
override quads: u32 = 2; // quads of rows, and of columns, that a thread sums: 1 or 2

const STAGED = 8u; // positions that are staged at a time

var<workgroup> narrows: array<vec4<f32>, staged_rows>;
var<workgroup> wides: array<vec4<f32>, staged_columns>;

// Columns that lie side by side are in different quads, so that neighbouring threads read neighbouring samples.
fn columns_of_quad(work: Work, quad: u32) -> Columns {
    return columns_of(work, quad + staged_columns / STAGED * vec4(0u, 1u, 2u, 3u));
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row_quads = staged_rows / STAGED;
    let column_quads = staged_columns / STAGED;
    let row_threads = row_quads / quads;
    let column_threads = column_quads / quads;
    let work = work_of(workgroup.y * params.row_threads + workgroup.x, 4u * row_quads, 4u * column_quads);
    let row_thread = thread / column_threads;
    let column_thread = thread % column_threads;
    // What this thread stages: the same rows and columns each time, at one position or several.
    let rows = rows_of(work, 4u * (thread % row_quads));
    let columns = columns_of_quad(work, thread % column_quads);

    var q00 = mat4x4<f32>();
    var q01 = mat4x4<f32>();
    var q10 = mat4x4<f32>();
    var q11 = mat4x4<f32>();
    if (split) {
        for (var square = 0u; square < quads * quads; square++) {
            let own_columns = columns_of_quad(work, column_thread + square % quads * column_threads);
            let sums = load(work, 4u * (row_thread + square / quads * row_threads), own_columns);
            switch (square) {
                case 1u: { q01 = sums; }
                case 2u: { q10 = sums; }
                case 3u: { q11 = sums; }
                default: { q00 = sums; }
            }
        }
    }
    let range = range_of(work.slice);
    for (var at = range.x; at < range.y; at += STAGED) {
        let count = min(STAGED, range.y - at);
        for (var staged = thread; staged < row_quads * count; staged += workgroup_size) {
            narrows[staged] = read_rows(rows + place_of(at + staged / row_quads).narrow_at);
        }
        for (var staged = thread; staged < column_quads * count; staged += workgroup_size) {
            let place = place_of(at + staged / column_quads);
            let lines = lines_of(columns, place);
            wides[staged] = read_columns(lines.at, columns.q_w + place.column * params.w.stride, lines.there);
        }
        workgroupBarrier();
        for (var i = 0u; i < count; i++) {
            let r0 = narrows[i * row_quads + row_thread];
            let s0 = wides[i * column_quads + column_thread];
            q00 += outer(r0, s0);
            if (quads > 1u) {
                let r1 = narrows[i * row_quads + row_thread + row_threads];
                let s1 = wides[i * column_quads + column_thread + column_threads];
                q01 += outer(r0, s1);
                q10 += outer(r1, s0);
                q11 += outer(r1, s1);
            }
        }
        workgroupBarrier();
    }
    for (var square = 0u; square < quads * quads; square++) {
        let own_columns = columns_of_quad(work, column_thread + square % quads * column_threads);
        var sums = q00;
        switch (square) {
            case 1u: { sums = q01; }
            case 2u: { sums = q10; }
            case 3u: { sums = q11; }
            default: {}
        }
        store(work, 4u * (row_thread + square / quads * row_threads), own_columns, sums);
    }
}
