//! What the convolution and its transpose share on the GPU: the relation as uniforms and windows.

use std::ops::Range;
use std::time::Duration;

use super::chooser::{predict, rank};
use super::gemm;
use super::kernel::Shader;
use super::params::{AxisParams, ConvParams, wrap};
use super::partial_sums::{Finish, Partials};
use super::product::Product;
use super::program::{Dispatch, Launch, Placed, Program, Request, Source, Step, Work};
use super::recipe::{Candidate, Capabilities, Recipe};
use super::rows;
use super::windows::{Bindable, Tile, Window};
use crate::geometry::{Axis, Geometry, gcd};
use crate::{Activation, FloatType, Op, Result, TensorLayout};

/// Which side the op reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A convolution.
    WideToNarrow,
    /// A transposed convolution.
    NarrowToWide,
}

/// A problem without its tensors.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) batch: usize,
    pub(crate) direction: Direction,
    pub(crate) axes: [Axis; 3],
    pub(crate) channels: Channels,
}

/// Channels of one group, and groups.
#[derive(Clone, Copy)]
pub(crate) struct Channels {
    pub(crate) ins: usize,
    pub(crate) outs: usize,
    pub(crate) groups: usize,
}

impl Layer {
    pub(crate) fn new<const R: usize>(geometry: &Geometry<R>, direction: Direction) -> Self {
        let (wide, narrow) = (geometry.wide_per_group(), geometry.narrow_per_group());
        let (ins, outs) = if direction == Direction::WideToNarrow { (wide, narrow) } else { (narrow, wide) };
        let channels = Channels { ins, outs, groups: geometry.groups };
        Self { batch: geometry.batch, direction, axes: geometry.axes3(), channels }
    }

    /// The whole problem as one tile.
    pub(crate) fn tile(&self) -> Tile {
        let Channels { ins, outs, groups } = self.channels;
        let [d, h, w] = self.axes.map(|axis| match self.direction {
            Direction::WideToNarrow => 0..axis.narrow,
            Direction::NarrowToWide => 0..axis.wide,
        });
        [0..self.batch, 0..outs * groups, d, h, w, 0..ins]
    }

    /// The ways to run it on such a device, best first. `direct` accepts every problem.
    pub(crate) fn candidates(
        &self,
        direct: &'static Shader,
        capabilities: &Capabilities,
        storage: FloatType,
    ) -> Vec<Candidate> {
        let mut candidates = gemm::candidates(self, capabilities, storage);
        candidates.extend(rows::candidate(self));
        candidates.push(direct.into());
        rank(self, &mut candidates, capabilities.device_type);
        // Cooperative matrices of f32 have to be asked for.
        candidates.sort_by_key(|candidate| storage == FloatType::F32 && candidate.shader.cooperative());
        candidates
    }

    /// How long one of them is predicted to take.
    pub(crate) fn predict(
        &self,
        direct: &'static Shader,
        recipe: &Recipe,
        capabilities: &Capabilities,
        storage: FloatType,
    ) -> Option<Duration> {
        let candidates = by_one_pass_or_two(self.candidates(direct, capabilities, storage), storage);
        let candidate = candidates.iter().find(|candidate| candidate.has(recipe))?;
        Some(predict(self, candidate, capabilities.device_type))
    }
}

/// A problem with its tensors placed.
pub(crate) struct Relation {
    pub(crate) layer: Layer,
    pub(crate) activation: Activation,
    pub(crate) input: Placed,
    pub(crate) weight: Placed,
    pub(crate) bias: Option<Placed>,
    pub(crate) output: Placed,
}

/// The program of a convolution or its transpose. `direct` is the shader that accepts every problem.
pub(crate) fn lower<O: Op>(
    op: &O,
    layer: Layer,
    activation: Activation,
    direct: &'static Shader,
    request: Request<'_>,
) -> Result<Program> {
    let candidates = layer.candidates(direct, request.capabilities, request.options.storage);
    let lower = |candidate: Candidate, recipe: Recipe| {
        let operands = request.place(op)?;
        let chunk = layer.chunk_by(recipe.tile, recipe.passes);
        let parts = chunk.map_or(1, |chunk| layer.channels.ins.div_ceil(chunk));
        let partials = Partials::new(&request, &recipe, parts, &operands)?;
        // A sum of chunks is whole in the second pass only.
        let bias = operands.iter().position(|operand| operand.name == "bias");
        let whole = Finish { bias, activation };
        let [first, second] = if chunk.is_some() { [Finish::default(), whole] } else { [whole, Finish::default()] };
        let relation = Relation::new(layer, first, &operands, partials.first_chunk()?);
        let mut steps = relation.steps(&candidate, &recipe, &partials, &request)?;
        steps.extend(partials.sum(&request, &recipe, &operands, second)?);
        let (inputs, tables, workspaces) = (operands.len() - 1, Vec::new(), partials.workspaces);
        Ok(Program { op: O::NAME, recipe, operands, inputs, tables, workspaces, steps })
    };
    request.first_that_fits(O::NAME, &by_one_pass_or_two(candidates, request.options.storage), lower)
}

