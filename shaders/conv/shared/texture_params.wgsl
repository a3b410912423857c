// What a convolution between textures, and its transpose, take.

struct Params {
    h: Axis,
    w: Axis,
    w_base: u32,  // elements, modulo 2^32 like every address here
    w_out: u32,   // from one output channel to the next
    w_group: u32, // and besides, from one group to the next
    w_in: u32,    // from one input channel of a group to the next
    b_base: u32,
    b_stride: u32,
    alpha: f32,   // slope, or the clip's lower end
    beta: f32,    // the clip's upper end
}

override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
