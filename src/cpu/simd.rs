//! Sums along one row with the machine's vector instructions, and the samples that belong to each output of a
//! transposed convolution.

use crate::geometry::Axis;

/// Runs a loop that is compiled for the machine's vector instructions.
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

/// Finds, for a wide sample of an axis, every narrow sample and tap with
/// `wide = narrow * stride + tap * dilation - pad`, without a table of all wide samples.
pub(super) struct Contributions {
    axis: Axis,
    /// For each remainder of `wide + pad` by the stride, the first tap that belongs to it, if any does.
    first: Vec<Option<usize>>,
}

impl Contributions {
    pub(super) fn new(axis: Axis) -> Self {
        let mut first = vec![None; axis.stride];
        for tap in (0..axis.tap_step().min(axis.kernel)).rev() {
            first[tap * axis.dilation % axis.stride] = Some(tap);
        }
        Self { axis, first }
    }

    /// The pairs of a narrow sample and a tap that belong to a wide sample.
    pub(super) fn of_wide(&self, wide: usize) -> impl Iterator<Item = (usize, usize)> {
        let axis = self.axis;
        let ahead = wide as i64 + axis.pad;
        let first = self.first[ahead.rem_euclid(axis.stride as i64) as usize];
        let taps = first.into_iter().flat_map(move |first| (first..axis.kernel).step_by(axis.tap_step()));
        taps.filter_map(move |tap| {
            // Exact by the choice of tap.
            let narrow = (ahead - (tap * axis.dilation) as i64) / axis.stride as i64;
            (0..axis.narrow as i64).contains(&narrow).then_some((narrow as usize, tap))
        })
    }
}

/// One phase of an axis: the wide samples `first + j * stride`. Each of its taps has an offset, and adds narrow sample
/// `j + offset` to the `j`-th wide sample.
pub(super) struct Phase {
    pub(super) first: usize,
    /// Wide samples of the phase.
    pub(super) count: usize,
    pub(super) taps: Vec<PhaseTap>,
}

pub(super) struct PhaseTap {
    pub(super) tap: usize,
    /// The range of `j` for which there is a narrow sample.
    pub(super) range: std::ops::Range<usize>,
    /// The narrow sample of the range's start.
    pub(super) narrow: usize,
}

impl Phase {
    /// The phases of an axis.
    pub(super) fn all(axis: &Axis) -> Vec<Self> {
        let phase = |first| Self { first, count: (axis.wide - first).div_ceil(axis.stride), taps: Vec::new() };
        let mut phases: Vec<Self> = (0..axis.stride.min(axis.wide)).map(phase).collect();
        for tap in 0..axis.kernel {
            let reach = (tap * axis.dilation) as i64 - axis.pad;
            let first = reach.rem_euclid(axis.stride as i64) as usize;
            if let Some(phase) = phases.get_mut(first) {
                phase.taps.extend(PhaseTap::new(axis, tap, (first as i64 - reach) / axis.stride as i64, phase.count));
            }
        }
        phases
    }
}

impl PhaseTap {
    /// `None` if no `j` below `count` has 0 <= j + offset < narrow.
    fn new(axis: &Axis, tap: usize, offset: i64, count: usize) -> Option<Self> {
        let start = (-offset).clamp(0, count as i64) as usize;
        let end = (axis.narrow as i64 - offset).clamp(start as i64, count as i64) as usize;
        let narrow = (start as i64 + offset).max(0) as usize;
        (start < end).then_some(Self { tap, range: start..end, narrow })
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
                    let contributions = Contributions::new(axis);
                    for wide in 0..9 {
                        let pairs: Vec<_> = contributions.of_wide(wide).collect();
                        let meets = |&(i, t): &(usize, usize)| {
                            axis.narrow_range(t).contains(&i) && axis.wide_index(i, t) == wide
                        };
                        let all = (0..3).flat_map(|t| (0..4).map(move |i| (i, t))).filter(meets);
                        assert_eq!(pairs, all.collect::<Vec<_>>(), "{axis:?} {wide}");
                    }
                    let mut pairs = Vec::new();
                    for phase in Phase::all(&axis) {
                        for tap in &phase.taps {
                            pairs.extend(tap.range.clone().zip(tap.narrow..).map(|(j, i)| {
                                assert_eq!(axis.wide_index(i, tap.tap), phase.first + j * stride);
                                (i, tap.tap)
                            }));
                        }
                    }
                    pairs.sort_unstable();
                    let taps = |i| (0..3).filter(move |&t| axis.narrow_range(t).contains(&i)).map(move |t| (i, t));
                    assert_eq!(pairs, (0..4).flat_map(taps).collect::<Vec<_>>(), "{axis:?}");
                }
            }
        }
    }
}