/// These candidates; and those of one pass with the sum in a workspace of f32, where the output is f16 and the sum must be
/// split.
pub(crate) fn by_one_pass_or_two(mut candidates: Vec<Candidate>, storage: FloatType) -> Vec<Candidate> {
    if storage == FloatType::F16 {
        let in_two = candidates.iter().map(|candidate| Candidate { passes: 2, ..*candidate });
        let new = |two: &Candidate| !candidates.iter().any(|other| other.recipe(1) == two.recipe(1));
        let in_two: Vec<_> = in_two.filter(new).collect();
        candidates.extend(in_two);
    }
    candidates
}

impl Relation {
    pub(crate) fn new(layer: Layer, finish: Finish, operands: &[Placed], output: Placed) -> Self {
        Self {
            layer,
            activation: finish.activation,
            input: operands[0].clone(),
            weight: operands[1].clone(),
            bias: finish.bias.map(|number| operands[number].clone()),
            output,
        }
    }

    /// The sum, and what is applied to it.
    fn steps(
        &self,
        candidate: &Candidate,
        recipe: &Recipe,
        partials: &Partials,
        request: &Request<'_>,
    ) -> Result<Vec<Step>> {
        if recipe.tile != [0; 2] {
            return Product::new(&self.layer, recipe).steps(self, candidate.shader, partials, request);
        }
        let (storage, tile, operands) = (partials.storage, self.layer.tile(), &self.bindables()[..]);
        let in_blocks = candidate.block != [1; 3];
        let work = if in_blocks { Work::Workgroups(&rows::workgroups, [1; 6]) } else { Work::Outputs };
        let launch = Launch { recipe, storage, tile, operands, work };
        let dispatches = request.dispatches(
            launch,
            |tile| self.spans(tile),
            |window, row| self.params(window, if in_blocks { row * rows::THREADS } else { row }),
        )?;
        let constants = vec![("workgroup_size", recipe.workgroup_size.into())];
        Ok(vec![self.step(candidate.shader, constants, partials, dispatches)])
    }

    /// With the constants that all shaders have, which come last.
    pub(crate) fn step(
        &self,
        shader: &'static Shader,
        mut constants: Vec<(&'static str, f64)>,
        partials: &Partials,
        dispatches: Vec<Dispatch>,
    ) -> Step {
        constants.push(flag("has_bias", self.bias.is_some()));
        constants.push(("activation", activation_constants(self.activation).0));
        // Without a bias its binding, which the shader never reads then, holds the weight.
        let reads = [0, 1, if self.bias.is_some() { 2 } else { 1 }].map(Source::Operand);
        let bindings = [&reads[..], &[partials.source]].concat();
        Step { shader, storage: partials.storage, constants, bindings, dispatches }
    }

    pub(crate) fn bindables(&self) -> [Bindable; 4] {
        [&self.input, &self.weight, self.bias.as_ref().unwrap_or(&self.weight), &self.output].map(Bindable::from)
    }

    /// The elements of input, weight, bias (or weight) and output that a tile touches.
    pub(crate) fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, reduction] = tile;
        let Channels { ins, outs, .. } = self.layer.channels;
        let groups = channels.start / outs..(channels.end - 1) / outs + 1;
        let inputs = groups.start * ins + reduction.start..(groups.end - 1) * ins + reduction.end;
        let kernel = self.layer.axes.map(|axis| 0..axis.kernel);
        let source = std::array::from_fn(|i| match self.layer.direction {
            Direction::WideToNarrow => self.layer.axes[i].wide_window(&tile[i + 2], &kernel[i]),
            Direction::NarrowToWide => self.layer.axes[i].narrow_window(&tile[i + 2]),
        });
        let weight_channels = match self.layer.direction {
            Direction::WideToNarrow => [channels.clone(), reduction.clone()],
            Direction::NarrowToWide if groups.len() > 1 => [inputs.clone(), 0..outs],
            Direction::NarrowToWide => {
                let first = groups.start * outs;
                [inputs.clone(), channels.start - first..channels.end - first]
            }
        };
        let weight = span(&self.weight.layout, weight_channels, kernel);
        let bias = self.bias.as_ref().map_or(weight.clone(), |bias| bias.layout.span(std::slice::from_ref(channels)));
        let outputs = span(&self.output.layout, [batch.clone(), channels.clone()], [d.clone(), h.clone(), w.clone()]);
        vec![span(&self.input.layout, [batch.clone(), inputs], source), weight, bias, outputs]
    }

    fn params(&self, window: &Window, row_threads: u32) -> ConvParams {
        let [batch, channels, .., reduction] = &window.tile;
        let Channels { ins, outs, .. } = self.layer.channels;
        let base = |placed: &Placed, binding: usize| placed.address(&[], &window.bytes[binding]);
        let from_first = |placed: &Placed, binding: usize| placed.address(&[batch.start], &window.bytes[binding]);
        let weight_axes = if self.layer.direction == Direction::WideToNarrow { [0, 1] } else { [1, 0] };
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &window.tile[i + 2]));
        let (_, [alpha, beta]) = activation_constants(self.activation);
        ConvParams {
            d,
            h,
            w,
            batch_count: wrap(batch.len()),
            first_channel: wrap(channels.start),
            channel_count: wrap(channels.len()),
            in_per_group: wrap(ins),
            out_per_group: wrap(outs),
            first_in: wrap(reduction.start),
            count_in: wrap(reduction.len()),
            accumulate: u32::from(reduction.start > 0),
            x_base: from_first(&self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            w_base: base(&self.weight, 1),
            w_out: self.weight.stride(weight_axes[0]),
            w_in: self.weight.stride(weight_axes[1]),
            b_base: self.bias.as_ref().map_or(0, |bias| base(bias, 2)),
            b_stride: self.bias.as_ref().map_or(0, |bias| bias.stride(0)),
            y_base: from_first(&self.output, 3),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads,
            finish: u32::from(reduction.end == ins),
            alpha,
            beta,
        }
    }

    pub(crate) fn axis_params(&self, i: usize, outputs: &Range<usize>) -> AxisParams {
        let axis = &self.layer.axes[i];
        let (input, tap_step, index_step) = match self.layer.direction {
            Direction::WideToNarrow => (axis.wide, 1, axis.dilation),
            Direction::NarrowToWide => (axis.narrow, axis.tap_step(), axis.dilation / gcd(axis.stride, axis.dilation)),
        };
        AxisParams {
            input: input as i32,
            kernel: axis.kernel as i32,
            stride: axis.stride as i32,
            pad: axis.pad as i32,
            inverse: inverse(index_step, tap_step),
            tap_step: tap_step as i32,
            index_step: index_step as i32,
            x_stride: spatial_stride(&self.input, i),
            w_stride: spatial_stride(&self.weight, i),
            y_stride: spatial_stride(&self.output, i),
            first: wrap(outputs.start),
            count: wrap(outputs.len()),
        }
    }
}

