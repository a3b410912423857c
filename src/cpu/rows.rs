//! Sums along one row, in whatever vectors the machine has.

use crate::geometry::Axis;

/// Runs a loop compiled for the machine's vectors.
pub(super) fn vectorized<T>(work: impl FnOnce() -> T) -> T {
    struct Work<F>(F);
    impl<T, F: FnOnce() -> T> pulp::WithSimd for Work<F> {
        type Output = T;
        #[inline(always)]
        fn with_simd<S: pulp::Simd>(self, simd: S) -> T {
            simd.vectorize(Inner(self.0))
        }
    }
    struct Inner<F>(F);
    impl<T, F: FnOnce() -> T> pulp::NullaryFnOnce for Inner<F> {
        type Output = T;
        #[inline(always)]
        fn call(self) -> T {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Work(work))
}

#[inline(always)]
pub(super) fn add(sums: &mut [f32], terms: &[f32]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

#[inline(always)]
pub(super) fn add_scaled(sums: &mut [f32], terms: &[f32], weight: f32) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += weight * term);
}

/// For each wide (depth, height) of three axes: the narrow rows that it meets, each with its tap over depth and height.
pub(super) fn rows_met(axes: &[Axis; 3]) -> Vec<Vec<(usize, usize)>> {
    let [d, h, _] = axes;
    let mut met = vec![Vec::new(); d.wide * h.wide];
    for (t, u) in (0..d.kernel).flat_map(|t| (0..h.kernel).map(move |u| (t, u))) {
        for (i, j) in d.narrow_range(t).flat_map(|i| h.narrow_range(u).map(move |j| (i, j))) {
            let wide = d.wide_index(i, t) * h.wide + h.wide_index(j, u);
            met[wide].push((i * h.narrow + j, t * h.kernel + u));
        }
    }
    met
}

/// The wide samples of an axis that lie `stride` apart, from `first` on: narrow sample `j + offset` meets the `j`-th of
/// them at each of these taps.
pub(super) struct Phase {
    pub(super) first: usize,
    pub(super) count: usize,
    /// Tap, and the range of j for which there is a narrow sample, with the first of those samples.
    pub(super) taps: Vec<PhaseTap>,
}

pub(super) struct PhaseTap {
    pub(super) tap: usize,
    pub(super) range: std::ops::Range<usize>,
    pub(super) narrow: usize,
}

impl Phase {
    /// The phases of an axis.
    pub(super) fn all(axis: &Axis) -> Vec<Self> {
        (0..axis.stride.min(axis.wide)).map(|first| Self::new(axis, first)).collect()
    }

    fn new(axis: &Axis, first: usize) -> Self {
        let count = (axis.wide - first).div_ceil(axis.stride);
        let tap = |tap: usize| {
            let ahead = first as i64 + axis.pad - (tap * axis.dilation) as i64;
            if ahead.rem_euclid(axis.stride as i64) != 0 {
                return None;
            }
            let offset = ahead.div_euclid(axis.stride as i64);
            // 0 <= j + offset < narrow
            let start = (-offset).clamp(0, count as i64) as usize;
            let end = (axis.narrow as i64 - offset).clamp(start as i64, count as i64) as usize;
            let narrow = (start as i64 + offset).max(0) as usize;
            (start < end).then_some(PhaseTap { tap, range: start..end, narrow })
        };
        Self { first, count, taps: (0..axis.kernel).filter_map(tap).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_hold_every_meeting_once() {
        for stride in 1..4 {
            for dilation in 1..4 {
                for pad in [-2, 0, 1, 5] {
                    let axis = Axis { wide: 9, narrow: 4, kernel: 3, stride, dilation, pad };
                    let mut met = Vec::new();
                    for phase in Phase::all(&axis) {
                        for tap in &phase.taps {
                            met.extend(tap.range.clone().zip(tap.narrow..).map(|(j, i)| {
                                assert_eq!(axis.wide_index(i, tap.tap), phase.first + j * stride);
                                (i, tap.tap)
                            }));
                        }
                    }
                    met.sort_unstable();
                    let taps = |i| (0..3).filter(move |&t| axis.narrow_range(t).contains(&i)).map(move |t| (i, t));
                    assert_eq!(met, (0..4).flat_map(taps).collect::<Vec<_>>(), "{axis:?}");
                }
            }
        }
    }
}
