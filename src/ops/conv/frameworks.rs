//! Transposed convolution as the frameworks call it: each constructor resolves to the same descriptor.

use super::conv_transpose::ConvTranspose;
use crate::error::{Error, Result};
use crate::geometry::{MAX_COORDINATE, Padding, span, split_padding};

impl<const R: usize> ConvTranspose<R> {
    /// `torch.nn.ConvTranspose{1,2,3}d`: the same padding on both sides, and output padding.
    ///
    /// In this and the other constructors, `base` gives everything but padding, output padding and output size, which
    /// are replaced. All refuse what [`Self::geometry`] refuses.
    pub fn pytorch(base: Self, padding: [usize; R], output_padding: [usize; R]) -> Result<Self> {
        Self { padding: padding.into(), output_padding, output_size: None, ..base }.checked()
    }

    /// ONNX `ConvTranspose` (opset 1 to 22): `auto_pad` is the attribute of that name or the explicit `pads`,
    /// `output_shape` has the spatial axes only, and `base.output_padding` is kept as the attribute of that name.
    ///
    /// With `output_shape`, or with SAME and no `output_shape` (then `output = input * stride`), the padding is
    /// `T = (input - 1) * stride + output_padding + span - output`, split as `floor(T/2)` before for SAME_UPPER and
    /// after otherwise; a negative `T` adds samples.
    pub fn onnx(base: Self, auto_pad: Padding<R>, output_shape: Option<[usize; R]>) -> Result<Self> {
        let padding = match (auto_pad, output_shape) {
            (Padding::Explicit(_) | Padding::Valid, Some(_)) => Padding::SameLower,
            _ => auto_pad,
        };
        Self { padding, output_size: output_shape, ..base }.checked()
    }

    /// TensorFlow `conv{1,2,3}d_transpose`, whose caller gives the output's spatial size.
    ///
    /// SAME accepts `(input - 1) * stride < output <= input * stride`; VALID and explicit padding accept
    /// `natural <= output <= natural + stride - 1`, where `natural = (input - 1) * stride + span - padding`. Other
    /// sizes are an [`Error::OutputSize`].
    pub fn tensorflow(base: Self, padding: Padding<R>, output_size: [usize; R]) -> Result<Self> {
        let base = Self { output_padding: [0; R], output_size: None, ..base };
        base.check_fields()?;
        let mut pads = [[0; 2]; R];
        for axis in 0..R {
            let (input, stride) = (base.input_size[axis] as i128, base.stride[axis] as i128);
            let (whole, wanted) = (base.natural_size(axis, [0; 2]), output_size[axis] as i128);
            let (min, max, convention) = match padding {
                Padding::SameUpper | Padding::SameLower => {
                    ((input - 1) * stride + 1, input * stride, "TensorFlow's SAME")
                }
                Padding::Valid => (whole, whole + stride - 1, "TensorFlow's VALID"),
                Padding::Explicit(pads) => {
                    let natural = base.natural_size(axis, pads[axis]);
                    (natural, natural + stride - 1, "TensorFlow's explicit padding")
                }
            };
            if !(min..=max).contains(&wanted) {
                return Err(Error::OutputSize { axis, wanted: output_size[axis], min, max, convention });
            }
            let before = match padding {
                Padding::SameUpper => split_padding((whole - wanted).max(0), true)?[0],
                Padding::SameLower => split_padding((whole - wanted).max(0), false)?[0],
                Padding::Valid => 0,
                Padding::Explicit(pads) => pads[axis][0],
            };
            // The rest is cut after the axis, or added there (a negative number) if the caller's size is larger.
            let after = whole - wanted - i128::from(before);
            let limit = MAX_COORDINATE as u128;
            let too_large = |_| Error::TooLarge { what: "padding", value: after.unsigned_abs(), limit };
            pads[axis] = [before, i64::try_from(after).map_err(too_large)?];
        }
        Self { padding: Padding::Explicit(pads), ..base }.checked()
    }

    /// Keras `Conv{1,2,3}DTranspose`: TensorFlow's op with the output size that Keras derives.
    ///
    /// SAME: `input * stride`; VALID: `input * stride + max(span - stride, 0)`; with output padding
    /// `(input - 1) * stride + output_padding` plus `span % 2` for SAME and `span` for VALID. Keras has no explicit
    /// padding; here it is subtracted from the size that VALID gives.
    pub fn keras(base: Self, padding: Padding<R>, output_padding: Option<[usize; R]>) -> Result<Self> {
        base.check_fields()?;
        let same = matches!(padding, Padding::SameUpper | Padding::SameLower);
        let mut output_size = [0; R];
        for (i, size) in output_size.iter_mut().enumerate() {
            let (input, stride) = (base.input_size[i], base.stride[i]);
            let span = span(base.kernel_size[i], base.dilation[i]);
            let kept = match output_padding {
                None if same => Some(stride),
                None => Some(span.max(stride)),
                Some(extra) if same => (span % 2).checked_add(extra[i]),
                Some(extra) => span.checked_add(extra[i]),
            };
            let steps = (input - 1).checked_mul(stride);
            let whole = kept.zip(steps).and_then(|(kept, steps)| kept.checked_add(steps)).unwrap_or(usize::MAX);
            let cut = if let Padding::Explicit(pads) = padding { pads[i].map(i128::from).iter().sum() } else { 0 };
            let wanted = whole as i128 - cut;
            if wanted < 0 {
                return Err(Error::EmptyOutput { axis: i, size: wanted });
            }
            *size = usize::try_from(wanted).unwrap_or(usize::MAX);
        }
        Self::tensorflow(base, padding, output_size)
    }

    /// Caffe `Deconvolution`: `output = stride * (input - 1) + span - 2 * pad`.
    pub fn caffe(base: Self, pad: [usize; R]) -> Result<Self> {
        Self::pytorch(base, pad, [0; R])
    }

    /// Caffe's bilinear upsampling by `factor` on every axis, with the batch, input channels and input size of `base`
    /// alone: a depthwise layer of `2 * factor - factor % 2` taps and padding `ceil((factor - 1) / 2)`, to be run with
    /// [`Self::bilinear_filler`]. Away from the border it equals half-pixel bilinear interpolation; at the border it
    /// fades to 0. Refuses a factor of 0 ([`Error::ZeroOnAxis`]).
    pub fn caffe_bilinear(base: Self, factor: usize) -> Result<Self> {
        if factor == 0 {
            return Err(Error::ZeroOnAxis { what: "factor", axis: 0 });
        }
        let base = Self {
            batch: base.batch,
            in_channels: base.in_channels,
            out_channels: base.in_channels,
            groups: base.in_channels,
            input_size: base.input_size,
            kernel_size: [(2 * factor.min(MAX_COORDINATE)) - factor % 2; R],
            stride: [factor; R],
            ..Default::default()
        };
        Self::caffe(base, [factor / 2; R])
    }
}
