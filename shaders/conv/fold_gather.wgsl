// Fold (col2im) as a gather: one thread per sample of the image adds the elements of the columns that stand for it. No
// atomics.
//
// The taps of a block count row-major over all axes, and the elements are always added in the order of their taps. A
// dispatch adds those of a range of taps, so that neither the number of dispatches nor the workgroup size changes a bit
// of the result.

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first channel of the image
    channel_count: u32, // and how many channels of the image it computes
    first_tap: u32,     // the first tap that this dispatch adds
    last_tap: u32,      // and the last one
    accumulate: u32,    // 1: go on from the sum that an earlier dispatch left in y
    x_base: u32,        // address of channel 0, block 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from the first tap of one channel of the image to that of the next
    y_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

// Those of the taps that are not below `least` and not above `most`.
fn within(taps: Taps, least: i32, most: i32, axis: Axis) -> Taps {
    let skip = (max(least - taps.first, 0) + axis.tap_step - 1) / axis.tap_step;
    let first = taps.first + skip * axis.tap_step;
    if (skip >= taps.count || first > most) {
        return Taps(0, 0, 0);
    }
    let count = min(taps.count - skip, (most - first) / axis.tap_step + 1);
    return Taps(first, taps.index - skip * axis.index_step, count);
}

// The place of a tap on the three axes.
fn place_of(tap: u32) -> vec3<i32> {
    let row = tap / u32(params.w.kernel);
    return vec3<i32>(vec3<u32>(row / u32(params.h.kernel), row % u32(params.h.kernel), tap % u32(params.w.kernel)));
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
    let first = place_of(params.first_tap);
    let last = place_of(params.last_tap);
    let taps_d = within(taps_of(slice, params.d), first.x, last.x, params.d);
    let taps_h = taps_of(row, params.h);
    let taps_w = taps_of(column, params.w);

    let plane = params.x_base + n * params.x_batch + channel * params.x_channel;
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
        + row * params.h.y_stride + column * params.w.y_stride;
    // From one tap to the next that reads a block, whose number falls.
    let x_step = u32(params.w.tap_step) * params.w.w_stride - u32(params.w.index_step) * params.w.x_stride;
    var sum = 0.0;
    if (params.accumulate != 0u) {
        sum = f32(y[y_at]);
    }
    for (var i = 0; i < taps_d.count; i++) {
        let d = taps_d.first + i * params.d.tap_step;
        let slice_at = plane + u32(d) * params.d.w_stride
            + u32(taps_d.index - i * params.d.index_step) * params.d.x_stride;
        let rows = within(
            taps_h,
            select(0, first.y, d == first.x),
            select(params.h.kernel - 1, last.y, d == last.x),
            params.h,
        );
        for (var j = 0; j < rows.count; j++) {
            let h = rows.first + j * params.h.tap_step;
            let columns = within(
                taps_w,
                select(0, first.z, d == first.x && h == first.y),
                select(params.w.kernel - 1, last.z, d == last.x && h == last.y),
                params.w,
            );
            var x_at = slice_at + u32(h) * params.h.w_stride
                + u32(rows.index - j * params.h.index_step) * params.h.x_stride
                + u32(columns.first) * params.w.w_stride + u32(columns.index) * params.w.x_stride;
            for (var k = 0; k < columns.count; k++) {
                sum += f32(x[x_at]);
                x_at += x_step;
            }
        }
    }
    y[y_at] = Out(sum);
}