/// A constant that is true or false.
pub(crate) fn flag(name: &'static str, value: bool) -> (&'static str, f64) {
    (name, f64::from(u8::from(value)))
}

/// The shaders' number of an activation, and its parameters `alpha` and `beta`.
pub(crate) fn activation_constants(activation: Activation) -> (f64, [f32; 2]) {
    match activation {
        Activation::None => (0.0, [0.0; 2]),
        Activation::Relu => (1.0, [0.0; 2]),
        Activation::LeakyRelu { slope } => (2.0, [slope, 0.0]),
        Activation::Sigmoid => (3.0, [0.0; 2]),
        Activation::Tanh => (4.0, [0.0; 2]),
        Activation::Clip { min, max } => (5.0, [min, max]),
    }
}

/// The stride of the `i`-th of three spatial axes, modulo 2³²; 0 for one that the tensor lacks.
pub(crate) fn spatial_stride(placed: &Placed, i: usize) -> u32 {
    let rank = placed.layout.shape().len();
    (i + rank).checked_sub(3).filter(|&axis| axis >= 2).map_or(0, |axis| placed.stride(axis))
}

/// The addresses of a box; a spatial range that is empty, as where only padding is met, counts as its first sample,
/// since a binding cannot be empty.
pub(crate) fn span(layout: &TensorLayout, outer: [Range<usize>; 2], spatial: [Range<usize>; 3]) -> Range<usize> {
    let rank = layout.shape().len() - 2;
    let spatial = spatial.into_iter().skip(3 - rank).map(|range| if range.is_empty() { 0..1 } else { range });
    let at: Vec<_> = outer.into_iter().chain(spatial).collect();
    layout.span(&at)
}

/// The number that `a` is to be multiplied with to give 1 modulo `modulus`; 0 where the modulus is 1. They have no
/// common factor.
pub(crate) fn inverse(a: usize, modulus: usize) -> u32 {
    (0..modulus).find(|candidate| (a % modulus) * candidate % modulus == 1 % modulus).unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_invert() {
        for modulus in 1..40usize {
            for a in (1..80).filter(|&a| gcd(a, modulus) == 1) {
                let product = a % modulus * inverse(a, modulus) as usize;
                assert_eq!(product % modulus, 1 % modulus, "{a} mod {modulus}");
            }
        }
    }

    #[test]
    fn missing_axes_have_no_stride() {
        let line = Placed::workspace(&[2, 3, 5]);
        assert_eq!([0, 1, 2].map(|i| spatial_stride(&line, i)), [0, 0, 1]);
        let volume = Placed::workspace(&[2, 3, 4, 5, 6]);
        assert_eq!([0, 1, 2].map(|i| spatial_stride(&volume, i)), [30, 6, 1]);
    }
}
