//! Reducing whole planes: passes in which a workgroup reduces a slice of a plane, until one slice is left.

use std::ops::Range;

use crate::error::Result;
use crate::geometry::at_most;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::{Constant, flag};
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass, SplitAlignment, Work};
use crate::gpu::program::recipe::{Candidate, Recipe, Shape, refused};
use crate::gpu::program::region::{AXES, REDUCTION, Region, flat_box};
use crate::gpu::program::rounds::ENTRY;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::uniform::{mod_2_32, to_i32, to_u32, uniform};
use crate::ops::pool::indices::Numbering;
use crate::ops::pool::planes::Planes;

uniform! {
    /// One spatial axis of [`GlobalParams`]; 16 bytes.
    GlobalAxis {
        size: u32,     // samples of a plane
        x_stride: u32, // elements from one sample to the next, modulo 2^32
        number: u32,   // what a stored index grows by from one sample to the next
        unused: u32,   // fills the struct to a multiple of 16 bytes
    }
}

uniform! {
    /// `Params` of the global poolings. Addresses and strides count elements, modulo 2³².
    GlobalParams {
        d: GlobalAxis,       // depth
        h: GlobalAxis,       // height
        w: GlobalAxis,       // width; of what an earlier pass left, the slices
        batch_count: u32,    // images of this dispatch
        first_batch: u32,    // this dispatch's first image
        first_channel: u32,  // this dispatch's first channel
        channel_count: u32,  // channels of this dispatch
        first: u32,          // in each plane, the first sample of this dispatch
        count: u32,          // samples of each plane in this dispatch
        slice: u32,          // samples of a slice
        slices: u32,         // slices of each plane in this dispatch
        x_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,        // from one image to the next
        x_channel: u32,      // from one channel to the next
        e_base: u32,         // the same address in the integers beside x, whose strides are those of x
        y_base: u32,         // address of channel 0 in this dispatch's first image and first slice
        y_batch: u32,        // from one image to the next
        y_channel: u32,      // from one channel to the next
        y_slice: u32,        // from one slice to the next
        i_base: u32,         // as y_base, in the integers beside y
        i_batch: u32,        // from one image to the next
        i_channel: u32,      // from one channel to the next
        i_slice: u32,        // from one slice to the next
        number_batch: u32,   // what a stored index grows by from one image to the next
        number_channel: u32, // what a stored index grows by from one channel to the next
        power: i32,          // p of an Lp norm
        scale: f32,          // what the sum of a whole plane is multiplied by
        row_workgroups: u32, // workgroups in one row of the grid
    }
}

/// The channels of a workgroup where channels are neighbours in memory.
const NEIGHBOURS: u32 = 16;

/// Samples of a slice: few enough for a tensor of many channels, channels last, to be bound slice by slice.
const SLICE: usize = 1 << 12;

/// As [`SLICE`], for a workgroup of [`NEIGHBOURS`].
const SLICE_OF_NEIGHBOURS: usize = 1 << 10;

/// Bytes of workgroup memory for each thread, at most.
const BYTES_OF_THREAD: u32 = 8;

/// The ways to reduce planes by a shader: the channels one by one, or several together, which is better where they are
/// neighbours in memory.
pub(super) fn candidates(shader: &'static Shader, channels: usize, options: &PlanOptions) -> Vec<Candidate> {
    let of = |channels, workgroup_size| Candidate {
        shape: Shape::Reduction { channels },
        workgroup_size,
        workgroup_bytes: BYTES_OF_THREAD * workgroup_size.unwrap_or(256),
        ..Candidate::new(shader)
    };
    // Only several threads for each channel are worth a workgroup.
    let (single, several) = (of(1, None), of(NEIGHBOURS, Some(4 * NEIGHBOURS)));
    let are_neighbours = options.input.as_ref().is_some_and(|layout| {
        let (shape, strides) = (layout.shape(), layout.strides());
        let of_samples = shape.iter().zip(strides).skip(2).filter(|&(&size, _)| size > 1).map(|(_, &stride)| stride);
        of_samples.min().is_some_and(|least| strides.get(1).is_some_and(|&stride| stride < least))
    });
    match (channels > 1, are_neighbours) {
        (false, _) => vec![single],
        (true, false) => vec![single, several],
        (true, true) => vec![several, single],
    }
}

