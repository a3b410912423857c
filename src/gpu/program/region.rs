//! A part of a problem: ranges of its axes.

use std::ops::{Index, Range};

/// The number of axes of a [`Region`]: two outer ones, three spatial ones, and the reduction.
pub(crate) const AXES: usize = 6;

/// The number of the axis that a [`Region`] is summed over. The others are the output's axes.
pub(crate) const REDUCTION: usize = 5;

/// What a pass or one of its dispatches computes: a box of the output, and a range of the terms of each element's sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// The output's first two axes: batch and channels of an activation, the two channel axes of a weight.
    pub(crate) outer: [Range<usize>; 2],
    /// The output's spatial axes, or a weight's taps; those that a problem lacks come first and have one element.
    pub(crate) spatial: [Range<usize>; 3],
    /// The terms of each sum: input channels of a group, or images and samples. In an unpooling, the places or samples
    /// that are searched.
    pub(crate) reduction: Range<usize>,
}

impl Region {
    /// The region from 0 to these sizes on each axis.
    pub(crate) fn whole(outer: [usize; 2], spatial: [usize; 3], reduction: usize) -> Self {
        Self { outer: outer.map(|size| 0..size), spatial: spatial.map(|size| 0..size), reduction: 0..reduction }
    }

    pub(crate) fn is_empty(&self) -> bool {
        (0..AXES).any(|axis| self[axis].is_empty())
    }

    /// The number of output elements.
    pub(crate) fn outputs(&self) -> u128 {
        (0..REDUCTION).map(|axis| self[axis].len() as u128).product()
    }

    /// The number of blocks of outputs along the spatial axes, in all images and channels.
    pub(crate) fn blocks(&self, block: [u32; 3]) -> u128 {
        let blocks = (0..3).map(|i| self.spatial[i].len().div_ceil(block[i] as usize) as u128);
        self.outer.iter().map(|range| range.len() as u128).chain(blocks).product()
    }

    /// The numbers of the split-K slices, of `slice` terms each, that the reduction's terms belong to.
    pub(crate) fn slices(&self, slice: usize) -> Range<usize> {
        self.reduction.start / slice..(self.reduction.end - 1) / slice + 1
    }

    /// The region below and the region from `at` on, along an axis.
    pub(crate) fn cut(&self, axis: usize, at: usize) -> [Self; 2] {
        let (mut below, mut above) = (self.clone(), self.clone());
        below.axis_mut(axis).end = at;
        above.axis_mut(axis).start = at;
        [below, above]
    }

    fn axis_mut(&mut self, axis: usize) -> &mut Range<usize> {
        match axis {
            0..2 => &mut self.outer[axis],
            2..5 => &mut self.spatial[axis - 2],
            _ => &mut self.reduction,
        }
    }
}

impl Index<usize> for Region {
    type Output = Range<usize>;

    fn index(&self, axis: usize) -> &Range<usize> {
        match axis {
            0..2 => &self.outer[axis],
            2..5 => &self.spatial[axis - 2],
            _ => &self.reduction,
        }
    }
}

/// The smallest box that holds a range of the row-major elements of a tensor of these sizes.
pub(crate) fn flat_box<const K: usize>(sizes: [usize; K], range: &Range<usize>) -> [Range<usize>; K] {
    let (mut first, mut last) = (range.start, range.end - 1);
    let mut inner: usize = sizes.iter().product();
    let mut same = true;
    sizes.map(|size| {
        inner /= size;
        let [start, end] = [first / inner, last / inner];
        (first, last) = (first % inner, last % inner);
        let part = if same { start..end + 1 } else { 0..size };
        same &= start == end;
        part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_hold_their_range() {
        let sizes = [2, 3, 4];
        for start in 0..24 {
            for end in start + 1..=24 {
                let inside = flat_box(sizes, &(start..end));
                for at in start..end {
                    let place = [at / 12, at / 4 % 3, at % 4];
                    assert!(place.iter().zip(&inside).all(|(i, range)| range.contains(i)), "{start}..{end}");
                }
                let corners = inside.each_ref().map(|range| [range.start, range.end - 1]);
                let flat = |pick: usize| (corners[0][pick] * 3 + corners[1][pick]) * 4 + corners[2][pick];
                assert!(end - start > 12 || flat(1) - flat(0) < 24, "{start}..{end}");
            }
        }
        assert_eq!(flat_box(sizes, &(5..7)), [0..1, 1..2, 1..3]);
        assert_eq!(flat_box(sizes, &(5..9)), [0..1, 1..3, 0..4]);
    }
}
