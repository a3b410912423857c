//! Tensors that are laid out, and what a binding of a shader holds.

use std::ops::Range;

use super::pixel_format::PixelFormat;
use super::uniform::{elements_before, mod_2_32};
use crate::dtype::FloatType;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

/// Bytes of an entry of a tap table: a u32 index and an f32 weight.
pub(crate) const TAP_BYTES: usize = 8;

/// What the elements of a binding are stored as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stored {
    Float(FloatType),
    I32,
    /// An integer of one byte. Shaders read four at a time, as a word.
    Byte,
    /// An entry of a tap table: a sample's index and its weight.
    Tap,
    /// The texels of a texture, which is bound whole. Its layout only says the picture's shape.
    Texels(PixelFormat),
}

impl Stored {
    /// Bytes of an element.
    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Self::Float(FloatType::F16) => 2,
            Self::Float(FloatType::F32) | Self::I32 => 4,
            Self::Tap => TAP_BYTES as u64,
            Self::Byte => 1,
            // Texels have no addresses: a texture is bound whole.
            Self::Texels(_) => 1,
        }
    }
}

/// What a binding of a shader holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An operand, by its number: inputs, then outputs.
    Operand(usize),
    /// A tap table that the plan owns, by its number.
    Table(usize),
    /// A workspace, by its number.
    Workspace(usize),
}

/// A tensor, where its elements lie in a buffer, and which buffer that is.
#[derive(Clone, Debug)]
pub(crate) struct LaidOutTensor {
    /// What the tensor is to its op; `None` for a table or a workspace.
    pub(crate) role: Option<Role>,
    pub(crate) layout: TensorLayout,
    pub(crate) stored: Stored,
    pub(crate) source: Source,
}

impl LaidOutTensor {
    /// The tensor's name in errors.
    pub(crate) fn name(&self) -> &'static str {
        match (self.role, self.source) {
            (Some(role), _) => role.name(),
            (None, Source::Table(_)) => "tap table",
            (None, _) => "workspace",
        }
    }

    /// Bytes from the start of a slice to the end of the last element, rounded up to whole words, as bindings are.
    pub(crate) fn bytes(&self) -> u64 {
        (self.layout.end() as u64 * self.stored.bytes()).next_multiple_of(4)
    }

    /// The address of an element, counted in elements from the start of the bound bytes, modulo 2³². `first` has its
    /// indices on the first axes; on the others they are 0.
    pub(crate) fn address(&self, first: &[usize], bound: &Range<u64>) -> u32 {
        let strides = self.layout.strides();
        let skipped = first.iter().zip(strides).map(|(&index, &stride)| mod_2_32(index).wrapping_mul(mod_2_32(stride)));
        let element = skipped.fold(mod_2_32(self.layout.offset()), u32::wrapping_add);
        element.wrapping_sub(elements_before(bound.start, self.stored.bytes()))
    }

    /// The stride of an axis, modulo 2³².
    pub(crate) fn stride(&self, axis: usize) -> u32 {
        mod_2_32(self.layout.strides()[axis])
    }

    /// The stride of the `i`-th of three spatial axes, modulo 2³²; 0 for one that the tensor lacks.
    pub(crate) fn spatial_stride(&self, i: usize) -> u32 {
        let rank = self.layout.shape().len();
        (i + rank).checked_sub(3).filter(|&axis| axis >= 2).map_or(0, |axis| self.stride(axis))
    }

    /// The addresses, in elements, that a box of indices touches: ranges of the first two axes and of three spatial
    /// axes. Ranges of leading spatial axes that the tensor lacks are ignored. An empty spatial range, as of an output
    /// that reads padding alone, counts as sample 0, since a binding cannot be empty.
    pub(crate) fn span(&self, outer: [Range<usize>; 2], spatial: [Range<usize>; 3]) -> Range<usize> {
        let rank = self.layout.shape().len() - 2;
        let spatial = spatial.into_iter().skip(3 - rank).map(|range| if range.is_empty() { 0..1 } else { range });
        let at: Vec<_> = outer.into_iter().chain(spatial).collect();
        self.layout.span(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_axes_have_no_stride() {
        let of = |shape: &[usize]| LaidOutTensor {
            role: None,
            layout: TensorLayout::contiguous(shape),
            stored: Stored::I32,
            source: Source::Workspace(0),
        };
        assert_eq!([0, 1, 2].map(|i| of(&[2, 3, 5]).spatial_stride(i)), [0, 0, 1]);
        assert_eq!([0, 1, 2].map(|i| of(&[2, 3, 4, 5, 6]).spatial_stride(i)), [30, 6, 1]);
    }
}