/// Refuses a recipe whose threads have more workgroup memory than the device gives.
pub(super) fn check_memory(context: &LowerContext<'_>, recipe: &Recipe) -> Result<()> {
    let needed = u64::from(recipe.workgroup_size) * u64::from(BYTES_OF_THREAD);
    let (what, available) =
        ("max_compute_workgroup_storage_size", context.limits().max_compute_workgroup_storage_size.into());
    if needed > available { Err(refused(&recipe.to_string(), what, needed, available)) } else { Ok(()) }
}

/// What is computed of each plane.
#[derive(Clone)]
pub(super) struct Reduction {
    pub(super) shader: &'static Shader,
    /// The constants that every pass has, besides those that [`reduce`] sets.
    pub(super) constants: Vec<Constant>,
    pub(super) numbering: Numbering,
    /// What a sum is multiplied by at the end.
    pub(super) scale: f32,
    /// p of a norm.
    pub(super) power: u32,
    /// Whether the passes before the last leave integers beside their numbers.
    pub(super) has_integers: bool,
    /// Whether numbers are copied as they are stored. If not, what is left of slices is f32.
    pub(super) copies: bool,
}

/// Adds the passes that reduce the planes of the op's input to `output`, whose axes after the second have one element,
/// or, of a norm that is written as root and exponent, two. `integers` are those that the last pass writes.
pub(super) fn reduce<const R: usize>(
    builder: &mut ProgramBuilder<'_>,
    planes: &Planes<R>,
    kind: &Reduction,
    output: &LaidOutTensor,
    integers: Option<LaidOutTensor>,
) -> Result<()> {
    let terms = planes.sizes().iter().fold(1u128, |n, &size| n.saturating_mul(size as u128));
    at_most("samples in a plane", terms, 1 << 31)?;
    let tile = match builder.recipe().shape {
        Shape::Reduction { channels } => channels,
        _ => 1,
    };
    let slice = if tile > 1 { SLICE_OF_NEIGHBOURS } else { SLICE };
    let input = builder.operand(0);
    let mut pass = GlobalPass {
        kind: kind.clone(),
        outer: [planes.batch, planes.channels],
        sizes: planes.sizes(),
        terms: planes.samples(),
        slice,
        tile,
        threads: builder.recipe().workgroup_size,
        line: line_of(&input),
        input,
        // A word that the shader does not read fills the binding.
        input_integers: builder.add_integers(&[1])?,
        output: output.clone(),
        output_integers: None,
        is_first: true,
    };
    loop {
        let slices = pass.terms.div_ceil(slice);
        let is_last = slices <= 1;
        let shape = [planes.batch, planes.channels, slices];
        (pass.output, pass.output_integers) = match (is_last, kind.copies) {
            (true, _) => (output.clone(), integers.clone()),
            (false, true) => (builder.add_workspace_like(&shape, &pass.input)?, None),
            (false, false) => (builder.add_workspace(&shape)?, None),
        };
        if !is_last && kind.has_integers {
            pass.output_integers = Some(builder.add_integers(&shape)?);
        }
        // A word that the shader does not write fills the binding.
        let unused = if pass.output_integers.is_none() { Some(builder.add_integers(&[1])?) } else { None };
        let bound = BoundPass { pass: &pass, unused: unused.as_ref() };
        builder.add_pass(kind.shader, pass.constants(is_last), &bound)?;
        if is_last {
            return Ok(());
        }
        (pass.input, pass.terms, pass.is_first, pass.line) = (pass.output.clone(), slices, false, Some(1));
        if let Some(integers) = pass.output_integers.take() {
            pass.input_integers = integers;
        }
    }
}

