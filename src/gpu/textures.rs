//! Ops from texture to texture, in one dispatch.

use std::ops::Range;

use wgpu::{Backend, BufferSlice, Limits, TextureFormat};

use super::kernel::Shader;
use super::params::wrap;
use super::partial_sums::Finish;
use super::program::{Placed, PlanOptions, Program, Request, Source, Step, Storage};
use super::recipe::refused;
use super::relation::{Channels, Direction, Layer, Relation, activation_constants, flag};
use super::resample::{Tables, row_length, table_bytes};
use super::texture_formats::{PixelFormat, TextureLevel};
use super::texture_params::{TextureConvParams, TextureUpsampleParams};
use super::{Bound, Dispatch, Plan, Planner, Recipe, Resource};
use crate::geometry::at_most;
use crate::{Activation, ColorEncoding, Cost, Error, Op, Result};

/// The shader of a convolution between textures, or of its transpose, by its texts.
pub(crate) const fn conv_shader(sources: &'static [&'static str]) -> Shader {
    Shader {
        name: "conv_texture",
        sources,
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

/// An op that goes from texture to texture: [`Conv`](crate::Conv), [`ConvTranspose`](crate::ConvTranspose) and
/// [`Upsample`](crate::Upsample) of two spatial axes.
pub trait TextureOp: Op {
    #[doc(hidden)]
    fn between_textures(&self, request: &Request<'_>) -> Result<TextureWork>;
}

/// What an op does to each texel, whatever the textures' formats.
pub struct TextureWork {
    pub(crate) shader: &'static Shader,
    pub(crate) operands: Vec<Placed>,
    pub(crate) tables: Vec<Vec<u8>>,
    /// What the shader reads besides the input.
    pub(crate) buffers: [Source; 2],
    pub(crate) params: Vec<u8>,
    pub(crate) constants: Vec<(&'static str, f64)>,
}

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
        let request = Request { capabilities: self.capabilities(), options };
        let program = program(op, [input, output], &request)?;
        let texels = |placed: &Placed, format: TextureFormat| {
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
    /// see [`Plan::bind`](super::Plan::bind) for those.
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
            level.check(placed.name, format, [shape[3], shape[2]])?;
        }
        input.check_layers(self.backend)?;
        for (number, slice) in (1..).zip(weights) {
            self.plan.check_slice(program.operands[number].name, program.needed(number), slice)?;
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

pub(super) fn program<O: TextureOp>(op: &O, ends: [PixelFormat; 2], request: &Request<'_>) -> Result<Program> {
    let limits = request.limits();
    let [channels, height, width] = check_ends(op, ends, request)?;
    let work = op.between_textures(request)?;
    let (_, recipe) = request.choose(O::NAME, &[work.shader.into()])?;
    let group = workgroup(recipe.workgroup_size, limits);
    let workgroups = std::array::from_fn(|axis| ([width, height][axis] as u32).div_ceil(group[axis]));
    for count in workgroups {
        let limit = limits.max_compute_workgroups_per_dimension;
        at_most("workgroups along a texture (max_compute_workgroups_per_dimension)", count.into(), limit.into())?;
    }
    let [first, second] = work.buffers.map(|source| work.window(source, limits));
    let [input, output] = ends;
    let own = [("workgroup_width", group[0]), ("workgroup_height", group[1]), ("channels", channels as u32)];
    let color = [flag("decode_srgb", input.is_decoded()), flag("encode_srgb", output.encoding == ColorEncoding::Srgb)];
    let inputs = work.operands.len() - 1;
    let step = Step {
        shader: work.shader,
        storage: Storage { texels: Some(output.storage()), ..Default::default() },
        constants: own
            .map(|(name, value)| (name, value.into()))
            .into_iter()
            .chain(color)
            .chain(work.constants)
            .collect(),
        bindings: [&[Source::Operand(0)], &work.buffers[..], &[Source::Operand(inputs)]].concat(),
        // Textures are bound whole.
        dispatches: vec![Dispatch { workgroups, windows: vec![0..0, first?, second?, 0..0], params: work.params }],
    };
    let (operands, tables) = (work.operands, work.tables);
    Ok(Program { op: O::NAME, recipe, operands, inputs, tables, workspaces: Vec::new(), steps: vec![step] })
}

/// Refuses what cannot be textures of this device; gives channels, height and width of the output.
fn check_ends<O: Op>(op: &O, [input, output]: [PixelFormat; 2], request: &Request<'_>) -> Result<[usize; 3]> {
    let limits = request.limits();
    if let Some(operand) = request.options.textures_laid_out() {
        return Err(Error::UnknownOperand { op: O::NAME, operand });
    }
    if limits.max_storage_textures_per_shader_stage == 0 {
        return Err(refused(O::NAME, "max_storage_textures_per_shader_stage", 1, 0));
    }
    // Both have a batch, channels, height and width.
    let [read, written] = [op.inputs()?.swap_remove(0).shape, op.output()?.shape];
    if read[0] != 1 {
        return Err(Error::TextureBatch { op: O::NAME, batch: read[0] });
    }
    input.check_input(read[1])?;
    output.check_output(written[1], request.capabilities)?;
    for &side in read[2..].iter().chain(&written[2..]) {
        let limit = limits.max_texture_dimension_2d.into();
        at_most("a texture's side (max_texture_dimension_2d)", side as u128, limit)?;
    }
    Ok([written[1], written[2], written[3]])
}

impl TextureWork {
    /// The bytes of a buffer, which are bound at once.
    fn window(&self, source: Source, limits: &Limits) -> Result<Range<u64>> {
        let (operand, needed) = match source {
            Source::Table(table) => ("tap table", self.tables[table].len() as u64),
            Source::Operand(number) | Source::Workspace(number) => {
                (self.operands[number].name, self.operands[number].bytes())
            }
        };
        let (limit, limit_name) = (limits.max_storage_buffer_binding_size, "max_storage_buffer_binding_size");
        if needed > limit { Err(Error::WindowTooLarge { operand, needed, limit, limit_name }) } else { Ok(0..needed) }
    }
}

/// Width and height of a workgroup of so many threads: as near to a square as its divisors allow.
pub(super) fn workgroup(size: u32, limits: &Limits) -> [u32; 2] {
    let highest = size.isqrt().min(limits.max_compute_workgroup_size_y).max(1);
    let height = (1..=highest).rev().find(|height| size.is_multiple_of(*height)).unwrap_or(1);
    [size / height, height]
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

/// A resampling by tap tables.
pub(crate) fn upsample<O: Op + Tables>(
    op: &O,
    extrapolation: f32,
    shader: &'static Shader,
    request: &Request<'_>,
) -> Result<TextureWork> {
    let [_, rows, columns] = op.three(request.limits())?;
    let params = TextureUpsampleParams {
        width: wrap(columns.len()),
        height: wrap(rows.len()),
        taps_h: wrap(row_length(&rows)),
        taps_w: wrap(row_length(&columns)),
        extrapolation,
    };
    Ok(TextureWork {
        shader,
        operands: request.place(op)?,
        tables: vec![table_bytes(&rows)?, table_bytes(&columns)?],
        buffers: [Source::Table(0), Source::Table(1)],
        params: bytemuck::bytes_of(&params).to_vec(),
        constants: Vec::new(),
    })
}
