// Global average and Lp pooling: a workgroup reduces a slice of a plane. Each thread sums the samples that lie the
// number of threads apart, so that neighbouring threads read neighbouring samples; then halves of the threads are added
// to the other halves. Where planes have several slices, another pass reduces what this one left of them.

override workgroup_size: u32 = 64;
override is_norm: bool = false;  // whether powers of the samples are summed, and the root is taken
override is_first: bool = true;  // whether x has the samples, and not what a pass before has left of slices
override is_last: bool = true;   // whether a slice is a whole plane
override is_split: bool = false; // whether the last pass writes the root and the exponent of a norm one after the other

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> x_exponents: array<i32>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;
@group(0) @binding(4) var<storage, read_write> y_exponents: array<i32>;

var<workgroup> sums: array<f32, workgroup_size>;
var<workgroup> exponents: array<i32, workgroup_size>;

fn with_next(powers: Powers, offset: u32) -> Powers {
    let value = f32(x[params.x_base + offset]);
    if (!is_norm) {
        return Powers(powers.sum + value, 0);
    }
    if (is_first) {
        return with_sample(powers, value);
    }
    return together(powers, Powers(value, x_exponents[params.e_base + offset]));
}

fn store(work: Work, powers: Powers) {
    let y_at = params.y_base + work.n * params.y_batch + work.channel * params.y_channel + work.slice * params.y_slice;
    if (!is_norm) {
        y[y_at] = Out(select(powers.sum, powers.sum * params.scale, is_last));
    } else if (!is_last) {
        y[y_at] = Out(powers.sum);
        y_exponents[params.i_base + work.n * params.i_batch + work.channel * params.i_channel
            + work.slice * params.i_slice] = powers.exponent;
    } else if (is_split) {
        y[y_at] = Out(root_of(powers.sum));
        y[y_at + 1u] = Out(powers.exponent);
    } else {
        y[y_at] = Out(norm_of(powers));
    }
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let work = work_of(workgroup, thread);
    let lanes = workgroup_size / tile_channels;
    var own = Powers(0.0, EXPONENT_OF_ZERO);
    for (var sample = work.first; sample < work.end; sample += lanes) {
        own = with_next(own, offset_of(work, sample));
    }
    sums[thread] = own.sum;
    exponents[thread] = own.exponent;
    workgroupBarrier();
    for (var width = lanes; width > 1u;) {
        let half = (width + 1u) / 2u;
        if (work.lane + half < width) {
            let other = thread + half * tile_channels;
            if (is_norm) {
                own = together(own, Powers(sums[other], exponents[other]));
                exponents[thread] = own.exponent;
            } else {
                own.sum += sums[other];
            }
            sums[thread] = own.sum;
        }
        workgroupBarrier();
        width = half;
    }
    if (work.lane == 0u && work.there) {
        store(work, own);
    }
}
