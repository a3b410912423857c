//! Filling a tensor without gaps with zeros.

use std::ops::Range;

use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, uniform};

uniform! {
    /// `Params` of the fill with zeros.
    ZeroParams {
        base: u32,        // address of the first word that this dispatch fills
        count: u32,       // words of this dispatch
        row_threads: u32, // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per word of four bytes.
pub(crate) static ZERO: Shader = Shader {
    name: "pool_zero_fill",
    texts: Texts::Single(files!("pool/zero_fill.wgsl")),
    reads: 0,
    writes: 1,
    uniform: ZeroParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// The pass that zeroes all words of a tensor, which lie one after the other.
pub(crate) struct ZeroFill<'a>(pub(crate) &'a LaidOutTensor);

impl Pass for ZeroFill<'_> {
    type Uniform = ZeroParams;

    fn region(&self) -> Region {
        Region::whole([self.0.layout.len(), 1], [1; 3], 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.0]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (words, first) = (&region.outer[0], self.0.layout.offset());
        std::iter::once(first + words.start..first + words.end).collect()
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> ZeroParams {
        let words = &part.region.outer[0];
        ZeroParams {
            base: self.0.address(&[], &part.bytes[0]).wrapping_add(mod_2_32(words.start)),
            count: mod_2_32(words.len()),
            row_threads: part.row,
        }
    }
}
