// Gradient of a convolution, or of its transpose, with respect to the weight, as an implicit GEMM shared within
// subgroups: a thread sums four columns for every row of the tile. The lanes of a subgroup each read four rows and hand
// them to all the others. Needs subgroups of `quads` threads or more.

override workgroup_size: u32 = 32;
override quads: u32 = 8; // quads of rows in the tile: 1, 2, 4 or 8

@compute @workgroup_size(workgroup_size)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let work = work_of(workgroup.y * params.row_threads + workgroup.x, 4u * quads, 4u * workgroup_size);
    let rows = rows_of(work, 4u * (lane % quads));
    let columns = columns_of(work, thread + workgroup_size * vec4(0u, 1u, 2u, 3u));

    // Row 4 * quad + i of the tile is column i of the quad's matrix.
    var q0 = mat4x4<f32>();
    var q1 = mat4x4<f32>();
    var q2 = mat4x4<f32>();
    var q3 = mat4x4<f32>();
    var q4 = mat4x4<f32>();
    var q5 = mat4x4<f32>();
    var q6 = mat4x4<f32>();
    var q7 = mat4x4<f32>();
    if (split) {
        for (var quad = 0u; quad < quads; quad++) {
            let sums = load(work, 4u * quad, columns);
            switch (quad) {
                case 1u: { q1 = sums; }
                case 2u: { q2 = sums; }
                case 3u: { q3 = sums; }
                case 4u: { q4 = sums; }
                case 5u: { q5 = sums; }
                case 6u: { q6 = sums; }
                case 7u: { q7 = sums; }
                default: { q0 = sums; }
            }
        }
    }
    let range = range_of(work.slice);
    var at = range.x;
    while (at < range.y) {
        // One row of positions, or the part of it that is in the range.
        let place = place_of(at);
        let end = place.column + i32(min(range.y - at, u32(params.w.narrow - place.column)));
        at += u32(end - place.column);
        let lines = lines_of(columns, place);
        var row_at = rows + place.narrow_at;
        var q = columns.q_w + place.column * params.w.stride;
        for (var column = place.column; column < end; column++) {
            let s = read_columns(lines.at, q, lines.there);
            let r = read_rows(row_at);
            row_at += params.w.narrow_stride;
            q += params.w.stride;
            q0 += outer(subgroupBroadcast(r, 0u), s);
            if (quads > 1u) {
                q1 += outer(subgroupBroadcast(r, 1u), s);
            }
            if (quads > 2u) {
                q2 += outer(subgroupBroadcast(r, 2u), s);
                q3 += outer(subgroupBroadcast(r, 3u), s);
            }
            if (quads > 4u) {
                q4 += outer(subgroupBroadcast(r, 4u), s);
                q5 += outer(subgroupBroadcast(r, 5u), s);
                q6 += outer(subgroupBroadcast(r, 6u), s);
                q7 += outer(subgroupBroadcast(r, 7u), s);
            }
        }
    }
    for (var quad = 0u; quad < quads; quad++) {
        var sums = q0;
        switch (quad) {
            case 1u: { sums = q1; }
            case 2u: { sums = q2; }
            case 3u: { sums = q3; }
            case 4u: { sums = q4; }
            case 5u: { sums = q5; }
            case 6u: { sums = q6; }
            case 7u: { sums = q7; }
            default: {}
        }
        store(work, 4u * quad, columns, sums);
    }
}
