//! Cutting a large kernel or window into parts. Each is a problem of its own with the same input and output, and the
//! results of all parts are put together in the output.

use super::operand::LaidOutTensor;
use super::rounds::{MAX_ROUNDS, ROUNDS};
use super::split::{MAX_DISPATCHES, too_many};
use crate::error::Result;
use crate::geometry::Axis;
use crate::tensor::layout::TensorLayout;

/// A box of a kernel's taps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelPart {
    /// The relation of wide and narrow samples for these taps alone.
    pub(crate) axes: [Axis; 3],
    /// The first of these taps on each axis of the whole kernel.
    first: [usize; 3],
    /// Whether the part is the first of all parts: it begins the results, and the other parts add to them.
    pub(crate) is_first: bool,
    /// Whether the part is the last of all parts: it completes the results.
    pub(crate) is_last: bool,
}

impl KernelPart {
    /// The whole kernel as one part.
    pub(crate) fn whole(axes: [Axis; 3]) -> Self {
        Self { axes, first: [0; 3], is_first: true, is_last: true }
    }

    /// The part's weight: a view of the whole weight, whose spatial axes are the kernel's.
    pub(crate) fn weight(&self, whole: &LaidOutTensor) -> Result<LaidOutTensor> {
        let (mut shape, strides) = (whole.layout.shape().to_vec(), whole.layout.strides());
        let mut offset = whole.layout.offset();
        let lacking = 5 - shape.len();
        for axis in 2..shape.len() {
            shape[axis] = self.axes[axis - 2 + lacking].kernel;
            offset += self.first[axis - 2 + lacking] * strides[axis];
        }
        Ok(LaidOutTensor { layout: TensorLayout::new(&shape, strides, offset)?, ..whole.clone() })
    }

    /// The part's own taps `start..end` of one axis.
    fn taps(mut self, i: usize, start: usize, end: usize) -> Self {
        let axis = &mut self.axes[i];
        *axis = Axis { kernel: end - start, pad: axis.pad - (start * axis.dilation) as i64, ..*axis };
        self.first[i] += start;
        self
    }

    /// The halves of the part along the first axis that has more than `steps` taps, cut at a multiple of `steps`.
    fn halves(&self, steps: [usize; 3]) -> Option<[Self; 2]> {
        let i = (0..3).find(|&i| self.axes[i].kernel > steps[i])?;
        let at = self.axes[i].kernel.div_ceil(steps[i]) / 2 * steps[i];
        Some([self.taps(i, 0, at), self.taps(i, at, self.axes[i].kernel)])
    }
}

/// A kernel in halves of halves, until each part makes at most [`MAX_ROUNDS`] or cannot be cut. The parts come in
/// row-major order of their taps. `steps` says at how many taps of each axis an output reads one.
pub(crate) fn kernel_parts(
    axes: [Axis; 3],
    steps: [usize; 3],
    rounds: impl Fn([Axis; 3]) -> u64,
) -> Result<Vec<KernelPart>> {
    let mut parts = Vec::new();
    let mut open = vec![KernelPart::whole(axes)];
    while let Some(part) = open.pop() {
        match part.halves(steps).filter(|_| rounds(part.axes) > MAX_ROUNDS) {
            Some([first, second]) => open.extend([second, first]),
            None => parts.push(part),
        }
        if parts.len() + open.len() > MAX_DISPATCHES {
            return Err(too_many((ROUNDS, MAX_ROUNDS)));
        }
    }
    let count = parts.len();
    for (number, part) in parts.iter_mut().enumerate() {
        (part.is_first, part.is_last) = (number == 0, number + 1 == count);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_tap_once_in_row_major_order() {
        for (kernel, steps, most) in [([1, 1, 9], [1; 3], 2), ([2, 5, 7], [1; 3], 8), ([3, 6, 8], [1, 2, 3], 1)] {
            let axes = kernel.map(|kernel| Axis { kernel, dilation: 2, pad: 3, ..Axis::UNIT });
            let reads = |axes: [Axis; 3]| (0..3).map(|i| axes[i].kernel.div_ceil(steps[i]) as u64).product::<u64>();
            let parts = kernel_parts(axes, steps, |axes| reads(axes) * MAX_ROUNDS / most).unwrap();
            let mut seen = Vec::new();
            for part in &parts {
                assert!(reads(part.axes) <= most, "{part:?}");
                let [d, h, w] = part.axes.map(|axis| axis.kernel);
                for (i, axis) in part.axes.iter().enumerate() {
                    assert_eq!(axis.pad, 3 - 2 * part.first[i] as i64);
                }
                let taps = (0..d * h * w).map(|tap| [tap / (h * w), tap / w % h, tap % w]);
                seen.extend(taps.map(|tap| std::array::from_fn::<_, 3, _>(|i| part.first[i] + tap[i])));
            }
            let [d, h, w] = kernel;
            let all: Vec<_> = (0..d * h * w).map(|tap| [tap / (h * w), tap / w % h, tap % w]).collect();
            // Where an output reads one tap of several, the order of the others does not matter.
            if steps != [1; 3] {
                seen.sort();
            }
            assert_eq!(seen, all);
            assert!(parts[0].is_first && parts[parts.len() - 1].is_last);
        }
    }
}
