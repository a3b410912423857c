//! The weight's gradient on the GPU.

use std::ops::Range;
use std::time::Duration;

use super::gemm_tiles::{self, StagedTile};
use super::weight_grad_problem::WeightGradProblem;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry::{Axis, at_most};
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::flag;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass, SplitAlignment, Work};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::gpu::program::region::{Region, flat_box};
use crate::gpu::program::rounds::ENTRY;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::{Epilogue, PartSlices, Slices, SplitK, add_empty_sum, is_empty_sum};
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};
use crate::ops::conv::weight_grad::{ConvWeightGrad, ForwardInput};
use crate::ops::op::Op;

uniform! {
    /// One spatial axis of [`WeightGradParams`], with the equation `wide = narrow * stride + tap * dilation - pad`; 48
    /// bytes.
    WeightAxisParams {
        wide: i32,          // samples of the wide side
        narrow: i32,        // samples of the narrow side
        stride: i32,        // of the equation
        dilation: i32,      // of the equation
        pad: i32,           // of the equation; may be negative: cropping
        wide_stride: u32,   // elements from one wide sample to the next, modulo 2^32
        narrow_stride: u32, // elements from one narrow sample to the next
        y_stride: u32,      // elements from one tap's weight to the next
        first: u32,         // this dispatch's first tap
        count: u32,         // taps of this dispatch
        unused_0: u32,      // fills the struct to a multiple of 16 bytes
        unused_1: u32,
    }
}

uniform! {
    /// `Params` of the weight gradient's shaders: y is the weight's gradient or its partial sums. Addresses and strides
    /// count elements, modulo 2³².
    WeightGradParams {
        d: WeightAxisParams,   // depth
        h: WeightAxisParams,   // height
        w: WeightAxisParams,   // width
        first_narrow: u32,     // this dispatch's first narrow channel
        count_narrow: u32,     // narrow channels of this dispatch
        first_wide: u32,       // in each group, this dispatch's first wide channel
        count_wide: u32,       // wide channels of each group in this dispatch
        narrow_per_group: u32, // narrow channels of a group
        wide_per_group: u32,   // wide channels of a group
        first: u32,            // this dispatch's first narrow position, counted from the start of its first image
        count: u32,            // narrow positions that this dispatch sums
        slice: u32,            // positions in a slice of the sum
        slices: u32,           // slices that this dispatch sums, whole or in part
        lead: u32,             // positions of its first slice that earlier dispatches have summed
        accumulate: u32,       // 1: the first slice goes on from the sum that an earlier dispatch left in y
        narrow_base: u32,      // address of channel 0, sample 0 in this dispatch's first image
        narrow_batch: u32,     // from one image to the next
        narrow_channel: u32,   // from one channel to the next
        wide_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
        wide_batch: u32,       // from one image to the next
        wide_channel: u32,     // from one channel to the next
        y_base: u32,           // address of the first weight in this dispatch's first slice
        y_narrow: u32,         // from one narrow channel to the next
        y_wide: u32,           // from one wide channel of a group to the next
        y_slice: u32,          // from one slice's partial sum to the next; 0 without split-K
        row_threads: u32,      // threads (GEMM: workgroups) in one row of the grid: number = id.y * row_threads + id.x
    }
}

/// One thread per weight element and slice of its sum.
pub(crate) static DIRECT: Shader = Shader {
    name: "conv_weight_grad_direct",
    texts: Texts::Tensors(files!("conv/weight_grad_direct.wgsl", "conv/shared/weight_grad_params.wgsl")),
    reads: 2,
    writes: 1,
    uniform: WeightGradParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// A matrix product for each group, shared within subgroups.
pub(crate) static SUBGROUP: Shader = Shader {
    name: "conv_weight_grad_gemm_subgroup",
    texts: Texts::Tensors(files!(
        "conv/weight_grad_gemm_subgroup.wgsl",
        "conv/shared/weight_grad_tile.wgsl",
        "conv/shared/weight_grad_params.wgsl",
        "conv/shared/outer_product.wgsl"
    )),
    subgroups: true,
    overrides: &["workgroup_size", "quads", "split"],
    ..DIRECT
};

/// A matrix product for each group, shared within workgroups.
pub(crate) static WORKGROUP: Shader = Shader {
    name: "conv_weight_grad_gemm_workgroup",
    texts: Texts::Tensors(files!(
        "conv/weight_grad_gemm_workgroup.wgsl",
        "conv/shared/weight_grad_tile.wgsl",
        "conv/shared/weight_grad_params.wgsl",
        "conv/shared/outer_product.wgsl"
    )),
    subgroups: false,
    overrides: &["workgroup_size", "staged_rows", "staged_columns", "quads", "split"],
    ..DIRECT
};

/// The tiles of [`WORKGROUP`], the highest first.
const WORKGROUP_TILES: [StagedTile; 3] = [
    StagedTile::adjustable(&WORKGROUP, [64, 64]),
    StagedTile::adjustable(&WORKGROUP, [32, 128]),
    StagedTile::adjustable(&WORKGROUP, [16, 64]),
];

fn candidates(problem: &WeightGradProblem, capabilities: &Capabilities, storage: FloatType) -> Vec<Candidate> {
    problem.candidates(&DIRECT, &SUBGROUP, &WORKGROUP_TILES, capabilities, storage)
}

impl<const R: usize> GpuOp for ConvWeightGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        recipes(&candidates(&WeightGradProblem::new(self), capabilities, options.storage), capabilities)
    }

    fn predict(&self, recipe: &Recipe, capabilities: &Capabilities, options: &PlanOptions) -> Option<Duration> {
        let problem = WeightGradProblem::new(self);
        let candidates = candidates(&problem, capabilities, options.storage);
        let candidate = candidates.iter().find(|candidate| candidate.has(recipe))?;
        Some(problem.predict(candidate, capabilities))
    }

    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let problem = WeightGradProblem::new(self);
        let candidates = candidates(&problem, context.capabilities, context.options.storage);
        context.first_that_fits(Self::NAME, &candidates, |candidate, recipe| {
            lower_by(self, &problem, candidate, ProgramBuilder::new(context, self, recipe)?)
        })
    }
}

