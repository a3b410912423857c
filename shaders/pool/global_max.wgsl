// Global max pooling: a workgroup searches a slice of a plane. Each thread searches the samples that lie the number of
// threads apart, so that neighbouring threads read neighbouring samples; then halves of the threads compare with the
// other halves. Where planes have several slices, another pass compares what this one found in them.
//
// Samples are copied as they are stored, and compared as integers, by the bits of an f32: a NaN stays one. Until the
// last pass the index of a sample is its row-major number in the plane.

override workgroup_size: u32 = 64;
override is_first: bool = true;     // whether x has the samples, and not what a pass before has found in slices
override is_last: bool = true;      // whether a slice is a whole plane
override has_indices: bool = false; // whether the last pass writes the chosen samples' indices
override last_nan: bool = false;    // whether the last of several NaN is chosen, and not the first

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read> x_indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;
@group(0) @binding(4) var<storage, read_write> y_indices: array<u32>;

var<workgroup> numbers: array<Number, workgroup_size>;
var<workgroup> indices: array<u32, workgroup_size>;

// The index of a maximum that has not been found yet.
const NO_INDEX = 0xffffffffu;

struct Chosen {
    number: Number,
    index: u32,
}

// The larger of two; of equal ones, the first in the plane.
fn larger(a: Chosen, b: Chosen) -> Chosen {
    if (b.index == NO_INDEX) {
        return a;
    }
    if (a.index == NO_INDEX) {
        return b;
    }
    let rank_a = rank_of(bits_of(a.number));
    let rank_b = rank_of(bits_of(b.number));
    var takes_b = rank_b > rank_a;
    if (rank_a == rank_b) {
        takes_b = (b.index < a.index) != (last_nan && rank_a == NAN_RANK);
    }
    if (takes_b) {
        return b;
    }
    return a;
}

fn store(work: Work, chosen: Chosen) {
    y[params.y_base + work.n * params.y_batch + work.channel * params.y_channel + work.slice * params.y_slice]
        = chosen.number;
    if (is_last && !has_indices) {
        return;
    }
    var index = chosen.index;
    if (is_last) {
        let row = index / params.w.size;
        index = (work.n + params.first_batch) * params.number_batch + work.channel * params.number_channel
            + row / params.h.size * params.d.number + row % params.h.size * params.h.number
            + index % params.w.size * params.w.number;
    }
    y_indices[params.i_base + work.n * params.i_batch + work.channel * params.i_channel
        + work.slice * params.i_slice] = index;
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let work = work_of(workgroup, thread);
    let lanes = workgroup_size / tile_channels;
    var own = Chosen(number_of(0u), NO_INDEX);
    for (var sample = work.first; sample < work.end; sample += lanes) {
        let offset = offset_of(work, sample);
        var index = sample;
        if (!is_first) {
            index = x_indices[params.e_base + offset];
        }
        own = larger(own, Chosen(x[params.x_base + offset], index));
    }
    numbers[thread] = own.number;
    indices[thread] = own.index;
    workgroupBarrier();
    for (var width = lanes; width > 1u;) {
        let half = (width + 1u) / 2u;
        if (work.lane + half < width) {
            let other = thread + half * tile_channels;
            own = larger(own, Chosen(numbers[other], indices[other]));
            numbers[thread] = own.number;
            indices[thread] = own.index;
        }
        workgroupBarrier();
        width = half;
    }
    if (work.lane == 0u && work.there) {
        store(work, own);
    }
}
