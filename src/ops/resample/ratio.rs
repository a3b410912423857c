//! Exact fractions.

/// An exact fraction with a positive denominator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(super) numerator: i128,
    pub(super) denominator: i128,
}

impl Ratio {
    pub(crate) fn new(numerator: i128, denominator: i128) -> Self {
        debug_assert!(denominator > 0);
        Self { numerator, denominator }
    }

    /// A whole number times this fraction.
    pub(crate) fn multiply(self, whole: i128) -> Self {
        Self::new(whole * self.numerator, self.denominator)
    }

    /// A whole number divided by this fraction, which must be positive.
    pub(crate) fn divide(self, whole: i128) -> Self {
        Self::new(whole * self.denominator, self.numerator)
    }

    /// This fraction, or 1 if it is larger.
    pub(crate) fn at_most_1(self) -> Self {
        if self.numerator > self.denominator { Self::new(1, 1) } else { self }
    }

    pub(crate) fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    pub(crate) fn floor(self) -> i128 {
        match self.in_64_bits() {
            Some([numerator, denominator]) => numerator.div_euclid(denominator).into(),
            None => self.numerator.div_euclid(self.denominator),
        }
    }

    pub(crate) fn ceil(self) -> i128 {
        -Self::new(-self.numerator, self.denominator).floor()
    }

    /// The fraction minus its floor, in [0, 1), rounded to an f64.
    pub(crate) fn fraction(self) -> f64 {
        match self.in_64_bits() {
            Some([numerator, denominator]) => numerator.rem_euclid(denominator) as f64 / denominator as f64,
            None => self.numerator.rem_euclid(self.denominator) as f64 / self.denominator as f64,
        }
    }

    /// Numerator and denominator where 64 bits hold them: tables divide them for each output, and wider numbers take
    /// several times as long.
    fn in_64_bits(self) -> Option<[i64; 2]> {
        Some([self.numerator.try_into().ok()?, self.denominator.try_into().ok()?])
    }

    pub(crate) fn plus_half(self) -> Self {
        Self::new(2 * self.numerator + self.denominator, 2 * self.denominator)
    }

    pub(crate) fn minus_half(self) -> Self {
        Self::new(2 * self.numerator - self.denominator, 2 * self.denominator)
    }

    pub(crate) fn clamp(self, low: i128, high: i128) -> Self {
        if self.numerator < low * self.denominator {
            return Self::new(low, 1);
        }
        if self.numerator > high * self.denominator { Self::new(high, 1) } else { self }
    }

    /// Whether it lies outside `[0, input - 1]`.
    pub(crate) fn is_outside(self, input: usize) -> bool {
        self.numerator < 0 || self.numerator > (input as i128 - 1) * self.denominator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_and_ceilings_of_negative_fractions() {
        let x = Ratio::new(-1, 4);
        assert_eq!((x.floor(), x.ceil(), x.fraction()), (-1, 0, 0.75));
        assert_eq!((Ratio::new(3, 2).minus_half().ceil(), Ratio::new(3, 2).plus_half().floor()), (1, 2));
    }
}
