// Gradient of a convolution, or of its transpose, with respect to the weight: one thread for each weight element and
// each chunk of the sum over images and narrow positions.
//
// Position i, tap t and wide sample q meet when  q = i * stride + t * dilation - pad.  Positions are numbered row-major
// over (image, depth, height, width) and always added in that order, so that neither windows nor workgroups change a bit.

struct Axis {
    wide: i32,       // samples of the wide side
    narrow: i32,     // and of the narrow side
    stride: i32,
    dilation: i32,
    pad: i32,        // may be negative: cropping
    wide_stride: u32, // elements, modulo 2^32 like every address here
    narrow_stride: u32,
    y_stride: u32,
    first: u32,      // this dispatch's first tap
    count: u32,      // and how many it computes
    unused_0: u32,
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    first_narrow: u32, // narrow channels of this dispatch
    count_narrow: u32,
    first_wide: u32,   // wide channels of each group
    count_wide: u32,
    narrow_per_group: u32,
    wide_per_group: u32,
    first: u32,        // this dispatch's first position, from the image at the bases
    count: u32,        // and how many it adds
    chunk: u32,        // positions in a chunk
    chunks: u32,       // chunks that this dispatch takes part in
    lead: u32,         // positions of the first of them that were added before
    accumulate: u32,   // 1: the first chunk goes on from the sum that is in the output
    narrow_base: u32,
    narrow_batch: u32,
    narrow_channel: u32,
    wide_base: u32,
    wide_batch: u32,
    wide_channel: u32,
    y_base: u32,
    y_narrow: u32,
    y_wide: u32,
    y_chunk: u32,
    row_threads: u32,  // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> narrow: array<In>;
@group(0) @binding(2) var<storage, read> wide: array<In>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

// The wide sample of position 0; that of position i is i * stride further.
fn origin(tap: u32, axis: Axis) -> i32 {
    return i32(tap) * axis.dilation - axis.pad;
}

fn meets(index: i32, axis: Axis) -> bool {
    return index >= 0 && index < axis.wide;
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let tap_w = rest % params.w.count + params.w.first;
    rest /= params.w.count;
    let tap_h = rest % params.h.count + params.h.first;
    rest /= params.h.count;
    let tap_d = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let wide_c = rest % params.count_wide + params.first_wide;
    rest /= params.count_wide;
    let narrow_c = rest % params.count_narrow + params.first_narrow;
    let chunk = rest / params.count_narrow;
    if (chunk >= params.chunks) {
        return;
    }
    let group = narrow_c / params.narrow_per_group;
    let narrow_plane = params.narrow_base + narrow_c * params.narrow_channel;
    let wide_plane = params.wide_base + (group * params.wide_per_group + wide_c) * params.wide_channel;
    let y_at = params.y_base + narrow_c * params.y_narrow + wide_c * params.y_wide
        + tap_d * params.d.y_stride + tap_h * params.h.y_stride + tap_w * params.w.y_stride + chunk * params.y_chunk;

    // Of the columns of a row, those that meet a wide sample: 0 <= origin + i * stride <= wide - 1, rounded inwards. The
    // numerators are kept from going below 0, where a division would round towards zero.
    let base = vec3<i32>(origin(tap_d, params.d), origin(tap_h, params.h), origin(tap_w, params.w));
    let first_column = (max(-base.z, 0) + params.w.stride - 1) / params.w.stride;
    let room = params.w.wide - 1 - base.z;
    let end_column = select(room / params.w.stride + 1, 0, room < 0);
    let x_step = u32(params.w.stride) * params.w.wide_stride;

    var sum = 0.0;
    if (chunk == 0u && params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    // This chunk's part of the dispatch: positions lead.. of the first chunk, and count in all.
    var at = max(chunk * params.chunk, params.lead) - params.lead;
    let end = min((chunk + 1u) * params.chunk - params.lead, params.count);
    while (at < end) {
        // One row, or what the range has of it.
        let position = params.first + at;
        let column = i32(position % u32(params.w.narrow));
        var outer = position / u32(params.w.narrow);
        let row = i32(outer % u32(params.h.narrow));
        outer /= u32(params.h.narrow);
        let slice = i32(outer % u32(params.d.narrow));
        let n = outer / u32(params.d.narrow);
        let columns = i32(min(end - at, u32(params.w.narrow - column)));
        at += u32(columns);

        let wide_d = base.x + slice * params.d.stride;
        let wide_h = base.y + row * params.h.stride;
        if (meets(wide_d, params.d) && meets(wide_h, params.h)) {
            let start = max(column, first_column);
            var narrow_at = narrow_plane + n * params.narrow_batch + u32(slice) * params.d.narrow_stride
                + u32(row) * params.h.narrow_stride + u32(start) * params.w.narrow_stride;
            var wide_at = wide_plane + n * params.wide_batch + u32(wide_d) * params.d.wide_stride
                + u32(wide_h) * params.h.wide_stride + u32(base.z + start * params.w.stride) * params.w.wide_stride;
            for (var i = start; i < min(column + columns, end_column); i++) {
                sum += f32(narrow[narrow_at]) * f32(wide[wide_at]);
                narrow_at += params.w.narrow_stride;
                wide_at += x_step;
            }
        }
    }
    y[y_at] = Out(sum);
}
