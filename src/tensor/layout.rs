//! Where a tensor's elements lie in a buffer.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::geometry::MAX_ELEMENTS;

/// A strided view of a buffer: element `(i0, i1, ...)` lies at `offset + Σ i * stride`, counted in elements.
///
/// Axes are in the op's logical order (batch, channels, then the spatial axes, outermost first), whatever the order
/// in memory: NCHW, NHWC and rows padded to a pitch are the same axes with other strides.
///
/// ```
/// use upconv::TensorLayout;
/// let nhwc = TensorLayout::channels_last(&[1, 3, 4, 5]);
/// assert_eq!(nhwc.strides(), [60, 1, 15, 3]);
/// let pitched = TensorLayout::row_pitch(&[1, 3, 4, 5], 64); // rows of 256 bytes
/// assert_eq!(pitched.strides(), [768, 256, 64, 1]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorLayout {
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
}

impl TensorLayout {
    /// A layout from its parts; `strides` and `offset` count elements. A stride of 0 repeats an input along that axis.
    /// Refuses another number of strides than of axes ([`Error::LayoutRank`]), and addresses that a `usize` of bytes
    /// cannot count ([`Error::TooLarge`]).
    pub fn new(shape: &[usize], strides: &[usize], offset: usize) -> Result<Self> {
        if shape.len() != strides.len() {
            return Err(Error::LayoutRank { axes: shape.len(), strides: strides.len() });
        }
        let layout = Self { shape: shape.into(), strides: strides.into(), offset };
        layout.checked_end()?;
        Ok(layout)
    }

    /// Row-major without gaps: NCHW for an activation, PyTorch's order for a weight.
    pub fn contiguous(shape: &[usize]) -> Self {
        Self::packed(shape, (0..shape.len()).rev())
    }

    /// Channels innermost (NHWC): the batch, the spatial axes, then axis 1.
    pub fn channels_last(shape: &[usize]) -> Self {
        Self::packed(shape, (1..2).chain((2..shape.len()).rev()).chain(0..1))
    }

    /// TensorFlow's order of a filter: the taps outermost, then axis 1 and axis 0. In memory, a convolution's weight
    /// (Cout, Cin/g, k...) is then (k..., Cin/g, Cout), and a transposed convolution's (Cin, Cout/g, k...) is (k...,
    /// Cout/g, Cin).
    pub fn tensorflow_filter(shape: &[usize]) -> Self {
        Self::packed(shape, (0..2).chain((2..shape.len()).rev()))
    }

    /// Row-major with each row (the last axis) padded to `pitch` elements, as copies to and from textures need: a
    /// multiple of 256 bytes, or 64 elements of f32. A pitch shorter than a row is taken as the row's length.
    pub fn row_pitch(shape: &[usize], pitch: usize) -> Self {
        let mut padded = shape.to_vec();
        if let Some(row) = padded.last_mut() {
            *row = pitch.max(*row);
        }
        Self { shape: shape.into(), ..Self::contiguous(&padded) }
    }

