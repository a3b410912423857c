//! Split-K: long sums in slices. A first pass leaves a partial sum for each slice, a second pass adds them in their
//! order.

use std::ops::Range;

use super::builder::ProgramBuilder;
use super::constants::{Constant, activation_constants, flag};
use super::operand::LaidOutTensor;
use super::pass::{Part, Pass};
use super::recipe::{Candidate, Recipe};
use super::region::Region;
use super::rounds::nested;
use super::shader::Shader;
use super::texts::{Texts, files};
use super::uniform::{mod_2_32, uniform};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::ops::activation::Activation;
use crate::tensor::layout::TensorLayout;

uniform! {
    /// One of the five axes of [`SplitKSumParams`]; 16 bytes.
    SplitKAxis {
        first: u32,    // this dispatch's first output index
        count: u32,    // output indices of this dispatch
        x_stride: u32, // elements from one output's partial sums to the next output's, modulo 2^32
        y_stride: u32, // elements from one output to the next
    }
}

uniform! {
    /// `Params` of the second pass of split-K: x holds the partial sums, y is the output. Addresses and strides count
    /// elements, modulo 2³².
    SplitKSumParams {
        n: SplitKAxis,    // the output's axis 0
        c: SplitKAxis,    // axis 1: the channels that a bias is for
        d: SplitKAxis,    // axis 2
        h: SplitKAxis,    // axis 3
        w: SplitKAxis,    // axis 4
        x_base: u32,      // address of the first partial sum of element 0
        y_base: u32,      // address of element 0
        slices: u32,      // partial sums of each element, which lie next to each other
        row_threads: u32, // threads in one row of workgroups: thread = id.y * row_threads + id.x
        b_base: u32,      // address of channel 0's bias
        b_stride: u32,    // from one channel's bias to the next
        alpha: f32,       // the leaky ReLU's slope, or the clip's lower bound
        beta: f32,        // the clip's upper bound
    }
}

/// One thread per output element adds its partial sums.
pub(crate) static SUM: Shader = Shader {
    name: "split_k_sum",
    texts: Texts::Tensors(files!("split_k_sum.wgsl", "shared/activation.wgsl")),
    reads: 2,
    writes: 1,
    uniform: SplitKSumParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// Threads that keep a large device busy.
const THREADS: usize = 1 << 14;

/// Most terms of a slice, unless there are more than [`MOST_SLICES`]: a shader makes two to four rounds for each.
const MOST_TERMS: usize = 1 << 13;

/// Most slices: the second pass makes a round for each.
const MOST_SLICES: usize = 1 << 14;

/// Fewest terms of a slice: fewer are not worth a thread.
const LEAST_SLICE: usize = 64;

/// How the sums of a problem are cut into slices. It depends only on the number of outputs and of terms, so that the
/// result is the same on every device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slices {
    /// Terms in each slice but the last.
    pub(crate) length: usize,
    pub(crate) count: usize,
}

impl Slices {
    /// The slices for a shader with a thread for each output and slice.
    pub(crate) fn new(outputs: usize, terms: usize) -> Self {
        Self::of_least(LEAST_SLICE, outputs, terms)
    }

    /// The slices for a shader whose threads compute 16 outputs or more.
    pub(crate) fn of_tiles(outputs: usize, terms: usize) -> Self {
        Self::of_least(4 * LEAST_SLICE, outputs.div_ceil(16), terms)
    }

    fn of_least(least: usize, threads: usize, terms: usize) -> Self {
        let wanted = THREADS.div_ceil(threads.max(1)).min(terms / least).max(1);
        let length = terms.div_ceil(wanted).clamp(1, MOST_TERMS).max(terms.div_ceil(MOST_SLICES));
        Self { length, count: terms.div_ceil(length).max(1) }
    }

    /// The whole sum as one slice.
    pub(crate) fn whole(terms: usize) -> Self {
        Self { length: terms.max(1), count: 1 }
    }

    /// This candidate with split-K, if there are several slices or the storage is f16, and without. With f16 even a
    /// single slice goes through a workspace of f32, where several dispatches can add to a sum without rounding it.
    pub(crate) fn candidates(&self, whole: Candidate, storage: FloatType) -> Vec<Candidate> {
        let f16 = storage == FloatType::F16;
        let split = if self.count > 1 || f16 { whole.with_split_k() } else { None };
        // A longer sum takes several dispatches.
        let is_short = self.length.saturating_mul(self.count) <= MOST_TERMS / 2;
        split.into_iter().chain((!f16 || is_short).then_some(whole)).collect()
    }

    /// These slices for a recipe with split-K; for any other, the whole sum as one slice.
    pub(crate) fn for_recipe(self, recipe: &Recipe, terms: usize) -> Self {
        if recipe.shape.split_k() { self } else { Self::whole(terms) }
    }
}

