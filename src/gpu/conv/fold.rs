//! Fold (col2im) on the GPU.

use std::ops::Range;

use super::layer::inverse;
use super::operands::AxisParams;
use super::unfold::{block_strides, flat_blocks};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::{Axis, gcd};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, recipes};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::rounds::{ENTRY, MAX_ROUNDS};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::{Epilogue, SplitK, with_f32_sums};
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};
use crate::ops::conv::fold::Fold;
use crate::ops::op::Op;

uniform! {
    /// `Params` of the fold's shader, whose axes are those of a transposed convolution: x has the columns, and a tap is
    /// some channels further in x. Addresses and strides count elements, modulo 2³².
    FoldParams {
        d: AxisParams,      // depth
        h: AxisParams,      // height
        w: AxisParams,      // width
        batch_count: u32,   // images of this dispatch
        first_channel: u32, // this dispatch's first channel of the image
        channel_count: u32, // channels of the image in this dispatch
        first_tap: u32,     // the first tap that this dispatch adds, counted row-major over all axes
        last_tap: u32,      // the last one
        accumulate: u32,    // 1: go on from the sum that an earlier dispatch left in y
        x_base: u32,        // address of channel 0, block 0 in this dispatch's first image
        x_batch: u32,       // from one image to the next
        x_channel: u32,     // from the first tap of one channel of the image to that of the next
        y_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        y_batch: u32,       // from one image to the next
        y_channel: u32,     // from one channel to the next
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per sample of the image adds the elements that stand for it.
pub(crate) static GATHER: Shader = Shader {
    name: "conv_fold_gather",
    texts: Texts::Tensors(files!("conv/fold_gather.wgsl", "conv/shared/axis.wgsl", "conv/shared/transpose_taps.wgsl")),
    reads: 1,
    writes: 1,
    uniform: FoldParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// The ways to run a fold. With f16 storage, a sum of several dispatches needs partial sums in f32.
fn candidates<const R: usize>(op: &Fold<R>, storage: FloatType) -> Result<Vec<Candidate>> {
    let mut candidates = with_f32_sums(vec![(&GATHER).into()], storage);
    if storage == FloatType::F16 {
        let axes = op.grad_input().columns()?.axes3();
        let is_long = rounds(&axes, &(0..taps(&axes))) > MAX_ROUNDS;
        candidates.retain(|candidate| candidate.shape.split_k() || !is_long);
    }
    Ok(candidates)
}

impl<const R: usize> GpuOp for Fold<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        let candidates = candidates(self, options.storage).unwrap_or_default();
        recipes(&candidates, capabilities)
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let candidates = candidates(self, context.options.storage)?;
        context.first_that_fits(Self::NAME, &candidates, |_, recipe| {
            let mut builder = ProgramBuilder::new(context, self, recipe)?;
            let split_k = SplitK::new(&mut builder, 1)?;
            let columns = self.grad_input().columns()?;
            let pass = FoldPass {
                outer: [columns.batch, columns.channels],
                axes: columns.axes3(),
                input: builder.operand(0),
                output: split_k.target.clone(),
            };
            builder.add_pass(&GATHER, [], &pass)?;
            split_k.add_sum(&mut builder, Epilogue::default())?;
            builder.finish()
        })
    }
}

/// The taps of a block.
fn taps(axes: &[Axis; 3]) -> usize {
    axes.iter().map(|axis| axis.kernel).product()
}

/// From one block to the next that a sample reads, as its tap grows by [`Axis::tap_step`].
fn index_step(axis: &Axis) -> usize {
    axis.dilation / gcd(axis.stride, axis.dilation)
}

/// The most rounds that an invocation makes for a range of taps.
fn rounds(axes: &[Axis; 3], range: &Range<usize>) -> u64 {
    let inside = flat_box(axes.map(|axis| axis.kernel), range);
    let [d, h, w] = std::array::from_fn(|i| {
        let blocks = axes[i].narrow.div_ceil(index_step(&axes[i]));
        inside[i].len().div_ceil(axes[i].tap_step()).min(blocks) as u64
    });
    // Where the range begins and ends within a line of taps, the box is larger than the range.
    let most = range.len() as u64;
    let lines = d.saturating_mul(h).min(most / axes[2].kernel as u64 + 2);
    let sums = d.saturating_mul(h).saturating_mul(w).min(most);
    sums + (lines + d) * (1 + ENTRY) + ENTRY
}

/// A problem with its tensors laid out.
struct FoldPass {
    /// Images, and channels of the image.
    outer: [usize; 2],
    axes: [Axis; 3],
    input: LaidOutTensor,
    output: LaidOutTensor,
}

impl FoldPass {
    fn axis_params(&self, i: usize, outputs: &Range<usize>) -> AxisParams {
        let axis = &self.axes[i];
        // A step along an axis passes the taps of all later axes.
        let taps_after = self.axes[i + 1..].iter().map(|axis| axis.kernel).product();
        AxisParams {
            input: to_i32(axis.narrow),
            kernel: to_i32(axis.kernel),
            stride: to_i32(axis.stride),
            pad: to_i32(axis.pad),
            inverse: inverse(index_step(axis), axis.tap_step()),
            tap_step: to_i32(axis.tap_step()),
            index_step: to_i32(index_step(axis)),
            x_stride: block_strides(&self.axes, self.input.stride(2))[i],
            w_stride: self.input.stride(1).wrapping_mul(mod_2_32(taps_after)),
            y_stride: self.output.spatial_stride(i),
            first: mod_2_32(outputs.start),
            count: mod_2_32(outputs.len()),
        }
    }
}

impl Pass for FoldPass {
    type Uniform = FoldParams;

    /// The samples of the image; the reduction has the taps.
    fn region(&self) -> Region {
        Region::whole(self.outer, self.axes.map(|axis| axis.wide), taps(&self.axes))
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.input, &self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [batch, channels] = &region.outer;
        let taps = taps(&self.axes);
        let rows = channels.start * taps + region.reduction.start..(channels.end - 1) * taps + region.reduction.end;
        let blocks: [_; 3] = std::array::from_fn(|i| self.axes[i].narrow_window(&region.spatial[i]));
        // A binding cannot be empty, even if no block reaches a sample.
        let blocks = if blocks.iter().any(Range::is_empty) { 0..1 } else { flat_blocks(&self.axes, &blocks) };
        let input = self.input.layout.span(&[batch.clone(), rows, blocks]);
        vec![input, self.output.span(region.outer.clone(), region.spatial.clone())]
    }

    fn rounds(&self, region: &Region) -> u64 {
        rounds(&self.axes, &region.reduction)
    }

    fn uniform(&self, part: &Part) -> FoldParams {
        let ([batch, channels], taps) = (&part.region.outer, &part.region.reduction);
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &part.region.spatial[i]));
        let taps_of_channel = mod_2_32(self::taps(&self.axes));
        FoldParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            first_tap: mod_2_32(taps.start),
            last_tap: mod_2_32(taps.end - 1),
            accumulate: u32::from(taps.start > 0),
            x_base: self.input.address(&[batch.start], &part.bytes[0]),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1).wrapping_mul(taps_of_channel),
            y_base: self.output.address(&[batch.start], &part.bytes[1]),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads: part.row,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loops of the shader, tap by tap.
    fn counted(axes: &[Axis; 3], range: &Range<usize>, at: [usize; 3]) -> u64 {
        let [depth, rows, columns] = axes;
        let reads = |axis: &Axis, at: usize, tap: usize| {
            (0..axis.narrow).any(|block| axis.narrow_range(tap).contains(&block) && axis.wide_index(block, tap) == at)
        };
        let mut total = ENTRY;
        for d in (0..depth.kernel).filter(|&tap| reads(depth, at[0], tap)) {
            let slice = d * rows.kernel * columns.kernel..(d + 1) * rows.kernel * columns.kernel;
            if slice.end <= range.start || slice.start >= range.end {
                continue;
            }
            total += 1 + ENTRY;
            for h in (0..rows.kernel).filter(|&tap| reads(rows, at[1], tap)) {
                let line = slice.start + h * columns.kernel;
                if line + columns.kernel <= range.start || line >= range.end {
                    continue;
                }
                total += 1 + ENTRY;
                let inside = (0..columns.kernel).filter(|w| range.contains(&(line + w)) && reads(columns, at[2], *w));
                total += inside.count() as u64;
            }
        }
        total
    }

    #[test]
    fn no_sample_takes_more_rounds_than_are_counted() {
        let axis = |wide, narrow, kernel, stride, dilation, pad| Axis { wide, narrow, kernel, stride, dilation, pad };
        for axes in [
            [axis(5, 4, 2, 1, 1, 0), axis(6, 4, 3, 1, 1, 0), axis(7, 4, 4, 1, 1, 0)],
            [axis(5, 2, 3, 2, 1, 1), axis(6, 3, 4, 1, 2, 3), axis(9, 2, 5, 2, 3, 4)],
            [Axis::UNIT, axis(2, 1, 2, 1, 1, 0), axis(3, 20, 6, 1, 1, 11)],
        ] {
            let all = taps(&axes);
            for start in 0..all {
                for end in start + 1..=all {
                    let most = rounds(&axes, &(start..end));
                    for place in 0..axes.iter().map(|axis| axis.wide).product::<usize>() {
                        let (h, w) = (axes[1].wide, axes[2].wide);
                        let at = [place / w / h, place / w % h, place % w];
                        assert!(counted(&axes, &(start..end), at) <= most, "{axes:?} {start}..{end} at {at:?}");
                    }
                }
            }
        }
    }
}