/// The elements from one sample of a plane to the next in row-major order, if they are always as many.
fn line_of(tensor: &LaidOutTensor) -> Option<usize> {
    let axes = tensor.layout.shape().iter().zip(tensor.layout.strides()).skip(2);
    let mut line: Option<[usize; 2]> = None; // the stride, and the samples of the axes so far
    for (&size, &stride) in axes.rev().filter(|&(&size, _)| size > 1) {
        line = match line {
            None => Some([stride, size]),
            Some([step, samples]) if stride == step * samples => Some([step, samples * size]),
            Some(_) => return None,
        };
    }
    Some(line.map_or(1, |[stride, _]| stride))
}

/// A pass with its tensors laid out.
struct GlobalPass {
    kind: Reduction,
    /// Images and channels.
    outer: [usize; 2],
    /// Samples of the op's planes on each axis.
    sizes: [usize; 3],
    /// What is reduced of each plane: its samples, or the slices of an earlier pass.
    terms: usize,
    slice: usize,
    /// Channels of a workgroup.
    tile: u32,
    /// Threads of a workgroup.
    threads: u32,
    /// See [`line_of`].
    line: Option<usize>,
    input: LaidOutTensor,
    input_integers: LaidOutTensor,
    output: LaidOutTensor,
    output_integers: Option<LaidOutTensor>,
    is_first: bool,
}

/// A pass with all that is bound.
struct BoundPass<'a> {
    pass: &'a GlobalPass,
    /// What is bound where no integers are written.
    unused: Option<&'a LaidOutTensor>,
}

impl GlobalPass {
    fn constants(&self, is_last: bool) -> Vec<Constant> {
        let own = [
            flag("is_first", self.is_first),
            flag("is_last", is_last),
            ("tile_channels", self.tile.into()),
            flag("is_line", self.line.is_some()),
        ];
        own.into_iter().chain(self.kind.constants.iter().copied()).collect()
    }

    /// The elements of a tensor that has a number for each slice of these planes.
    fn slices_span(&self, tensor: &LaidOutTensor, region: &Region) -> Range<usize> {
        let [batch, channels] = region.outer.clone();
        let slices = region.slices(self.slice);
        let layout = &tensor.layout;
        // Of a whole plane there is one number on each axis, or a root and an exponent.
        let rest = layout.shape().iter().skip(2).map(|&size| if size == 2 { 0..2 } else { 0..1 });
        let rest: Vec<_> = if self.terms > self.slice { vec![slices] } else { rest.collect() };
        layout.span(&[vec![batch, channels], rest].concat())
    }
}