    /// Strides for `shape` packed with the axes of `order` from innermost to outermost.
    fn packed(shape: &[usize], order: impl Iterator<Item = usize>) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut step = 1usize; // saturates: such a layout is refused where it is used
        for axis in order.filter(|&axis| axis < shape.len()) {
            strides[axis] = step;
            step = step.saturating_mul(shape[axis].max(1));
        }
        Self { shape: shape.into(), strides, offset: 0 }
    }

    /// The same layout, starting `offset` elements into the buffer.
    pub fn with_offset(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements from one index to the next along each axis.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// Elements before the first one.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of elements, not counting gaps.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |n, &axis| n.saturating_mul(axis))
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// One past the largest address, in elements: what a buffer must hold. 0 for an empty tensor, `usize::MAX` if the
    /// true number is too large.
    pub fn end(&self) -> usize {
        self.checked_end().unwrap_or(usize::MAX)
    }

    /// [`Self::end`], or [`Error::TooLarge`]: an offset or a pitch may have been set without a check.
    pub(crate) fn checked_end(&self) -> Result<usize> {
        if self.is_empty() {
            return Ok(0);
        }
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset as u128, |end, (&n, &stride)| {
            end.checked_add((n as u128 - 1).checked_mul(stride as u128)?)
        });
        let limit = MAX_ELEMENTS as u128;
        match last {
            Some(last) if last < limit => Ok(last as usize + 1),
            last => Err(Error::TooLarge { what: "a layout's extent", value: last.unwrap_or(u128::MAX), limit }),
        }
    }

    /// Address of an element in elements, without a bounds check.
    pub fn index(&self, at: &[usize]) -> usize {
        self.offset + at.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<usize>()
    }

    /// Addresses touched by a box of indices, from the first to one past the last. The box must not be empty.
    pub(crate) fn span(&self, at: &[Range<usize>]) -> Range<usize> {
        let reach = |pick: fn(&Range<usize>) -> usize| {
            self.offset + at.iter().zip(&self.strides).map(|(range, stride)| pick(range) * stride).sum::<usize>()
        };
        reach(|range| range.start)..reach(|range| range.end - 1) + 1
    }

    /// Refuses a layout in which two elements could share an address: an output must not overlap itself.
    ///
    /// Sorted by stride, each axis must step past everything that the smaller ones reach. That also refuses a few
    /// unusual layouts whose axes interleave without sharing an address.
    pub(crate) fn check_injective(&self) -> Result<()> {
        let mut axes: Vec<_> = self.strides.iter().zip(&self.shape).filter(|(_, n)| **n > 1).collect();
        axes.sort();
        let mut reach = 0usize;
        for (&stride, &n) in axes {
            if stride <= reach {
                return Err(Error::LayoutOverlap { shape: self.shape.clone(), strides: self.strides.clone() });
            }
            reach = reach.saturating_add(stride.saturating_mul(n - 1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_address_their_elements() {
        let shape = [2, 3, 4, 5];
        assert_eq!(TensorLayout::contiguous(&shape).strides(), [60, 20, 5, 1]);
        assert_eq!(TensorLayout::channels_last(&shape).strides(), [60, 1, 15, 3]);
        assert_eq!(TensorLayout::tensorflow_filter(&shape).strides(), [1, 2, 30, 6]);
        let pitched = TensorLayout::row_pitch(&shape, 64).with_offset(7);
        assert_eq!(pitched.index(&[1, 2, 3, 4]), 7 + 768 + 512 + 192 + 4);
        assert_eq!(pitched.end(), pitched.index(&[1, 2, 3, 4]) + 1);
        assert_eq!(pitched.span(&[0..1, 1..3, 0..2, 0..5]), 7 + 256..7 + 512 + 64 + 5);
        assert_eq!(TensorLayout::contiguous(&[0, 3, 4]).end(), 0);
        assert_eq!(TensorLayout::row_pitch(&[2, 5], 3).strides(), [5, 1]);
    }

    #[test]
    fn broken_layouts_are_refused_with_their_numbers() {
        assert_eq!(TensorLayout::new(&[2, 3], &[3], 0), Err(Error::LayoutRank { axes: 2, strides: 1 }));
        assert!(matches!(TensorLayout::new(&[3, 3], &[usize::MAX, 1], 0), Err(Error::TooLarge { .. })));
        let overlapping = TensorLayout::new(&[2, 3], &[2, 1], 0).unwrap();
        assert!(matches!(overlapping.check_injective(), Err(Error::LayoutOverlap { .. })));
        assert!(TensorLayout::new(&[2, 3], &[0, 1], 0).unwrap().check_injective().is_err());
        for fine in [TensorLayout::contiguous(&[2, 3]), TensorLayout::channels_last(&[1, 3, 2, 2])] {
            fine.check_injective().unwrap();
        }
    }
}
