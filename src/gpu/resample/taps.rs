//! One pass of a resampling over some of its axes.

use std::ops::Range;

use super::row_blocks;
use super::table::{LaidOutTables, ResampleAxis, ResampleParams, row_length, touched};
use crate::gpu::program::constants::Constant;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass, Work};
use crate::gpu::program::region::Region;
use crate::gpu::program::rounds::nested;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::mod_2_32;
use crate::ops::resample::tap_table::TapTable;

/// One thread per output element sums its taps.
pub(crate) static TAPS: Shader = Shader {
    name: "resample_taps",
    texts: Texts::Tensors(files!("resample/taps.wgsl", "resample/shared/params.wgsl", "shared/tap_marks.wgsl")),
    reads: 2,
    writes: 1,
    uniform: ResampleParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// One pass over some of the axes, with its tensors laid out.
pub(crate) struct ResamplePass<'a> {
    /// The tables of three axes. An axis that the pass does not resample has a table of one tap for each sample.
    pub(crate) tables: [&'a TapTable; 3],
    /// The rows of the tables that the region's outputs read.
    pub(crate) laid_out: LaidOutTables,
    pub(crate) region: Region,
    pub(crate) shader: &'static Shader,
    /// Whether a thread computes a block of outputs.
    pub(crate) in_blocks: bool,
    pub(crate) input: &'a LaidOutTensor,
    pub(crate) output: &'a LaidOutTensor,
    pub(crate) extrapolation: f32,
}

impl ResamplePass<'_> {
    fn channels(&self) -> usize {
        self.input.layout.shape()[1]
    }

    /// The shader's constants besides `workgroup_size`.
    pub(crate) fn constants(&self) -> Vec<Constant> {
        if self.in_blocks { row_blocks::constants(self.shader, self.channels(), self.tables) } else { Vec::new() }
    }
}

impl Pass for ResamplePass<'_> {
    type Uniform = ResampleParams;

    fn region(&self) -> Region {
        self.region.clone()
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.input, &self.laid_out.tensor, self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let source = std::array::from_fn(|i| touched(self.tables[i], &region.spatial[i]));
        let input = self.input.span(region.outer.clone(), source);
        vec![input, self.laid_out.span(), self.output.span(region.outer.clone(), region.spatial.clone())]
    }

    fn work(&self, region: &Region) -> Work {
        let threads = if self.in_blocks { row_blocks::threads(region, self.channels()) } else { region.outputs() };
        Work::Threads(threads)
    }

    fn rounds(&self, _: &Region) -> u64 {
        match self.in_blocks {
            true if self.shader.overrides.contains(&"taps") => row_blocks::rounds(self.tables),
            // Copies have a loop over the channels of a block.
            true => nested([row_blocks::channels(self.channels())]),
            false => nested(self.tables.map(row_length)),
        }
    }

    fn uniform(&self, part: &Part) -> ResampleParams {
        let [batch, channels] = &part.region.outer;
        let base = |tensor: &LaidOutTensor, binding: usize| {
            tensor.address(&[batch.start, channels.start], &part.bytes[binding])
        };
        let [d, h, w] = std::array::from_fn(|i| ResampleAxis {
            first: mod_2_32(part.region.spatial[i].start),
            count: mod_2_32(part.region.spatial[i].len()),
            taps: mod_2_32(row_length(self.tables[i])),
            table: self.laid_out.bases[i],
            x_stride: self.input.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
            ..Default::default()
        });
        ResampleParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            channel_count: mod_2_32(channels.len()),
            x_base: base(self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: base(self.output, 2),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads: part.row,
            extrapolation: self.extrapolation,
        }
    }
}
