// What the shaders of the weight's gradient take.

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
    slice: u32,        // positions in a slice
    slices: u32,       // slices that this dispatch takes part in
    lead: u32,         // positions of the first of them that were added before
    accumulate: u32,   // 1: the first slice goes on from the sum that is in the output
    narrow_base: u32,
    narrow_batch: u32,
    narrow_channel: u32,
    wide_base: u32,
    wide_batch: u32,
    wide_channel: u32,
    y_base: u32,
    y_narrow: u32,
    y_wide: u32,
    y_slice: u32,
    row_threads: u32,  // threads in one row of workgroups; rows are folded into y
}

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
