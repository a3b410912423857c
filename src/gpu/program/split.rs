//! Splitting a problem into dispatches whose bindings the device can hold.

use std::ops::Range;

use wgpu::Limits;

use super::operand::Bindable;
use super::region::{REDUCTION, Tile};
use crate::error::{Error, Result};
use crate::geometry::at_most;

/// Most dispatches that one plan may hold.
const MAX_WINDOWS: usize = 4096;

/// Elements that one dispatch may address or compute: indices, and a thread number with the slack of a whole row of
/// workgroups, stay below 2³².
const MAX_ELEMENTS: u64 = 1 << 31;

/// The limit that windows keep.
const BINDING: &str = "max_storage_buffer_binding_size";

/// A binding's size and offset are multiples of this.
const WORD: u64 = 4;

/// What a dispatch may bind and compute.
pub(crate) struct Bounds {
    binding: u64,
    alignment: u64,
    workgroups: u64,
    /// Threads, or workgroups.
    work: u64,
    /// Axes of a tile that may be halved: not what is summed, where a partial sum would be rounded to less than f32.
    axes: usize,
    granules: Granules,
}

/// For each axis of a tile: as long as it has more than so many, it is only halved at multiples of it.
pub(crate) type Granules = [usize; 6];

impl Bounds {
    /// `sums` says whether a sum may be split: it goes on from what is stored in the output.
    pub(crate) fn new(limits: &Limits, workgroup_size: u32, granules: Granules, sums: bool) -> Self {
        let workgroups = u64::from(limits.max_compute_workgroups_per_dimension);
        Self {
            binding: limits.max_storage_buffer_binding_size / WORD * WORD,
            alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(WORD),
            workgroups,
            work: workgroups.pow(2).saturating_mul(workgroup_size.into()).min(MAX_ELEMENTS),
            axes: if sums { REDUCTION + 1 } else { REDUCTION },
            granules,
        }
    }

    /// The bytes to bind for a span of elements: from an aligned byte to the word in which the span ends.
    fn window(&self, bindable: &Bindable, span: &Range<usize>) -> Range<u64> {
        let [start, end] = [span.start, span.end].map(|element| element as u64 * bindable.element);
        start - start % self.alignment..end.next_multiple_of(WORD)
    }

    fn bytes(&self, bindable: &Bindable, span: &Range<usize>) -> u64 {
        let window = self.window(bindable, span);
        window.end - window.start
    }

    /// The most that may be bound.
    fn limit(&self, bindable: &Bindable) -> u64 {
        self.binding.min(MAX_ELEMENTS * bindable.element)
    }
}

/// A tile and the bytes of each operand that it touches.
pub(crate) struct Window {
    pub(crate) tile: Tile,
    pub(crate) bytes: Vec<Range<u64>>,
}

/// Halves `tile` until every operand's window fits, and its work (threads, or workgroups) the grid. `spans` says which
/// elements of each operand a tile touches. The sum
/// over a split reduction stays in order: for each output, the windows come with ascending summed indices.
pub(crate) fn split(
    tile: Tile,
    bounds: &Bounds,
    operands: &[Bindable],
    work: impl Fn(&Tile) -> u128,
    spans: impl Fn(&Tile) -> Vec<Range<usize>>,
) -> Result<Vec<Window>> {
    let mut windows = Vec::new();
    let mut open = vec![tile];
    while let Some(tile) = open.pop() {
        let touched = spans(&tile);
        let mut bound = operands.iter().zip(&touched);
        let over = bound.position(|(operand, span)| bounds.bytes(operand, span) > bounds.limit(operand));
        let (axis, limit) = match over {
            Some(number) => {
                let operand = &operands[number];
                let size = |tile: &Tile| bounds.bytes(operand, &spans(tile)[number]);
                let axis = narrowing_axis(&tile, bounds, &size).ok_or_else(|| Error::WindowTooLarge {
                    operand: operand.name,
                    needed: size(&tile),
                    limit: bounds.limit(operand),
                    limit_name: BINDING,
                })?;
                (axis, (BINDING, bounds.binding))
            }
            None if tile[REDUCTION].len() as u64 > MAX_ELEMENTS => {
                if bounds.axes <= REDUCTION {
                    let terms = tile[REDUCTION].len() as u128;
                    at_most("the terms of a sum that must not be split", terms, MAX_ELEMENTS.into())?;
                }
                (REDUCTION, ("max_storage_buffer_binding_size", bounds.binding))
            }
            None if work(&tile) > u128::from(bounds.work) => {
                let limit = ("max_compute_workgroups_per_dimension", bounds.workgroups);
                (longest_axis(&tile, bounds).ok_or_else(|| too_many(limit))?, limit)
            }
            None => {
                let windows_of = operands.iter().zip(&touched).map(|(operand, span)| bounds.window(operand, span));
                windows.push(Window { bytes: windows_of.collect(), tile });
                continue;
            }
        };
        if windows.len() + open.len() + 2 > MAX_WINDOWS {
            return Err(too_many(limit));
        }
        let [first, second] = halves(&tile, axis, bounds.granules);
        open.extend([second, first]);
    }
    Ok(windows)
}

