//! What a caller may ask of a plan.

use std::time::Duration;

use super::pixel_format::PixelFormat;
use super::recipe::Recipe;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

/// How a plan is to run an op: layouts, textures, the storage type, the recipe. A layout that is not given is row-major
/// without gaps.
///
/// Later versions may add fields: end literals in `..Default::default()`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// The layout of the input, (N, C, spatial...).
    pub input: Option<TensorLayout>,
    /// The layout of the weight: (Cout, Cin/groups, kernel...), or transposed (Cin, Cout/groups, kernel...).
    pub weight: Option<TensorLayout>,
    /// The layout of the bias, (Cout).
    pub bias: Option<TensorLayout>,
    /// The layout of the forward output's gradient, for an op that takes it beside another input.
    pub grad_output: Option<TensorLayout>,
    /// The layout of a pooling's indices, which are an input or an output.
    pub indices: Option<TensorLayout>,
    /// The layout of the input's zero point in a quantised op, (1).
    pub input_zero_point: Option<TensorLayout>,
    /// The layout of the weight's zero points in a quantised op, (1) or (Cout).
    pub weight_zero_point: Option<TensorLayout>,
    /// The layout of the output. No two of its elements may share an address
    /// ([`Error::LayoutOverlap`](crate::Error::LayoutOverlap)).
    pub output: Option<TensorLayout>,
    /// What the texels of the input stand for, if it is a texture and not a buffer. The input must be one picture: of
    /// shape (1, C, height, width) with at most four channels.
    pub input_texture: Option<PixelFormat>,
    /// What the texels of the output stand for, if it is a texture and not a buffer. The output must be one picture
    /// too.
    pub output_texture: Option<PixelFormat>,
    /// What every floating-point tensor of the op is stored as: f32 or f16, for every op. Sums are f32 and integers
    /// keep their types, whatever the storage.
    pub storage: FloatType,
    /// The longest time that a dispatch may be predicted to take ([`Plan::predicted`](crate::Plan::predicted)). A
    /// longer dispatch is cut along the output's axes, which changes no bit of the result; a single workgroup, and a
    /// dispatch from texture to texture, stay whole. `None`: any time. For a limit on each submission, see
    /// [`Bound::parts`](crate::Bound::parts).
    pub max_dispatch_time: Option<Duration>,
    /// The recipe to run; refused, never swapped, if this problem or device cannot run it.
    pub recipe: Option<Recipe>,
}

impl PlanOptions {
    /// TensorFlow's layouts: activations with the channels innermost (NHWC), the weight in
    /// [`TensorLayout::tensorflow_filter`]'s order. Fails if the descriptor breaks a rule.
    pub fn nhwc<O: Op>(op: &O) -> Result<Self> {
        let mut options = Self::default();
        for operand in op.inputs()?.into_iter().chain(op.outputs()?) {
            let shape = &operand.shape;
            let layout = match operand.is_weight {
                true => TensorLayout::tensorflow_filter(shape),
                false => TensorLayout::channels_last(shape),
            };
            if let (Some(slot), true) = (options.layout_mut(operand.role), shape.len() > 2) {
                *slot = Some(layout);
            }
        }
        Ok(options)
    }

    /// Options for an op whose input and output are textures.
    ///
    /// ```
    /// use upconv::PlanOptions;
    /// use upconv::wgpu::TextureFormat::{Rgba8UnormSrgb, Rgba16Float};
    /// let options = PlanOptions::textures(Rgba8UnormSrgb, Rgba16Float);
    /// assert_eq!(options.output_texture, Some(Rgba16Float.into()));
    /// ```
    pub fn textures(input: impl Into<PixelFormat>, output: impl Into<PixelFormat>) -> Self {
        Self { input_texture: Some(input.into()), output_texture: Some(output.into()), ..Default::default() }
    }

    /// Options for row-major tensors whose numbers are stored as this type.
    pub fn stored_as(storage: FloatType) -> Self {
        Self { storage, ..Default::default() }
    }

    /// What the texels of a tensor stand for, if it is a texture.
    pub(crate) fn texture(&self, role: Role) -> Option<PixelFormat> {
        match role {
            Role::Input => self.input_texture,
            Role::Output => self.output_texture,
            _ => None,
        }
    }

    /// Whether a shader can read and write texels without conversions: input and output are textures with the default
    /// channels, scale and offset, and the storage type is f32.
    pub(crate) fn between_textures(&self) -> bool {
        let plain = |pixels: Option<PixelFormat>| pixels.is_some_and(|pixels| pixels.is_plain());
        plain(self.input_texture) && plain(self.output_texture) && self.storage == FloatType::F32
    }

    /// The layouts that are given, by role.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = (Role, &TensorLayout)> {
        let layouts = [
            (Role::Input, &self.input),
            (Role::Weight, &self.weight),
            (Role::Bias, &self.bias),
            (Role::GradOutput, &self.grad_output),
            (Role::Indices, &self.indices),
            (Role::InputZeroPoint, &self.input_zero_point),
            (Role::WeightZeroPoint, &self.weight_zero_point),
            (Role::Output, &self.output),
        ];
        layouts.into_iter().filter_map(|(role, layout)| Some((role, layout.as_ref()?)))
    }

    /// The option for a tensor's layout; `None` for [`Role::Invalid`], which is always row-major without gaps.
    pub fn layout_mut(&mut self, role: Role) -> Option<&mut Option<TensorLayout>> {
        match role {
            Role::Input => Some(&mut self.input),
            Role::Weight => Some(&mut self.weight),
            Role::Bias => Some(&mut self.bias),
            Role::GradOutput => Some(&mut self.grad_output),
            Role::Indices => Some(&mut self.indices),
            Role::InputZeroPoint => Some(&mut self.input_zero_point),
            Role::WeightZeroPoint => Some(&mut self.weight_zero_point),
            Role::Output => Some(&mut self.output),
            Role::Invalid => None,
        }
    }
}
