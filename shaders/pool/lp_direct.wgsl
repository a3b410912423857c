// Lp pooling: one thread per output element sums the powers of its window's samples, and takes the root.

override workgroup_size: u32 = 64;
override is_split: bool = false; // whether the root and the exponent of a norm are left in `norms`, for the gradient

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> norms: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

struct Taps {
    first: i32, // input index of the first sample that lies in the input
    count: i32, // samples that lie in the input, 0 or less: none; neighbours are a dilation apart
}

fn taps_of(o: u32, axis: Axis) -> Taps {
    let base = i32(o) * axis.stride - axis.pad;
    // base + t * dilation >= 0, rounding up: a plain division of a negative number would round towards zero.
    let first = (max(-base, 0) + axis.dilation - 1) / axis.dilation;
    // base + t * dilation <= input - 1
    let room = axis.count_in - 1 - base;
    let last = min(select(room / axis.dilation, -1, room < 0), axis.kernel - 1);
    return Taps(base + first * axis.dilation, last - first + 1);
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
    let plane = params.x_base + n * params.x_batch + channel * params.x_channel;
    let norm = params.n_base + n * params.n_batch + channel * params.n_channel + slice * params.d.n_stride
        + row * params.h.n_stride + column * params.w.n_stride;

    var powers = Powers(0.0, EXPONENT_OF_ZERO);
    if (params.accumulate != 0u) {
        powers = Powers(norms[norm], i32(norms[norm + 1u]));
    }
    for (var i = 0; i < taps_d.count; i++) {
        let d = u32(taps_d.first + i * params.d.dilation);
        for (var j = 0; j < taps_h.count; j++) {
            let h = u32(taps_h.first + j * params.h.dilation);
            for (var k = 0; k < taps_w.count; k++) {
                let w = u32(taps_w.first + k * params.w.dilation);
                powers = with_sample(powers, f32(x[plane + d * params.d.x_stride + h * params.h.x_stride
                    + w * params.w.x_stride]));
            }
        }
    }
    if (params.is_complete == 0u) {
        norms[norm] = powers.sum;
        norms[norm + 1u] = f32(powers.exponent);
    } else if (is_split) {
        norms[norm] = root_of(powers.sum);
        norms[norm + 1u] = f32(powers.exponent);
    } else {
        y[params.y_base + n * params.y_batch + channel * params.y_channel + slice * params.d.y_stride
            + row * params.h.y_stride + column * params.w.y_stride] = Out(norm_of(powers));
    }
}
