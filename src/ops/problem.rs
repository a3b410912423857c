//! A problem as one line of text: the key of tuned recipes, and the problem's name in tests, benchmarks and logs.

use std::fmt::{Display, Write};

use crate::geometry::{Axis, Geometry, Padding};
use crate::ops::activation::Activation;

/// The text of a gradient's problem: that of its forward op, with the name of the gradient instead.
pub(crate) fn of_gradient(name: &str, forward: &str) -> String {
    forward.split_once(':').map_or_else(|| name.into(), |(_, numbers)| format!("{name}:{numbers}"))
}

/// A text such as `conv_transpose:n2_ic6_oc4_i5x7_k2x5_s3x2_p2:1x1:0_b1 relu`: the op's name, its numbers, its words.
///
/// A number that is the descriptor's default is left out, so that a new field with a default changes no text.
pub(crate) struct ProblemText {
    text: String,
    between: &'static str,
}

impl ProblemText {
    pub(crate) fn new(op: &str) -> Self {
        Self { text: op.into(), between: ":" }
    }

    fn number(mut self, key: &str, value: impl Display) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{}{key}{value}", self.between);
        self.between = "_";
        self
    }

    /// A count, unless it is the default.
    pub(crate) fn count(self, key: &str, count: usize, default: usize) -> Self {
        if count == default { self } else { self.number(key, count) }
    }

    /// A number for each axis.
    pub(crate) fn sizes(self, key: &str, sizes: &[usize]) -> Self {
        let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
        self.number(key, sizes.join("x"))
    }

    /// A number for each axis, unless all are the default.
    pub(crate) fn axes(self, key: &str, values: &[usize], default: usize) -> Self {
        if values.iter().all(|&value| value == default) { self } else { self.sizes(key, values) }
    }

    /// `before:after`, or one number where both are the same, for each axis; unless all are 0.
    pub(crate) fn pads(self, pads: &[[i64; 2]]) -> Self {
        let pad = |[before, after]: &[i64; 2]| {
            if before == after { before.to_string() } else { format!("{before}:{after}") }
        };
        let none = pads.iter().flatten().all(|&pad| pad == 0);
        if none { self } else { self.number("p", pads.iter().map(pad).collect::<Vec<_>>().join("x")) }
    }

    /// Explicit padding as numbers. A rule is a word and must come after all numbers: see [`Self::padding_rule`].
    pub(crate) fn padding<const R: usize>(self, padding: &Padding<R>) -> Self {
        if let Padding::Explicit(pads) = padding { self.pads(pads) } else { self }
    }

    /// The word of a rule for the padding; none for explicit padding.
    pub(crate) fn padding_rule<const R: usize>(self, padding: &Padding<R>) -> Self {
        match padding {
            Padding::Explicit(_) => self,
            Padding::Valid => self.word("valid"),
            Padding::SameUpper => self.word("same_upper"),
            Padding::SameLower => self.word("same_lower"),
        }
    }

    /// A word after the numbers.
    pub(crate) fn word(mut self, word: impl Display) -> Self {
        let _ = write!(self.text, " {word}");
        self
    }

    /// A word, if `so` is true.
    pub(crate) fn flag(self, word: &str, so: bool) -> Self {
        if so { self.word(word) } else { self }
    }

    pub(crate) fn activation(self, activation: Activation) -> Self {
        match activation {
            Activation::None => self,
            Activation::Relu => self.word("relu"),
            Activation::LeakyRelu { slope } => self.word(format_args!("leaky_relu({slope})")),
            Activation::Sigmoid => self.word("sigmoid"),
            Activation::Tanh => self.word("tanh"),
            Activation::Clip { min, max } => self.word(format_args!("clip({min},{max})")),
        }
    }

    /// The numbers of a layer's canonical form; `reads_wide` says which side its forward op reads, which `i` stands
    /// for.
    pub(crate) fn layer<const R: usize>(self, geometry: &Geometry<R>, reads_wide: bool) -> Self {
        let side = |pick: fn(&Axis) -> usize| geometry.axes.each_ref().map(pick);
        let wide = (geometry.wide_channels, side(|axis| axis.wide));
        let narrow = (geometry.narrow_channels, side(|axis| axis.narrow));
        let (input, output) = if reads_wide { (wide, narrow) } else { (narrow, wide) };
        let before: Vec<_> = geometry.axes.iter().map(|axis| [axis.pad; 2]).collect();
        self.count("n", geometry.batch, 1)
            .count("ic", input.0, 1)
            .count("oc", output.0, 1)
            .sizes("i", &input.1)
            .sizes("o", &output.1)
            .axes("k", &side(|axis| axis.kernel), 1)
            .axes("s", &side(|axis| axis.stride), 1)
            .pads(&before)
            .axes("d", &side(|axis| axis.dilation), 1)
            .count("g", geometry.groups, 1)
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use crate::dtype::ByteType;
    use crate::geometry::Padding;
    use crate::ops::activation::Activation;
    use crate::ops::conv::conv::Conv2d;
    use crate::ops::conv::conv_integer::{ConvInteger1d, ZeroPoint};
    use crate::ops::conv::conv_transpose::ConvTranspose2d;
    use crate::ops::conv::fold::Unfold2d;
    use crate::ops::op::Op;
    use crate::ops::pool::global_average_pool::GlobalAveragePool2d;
    use crate::ops::pool::global_lp_pool::GlobalLpPool2d;
    use crate::ops::pool::global_max_pool::GlobalMaxPool2d;
    use crate::ops::pool::lp_pool::LpPool2d;
    use crate::ops::pool::max_pool::MaxPool2d;
    use crate::ops::resample::coordinates::Coordinates;
    use crate::ops::resample::filters::Filter;
    use crate::ops::resample::mode::{Border, UpsampleMode};
    use crate::ops::resample::upsample::Upsample2d;

    /// These texts are in files that users keep: a change orphans their tuned recipes.
    #[test]
    fn texts_stay_as_they_are() {
        let up = ConvTranspose2d {
            batch: 2,
            in_channels: 6,
            out_channels: 4,
            input_size: [5, 7],
            kernel_size: [2, 5],
            stride: [3, 2],
            padding: [[2, 1], [1, 1]].into(),
            output_padding: [1, 0],
            groups: 2,
            bias: true,
            activation: Activation::LeakyRelu { slope: 0.2 },
            ..Default::default()
        };
        let text = "ic6_oc4_i5x7_k2x5_s3x2_p2:1x1_op1x0_g2_b1 leaky_relu(0.2)";
        assert_eq!(up.problem(), format!("conv_transpose:n2_{text}"));
        let weight = up.grad_weight().unwrap().problem();
        assert_eq!(weight, "conv_transpose_weight:n2_ic6_oc4_i5x7_o12x15_k2x5_s3x2_p2x1_g2");
        let conv = Conv2d { input_size: [5, 5], padding: Padding::SameUpper, ..Default::default() };
        assert_eq!(conv.problem(), "conv:i5x5 same_upper");
        let mode = UpsampleMode::Filtered {
            filter: Filter::Lanczos { lobes: 3 },
            antialias: true,
            border: Border::Renormalise,
        };
        let resize = Upsample2d {
            channels: 3,
            input_size: [4, 4],
            output_size: [2, 8],
            mode,
            coordinates: Coordinates::HalfPixel,
            ..Default::default()
        };
        assert_eq!(resize.problem(), "upsample:c3_i4x4_o2x8 lanczos(3) antialias half_pixel");
        assert_eq!(resize.grad_input().problem(), "upsample_grad:c3_i4x4_o2x8 lanczos(3) antialias half_pixel");
        let mode = UpsampleMode::CubicTable { a: -0.5, exclude_outside: true };
        let table = Upsample2d { mode, ..resize };
        assert_eq!(table.problem(), "upsample:c3_i4x4_o2x8 cubic_table(-0.5) exclude_outside half_pixel");
        let pool = MaxPool2d { input_size: [4, 4], kernel_size: [2, 2], ..Default::default() };
        assert_eq!(pool.problem(), "max_pool:i4x4_k2x2");
        let integers = ConvInteger1d { in_channels: 3, input_size: [5], ..Default::default() };
        assert_eq!(integers.problem(), "conv_integer:ic3_i5");
        let integers = ConvInteger1d {
            padding: Padding::SameLower,
            input_type: ByteType::I8,
            weight_type: ByteType::I8,
            input_zero_point: true,
            weight_zero_point: ZeroPoint::PerChannel,
            ..integers
        };
        let words = "same_lower input_i8 weight_i8 input_zero_point weight_zero_points";
        assert_eq!(integers.problem(), format!("conv_integer:ic3_i5 {words}"));
        let average = GlobalAveragePool2d { batch: 2, channels: 3, input_size: [4, 5] };
        assert_eq!(average.problem(), "global_average_pool:n2_c3_i4x5");
        let indices = Some(Default::default());
        let maximum = GlobalMaxPool2d { input_size: [4, 5], indices, ..Default::default() };
        assert_eq!(maximum.problem(), "global_max_pool:i4x5 plane_indices");
        let norm = GlobalLpPool2d { input_size: [4, 5], p: 3, ..Default::default() };
        assert_eq!(norm.problem(), "global_lp_pool:i4x5_p3");
        assert_eq!(GlobalLpPool2d { p: 2, ..norm }.grad_input().problem(), "global_lp_pool_grad:i4x5");
        let padding = [[0, 1], [2, 2]].into();
        let norms = LpPool2d { input_size: [4, 5], kernel_size: [2, 2], padding, p: 3, ..Default::default() };
        assert_eq!(norms.problem(), "lp_pool:i4x5_k2x2_p0:1x2_power3");
        assert_eq!(norms.grad_input().problem(), "lp_pool_grad:i4x5_k2x2_p0:1x2_power3");
        let unfold = Unfold2d { channels: 3, input_size: [4, 5], kernel_size: [2, 3], padding, ..Default::default() };
        assert_eq!(unfold.problem(), "unfold:c3_i4x5_k2x3_p0:1x2");
        let fold = Unfold2d { padding: Padding::SameUpper, stride: [2, 1], ..unfold }.grad_input();
        assert_eq!(fold.problem(), "fold:c3_o4x5_k2x3_s2x1 same_upper");
    }
}
