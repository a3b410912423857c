// Uniforms and bindings of the shaders of a convolution and of its transpose that are no matrix products.

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first output channel
    channel_count: u32, // and how many output channels it computes
    in_per_group: u32,  // input channels of a group
    out_per_group: u32, // output channels of a group
    first_in: u32,      // in each group, the first input channel that this dispatch sums
    count_in: u32,      // and how many input channels it sums
    accumulate: u32,    // 1: go on from the sum that an earlier dispatch left in y; 0: from the bias, or 0
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    w_base: u32,        // address of the first weight
    w_out: u32,         // from one output channel to the next
    w_in: u32,          // from one input channel to the next
    b_base: u32,        // address of channel 0's bias
    b_stride: u32,      // from one channel's bias to the next
    y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    sum_is_complete: u32, // 1: this dispatch ends the sums, and applies the activation
    alpha: f32,         // the leaky ReLU's slope, or the clip's lower bound
    beta: f32,          // the clip's upper bound
}

override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> w: array<In>;
@group(0) @binding(3) var<storage, read> b: array<In>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;
