//! How many pairs of a narrow index and a tap have a wide index.

use super::Axis;

impl Axis {
    /// The pairs of a narrow index and a tap whose wide index is inside the wide side, and not in the padding: counted
    /// in logarithmic time.
    pub(crate) fn pairs(&self) -> u128 {
        let before = i128::from(self.pad);
        // Those up to the last wide index, less those before the first.
        self.pairs_up_to(before + self.wide as i128 - 1) - self.pairs_up_to(before - 1)
    }

    /// The pairs with `narrow * stride + tap * dilation <= most`.
    fn pairs_up_to(&self, most: i128) -> u128 {
        let [narrow, kernel, stride, dilation] =
            [self.narrow, self.kernel, self.stride, self.dilation].map(|number| number as i128);
        if most < 0 || narrow == 0 || kernel == 0 {
            return 0;
        }
        // The first taps have all narrow indices, the last ones none.
        let full = ((most - (narrow - 1) * stride).div_euclid(dilation) + 1).clamp(0, kernel);
        let some = (most / dilation + 1).clamp(full, kernel);
        // The others have floor((most - tap * dilation) / stride) + 1, summed from the last tap down.
        let least = most - (some - 1) * dilation;
        let between = some - full;
        (full * narrow + between + floor_sum(between, stride, dilation, least)).unsigned_abs()
    }
}

/// `Σ floor((step * i + start) / divisor)` for i from 0 to `count - 1`; no number may be negative, the divisor not 0.
/// Each round turns the rest into a sum with the divisor and the step exchanged, as in Euclid's algorithm.
fn floor_sum(mut count: i128, mut divisor: i128, mut step: i128, mut start: i128) -> i128 {
    let mut sum = 0;
    loop {
        sum += count * (count - 1) / 2 * (step / divisor) + count * (start / divisor);
        (step, start) = (step % divisor, start % divisor);
        let last = step * count + start;
        if last < divisor {
            return sum;
        }
        (count, start) = (last / divisor, last % divisor);
        (step, divisor) = (divisor, step);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pairs_are_those_of_all_taps(
            wide in 0usize..60, narrow in 1usize..40, kernel in 1usize..40, stride in 1usize..9, dilation in 1usize..9,
            pad in -70i64..70,
        ) {
            let axis = Axis { wide, narrow, kernel, stride, dilation, pad };
            let expected: usize = (0..kernel).map(|tap| axis.narrow_range(tap).len()).sum();
            prop_assert_eq!(axis.pairs(), expected as u128);
        }
    }

    #[test]
    fn the_largest_axes_are_counted_at_once() {
        let largest = Axis { wide: 1 << 30, narrow: 1 << 30, kernel: 1 << 30, ..Axis::UNIT };
        assert_eq!(largest.pairs(), (1 << 29) * ((1 << 30) + 1));
    }
}
