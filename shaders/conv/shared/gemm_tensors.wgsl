// How an implicit GEMM reads weights and samples, and reads and writes sums: for the rows and columns of
// implicit_gemm.wgsl, to which this file is appended.

// Where four rows or columns are read at one tap: addresses, and the step to the next input channel. A weight or sample
// that does not exist is read at address 0 with step 0, and counts as 0.
struct Reads {
    at: vec4<u32>,
    step: vec4<u32>,
    there: vec4<bool>,
}

fn weights_at(rows: Rows, m: vec3<i32>, channel: u32) -> Reads {
    let t = m * vec3(params.d.t_step, params.h.t_step, params.w.t_step);
    let t_d = rows.tap_d + t.x;
    let t_h = rows.tap_h + t.y;
    let t_w = rows.tap_w + t.z;
    // A negative number is large without its sign.
    let there = (vec4<u32>(t_d) < vec4(u32(params.d.kernel))) & (vec4<u32>(t_h) < vec4(u32(params.h.kernel)))
        & (vec4<u32>(t_w) < vec4(u32(params.w.kernel)));
    let steps = vec3<u32>(t) * vec3(params.d.w_stride, params.h.w_stride, params.w.w_stride);
    let at = rows.w_at + (channel * params.w_in + steps.x + steps.y + steps.z);
    return Reads(select(vec4(0u), at, there), select(vec4(0u), vec4(params.w_in), there), there);
}

fn samples_at(columns: Columns, m: vec3<i32>, channel: u32) -> Reads {
    let i = m * vec3(params.d.m_step, params.h.m_step, params.w.m_step);
    let i_d = columns.i_d + i.x;
    let i_h = columns.i_h + i.y;
    let i_w = columns.i_w + i.z;
    let there = columns.exist & (vec4<u32>(i_d) < vec4(u32(params.d.input)))
        & (vec4<u32>(i_h) < vec4(u32(params.h.input))) & (vec4<u32>(i_w) < vec4(u32(params.w.input)));
    let steps = vec3<u32>(i) * vec3(params.d.x_stride, params.h.x_stride, params.w.x_stride);
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
    return row & (q_d >= vec4(params.d.first)) & (q_d < vec4(params.d.end)) & (q_h >= vec4(params.h.first))
        & (q_h < vec4(params.h.end)) & (q_w >= vec4(params.w.first)) & (q_w < vec4(params.w.end));
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
    if (params.sum_is_complete != 0u) {
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
