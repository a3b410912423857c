// Linear, cubic or any other separable resize of few taps, and the gradient of each: a thread computes four rows of one
// column in several channels. It reads the tables once for all of them, and a row of samples once for all four rows.

override workgroup_size: u32 = 64;
override channels: u32 = 4; // channels of a thread: 1 to 4
override taps: u32 = 2;     // the most taps of an output along h or w, rounded up to 1, 2 or 4

// The taps of an output column: offsets of samples in their row, and weights.
struct Column {
    at: vec4<u32>,
    weight: vec4<f32>,
    there: vec4<bool>,
}

fn column_of(at: u32) -> Column {
    let last = params.w.taps - 1u;
    let first = tables[at];
    var index = vec4(first.x, END, END, END);
    var weight = vec4(first.y, 0u, 0u, 0u);
    if (taps > 1u) {
        let entry = tables[at + min(1u, last)];
        index.y = select(END, entry.x, last >= 1u);
        weight.y = entry.y;
    }
    if (taps > 2u) {
        let third = tables[at + min(2u, last)];
        let fourth = tables[at + min(3u, last)];
        index = vec4(index.xy, select(END, third.x, last >= 2u), select(END, fourth.x, last >= 3u));
        weight = vec4(weight.xy, third.y, fourth.y);
    }
    let there = index < vec4(END);
    let nearest = select(0u, first.x * params.w.x_stride, there.x);
    return Column(select(vec4(nearest), index * params.w.x_stride, there), bitcast<vec4<f32>>(weight), there);
}

// One tap of each of four output rows: the sample row that it reads, and its weight.
struct Tap {
    index: vec4<u32>,
    weight: vec4<f32>,
}

fn tap_of(rows: vec4<u32>, number: u32) -> Tap {
    let at = rows + min(number, params.h.taps - 1u);
    let e0 = tables[at.x];
    let e1 = tables[at.y];
    let e2 = tables[at.z];
    let e3 = tables[at.w];
    let index = vec4(e0.x, e1.x, e2.x, e3.x);
    return Tap(select(vec4(END), index, number < params.h.taps), bitcast<vec4<f32>>(vec4(e0.y, e1.y, e2.y, e3.y)));
}

// The weight that a tap gives to a row of samples in each of the four output rows.
fn share(tap: Tap, row: u32) -> vec4<f32> {
    return select(vec4(0.0), tap.weight, tap.index == vec4(row));
}

fn smallest(v: vec4<u32>) -> u32 {
    let pair = min(v.xy, v.zw);
    return min(pair.x, pair.y);
}

// The largest of the values that are indices, not marks.
fn largest(v: vec4<u32>) -> u32 {
    let indices = select(vec4(0u), v, v < vec4(END));
    let pair = max(indices.xy, indices.zw);
    return max(pair.x, pair.y);
}

// The sum of a row of samples by a column's taps. A tap that does not exist reads the first tap's sample, but adds
// nothing.
fn row_sum(line: u32, column: Column) -> f32 {
    var sum = select(0.0, column.weight.x * f32(x[line + column.at.x]), column.there.x);
    if (taps > 1u) {
        sum += select(0.0, column.weight.y * f32(x[line + column.at.y]), column.there.y);
    }
    if (taps > 2u) {
        sum += select(0.0, column.weight.z * f32(x[line + column.at.z]), column.there.z);
        sum += select(0.0, column.weight.w * f32(x[line + column.at.w]), column.there.w);
    }
    return sum;
}

// Adds a sample times its weight in each of four rows. Where the weight is 0, nothing is added, not even for a NaN.
fn add(sums: vec4<f32>, weights: vec4<f32>, sample: f32) -> vec4<f32> {
    return select(sums, sums + weights * sample, weights != vec4(0.0));
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = block_of(id.y * params.row_threads + id.x);
    if (block.n >= params.batch_count) {
        return;
    }
    let at_d = params.d.table + block.slice * params.d.taps;
    let at_w = params.w.table + block.column * params.w.taps;
    let column = column_of(at_w);
    // Rows past the last repeat the last; they are not stored.
    let rows = params.h.table
        + min(block.row + vec4<u32>(0u, 1u, 2u, 3u), vec4(block.end - 1u)) * params.h.taps;
    let tap0 = tap_of(rows, 0u);
    var first = smallest(tap0.index);
    var last = largest(tap0.index);
    var tap1 = Tap(vec4(END), vec4(0.0));
    var tap2 = tap1;
    var tap3 = tap1;
    if (taps > 1u) {
        tap1 = tap_of(rows, 1u);
        first = min(first, smallest(tap1.index));
        last = max(last, largest(tap1.index));
    }
    if (taps > 2u) {
        tap2 = tap_of(rows, 2u);
        tap3 = tap_of(rows, 3u);
        first = min(first, min(smallest(tap2.index), smallest(tap3.index)));
        last = max(last, max(largest(tap2.index), largest(tap3.index)));
    }
    let outside = vec4(tables[at_d].x == OUTSIDE || tables[at_w].x == OUTSIDE) | (tap0.index == vec4(OUTSIDE));

    // Channels past the last repeat the last; they are not stored.
    let more = params.channel_count - 1u - block.channel;
    let step1 = min(1u, more) * params.x_channel;
    let step2 = min(2u, more) * params.x_channel;
    let step3 = min(3u, more) * params.x_channel;
    let plane = params.x_base + block.n * params.x_batch + block.channel * params.x_channel;
    var value0 = vec4(0.0);
    var value1 = vec4(0.0);
    var value2 = vec4(0.0);
    var value3 = vec4(0.0);
    for (var i = 0u; i < params.d.taps; i++) {
        let d = tables[at_d + i];
        if (d.x >= END) {
            break;
        }
        var slice0 = vec4(0.0);
        var slice1 = vec4(0.0);
        var slice2 = vec4(0.0);
        var slice3 = vec4(0.0);
        for (var row = first; row <= last; row++) {
            var weights = share(tap0, row);
            if (taps > 1u) {
                weights += share(tap1, row);
            }
            if (taps > 2u) {
                weights += share(tap2, row) + share(tap3, row);
            }
            if (all(weights == vec4(0.0))) {
                continue;
            }
            let line = plane + d.x * params.d.x_stride + row * params.h.x_stride;
            slice0 = add(slice0, weights, row_sum(line, column));
            if (channels > 1u) {
                slice1 = add(slice1, weights, row_sum(line + step1, column));
            }
            if (channels > 2u) {
                slice2 = add(slice2, weights, row_sum(line + step2, column));
            }
            if (channels > 3u) {
                slice3 = add(slice3, weights, row_sum(line + step3, column));
            }
        }
        let weight = bitcast<f32>(d.y);
        value0 += weight * slice0;
        value1 += weight * slice1;
        value2 += weight * slice2;
        value3 += weight * slice3;
    }
    let extrapolation = vec4(params.extrapolation);
    store(block, block.channel, vec4<Out>(select(value0, extrapolation, outside)));
    if (channels > 1u && more >= 1u) {
        store(block, block.channel + 1u, vec4<Out>(select(value1, extrapolation, outside)));
    }
    if (channels > 2u && more >= 2u) {
        store(block, block.channel + 2u, vec4<Out>(select(value2, extrapolation, outside)));
    }
    if (channels > 3u && more >= 3u) {
        store(block, block.channel + 3u, vec4<Out>(select(value3, extrapolation, outside)));
    }
}
