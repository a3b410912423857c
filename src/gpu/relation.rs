//! What the convolution and its transpose share on the GPU: the relation as uniforms and windows.

use std::ops::Range;

use super::kernel::Shader;
use super::params::{AxisParams, ConvParams, wrap};
use super::partial_sums::Partials;
use super::program::{Candidate, Launch, Placed, Program, Recipe, Request, Source, Step};
use super::windows::{Bindable, Tile, Window};
use crate::geometry::{Axis, Geometry, gcd};
use crate::{Activation, Error, FloatType, Op, Result, TensorLayout};

/// Which side the op reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A convolution.
    WideToNarrow,
    /// A transposed convolution.
    NarrowToWide,
}

/// A problem with its tensors placed.
struct Relation {
    direction: Direction,
    activation: Activation,
    axes: [Axis; 3],
    /// Input and output channels of one group.
    per_group: [usize; 2],
    input: Placed,
    weight: Placed,
    bias: Option<Placed>,
    output: Placed,
}

pub(crate) fn lower<const R: usize, O: Op>(
    op: &O,
    geometry: &Geometry<R>,
    activation: Activation,
    direction: Direction,
    shader: &'static Shader,
    request: Request<'_>,
) -> Result<Program> {
    let lower = |recipe| {
        let operands = request.place(op)?;
        let partials = Partials::new(&request, &recipe, 1, &operands)?;
        let relation = Relation::new(geometry, activation, direction, &operands, &partials.target);
        let (storage, tile) = (partials.storage, relation.tile(geometry));
        let dispatches = request.dispatches(
            Launch { recipe: &recipe, storage, tile, operands: &relation.bindables(), chunk: None },
            |tile| relation.spans(tile),
            |window, row_threads| relation.params(window, row_threads),
        )?;
        let has_bias = relation.bias.is_some();
        let constants = vec![
            ("workgroup_size", recipe.workgroup_size.into()),
            ("has_bias", f64::from(u8::from(has_bias))),
            ("activation", activation_constants(activation).0),
        ];
        // Without a bias its binding, which the shader never reads then, holds the weight.
        let reads = [0, 1, if has_bias { 2 } else { 1 }].map(Source::Operand);
        let bindings = [&reads[..], &[partials.source]].concat();
        let step = Step { shader, storage, constants, bindings, dispatches };
        let steps = [step].into_iter().chain(partials.sum(&request, &recipe, &operands)?).collect();
        let (inputs, tables, workspaces) = (operands.len() - 1, Vec::new(), partials.workspaces);
        Ok(Program { op: O::NAME, recipe, operands, inputs, tables, workspaces, steps })
    };
    by_one_pass_or_two(O::NAME, shader, &request, lower)
}

/// A plan of one pass; of two, with the sum in a workspace of f32, where the output is f16 and the sum must be split.
pub(crate) fn by_one_pass_or_two(
    op: &'static str,
    shader: &'static Shader,
    request: &Request<'_>,
    lower: impl Fn(Recipe) -> Result<Program>,
) -> Result<Program> {
    let candidates = [1, 2].map(|passes| Candidate { shader, passes });
    let ways = if request.options.storage == FloatType::F16 { 2 } else { 1 };
    let (_, recipe) = request.choose(op, &candidates[..ways])?;
    match lower(recipe.clone()) {
        Err(Error::WindowTooLarge { .. }) if ways == 2 && request.options.recipe.is_none() => {
            lower(Recipe { passes: 2, ..recipe })
        }
        outcome => outcome,
    }
}

impl Relation {
    fn new<const R: usize>(
        geometry: &Geometry<R>,
        activation: Activation,
        direction: Direction,
        operands: &[Placed],
        output: &Placed,
    ) -> Self {
        let sides = [geometry.wide_per_group(), geometry.narrow_per_group()];
        let bias = operands.iter().find(|operand| operand.name == "bias").cloned();
        Self {
            direction,
            activation,
            axes: geometry.axes3(),
            per_group: if direction == Direction::WideToNarrow { sides } else { [sides[1], sides[0]] },
            input: operands[0].clone(),
            weight: operands[1].clone(),
            bias,
            output: output.clone(),
        }
    }

    /// The whole problem as one tile.
    fn tile<const R: usize>(&self, geometry: &Geometry<R>) -> Tile {
        let [ins, outs] = self.per_group;
        let spatial = self.axes.map(|axis| match self.direction {
            Direction::WideToNarrow => 0..axis.narrow,
            Direction::NarrowToWide => 0..axis.wide,
        });
        let [d, h, w] = spatial;
        [0..geometry.batch, 0..outs * geometry.groups, d, h, w, 0..ins]
    }

    fn bindables(&self) -> [Bindable; 4] {
        [&self.input, &self.weight, self.bias.as_ref().unwrap_or(&self.weight), &self.output].map(Bindable::from)
    }

    /// The elements of input, weight, bias (or weight) and output that a tile touches.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, reduction] = tile;
        let [ins, outs] = self.per_group;
        let groups = channels.start / outs..(channels.end - 1) / outs + 1;
        let inputs = groups.start * ins + reduction.start..(groups.end - 1) * ins + reduction.end;
        let kernel = self.axes.map(|axis| 0..axis.kernel);
        let source = std::array::from_fn(|i| match self.direction {
            Direction::WideToNarrow => self.axes[i].wide_window(&tile[i + 2], &kernel[i]),
            Direction::NarrowToWide => self.axes[i].narrow_window(&tile[i + 2]),
        });
        let weight_channels = match self.direction {
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
        let [ins, outs] = self.per_group;
        let base = |placed: &Placed, binding: usize| placed.address(&[], &window.bytes[binding]);
        let from_first = |placed: &Placed, binding: usize| placed.address(&[batch.start], &window.bytes[binding]);
        let weight_axes = if self.direction == Direction::WideToNarrow { [0, 1] } else { [1, 0] };
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

    fn axis_params(&self, i: usize, outputs: &Range<usize>) -> AxisParams {
        let axis = &self.axes[i];
        let (input, tap_step, index_step) = match self.direction {
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
fn inverse(a: usize, modulus: usize) -> u32 {
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
