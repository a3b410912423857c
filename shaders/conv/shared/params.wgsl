// What the shaders of a convolution and of its transpose that are no matrix products take.

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,
    first_channel: u32, // output channels of this dispatch
    channel_count: u32,
    in_per_group: u32,
    out_per_group: u32,
    first_in: u32,      // input channels of each group that this dispatch sums
    count_in: u32,
    accumulate: u32,    // 1: go on from the sum that is in the output
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    w_base: u32,
    w_out: u32,
    w_in: u32,
    b_base: u32,
    b_stride: u32,
    y_base: u32,
    y_batch: u32,
    y_channel: u32,
    row_threads: u32,   // threads in one row of workgroups; rows are folded into y
    finish: u32,        // 1: the sum is whole, and the activation is due
    alpha: f32,         // slope, or the clip's lower end
    beta: f32,          // the clip's upper end
}

override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> w: array<In>;
@group(0) @binding(3) var<storage, read> b: array<In>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;