/// These candidates; for f16 storage also the same with the sum in a workspace of f32, for sums that must be split
/// among dispatches.
pub(crate) fn with_f32_sums(mut candidates: Vec<Candidate>, storage: FloatType) -> Vec<Candidate> {
    if storage == FloatType::F16 {
        let with_workspace = candidates.iter().filter_map(Candidate::with_split_k);
        let new = |candidate: &Candidate| !candidates.iter().any(|other| other.recipe(1) == candidate.recipe(1));
        let with_workspace: Vec<_> = with_workspace.filter(new).collect();
        candidates.extend(with_workspace);
    }
    candidates
}

/// What is applied to a complete sum: the bias, then the activation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epilogue {
    pub(crate) bias: Option<LaidOutTensor>,
    pub(crate) activation: Activation,
}

impl Epilogue {
    pub(crate) fn constants(&self) -> [Constant; 2] {
        [flag("has_bias", self.bias.is_some()), ("activation", activation_constants(self.activation).0)]
    }
}

/// Where the first pass of a sum writes: the output itself, or a workspace of partial sums.
pub(crate) struct SplitK {
    /// Where the sum, or the partial sum of a slice, goes. A workspace of several slices has one more axis, the last.
    pub(crate) target: LaidOutTensor,
    /// Elements from one slice's partial sum to the next; 0 without a workspace.
    pub(crate) stride: u32,
    slices: usize,
    has_workspace: bool,
}

impl SplitK {
    /// With a workspace for `slices` partial sums of each output, if the recipe has split-K.
    pub(crate) fn new(builder: &mut ProgramBuilder<'_>, slices: usize) -> Result<Self> {
        if !builder.recipe().shape.split_k() {
            return Ok(Self { target: builder.output(), stride: 0, slices, has_workspace: false });
        }
        let last: &[usize] = if slices > 1 { &[slices] } else { &[] };
        let target = builder.add_workspace(&[builder.output().layout.shape(), last].concat())?;
        Ok(Self { target, stride: 1, slices, has_workspace: true })
    }

    /// The part of the target that holds the first slice's sums. Each next slice's sums lie `stride` elements further.
    pub(crate) fn first_slice(&self) -> Result<LaidOutTensor> {
        let layout = &self.target.layout;
        let rank = layout.shape().len() - usize::from(self.slices > 1);
        let layout = TensorLayout::new(&layout.shape()[..rank], &layout.strides()[..rank], layout.offset())?;
        Ok(LaidOutTensor { layout, ..self.target.clone() })
    }

    /// Adds the second pass, if the sums go through a workspace.
    pub(crate) fn add_sum(&self, builder: &mut ProgramBuilder<'_>, epilogue: Epilogue) -> Result<()> {
        if !self.has_workspace {
            return Ok(());
        }
        let sum = SplitKSum { partial: &self.target, slices: self.slices, output: builder.output(), epilogue };
        builder.add_pass(&SUM, sum.epilogue.constants(), &sum)
    }
}

/// Adds the step that writes each channel's bias to all its elements of `target`. Sums that go on from there begin with
/// the bias.
pub(crate) fn add_bias_fill(
    builder: &mut ProgramBuilder<'_>,
    bias: &LaidOutTensor,
    target: &LaidOutTensor,
) -> Result<()> {
    let shape = target.layout.shape();
    let mut strides = vec![0; shape.len()];
    strides[1] = bias.layout.strides()[0];
    let every_element = TensorLayout::new(shape, &strides, bias.layout.offset())?;
    let bias = LaidOutTensor { layout: every_element, ..bias.clone() };
    let fill = SplitKSum { partial: &bias, slices: 1, output: target.clone(), epilogue: Epilogue::default() };
    builder.add_pass(&SUM, fill.epilogue.constants(), &fill)
}

/// Whether the op multiplies nothing: one of its first two inputs or its output has no elements, which cannot be bound.
pub(crate) fn is_empty_sum(builder: &ProgramBuilder<'_>) -> bool {
    [builder.operand(0), builder.operand(1), builder.output()].iter().any(|tensor| tensor.layout.is_empty())
}

/// Adds the step that writes the sum of no terms: the second pass alone, with no partial sums. A word that the shader
/// does not read fills their binding.
pub(crate) fn add_empty_sum(builder: &mut ProgramBuilder<'_>, epilogue: Epilogue) -> Result<()> {
    let (word, output) = (builder.add_workspace(&[1])?, builder.output());
    let shape = output.layout.shape();
    let layout = TensorLayout::new(shape, &vec![0; shape.len()], 0)?;
    let partial = LaidOutTensor { layout, ..word };
    let sum = SplitKSum { partial: &partial, slices: 0, output, epilogue };
    builder.add_pass(&SUM, sum.epilogue.constants(), &sum)
}

