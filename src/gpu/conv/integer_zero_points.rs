//! The zero points of a convolution of 8-bit integers: a pair for each output channel, in a workspace.

use std::ops::Range;

use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::constants::{Constant, flag};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

uniform! {
    /// `Params` of the pass that puts zero points side by side. Addresses and strides of x and w count bytes, those of
    /// z elements, modulo 2³².
    ZeroPointParams {
        first_channel: u32, // this dispatch's first output channel
        channel_count: u32, // output channels of this dispatch
        x_base: u32,        // address of the input's zero point
        w_base: u32,        // address of channel 0's zero point of the weight
        w_stride: u32,      // from one channel's to the next
        z_base: u32,        // address of channel 0's pair
        x_flip: u32,        // bits of a word to flip, as in the shaders that read the pairs
        w_flip: u32,        // the same for the weight
        row_threads: u32,   // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per output channel writes the zero points of input and weight.
pub(crate) static ZERO_POINTS: Shader = Shader {
    name: "conv_integer_zero_points",
    texts: Texts::Single(files!("conv/integer_zero_points.wgsl")),
    reads: 2,
    writes: 1,
    uniform: ZeroPointParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "has_input_zero_point", "has_weight_zero_point"],
};

/// The zero points with their tensors laid out. At least one of them is given.
pub(super) struct ZeroPointPass {
    input: Option<LaidOutTensor>,
    /// One for each output channel; a layout of stride 0 repeats a single one.
    weight: Option<LaidOutTensor>,
    /// What the pass writes: (Cout, 2).
    pub(super) pairs: LaidOutTensor,
    flips: [u32; 2],
}

impl ZeroPointPass {
    /// The pass for the op's zero points, with a workspace for the pairs.
    pub(super) fn new(builder: &mut ProgramBuilder<'_>, flips: [u32; 2]) -> Result<Self> {
        let channels = builder.output().layout.shape()[1];
        let for_each_channel = |tensor: LaidOutTensor| -> Result<LaidOutTensor> {
            let (shape, stride) = (tensor.layout.shape(), tensor.layout.strides()[0]);
            let stride = if shape == [channels] { stride } else { 0 };
            let layout = TensorLayout::new(&[channels], &[stride], tensor.layout.offset())?;
            Ok(LaidOutTensor { layout, ..tensor })
        };
        Ok(Self {
            input: builder.operand_as(Role::InputZeroPoint),
            weight: builder.operand_as(Role::WeightZeroPoint).map(for_each_channel).transpose()?,
            pairs: builder.add_integers(&[channels, 2])?,
            flips,
        })
    }

    /// The shader's constants.
    pub(super) fn constants(&self) -> [Constant; 2] {
        let flags = [self.input.is_some(), self.weight.is_some()];
        [flag("has_input_zero_point", flags[0]), flag("has_weight_zero_point", flags[1])]
    }
}

impl Pass for ZeroPointPass {
    type Uniform = ZeroPointParams;

    fn region(&self) -> Region {
        Region::whole([self.pairs.layout.shape()[0], 1], [1; 3], 1)
    }

    /// The zero points of input and weight, and the pairs. One that is not given has its binding filled by the other,
    /// which the shader then does not read there.
    fn tensors(&self) -> Vec<&LaidOutTensor> {
        let given = [&self.input, &self.weight];
        let or = |one: usize| given[one].as_ref().or(given[1 - one].as_ref()).unwrap_or(&self.pairs);
        vec![or(0), or(1), &self.pairs]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let channels = &region.outer[0];
        let input = self.input.as_ref().map(|input| input.layout.offset()..input.layout.end());
        let weight = self.weight.as_ref().map(|weight| weight.layout.span(std::slice::from_ref(channels)));
        let pairs = self.pairs.layout.span(&[channels.clone(), 0..2]);
        let or = |one: &Option<Range<usize>>, other: &Option<Range<usize>>| {
            one.clone().or(other.clone()).unwrap_or(pairs.clone())
        };
        vec![or(&input, &weight), or(&weight, &input), pairs]
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    /// The shader copies.
    fn sums(&self) -> bool {
        false
    }

    fn uniform(&self, part: &Part) -> ZeroPointParams {
        let channels = &part.region.outer[0];
        let address = |tensor: &LaidOutTensor, binding: usize| tensor.address(&[], &part.bytes[binding]);
        ZeroPointParams {
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            x_base: self.input.as_ref().map_or(0, |input| address(input, 0)),
            w_base: self.weight.as_ref().map_or(0, |weight| address(weight, 1)),
            w_stride: self.weight.as_ref().map_or(0, |weight| weight.stride(0)),
            z_base: address(&self.pairs, 2),
            x_flip: self.flips[0],
            w_flip: self.flips[1],
            row_threads: part.row,
        }
    }
}