impl Pass for BoundPass<'_> {
    type Uniform = GlobalParams;

    fn region(&self) -> Region {
        Region::whole(self.pass.outer, [1; 3], self.pass.terms)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        let pass = self.pass;
        let integers = pass.output_integers.as_ref().or(self.unused).unwrap_or(&pass.input_integers);
        vec![&pass.input, &pass.input_integers, &pass.output, integers]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (pass, [batch, channels]) = (self.pass, region.outer.clone());
        let (input, beside) = if pass.is_first {
            (pass.input.span([batch, channels], flat_box(pass.sizes, &region.reduction)), 0..1)
        } else {
            let of_slices = [batch, channels, region.reduction.clone()];
            let beside = if pass.kind.has_integers { pass.input_integers.layout.span(&of_slices) } else { 0..1 };
            (pass.input.layout.span(&of_slices), beside)
        };
        let integers = pass.output_integers.as_ref().map_or(0..1, |tensor| pass.slices_span(tensor, region));
        vec![input, beside, pass.slices_span(&pass.output, region), integers]
    }

    fn work(&self, region: &Region) -> Work {
        let tiles = region.outer[1].len().div_ceil(self.pass.tile as usize);
        let slices = region.slices(self.pass.slice).len();
        Work::Workgroups(region.outer[0].len() as u128 * tiles as u128 * slices as u128)
    }

    fn rounds(&self, region: &Region) -> u64 {
        let lanes = (self.pass.threads / self.pass.tile).max(1);
        let samples = region.reduction.len().min(self.pass.slice).div_ceil(lanes as usize);
        samples as u64 + u64::from(lanes.ilog2() + 1) + 2 * ENTRY
    }

    fn sums(&self) -> bool {
        !self.pass.kind.copies
    }

    /// A slice is not cut, so that its numbers are combined in one order. Channels are cut between tiles.
    fn split_alignment(&self) -> SplitAlignment {
        let mut alignment = [1; AXES];
        (alignment[1], alignment[REDUCTION]) = (self.pass.tile as usize, self.pass.slice);
        alignment
    }

    fn uniform(&self, part: &Part) -> GlobalParams {
        let (pass, [batch, channels]) = (self.pass, &part.region.outer);
        let (range, slices) = (&part.region.reduction, part.region.slices(pass.slice));
        let numbering = &pass.kind.numbering;
        let [d, h, w] = std::array::from_fn(|i| GlobalAxis {
            size: mod_2_32(pass.sizes[i]),
            x_stride: match pass.line {
                Some(stride) if i == 2 => mod_2_32(stride),
                _ => pass.input.spatial_stride(i),
            },
            number: mod_2_32(numbering.axes[i]),
            unused: 0,
        });
        // Of a whole plane there is one slice.
        let base = |tensor: &LaidOutTensor, binding: usize| {
            let slice = if pass.terms > pass.slice { slices.start } else { 0 };
            tensor.address(&[batch.start, 0, slice], &part.bytes[binding])
        };
        let step = |tensor: &LaidOutTensor| if pass.terms > pass.slice { tensor.stride(2) } else { 0 };
        let integers = pass.output_integers.as_ref();
        let beside = if pass.kind.has_integers && !pass.is_first {
            pass.input_integers.address(&[batch.start], &part.bytes[1])
        } else {
            0
        };
        GlobalParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_batch: mod_2_32(batch.start),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            first: mod_2_32(range.start),
            count: mod_2_32(range.len()),
            slice: mod_2_32(pass.slice),
            slices: mod_2_32(slices.len()),
            x_base: pass.input.address(&[batch.start], &part.bytes[0]),
            x_batch: pass.input.stride(0),
            x_channel: pass.input.stride(1),
            e_base: beside,
            y_base: base(&pass.output, 2),
            y_batch: pass.output.stride(0),
            y_channel: pass.output.stride(1),
            y_slice: step(&pass.output),
            i_base: integers.map_or(0, |tensor| base(tensor, 3)),
            i_batch: integers.map_or(0, |tensor| tensor.stride(0)),
            i_channel: integers.map_or(0, |tensor| tensor.stride(1)),
            i_slice: integers.map_or(0, step),
            number_batch: mod_2_32(numbering.batch),
            number_channel: mod_2_32(numbering.channel),
            power: to_i32(pass.kind.power),
            scale: pass.kind.scale,
            row_workgroups: to_u32(part.row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::FloatType;
    use crate::gpu::program::operand::{Source, Stored};
    use crate::tensor::layout::TensorLayout;

    #[test]
    fn lines_are_found() {
        let of = |layout: TensorLayout| {
            let (stored, source) = (Stored::Float(FloatType::F32), Source::Operand(0));
            line_of(&LaidOutTensor { role: None, layout, stored, source })
        };
        assert_eq!(of(TensorLayout::contiguous(&[2, 3, 4, 5])), Some(1));
        assert_eq!(of(TensorLayout::channels_last(&[2, 3, 4, 5])), Some(3));
        assert_eq!(of(TensorLayout::row_pitch(&[2, 3, 4, 5], 64)), None);
        assert_eq!(of(TensorLayout::row_pitch(&[2, 3, 1, 5], 64)), Some(1));
        assert_eq!(of(TensorLayout::row_pitch(&[2, 3, 4, 1], 64)), Some(64));
        assert_eq!(of(TensorLayout::contiguous(&[2, 3, 1, 1, 1])), Some(1));
        assert_eq!(of(TensorLayout::new(&[1, 1, 2, 2], &[9, 9, 1, 2], 0).unwrap()), None);
    }
}