/// The program by one candidate.
fn lower_by<const R: usize>(
    op: &ConvWeightGrad<R>,
    problem: &WeightGradProblem,
    candidate: &Candidate,
    mut builder: ProgramBuilder<'_>,
) -> Result<Program> {
    let (geometry, terms) = (op.geometry(), problem.terms());
    if is_empty_sum(&builder) {
        add_empty_sum(&mut builder, Epilogue::default())?;
        return builder.finish();
    }
    at_most("positions in an image", (terms / problem.positions[0]) as u128, 1 << 31)?;
    let slices = problem.slices(candidate);
    let split_k = SplitK::new(&mut builder, slices.count)?;
    let sides = if op.forward_input() == ForwardInput::Wide { [1, 0] } else { [0, 1] };
    let [narrow, wide] = sides.map(|number| builder.operand(number));
    let pass = WeightGrad {
        axes: geometry.axes3(),
        per_group: [geometry.narrow_per_group(), geometry.wide_per_group()],
        positions: problem.positions,
        slices,
        shader: candidate.shader,
        tile: if let Shape::Gemm { tile, .. } = candidate.shape { Some(tile) } else { None },
        narrow,
        wide,
        split_k: &split_k,
    };
    let parts = builder.split(&pass)?;
    let mut constants = Vec::new();
    if let Some(tile) = pass.tile {
        // Whether a part continues sums that an earlier part began.
        let split = parts.iter().any(|part| PartSlices::new(&slices, part).accumulate > 0);
        constants = gemm_tiles::constants(tile, builder.recipe().workgroup_size, candidate.shader);
        constants.push(flag("split", split));
    }
    builder.add_parts(candidate.shader, constants, &pass, &parts)?;
    split_k.add_sum(&mut builder, Epilogue::default())?;
    builder.finish()
}

/// A problem with its tensors laid out.
struct WeightGrad<'a> {
    axes: [Axis; 3],
    /// Narrow and wide channels of a group.
    per_group: [usize; 2],
    positions: [usize; 4],
    slices: Slices,
    shader: &'static Shader,
    /// The tile of a matrix product; `None` where a thread sums for one weight element.
    tile: Option<[u32; 2]>,
    narrow: LaidOutTensor,
    wide: LaidOutTensor,
    split_k: &'a SplitK,
}

impl WeightGrad<'_> {
    /// The images and narrow positions that a region sums.
    fn summed(&self, region: &Region) -> [Range<usize>; 4] {
        flat_box(self.positions, &region.reduction)
    }

    /// Workgroups for the tiles of a product.
    fn workgroups(&self, region: &Region, [rows, columns]: [u32; 2]) -> u128 {
        let [narrow, wide] = region.outer.each_ref().map(|range| range.len() as u128);
        let taps: u128 = region.spatial.iter().map(|range| range.len() as u128).product();
        let group = narrow.min(self.per_group[0] as u128);
        let slices = region.slices(self.slices.length).len() as u128;
        let tiles = group.div_ceil(rows.into()) * (wide * taps).div_ceil(columns.into());
        narrow / group * tiles * slices
    }

    fn axis_params(&self, i: usize, taps: &Range<usize>) -> WeightAxisParams {
        let axis = &self.axes[i];
        let rank = self.narrow.layout.shape().len();
        let tap_axis = (i + rank).checked_sub(3).filter(|&axis| axis >= 2);
        WeightAxisParams {
            wide: to_i32(axis.wide),
            narrow: to_i32(axis.narrow),
            stride: to_i32(axis.stride),
            dilation: to_i32(axis.dilation),
            pad: to_i32(axis.pad),
            wide_stride: self.wide.spatial_stride(i),
            narrow_stride: self.narrow.spatial_stride(i),
            y_stride: tap_axis.map_or(0, |axis| self.split_k.target.stride(axis)),
            first: mod_2_32(taps.start),
            count: mod_2_32(taps.len()),
            ..Default::default()
        }
    }
}