/// The axis whose halving shrinks an operand's window most: by its larger half, then by its smaller one (the outputs of a
/// crop may be read in one half only), then the longest. None for a single output and input channel.
fn narrowing_axis(tile: &Tile, bounds: &Bounds, size: &impl Fn(&Tile) -> u64) -> Option<usize> {
    let rank = |axis: usize| {
        let [first, second] = halves(tile, axis, bounds.granules).each_ref().map(size);
        (first.max(second), first.min(second), std::cmp::Reverse(tile[axis].len()))
    };
    let shortest = |axis: usize| if axis == REDUCTION { bounds.granules[axis] } else { 1 };
    (0..bounds.axes).filter(|&axis| tile[axis].len() > shortest(axis)).min_by_key(|&axis| rank(axis))
}

/// The longest output axis; where there is but one output, its threads are chunks of what is summed. None where nothing is
/// left to be halved.
fn longest_axis(tile: &Tile, bounds: &Bounds) -> Option<usize> {
    let axes = (0..REDUCTION).rev().filter(|&axis| tile[axis].len() > 1);
    let terms = (bounds.axes > REDUCTION && tile[REDUCTION].len() > bounds.granules[REDUCTION]).then_some(REDUCTION);
    axes.max_by_key(|&axis| tile[axis].len()).or(terms)
}

fn too_many((limit_name, limit): (&'static str, u64)) -> Error {
    Error::TooManyWindows { limit_name, limit, max: MAX_WINDOWS }
}

fn halves(tile: &Tile, axis: usize, granules: Granules) -> [Tile; 2] {
    let granule = if tile[axis].len() > granules[axis] { granules[axis] } else { 1 };
    let middle = tile[axis].start + (tile[axis].len() / 2).next_multiple_of(granule);
    let (mut first, mut second) = (tile.clone(), tile.clone());
    first[axis].end = middle;
    second[axis].start = middle;
    [first, second]
}

/// Workgroups for `outputs` threads, folded into two dimensions of at most `limit` each.
pub(crate) fn fold(outputs: u64, workgroup_size: u32, limit: u32) -> [u32; 2] {
    let groups = outputs.div_ceil(workgroup_size.into());
    let rows = groups.div_ceil(limit.into());
    [groups.div_ceil(rows) as u32, rows as u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::program::region::outputs;

    fn bounds(binding: u64) -> Bounds {
        Bounds { binding, alignment: 256, workgroups: 65535, work: 1 << 20, axes: 6, granules: [1; 6] }
    }

    /// One operand of `[2, 4, 1, 8, 16]` elements, contiguous.
    fn spans(tile: &Tile) -> Vec<Range<usize>> {
        let strides = [512, 128, 128, 16, 1];
        let reach =
            |pick: fn(&Range<usize>) -> usize| tile.iter().zip(strides).map(|(r, s)| pick(r) * s).sum::<usize>();
        std::iter::once(reach(|r| r.start)..reach(|r| r.end - 1) + 1).collect()
    }

    const OUTPUT: [Bindable; 1] = [Bindable { name: "output", element: 4 }];

    const FULL: Tile = [0..2, 0..4, 0..1, 0..8, 0..16, 0..1];

    #[test]
    fn what_fits_is_one_window() {
        let windows = split(FULL, &bounds(4096), &OUTPUT, outputs, spans).unwrap();
        assert_eq!(windows.len(), 1);
        assert_eq!((windows[0].bytes.len(), &windows[0].bytes[0]), (1, &(0..4096)));
    }

    #[test]
    fn windows_cover_every_output_once_and_keep_the_limit() {
        for binding in [256, 512, 1024, 2048, 4095] {
            let windows = split(FULL, &bounds(binding), &OUTPUT, outputs, spans).unwrap();
            assert!(
                windows.iter().all(|w| w.bytes[0].end - w.bytes[0].start <= binding && w.bytes[0].start % 256 == 0)
            );
            let mut seen = vec![0; 1024];
            for window in &windows {
                for n in window.tile[0].clone() {
                    for c in window.tile[1].clone() {
                        for h in window.tile[3].clone() {
                            for w in window.tile[4].clone() {
                                seen[n * 512 + c * 128 + h * 16 + w] += 1;
                            }
                        }
                    }
                }
            }
            assert!(seen.iter().all(|&times| times == 1), "{binding}");
        }
    }

    #[test]
    fn an_impossible_limit_is_named() {
        let error = split(FULL, &bounds(3), &OUTPUT, outputs, spans).err().unwrap();
        assert!(matches!(error, Error::WindowTooLarge { operand: "output", needed: 4, limit: 3, .. }), "{error:?}");
    }

    #[test]
    fn a_split_sum_ascends() {
        let strided = |tile: &Tile| std::iter::once(tile[5].start * 64..tile[5].end * 64).collect();
        let windows = split([0..1, 0..1, 0..1, 0..1, 0..1, 0..8], &bounds(512), &OUTPUT, outputs, strided).unwrap();
        let order: Vec<_> = windows.iter().map(|w| w.tile[5].clone()).collect();
        assert_eq!(order, [0..2, 2..4, 4..6, 6..8]);
    }

    #[test]
    fn workgroups_fold_into_rows() {
        assert_eq!(fold(1, 64, 65535), [1, 1]);
        assert_eq!(fold(65535 * 64, 64, 65535), [65535, 1]);
        assert_eq!(fold(65535 * 64 + 1, 64, 65535), [32768, 2]);
        let [x, y] = fold(1 << 31, 64, 65535);
        assert!(x <= 65535 && y <= 65535 && u64::from(x) * u64::from(y) * 64 >= 1 << 31);
    }
}
