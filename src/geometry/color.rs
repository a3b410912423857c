//! Linear and sRGB-encoded values of images.

/// Whether an image's values are linear or sRGB-encoded.
///
/// Filters must average linear values. Most files and screens hold sRGB-encoded values: decode them before a resize and
/// encode the result, or edges between dark and bright areas come out too dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColorEncoding {
    /// Values proportional to light, or values that are not a colour.
    #[default]
    Linear,
    /// Values after sRGB's transfer function (IEC 61966-2-1); alpha is linear nonetheless.
    Srgb,
}

impl ColorEncoding {
    /// The linear value of an encoded one, both from 0 to 1. The function is odd, so that it is defined for negative
    /// values too; [`Self::Linear`] changes nothing.
    pub fn decode(self, code: f64) -> f64 {
        let size = code.abs();
        let light = if size <= 0.04045 { size / 12.92 } else { ((size + 0.055) / 1.055).powf(2.4) };
        if self == Self::Srgb { light.copysign(code) } else { code }
    }

    /// The encoded value of a linear one: the inverse of [`Self::decode`], which is odd, too.
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

    /// Points of the standard's curve: half of the encoded range is about a fifth of the light.
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
