//! A convolution or its transpose from texture to texture.

use super::layer::{Channels, Direction, Layer};
use super::operands::{AxisParams, Relation};
use super::split_k::Finish;
use crate::error::Result;
use crate::gpu::program::addressing::{activation_constants, flag};
use crate::gpu::program::operand::Source;
use crate::gpu::program::request::Request;
use crate::gpu::program::shader::{Shader, Texts};
use crate::gpu::program::texture::TextureWork;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::activation::Activation;
use crate::ops::op::Op;

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

/// The shader of a convolution between textures, or of its transpose, by its texts.
pub(crate) const fn conv_shader(texts: Texts) -> Shader {
    Shader {
        name: "conv_texture",
        texts,
        reads: 3,
        writes: 1,
        fields: TextureConvParams::FIELDS,
        params_size: size_of::<TextureConvParams>() as u64,
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

/// A convolution or its transpose.
pub(crate) fn conv<O: Op>(
    op: &O,
    layer: Layer,
    activation: Activation,
    shader: &'static Shader,
    request: &Request<'_>,
) -> Result<TextureWork> {
    let operands = request.place(op)?;
    let bias = operands.iter().position(|operand| operand.name == "bias");
    let relation = Relation::new(layer, Finish { bias, activation }, &operands, operands[operands.len() - 1].clone());
    let Channels { ins, outs, .. } = layer.channels;
    let weight = &operands[1];
    let (w_out, w_in, w_group) = match layer.direction {
        Direction::WideToNarrow => (weight.stride(0), weight.stride(1), 0),
        // (in, out of a group): the next group's first output is the first again, of the next inputs.
        Direction::NarrowToWide => {
            let (w_in, w_out) = (weight.stride(0), weight.stride(1));
            (w_out, w_in, wrap(ins).wrapping_mul(w_in).wrapping_sub(wrap(outs).wrapping_mul(w_out)))
        }
    };
    let [.., height, width, _] = layer.tile();
    let (number, [alpha, beta]) = activation_constants(activation);
    let params = TextureConvParams {
        h: relation.axis_params(1, &height),
        w: relation.axis_params(2, &width),
        w_base: weight.address(&[], &(0..0)),
        w_out,
        w_group,
        w_in,
        b_base: bias.map_or(0, |number| operands[number].address(&[], &(0..0))),
        b_stride: bias.map_or(0, |number| operands[number].stride(0)),
        alpha,
        beta,
    };
    let constants = vec![
        ("in_per_group", ins as f64),
        ("out_per_group", outs as f64),
        flag("has_bias", bias.is_some()),
        ("activation", number),
    ];
    // Without a bias its binding, which the shader never reads then, holds the weight.
    let buffers = [1, bias.unwrap_or(1)].map(Source::Operand);
    let params = bytemuck::bytes_of(&params).to_vec();
    Ok(TextureWork { shader, operands, tables: Vec::new(), buffers, params, constants })
}
