// Convolution of stride and dilation 1 along rows and columns, for few channels: one thread sums two rows of eight
// outputs. A row of samples is read once for both, and slides past the taps in registers.

override workgroup_size: u32 = 64;

const ROWS = 2u;
const COLUMNS = 8u;

// Four samples of a row from `first` on; 0 outside the row, and if the row does not exist.
fn samples(line: u32, row: bool, first: i32) -> vec4<f32> {
    let i = first + vec4<i32>(0, 1, 2, 3);
    let inside = (i >= vec4(0)) & (i < vec4(params.w.input)) & vec4(row);
    let at = select(vec4(0u), line + vec4<u32>(i) * params.w.x_stride, inside);
    return select(vec4(0.0), vec4(f32(x[at.x]), f32(x[at.y]), f32(x[at.z]), f32(x[at.w])), inside);
}

fn sample(line: u32, row: bool, i: i32) -> f32 {
    let inside = row && i >= 0 && i < params.w.input;
    return select(0.0, f32(x[select(0u, line + u32(i) * params.w.x_stride, inside)]), inside);
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let columns = (params.w.count + COLUMNS - 1u) / COLUMNS;
    let column = rest % columns * COLUMNS + params.w.first;
    rest /= columns;
    let rows = (params.h.count + ROWS - 1u) / ROWS;
    let row = rest % rows * ROWS + params.h.first;
    rest /= rows;
    let slice = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let channel = rest % params.channel_count + params.first_channel;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let taps_d = taps_of(slice, params.d);
    let first_in = channel / params.out_per_group * params.in_per_group + params.first_in;
    var x_plane = params.x_base + n * params.x_batch + first_in * params.x_channel
        + u32(taps_d.index) * params.d.x_stride;
    var w_plane = params.w_base + channel * params.w_out + params.first_in * params.w_in
        + u32(taps_d.first) * params.d.w_stride;
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride;
    // Whether the block has a second row, and how many columns the dispatch has from the block's first on.
    let second = row + 1u < params.h.first + params.h.count;
    let end = params.w.first + params.w.count - column;

    // The sums of the first row (a) and the second (b): of four columns, and of the next four.
    var a0 = vec4(0.0);
    var a1 = vec4(0.0);
    var b0 = vec4(0.0);
    var b1 = vec4(0.0);
    if (params.accumulate != 0u) {
        a0 = load(y_at, end);
        a1 = load(y_at + 4u * params.w.y_stride, end - min(end, 4u));
        if (second) {
            b0 = load(y_at + params.h.y_stride, end);
            b1 = load(y_at + params.h.y_stride + 4u * params.w.y_stride, end - min(end, 4u));
        }
    } else if (has_bias) {
        let bias = vec4(f32(b[params.b_base + channel * params.b_stride]));
        a0 = bias;
        a1 = bias;
        b0 = bias;
        b1 = bias;
    }
    let i_w = i32(column) - params.w.pad;
    for (var c = 0u; c < params.count_in; c++) {
        for (var d = 0; d < taps_d.count; d++) {
            let x_slice = x_plane + u32(d * params.d.index_step) * params.d.x_stride;
            let w_slice = w_plane + u32(d) * params.d.w_stride;
            // The first row of outputs reads sample row r at tap r, the second row at tap r - 1.
            for (var r = 0; r <= params.h.kernel; r++) {
                let i_h = i32(row) - params.h.pad + r;
                let is_row = i_h >= 0 && i_h < params.h.input;
                let line = x_slice + u32(i_h) * params.h.x_stride;
                let w_line = w_slice + u32(r) * params.h.w_stride;
                var s0 = samples(line, is_row, i_w);
                var s1 = samples(line, is_row, i_w + 4);
                for (var t = 0; t < params.w.kernel; t++) {
                    let w_at = w_line + u32(t) * params.w.w_stride;
                    let w_a = select(0.0, f32(w[select(w_slice, w_at, r < params.h.kernel)]), r < params.h.kernel);
                    let w_b = select(0.0, f32(w[select(w_slice, w_at - params.h.w_stride, r > 0)]), r > 0);
                    a0 += w_a * s0;
                    a1 += w_a * s1;
                    b0 += w_b * s0;
                    b1 += w_b * s1;
                    s0 = vec4(s0.yzw, s1.x);
                    s1 = vec4(s1.yzw, sample(line, is_row, i_w + 8 + t));
                }
            }
        }
        x_plane += params.x_channel;
        w_plane += params.w_in;
    }
    store(y_at, end, a0);
    store(y_at + 4u * params.w.y_stride, end - min(end, 4u), a1);
    if (second) {
        store(y_at + params.h.y_stride, end, b0);
        store(y_at + params.h.y_stride + 4u * params.w.y_stride, end - min(end, 4u), b1);
    }
}

// Up to four sums of a row that an earlier dispatch left.
fn load(at: u32, count: u32) -> vec4<f32> {
    let step = vec4<u32>(0u, 1u, 2u, 3u) * params.w.y_stride;
    let there = vec4<u32>(0u, 1u, 2u, 3u) < vec4(count);
    let source = select(vec4(at), at + step, there);
    return select(vec4(0.0), vec4(f32(y[source.x]), f32(y[source.y]), f32(y[source.z]), f32(y[source.w])), there);
}

fn store(at: u32, count: u32, sums: vec4<f32>) {
    var values = sums;
    if (params.sum_is_complete != 0u) {
        values = activate(sums);
    }
    if (count > 0u) { y[at] = Out(values.x); }
    if (count > 1u) { y[at + params.w.y_stride] = Out(values.y); }
    if (count > 2u) { y[at + 2u * params.w.y_stride] = Out(values.z); }
    if (count > 3u) { y[at + 3u * params.w.y_stride] = Out(values.w); }
}
