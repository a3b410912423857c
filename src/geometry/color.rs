//! How the numbers of a picture relate to light.

/// What a picture's numbers stand for.
///
/// Filters mix light: a picture whose numbers are sRGB's codes, as those of most files and screens are, is decoded
/// before it is resized and encoded after, or dark and bright edges come out too dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColorEncoding {
    /// Amounts, such as light itself, or anything that is not a colour.
    #[default]
    Linear,
    /// Codes of sRGB (IEC 61966-2-1); alpha is an amount nonetheless.
    Srgb,
}

impl ColorEncoding {
    /// The amount that a code stands for, 0 to 1 each. Odd about 0, for codes below.
    pub fn decode(self, code: f64) -> f64 {
        let size = code.abs();
        let light = if size <= 0.04045 { size / 12.92 } else { ((size + 0.055) / 1.055).powf(2.4) };
        if self == Self::Srgb { light.copysign(code) } else { code }
    }

    /// The code of an amount, 0 to 1 each. Odd about 0, for amounts below.
    pub fn encode(self, amount: f64) -> f64 {
        let size = amount.abs();
        let code = if size <= 0.0031308 { size * 12.92 } else { 1.055 * size.powf(1.0 / 2.4) - 0.055 };
        if self == Self::Srgb { code.copysign(amount) } else { amount }
    }
}

#[cfg(test)]
mod tests {
    use crate::geometry::color::ColorEncoding::Linear;
    use crate::geometry::color::ColorEncoding::Srgb;

    /// The standard's own points: the middle code is about a fifth of the light.
    #[test]
    fn srgb_is_the_standards() {
        assert_eq!((Srgb.decode(0.0), Srgb.decode(1.0), Linear.decode(0.3)), (0.0, 1.0, 0.3));
        assert!((Srgb.decode(128.0 / 255.0) - 0.215_860_5).abs() < 1e-7);
        assert!((Srgb.encode(0.5) - 0.735_356_9).abs() < 1e-6);
        for code in -300..300 {
            let code = f64::from(code) / 255.0;
            assert!((Srgb.encode(Srgb.decode(code)) - code).abs() < 1e-6, "{code}");
        }
    }
}
