//! Plans from texture to texture.

use wgpu::{Backend, BufferSlice, TextureFormat};

use super::plan::{Bound, Plan, Resource};
use super::planner::Planner;
use super::texture_level::TextureLevel;
use crate::error::{Error, Result};
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pixel_format::PixelFormat;
use crate::gpu::program::recipe::Recipe;
use crate::gpu::program::texture::{TextureOp, program};
use crate::ops::op::Cost;

/// An op compiled for textures of two formats: bind it to such textures as often as needed.
///
/// A picture is a batch of one, and a texel's channels are the op's: red, green, blue and alpha, whatever order a format
/// stores them in. An op of fewer channels than the input has leaves out the others; those that the output has besides
/// are written as 0, and alpha as 1. Alpha is a channel like the others: colours that are not multiplied by it bleed from
/// where nothing is seen, so resize premultiplied ones.
///
/// What is read and written is amounts, between 0 and 1 for normalised formats; results outside are clamped, and rounded
/// to the nearest code, or f16. See [`PixelFormat`] for sRGB. Padding is 0, transparent black.
///
/// ```
/// use upconv::wgpu::{self, TextureFormat::Rgba8UnormSrgb};
/// use upconv::{Interpolate, PlanOptions, Planner, Upsample2d};
///
/// /// Doubles a picture; the `target` is of `Rgba8Unorm`, with `STORAGE_BINDING`.
/// fn double(
///     planner: &Planner,
///     pass: &mut wgpu::ComputePass,
///     [picture, target]: [&wgpu::Texture; 2],
/// ) -> upconv::Result<()> {
///     let up = Upsample2d {
///         channels: 4,
///         input_size: [picture.height() as usize, picture.width() as usize],
///         output_size: [target.height() as usize, target.width() as usize],
///         ..Default::default()
///     };
///     let up = Upsample2d::pytorch(up, Interpolate::Cubic { align_corners: false })?;
///     let plan = planner.plan_textures(&up, Rgba8UnormSrgb, Rgba8UnormSrgb, &PlanOptions::default())?;
///     plan.bind(picture, &[], target)?.encode(pass);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct TexturePlan {
    plan: Plan,
    /// Of the input and of the output.
    formats: [TextureFormat; 2],
    backend: Backend,
}

impl Planner {
    /// A plan for an op from texture to texture.
    ///
    /// `options` may lay out the weight and the bias, which are buffers of f32, and force a recipe.
    pub fn plan_textures<O: TextureOp>(
        &self,
        op: &O,
        input: impl Into<PixelFormat>,
        output: impl Into<PixelFormat>,
        options: &PlanOptions,
    ) -> Result<TexturePlan> {
        let (input, output) = (input.into(), output.into());
        let context = LowerContext { capabilities: self.capabilities(), options };
        let program = program(op, [input, output], &context)?;
        let texels = |placed: &LaidOutTensor, format: TextureFormat| {
            let (width, height) = format.block_dimensions();
            let [rows, columns] =
                [(2, height), (3, width)].map(|(axis, block)| placed.layout.shape()[axis].div_ceil(block as usize));
            (rows * columns) as u64 * u64::from(format.block_copy_size(None).unwrap_or(4))
        };
        let (operands, formats) = (&program.operands, [input.format, output.storage()]);
        let weights: u64 = operands[1..program.inputs].iter().map(|placed| placed.layout.len() as u64 * 4).sum();
        let bytes = texels(&operands[0], formats[0]) + texels(&operands[program.inputs], formats[1]) + weights;
        let cost = Cost { bytes, ..op.cost()? };
        Ok(TexturePlan { plan: self.compile(program, cost), formats, backend: self.capabilities().backend })
    }
}

impl TexturePlan {
    /// The recipe that was chosen or forced.
    pub fn recipe(&self) -> &Recipe {
        self.plan.recipe()
    }

    /// FLOPs of the op, and bytes of its textures and weights, each read or written once.
    pub fn cost(&self) -> Cost {
        self.plan.cost()
    }

    /// Binds the plan to an input and an output texture, and to slices of the weight and the bias, if the op has them:
    /// see [`Plan::bind`](crate::Plan::bind) for those.
    ///
    /// The textures are of the plan's formats and sizes, the input's usage has `TEXTURE_BINDING`, the output's
    /// `STORAGE_BINDING`. They may be two levels or layers of one texture, but not the same; through OpenGL, two textures.
    pub fn bind<'a>(
        &self,
        input: impl Into<TextureLevel<'a>>,
        weights: &[BufferSlice<'a>],
        output: impl Into<TextureLevel<'a>>,
    ) -> Result<Bound> {
        let (input, output, program) = (input.into(), output.into(), &self.plan.program);
        let [expected, actual] = [program.inputs - 1, weights.len()];
        if expected != actual {
            return Err(Error::OperandCount { op: program.op, expected, actual });
        }
        let ends = [(&program.operands[0], input), (&program.operands[program.inputs], output)];
        for ((placed, level), format) in ends.into_iter().zip(self.formats) {
            let shape = placed.layout.shape();
            level.check(placed.name(), format, [shape[3], shape[2]])?;
        }
        input.check_layers(self.backend)?;
        for (number, slice) in (1..).zip(weights) {
            self.plan.check_slice(program.operands[number].name(), program.needed(number), slice)?;
        }
        // OpenGL reads and writes no two levels of one texture.
        if input.is(&output) || (self.backend == Backend::Gl && input.texture == output.texture) {
            return Err(Error::SameTexture { level: input.mip_level, layer: input.array_layer });
        }
        let [read, written] =
            [("input", input), ("output", output)].map(|(name, level)| level.view(&program.label(name)));
        let weights = weights.iter().map(|slice| Resource::Slice(*slice));
        let resources = [Resource::View(&read)].into_iter().chain(weights).chain([Resource::View(&written)]);
        Ok(self.plan.record(&resources.collect::<Vec<_>>(), &[]))
    }
}
