//! The uniform structs of the shaders between textures.

use super::params::{AxisParams, Field, Uniform, uniform};

uniform! {
    /// `Params` of the convolution between textures and of its transpose.
    TextureConvParams {
        h: AxisParams,
        w: AxisParams,
        w_base: u32,
        w_out: u32,
        w_group: u32,
        w_in: u32,
        b_base: u32,
        b_stride: u32,
        alpha: f32,
        beta: f32,
    }
}

uniform! {
    /// `Params` of the upsampling between textures.
    TextureUpsampleParams {
        width: u32,
        height: u32,
        taps_h: u32,
        taps_w: u32,
        extrapolation: f32,
    }
}
