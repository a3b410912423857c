//! A convolution or its transpose without its tensors: what recipes and the cost model look at.

use crate::geometry::{Axis, Geometry, gcd};
use crate::gpu::program::region::Region;
use crate::gpu::program::uniform::to_u32;

/// Which side the op reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A convolution.
    WideToNarrow,
    /// A transposed convolution.
    NarrowToWide,
}

/// A problem without its tensors.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) batch: usize,
    pub(crate) direction: Direction,
    pub(crate) axes: [Axis; 3],
    pub(crate) channels: Channels,
}

/// Input and output channels of one group, and the number of groups.
#[derive(Clone, Copy)]
pub(crate) struct Channels {
    pub(crate) in_per_group: usize,
    pub(crate) out_per_group: usize,
    pub(crate) groups: usize,
}

impl Layer {
    pub(crate) fn new<const R: usize>(geometry: &Geometry<R>, direction: Direction) -> Self {
        let (wide, narrow) = (geometry.wide_per_group(), geometry.narrow_per_group());
        let (in_per_group, out_per_group) =
            if direction == Direction::WideToNarrow { (wide, narrow) } else { (narrow, wide) };
        let channels = Channels { in_per_group, out_per_group, groups: geometry.groups };
        Self { batch: geometry.batch, direction, axes: geometry.axes3(), channels }
    }

    /// Whether channels or samples are missing, so that no output is the sum of a product. An empty batch is not looked
    /// at.
    pub(crate) fn is_empty(&self) -> bool {
        let Channels { in_per_group, out_per_group, .. } = self.channels;
        in_per_group == 0 || out_per_group == 0 || self.axes.iter().any(|axis| axis.wide == 0)
    }

    /// The whole problem as one region.
    pub(crate) fn region(&self) -> Region {
        let Channels { in_per_group, out_per_group, groups } = self.channels;
        let spatial = self.axes.map(|axis| match self.direction {
            Direction::WideToNarrow => axis.narrow,
            Direction::NarrowToWide => axis.wide,
        });
        Region::whole([self.batch, out_per_group * groups], spatial, in_per_group)
    }

    /// The most taps of an axis that an output reads samples at.
    pub(crate) fn taps(&self, i: usize) -> usize {
        let axis = &self.axes[i];
        let (input, step) = match self.direction {
            Direction::WideToNarrow => (axis.wide, axis.dilation),
            Direction::NarrowToWide => (axis.narrow, axis.dilation / gcd(axis.stride, axis.dilation)),
        };
        axis.kernel.div_ceil(self.tap_subsets(axis)).min(input.div_ceil(step))
    }

    /// Subsets that the taps of an axis fall into: each phase of a transposed convolution uses one of them. 1 in a
    /// convolution.
    pub(crate) fn tap_subsets(&self, axis: &Axis) -> usize {
        if self.direction == Direction::NarrowToWide { axis.tap_step() } else { 1 }
    }

    /// On each axis the inverse of `dilation / gcd` modulo `stride / gcd`, which finds the first tap of a phase of a
    /// transposed convolution; 0 in a convolution, which has one phase.
    pub(crate) fn inverses(&self) -> [u32; 3] {
        self.axes.map(|axis| match self.direction {
            Direction::WideToNarrow => 0,
            Direction::NarrowToWide => inverse(axis.dilation / gcd(axis.stride, axis.dilation), axis.tap_step()),
        })
    }
}

/// The inverse of `a` modulo `modulus`, by Euclid's extended algorithm; 0 if the modulus is 1. The two must be coprime.
pub(crate) fn inverse(a: usize, modulus: usize) -> u32 {
    // Remainders r = x * a (mod modulus). The last but one is the greatest common divisor, 1.
    let (mut r, mut x) = ([modulus as i64, (a % modulus) as i64], [0, 1]);
    while r[1] > 0 {
        let quotient = r[0] / r[1];
        r = [r[1], r[0] - quotient * r[1]];
        x = [x[1], x[0] - quotient * x[1]];
    }
    to_u32(x[0].rem_euclid(modulus as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_invert() {
        let check = |a: usize, modulus: usize| {
            let inverse = inverse(a, modulus) as usize;
            assert!(
                inverse < modulus && a % modulus * inverse % modulus == 1 % modulus,
                "{inverse} for {a} mod {modulus}"
            );
        };
        for modulus in 1..40usize {
            (1..80).filter(|&a| gcd(a, modulus) == 1).for_each(|a| check(a, modulus));
        }
        for (a, modulus) in [(65_535, 65_534), (65_521, 65_535), (2, 65_535), (1, 65_535)] {
            check(a, modulus);
        }
    }
}
