//! A convolution or its transpose from texture to texture.

use super::layer::{Channels, Direction, Layer};
use super::operands::{AxisParams, ConvOperands};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::activation_constants;
use crate::gpu::program::rounds::nested;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::Epilogue;
use crate::gpu::program::texts::Texts;
use crate::gpu::program::texture::TexelWork;
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::ops::activation::Activation;
use crate::tensor::operand::Role;

uniform! {
    /// `Params` of the convolution between textures and of its transpose. Addresses and strides count elements, modulo
    /// 2³².
    TextureConvParams {
        h: AxisParams, // height
        w: AxisParams, // width
        w_base: u32,   // address of the first weight
        w_out: u32,    // from one output channel, counted over all groups, to the next
        w_group: u32,  // added besides, once for each group before the channel's
        w_in: u32,     // from one input channel of a group to the next
        b_base: u32,   // address of channel 0's bias
        b_stride: u32, // from one channel's bias to the next
        alpha: f32,    // the leaky ReLU's slope, or the clip's lower bound
        beta: f32,     // the clip's upper bound
    }
}

/// The shader of a convolution between textures, or of its transpose, by its texts.
pub(crate) const fn conv_shader(texts: Texts) -> Shader {
    Shader {
        name: "conv_texture",
        texts,
        reads: 3,
        writes: 1,
        uniform: TextureConvParams::LAYOUT,
        subgroups: false,
        overrides: &[
            "workgroup_width",
            "workgroup_height",
            "channels",
            "decode_srgb",
            "encode_srgb",
            "in_per_group",
            "out_per_group",
            "has_bias",
            "activation",
        ],
    }
}

/// What a convolution or its transpose does to each texel.
pub(crate) fn texel_work(layer: Layer, activation: Activation, builder: &ProgramBuilder<'_>) -> TexelWork {
    let [input, weight, output] = [builder.operand(0), builder.operand(1), builder.output()];
    let epilogue = Epilogue { bias: builder.operand_as(Role::Bias), activation };
    let operands = ConvOperands::new(layer, [input, weight, output], epilogue);
    let Channels { in_per_group, out_per_group, groups } = layer.channels;
    let weight = &operands.weight;
    let [w_out, w_in] = operands.weight_axes().map(|axis| weight.stride(axis));
    let w_group = match layer.direction {
        Direction::WideToNarrow => 0,
        // The weight is (input channel, output channel of a group): the next group begins further on the first axis,
        // and counts from 0 again on the second.
        Direction::NarrowToWide => {
            mod_2_32(in_per_group).wrapping_mul(w_in).wrapping_sub(mod_2_32(out_per_group).wrapping_mul(w_out))
        }
    };
    let [_, height, width] = layer.region().spatial;
    let (_, [alpha, beta]) = activation_constants(activation);
    let bias = operands.epilogue.bias.as_ref();
    let params = TextureConvParams {
        h: operands.axis_params(1, &height),
        w: operands.axis_params(2, &width),
        w_base: weight.address(&[], &(0..0)),
        w_out,
        w_group,
        w_in,
        b_base: bias.map_or(0, |bias| bias.address(&[], &(0..0))),
        b_stride: bias.map_or(0, |bias| bias.stride(0)),
        alpha,
        beta,
    };
    let out_channels = out_per_group * groups;
    let own = [("in_per_group", in_per_group as f64), ("out_per_group", out_per_group as f64)];
    TexelWork {
        // Without a bias, the weight fills the bias's binding, which the shader never reads.
        buffers: [weight.clone(), bias.unwrap_or(weight).clone()],
        uniform: bytemuck::bytes_of(&params).to_vec(),
        rounds: out_channels as u64 + nested([layer.taps(1), layer.taps(2), out_channels, in_per_group]),
        constants: own.into_iter().chain(operands.constants()).collect(),
    }
}
