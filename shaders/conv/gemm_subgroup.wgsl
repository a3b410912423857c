// Convolution or transposed convolution as an implicit GEMM, shared within subgroups: a thread sums four columns for
// every row of the tile. The lanes of a subgroup each read four of the rows' weights and hand them to all the others,
// so that 8 loads serve 128 products. Needs subgroups of `quads` threads or more.

override workgroup_size: u32 = 32;
override quads: u32 = 8; // quads of rows in the tile: 1, 2, 4 or 8
override split: bool = false; // whether sums continue from one dispatch to the next; if not, their loads are left out

// The outputs of the four rows that a lane of the subgroup holds.
fn outputs_of_lane(lane: u32, outputs: Outputs) -> Outputs {
    return Outputs(
        subgroupShuffle(outputs.y_at, lane),
        subgroupShuffle(outputs.phase_d, lane),
        subgroupShuffle(outputs.phase_h, lane),
        subgroupShuffle(outputs.phase_w, lane),
        subgroupShuffle(outputs.bias, lane),
        subgroupShuffle(outputs.exist, lane),
    );
}

@compute @workgroup_size(workgroup_size)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let number = workgroup.y * params.row_workgroups + workgroup.x;
    let work = work_of(number, 4u * quads, 4u * workgroup_size);
    let rows = rows_of(work, 4u * (lane % quads));
    let outputs = outputs_of(work, 4u * (lane % quads));
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
    if (split && params.accumulate != 0u) {
        for (var quad = 0u; quad < quads; quad++) {
            let sums = load(outputs_of_lane(quad, outputs), columns);
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
    for (var first = 0u; first < work.count_in; first += CHANNELS) {
        let count = min(CHANNELS, work.count_in - first);
        for (var d = 0; d < work.taps.x; d++) {
            for (var h = 0; h < work.taps.y; h++) {
                for (var w_tap = 0; w_tap < work.taps.z; w_tap++) {
                    var weights = weights_at(rows, vec3(d, h, w_tap), first);
                    var samples = samples_at(columns, vec3(d, h, w_tap), first);
                    for (var c = 0u; c < count; c++) {
                        let s = read_samples(samples);
                        let r = read_weights(weights);
                        samples.at += samples.step;
                        weights.at += weights.step;
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
        store(outputs_of_lane(quad, outputs), columns, sums);
    }
}
