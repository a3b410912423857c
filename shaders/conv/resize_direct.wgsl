// Resize-convolution: one thread per output element sums over channels and taps. It computes each upsampled sample that
// a tap reads from the input, by the rows of three tap tables, as the resampling shaders do.
//
// Output o reads at tap t the upsampled sample  base + t * dilation  with  base = o * stride - pad.

struct Axis {
    input: i32,      // upsampled samples
    kernel: i32,     // taps
    stride: i32,     // of the equation above
    pad: i32,        // of the equation above; may be negative: cropping
    dilation: i32,   // of the equation above
    row: u32,        // entries in a row of the table
    table: u32,      // where the row of upsampled sample 0 would lie in the tables, in entries, modulo 2^32
    x_stride: u32,   // elements from one input sample to the next, modulo 2^32 like every address here
    w_stride: u32,   // elements from one tap to the next
    y_stride: u32,   // elements from one output to the next
    first: u32,      // this dispatch's first output index
    count: u32,      // and how many output indices it computes
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first output channel
    channel_count: u32, // and how many output channels it computes
    in_per_group: u32,  // input channels of a group
    out_per_group: u32, // output channels of a group
    first_in: u32,      // in each group, the first input channel that this dispatch sums
    count_in: u32,      // and how many input channels it sums
    accumulate: u32,    // 1: go on from the bias or the sum that an earlier dispatch left in y; 0: from 0
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    w_base: u32,        // address of the first weight
    w_out: u32,         // from one output channel to the next
    w_in: u32,          // from one input channel of a group to the next
    y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    sum_is_complete: u32, // 1: this dispatch ends the sums, and applies the activation
    alpha: f32,         // the leaky ReLU's slope, or the clip's lower bound
    beta: f32,          // the clip's upper bound
    extrapolation: f32, // the upsampled sample where a table says OUTSIDE
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> w: array<In>;
@group(0) @binding(3) var<storage, read> tables: array<vec2<u32>>; // (index, weight as bits)
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

struct Taps {
    first: i32, // first tap that lands in the upsampled image
    index: i32, // the sample that this tap reads; the next tap's is a dilation higher
    count: i32, // taps from the first on; 0 or less: none
}

fn taps_of(o: u32, axis: Axis) -> Taps {
    let base = i32(o) * axis.stride - axis.pad;
    // base + t * dilation >= 0, rounding up: a plain division of a negative number would round towards zero.
    let first = (max(-base, 0) + axis.dilation - 1) / axis.dilation;
    // base + t * dilation <= input - 1; a negative room has no tap, and its quotient would round up to 0.
    let room = axis.input - 1 - base;
    if (room < 0 || first >= axis.kernel) {
        return Taps(0, 0, 0);
    }
    let last = min(room / axis.dilation, axis.kernel - 1);
    // A negative count means no tap, as 0 does.
    return Taps(first, base + first * axis.dilation, last - first + 1);
}

// The upsampled sample at these coordinates, from the input plane that begins at the address `plane`.
fn upsampled(plane: u32, d: i32, h: i32, w: i32) -> f32 {
    let at_d = params.d.table + u32(d) * params.d.row;
    let at_h = params.h.table + u32(h) * params.h.row;
    let at_w = params.w.table + u32(w) * params.w.row;
    if (tables[at_d].x == OUTSIDE || tables[at_h].x == OUTSIDE || tables[at_w].x == OUTSIDE) {
        return params.extrapolation;
    }
    var value = 0.0;
    for (var i = 0u; i < params.d.row; i++) {
        let slice = tables[at_d + i];
        if (slice.x == END) {
            break;
        }
        var slice_sum = 0.0;
        for (var j = 0u; j < params.h.row; j++) {
            let row = tables[at_h + j];
            if (row.x == END) {
                break;
            }
            let line = plane + slice.x * params.d.x_stride + row.x * params.h.x_stride;
            var row_sum = 0.0;
            for (var k = 0u; k < params.w.row; k++) {
                let column = tables[at_w + k];
                if (column.x == END) {
                    break;
                }
                row_sum += bitcast<f32>(column.y) * f32(x[line + column.x * params.w.x_stride]);
            }
            slice_sum += bitcast<f32>(row.y) * row_sum;
        }
        value += bitcast<f32>(slice.y) * slice_sum;
    }
    return value;
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let column = rest % params.w.count + params.w.first;
    rest /= params.w.count;
    let row = rest % params.h.count + params.h.first;
    rest /= params.h.count;
    let slice = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let channel = rest % params.channel_count + params.first_channel;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let taps_d = taps_of(slice, params.d);
    let taps_h = taps_of(row, params.h);
    let taps_w = taps_of(column, params.w);

    let first_in = channel / params.out_per_group * params.in_per_group + params.first_in;
    var x_plane = params.x_base + n * params.x_batch + first_in * params.x_channel;
    var w_plane = params.w_base + channel * params.w_out + params.first_in * params.w_in
        + u32(taps_d.first) * params.d.w_stride + u32(taps_h.first) * params.h.w_stride
        + u32(taps_w.first) * params.w.w_stride;
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride;

    var sum = 0.0;
    if (params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    for (var c = 0u; c < params.count_in; c++) {
        for (var i = 0; i < taps_d.count; i++) {
            for (var j = 0; j < taps_h.count; j++) {
                for (var k = 0; k < taps_w.count; k++) {
                    let weight = w[w_plane + u32(i) * params.d.w_stride + u32(j) * params.h.w_stride
                        + u32(k) * params.w.w_stride];
                    sum += f32(weight) * upsampled(x_plane, taps_d.index + i * params.d.dilation,
                        taps_h.index + j * params.h.dilation, taps_w.index + k * params.w.dilation);
                }
            }
        }
        x_plane += params.x_channel;
        w_plane += params.w_in;
    }
    if (params.sum_is_complete != 0u) {
        sum = activate(vec4(sum)).x;
    }
    y[y_at] = Out(sum);
}