impl Pass for WeightGrad<'_> {
    type Uniform = WeightGradParams;

    fn region(&self) -> Region {
        let narrow_channels = self.narrow.layout.shape()[1];
        let taps = self.axes.map(|axis| axis.kernel);
        Region::whole([narrow_channels, self.per_group[1]], taps, self.positions.iter().product())
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.narrow, &self.wide, &self.split_k.target]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let [narrow, wide] = &region.outer;
        let [images, rows @ ..] = self.summed(region);
        let [narrow_group, wide_group] = self.per_group;
        let groups = narrow.start / narrow_group..(narrow.end - 1) / narrow_group + 1;
        let wides = groups.start * wide_group + wide.start..(groups.end - 1) * wide_group + wide.end;
        let samples = std::array::from_fn(|i| self.axes[i].wide_window(&rows[i], &region.spatial[i]));
        let target = &self.split_k.target.layout;
        let rank = self.narrow.layout.shape().len();
        let taps = region.spatial.iter().skip(5 - rank);
        let element: Vec<_> = [narrow, wide].into_iter().chain(taps).cloned().collect();
        let element: Vec<_> = element.into_iter().chain([region.slices(self.slices.length)]).collect();
        // Without slices the target has no axis for them.
        let target = target.span(&element[..target.shape().len()]);
        let narrow = self.narrow.span([images.clone(), narrow.clone()], rows);
        vec![narrow, self.wide.span([images, wides], samples), target]
    }

    fn work(&self, region: &Region) -> Work {
        match self.tile {
            Some(tile) => Work::Workgroups(self.workgroups(region, tile)),
            None => Work::Threads(region.outputs() * region.slices(self.slices.length).len() as u128),
        }
    }

    fn rounds(&self, region: &Region) -> u64 {
        let positions = region.reduction.len().min(self.slices.length);
        // Each row of positions, or part of a row, takes a round, and enters the loop over its positions.
        let lines = (positions / self.positions[3] + 2) as u64;
        let terms = self.tile.map_or(positions as u64, |tile| gemm_tiles::rounds(self.shader, tile, positions));
        terms + lines * (1 + ENTRY) + gemm_tiles::LOAD_AND_STORE
    }

    /// A matrix product cuts a range of several groups only between groups.
    fn split_alignment(&self) -> SplitAlignment {
        if self.tile.is_some() { [self.per_group[0], 1, 1, 1, 1, 1] } else { [1; 6] }
    }

    fn uniform(&self, part: &Part) -> WeightGradParams {
        let ([narrow, wide], range) = (&part.region.outer, &part.region.reduction);
        let slices = PartSlices::new(&self.slices, part);
        let [image, ..] = self.summed(&part.region);
        let plane: usize = self.positions[1..].iter().product();
        let target = &self.split_k.target;
        let [d, h, w] = std::array::from_fn(|i| self.axis_params(i, &part.region.spatial[i]));
        let rank = target.layout.shape().len();
        let mut first = vec![0; rank];
        first[rank - 1] = if self.split_k.stride > 0 { slices.first } else { 0 };
        WeightGradParams {
            d,
            h,
            w,
            first_narrow: mod_2_32(narrow.start),
            count_narrow: mod_2_32(narrow.len()),
            first_wide: mod_2_32(wide.start),
            count_wide: mod_2_32(wide.len()),
            narrow_per_group: mod_2_32(self.per_group[0]),
            wide_per_group: mod_2_32(self.per_group[1]),
            first: mod_2_32(range.start - image.start * plane),
            count: mod_2_32(range.len()),
            slice: slices.length,
            slices: slices.count,
            lead: slices.lead,
            accumulate: slices.accumulate,
            narrow_base: self.narrow.address(&[image.start], &part.bytes[0]),
            narrow_batch: self.narrow.stride(0),
            narrow_channel: self.narrow.stride(1),
            wide_base: self.wide.address(&[image.start], &part.bytes[1]),
            wide_batch: self.wide.stride(0),
            wide_channel: self.wide.stride(1),
            y_base: target.address(&first, &part.bytes[2]),
            y_narrow: target.stride(0),
            y_wide: target.stride(1),
            y_slice: self.split_k.stride,
            row_threads: part.row,
        }
    }
}
