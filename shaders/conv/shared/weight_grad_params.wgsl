// Uniforms and bindings of the shaders of the weight's gradient.

// One spatial axis. A tap connects a wide and a narrow index when  wide = narrow * stride + tap * dilation - pad.
struct Axis {
    wide: i32,       // samples of the wide side
    narrow: i32,     // samples of the narrow side
    stride: i32,     // wide samples from one narrow index to the next
    dilation: i32,   // wide samples from one tap to the next
    pad: i32,        // padding before the wide side; may be negative: cropping
    wide_stride: u32, // elements from one wide sample to the next, modulo 2^32 like every address here
    narrow_stride: u32, // elements from one narrow sample to the next
    y_stride: u32,   // elements from one tap's weight to the next
    first: u32,      // this dispatch's first tap
    count: u32,      // and how many taps it computes
    unused_0: u32,   // fills the struct to a multiple of 16 bytes
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    first_narrow: u32, // this dispatch's first narrow channel
    count_narrow: u32, // and how many narrow channels it computes
    first_wide: u32,   // in each group, this dispatch's first wide channel
    count_wide: u32,   // and how many wide channels it computes
    narrow_per_group: u32, // narrow channels of a group
    wide_per_group: u32, // wide channels of a group
    first: u32,        // this dispatch's first narrow position, counted from the start of its first image
    count: u32,        // and how many positions it sums
    slice: u32,        // positions in a slice of the sum
    slices: u32,       // slices that this dispatch sums, whole or in part
    lead: u32,         // positions of its first slice that earlier dispatches have summed
    accumulate: u32,   // 1: the first slice goes on from the sum that an earlier dispatch left in y
    narrow_base: u32,  // address of channel 0, sample 0 in this dispatch's first image
    narrow_batch: u32, // from one image to the next
    narrow_channel: u32, // from one channel to the next
    wide_base: u32,    // address of channel 0, sample 0 in this dispatch's first image
    wide_batch: u32,   // from one image to the next
    wide_channel: u32, // from one channel to the next
    y_base: u32,       // address of the first weight in this dispatch's first slice
    y_narrow: u32,     // from one narrow channel to the next
    y_wide: u32,       // from one wide channel of a group to the next
    y_slice: u32,      // from one slice's partial sum to the next
    row_threads: u32,  // threads (GEMM: workgroups) in one row of the grid: number = id.y * row_threads + id.x
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> narrow: array<In>;
@group(0) @binding(2) var<storage, read> wide: array<In>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

// The wide index that narrow index 0 reads at a tap. Narrow index i reads i * stride further.
fn origin(tap: u32, axis: Axis) -> i32 {
    return i32(tap) * axis.dilation - axis.pad;
}

fn meets(index: i32, axis: Axis) -> bool {
    return index >= 0 && index < axis.wide;
}
