//! A part of a problem: ranges of its axes.

use std::ops::Range;

/// What one dispatch computes: ranges of batch, output channels, the three spatial output axes, and of what it sums (the
/// input channels of each group, say).
pub type Tile = [Range<usize>; 6];

/// Index of what is summed in a [`Tile`]. The others are output axes.
pub(crate) const REDUCTION: usize = 5;

/// Output elements of a tile.
pub(crate) fn outputs(tile: &Tile) -> u128 {
    tile[..REDUCTION].iter().map(|range| range.len() as u128).product()
}

/// The chunks of this many terms that the sum of a tile takes part in.
pub(crate) fn chunks_of(tile: &Tile, chunk: usize) -> Range<usize> {
    tile[REDUCTION].start / chunk..(tile[REDUCTION].end - 1) / chunk + 1
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
