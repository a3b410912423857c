//! Tensors that are laid out, and what a binding of a shader holds.

use std::ops::Range;

use super::uniform::wrap;
use crate::tensor::layout::TensorLayout;

/// A tensor with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    pub(crate) name: &'static str,
    pub(crate) layout: TensorLayout,
    /// Bytes of an element.
    pub(crate) element: u64,
}

impl Placed {
    /// Where an op's own tensor of f32 lies in a workspace.
    pub(crate) fn workspace(shape: &[usize]) -> Self {
        Self { name: "workspace", layout: TensorLayout::contiguous(shape), element: 4 }
    }

    /// Bytes from the start of a slice to the end of the last element, as many as can be bound.
    pub(crate) fn bytes(&self) -> u64 {
        (self.layout.end() as u64 * self.element).next_multiple_of(4)
    }

    /// The address of the element at these indices of the first axes, and 0 of the others, in elements from the start of
    /// the bytes that are bound.
    pub(crate) fn address(&self, first: &[usize], bound: &Range<u64>) -> u32 {
        let strides = self.layout.strides();
        let skipped = first.iter().zip(strides).map(|(&index, &stride)| wrap(index).wrapping_mul(wrap(stride)));
        let element = skipped.fold(wrap(self.layout.offset()), u32::wrapping_add);
        element.wrapping_sub((bound.start / self.element) as u32)
    }

    /// The stride of an axis, modulo 2³².
    pub(crate) fn stride(&self, axis: usize) -> u32 {
        wrap(self.layout.strides()[axis])
    }
}

/// What a binding of a shader holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An operand, by its number: inputs, then outputs.
    Operand(usize),
    /// A table of the plan's own, by its number.
    Table(usize),
    /// A workspace, by its number.
    Workspace(usize),
}

/// What a window is cut from.
#[derive(Clone, Copy)]
pub(crate) struct Bindable {
    pub(crate) name: &'static str,
    /// Bytes of an element.
    pub(crate) element: u64,
}

impl From<&Placed> for Bindable {
    fn from(placed: &Placed) -> Self {
        Self { name: placed.name, element: placed.element }
    }
}
