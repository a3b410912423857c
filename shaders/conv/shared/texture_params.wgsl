// Uniforms and bindings of a convolution between textures, and of its transpose.

struct Params {
    h: Axis,
    w: Axis,
    w_base: u32,  // address of the first weight: elements, modulo 2^32 like every address here
    w_out: u32,   // from one output channel, counted over all groups, to the next
    w_group: u32, // added besides, once for each group before the channel's
    w_in: u32,    // from one input channel of a group to the next
    b_base: u32,  // address of channel 0's bias
    b_stride: u32, // from one channel's bias to the next
    alpha: f32,   // the leaky ReLU's slope, or the clip's lower bound
    beta: f32,    // the clip's upper bound
}

override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
