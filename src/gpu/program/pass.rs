//! A pass: what one shader does in a program.

use std::ops::Range;

use super::operand::LaidOutTensor;
use super::region::{AXES, Region};

/// One shader's work in a program. Its region is cut into parts that the device can hold; each part becomes a dispatch.
pub(crate) trait Pass {
    /// The shader's uniform struct.
    type Uniform: bytemuck::Pod;

    /// All that the pass computes.
    fn region(&self) -> Region;

    /// The tensors of the shader's storage bindings, from binding 1 on: those that it reads, then those that it writes.
    fn tensors(&self) -> Vec<&LaidOutTensor>;

    /// The elements of each of these tensors that a part of the region touches, from the first to one past the last.
    fn spans(&self, region: &Region) -> Vec<Range<usize>>;

    /// How many threads or workgroups a part of the region takes; by default a thread for each output.
    fn work(&self, region: &Region) -> Work {
        Work::Threads(region.outputs())
    }

    /// The most rounds that an invocation makes of all its loops together for a part of the region. A part of more than
    /// [`MAX_ROUNDS`](super::rounds::MAX_ROUNDS) is cut along the reduction.
    fn rounds(&self, region: &Region) -> u64;

    /// Whether an output is a sum over the reduction, of which a part leaves a partial sum in the output; by default it
    /// is. If not, a part leaves what it copies there.
    fn sums(&self) -> bool {
        true
    }

    /// Where the region may be cut; by default anywhere.
    fn split_alignment(&self) -> SplitAlignment {
        [1; AXES]
    }

    /// The uniform struct of a part.
    fn uniform(&self, part: &Part) -> Self::Uniform;
}

/// How many threads or workgroups a part of a pass takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Threads(u128),
    Workgroups(u128),
}

impl Work {
    pub(crate) fn count(self) -> u128 {
        match self {
            Self::Threads(count) | Self::Workgroups(count) => count,
        }
    }
}

/// For each axis of a region: an axis longer than this is cut only at multiples of it.
pub(crate) type SplitAlignment = [usize; AXES];

/// A part of a pass, which one dispatch computes.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) region: Region,
    /// The bytes of each tensor that the part touches, as they are bound.
    pub(crate) bytes: Vec<Range<u64>>,
    /// Workgroups in x and y.
    pub(crate) workgroups: [u32; 2],
    /// Threads in one row (x) of workgroups; workgroups in it, if the work is counted in workgroups.
    pub(crate) row: u32,
}
