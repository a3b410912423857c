// Gradient of a convolution, or of its transpose, with respect to the weight: one thread for each weight element and
// each slice of the sum over images and narrow positions.
//
// Narrow position i reads wide sample q at tap t when  q = i * stride + t * dilation - pad.  Positions are numbered
// row-major over (image, depth, height, width) and always added in that order, so that neither the number of dispatches
// nor the workgroup size changes a bit of the result.

override workgroup_size: u32 = 64;

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
    let slice = rest / params.count_narrow;
    if (slice >= params.slices) {
        return;
    }
    let group = narrow_c / params.narrow_per_group;
    let narrow_plane = params.narrow_base + narrow_c * params.narrow_channel;
    let wide_plane = params.wide_base + (group * params.wide_per_group + wide_c) * params.wide_channel;
    let y_at = params.y_base + narrow_c * params.y_narrow + wide_c * params.y_wide
        + tap_d * params.d.y_stride + tap_h * params.h.y_stride + tap_w * params.w.y_stride + slice * params.y_slice;

    // The columns i of a row that read a wide sample: 0 <= origin + i * stride <= wide - 1, rounded inwards. The
    // numerators are kept from going below 0, where a division would round towards zero.
    let base = vec3<i32>(origin(tap_d, params.d), origin(tap_h, params.h), origin(tap_w, params.w));
    let first_column = (max(-base.z, 0) + params.w.stride - 1) / params.w.stride;
    let room = params.w.wide - 1 - base.z;
    let end_column = select(room / params.w.stride + 1, 0, room < 0);
    let x_step = u32(params.w.stride) * params.w.wide_stride;

    var sum = 0.0;
    if (slice == 0u && params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    // The positions of this slice that the dispatch sums, counted from the dispatch's first position. The first slice
    // begins at its position `lead`.
    var at = max(slice * params.slice, params.lead) - params.lead;
    let end = min((slice + 1u) * params.slice - params.lead, params.count);
    while (at < end) {
        // One row of positions, or the part of it that is in the range.
        let position = params.first + at;
        let column = i32(position % u32(params.w.narrow));
        var outer = position / u32(params.w.narrow);
        let row = i32(outer % u32(params.h.narrow));
        outer /= u32(params.h.narrow);
        let plane = i32(outer % u32(params.d.narrow));
        let n = outer / u32(params.d.narrow);
        let columns = i32(min(end - at, u32(params.w.narrow - column)));
        at += u32(columns);

        let wide_d = base.x + plane * params.d.stride;
        let wide_h = base.y + row * params.h.stride;
        if (meets(wide_d, params.d) && meets(wide_h, params.h)) {
            let start = max(column, first_column);
            var narrow_at = narrow_plane + n * params.narrow_batch + u32(plane) * params.d.narrow_stride
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