/// The second pass: each output is the sum of its slices' partial sums.
struct SplitKSum<'a> {
    partial: &'a LaidOutTensor,
    slices: usize,
    output: LaidOutTensor,
    epilogue: Epilogue,
}

impl SplitKSum<'_> {
    fn axis(&self, part: &Part, axis: usize) -> SplitKAxis {
        let rank = self.output.layout.shape().len();
        let stride = |tensor: &LaidOutTensor| if axis < rank { tensor.stride(axis) } else { 0 };
        let range = &part.region[axis];
        SplitKAxis {
            first: mod_2_32(range.start),
            count: mod_2_32(range.len()),
            x_stride: stride(self.partial),
            y_stride: stride(&self.output),
        }
    }
}

impl Pass for SplitKSum<'_> {
    type Uniform = SplitKSumParams;

    /// The output's axes in their order; a gradient may have fewer than five.
    fn region(&self) -> Region {
        let shape = self.output.layout.shape();
        let size = |axis: usize| shape.get(axis).copied().unwrap_or(1);
        Region::whole([size(0), size(1)], [size(2), size(3), size(4)], 1)
    }

    /// Partial sums, bias and output. Without a bias, the partial sums fill its binding, which the shader never reads.
    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.partial, self.epilogue.bias.as_ref().unwrap_or(self.partial), &self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let ranges: Vec<_> = (0..self.output.layout.shape().len()).map(|axis| region[axis].clone()).collect();
        let partial: Vec<_> = ranges.iter().cloned().chain(std::iter::once(0..self.slices)).collect();
        let partial = self.partial.layout.span(&partial[..self.partial.layout.shape().len()]);
        let bias = self.epilogue.bias.as_ref();
        let bias = bias.map_or(partial.clone(), |bias| bias.layout.span(&ranges[1..2]));
        vec![partial, bias, self.output.layout.span(&ranges)]
    }

    fn rounds(&self, _: &Region) -> u64 {
        nested([self.slices])
    }

    fn uniform(&self, part: &Part) -> SplitKSumParams {
        let [n, c, d, h, w] = std::array::from_fn(|axis| self.axis(part, axis));
        let bias = self.epilogue.bias.as_ref();
        let (_, [alpha, beta]) = activation_constants(self.epilogue.activation);
        SplitKSumParams {
            n,
            c,
            d,
            h,
            w,
            x_base: self.partial.address(&[], &part.bytes[0]),
            y_base: self.output.address(&[], &part.bytes[2]),
            slices: mod_2_32(self.slices),
            row_threads: part.row,
            b_base: bias.map_or(0, |bias| bias.address(&[], &part.bytes[1])),
            b_stride: bias.map_or(0, |bias| bias.stride(0)),
            alpha,
            beta,
        }
    }
}

/// The slices of a part of a first pass, in the numbers of the shader's uniform.
pub(crate) struct PartSlices {
    /// Terms of a slice.
    pub(crate) length: u32,
    /// Slices that the part adds to.
    pub(crate) count: u32,
    /// Terms of the first slice that an earlier part has added.
    pub(crate) lead: u32,
    /// 1 where the first slice goes on from a sum that an earlier part left.
    pub(crate) accumulate: u32,
    /// The number of the first slice.
    pub(crate) first: usize,
}

impl PartSlices {
    pub(crate) fn new(slices: &Slices, part: &Part) -> Self {
        let range = &part.region.reduction;
        if slices.count == 1 {
            // Without split-K a part counts as a whole slice, so that the numbers stay small.
            let accumulate = u32::from(range.start > 0);
            return Self { length: mod_2_32(range.len()), count: 1, lead: 0, accumulate, first: 0 };
        }
        let touched = part.region.slices(slices.length);
        let lead = range.start - touched.start * slices.length;
        Self {
            length: mod_2_32(slices.length),
            count: mod_2_32(touched.len()),
            lead: mod_2_32(lead),
            accumulate: u32::from(lead > 0),
            first: touched.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_every_term() {
        for outputs in [0, 1, 7, 300, 1 << 14, 1 << 20] {
            for terms in [0, 1, 63, 64, 129, 5000, 1 << 20] {
                let Slices { length, count } = Slices::new(outputs, terms);
                assert!(length * count >= terms && length * (count - 1) < terms.max(1), "{outputs} {terms}");
                let is_needed = || outputs * (count - 1) < THREADS || terms.div_ceil(count - 1) > MOST_TERMS;
                assert!(count == 1 || (length >= LEAST_SLICE && is_needed()), "{outputs} {terms}");
            }
        }
    }
}
