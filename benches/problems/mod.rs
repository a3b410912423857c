//! Problems as one line of text each, shared by the tests and the benchmark, and the named problems from the
//! literature.
//!
//! A problem is written `n2_ic6_oc4_i5x7_k2x5_s3x2_p2:1x1:0_d1x2_op1x0_g2_b1`: batch, input and output channels, input
//! size, kernel, stride, padding (`before:after`, or one number for both), dilation, output padding, groups, bias.
//! A field that is left out is 1, but padding, output padding and bias are 0. The number of spatial axes is that of
//! `i`.

use upconv::{Conv, Conv2d, ConvInteger, ConvTranspose, ConvTranspose2d, Op, PytorchInterpolate, Upsample2d};
#[cfg(not(target_arch = "wasm32"))]
use upconv::{cpu::CpuOp, gpu::GpuOp};

/// The fields of a problem's text.
#[derive(Clone, Debug)]
pub struct Fields<const R: usize> {
    pub batch: usize,
    pub channels: [usize; 2],
    pub input_size: [usize; R],
    pub kernel_size: [usize; R],
    pub stride: [usize; R],
    pub padding: [[i64; 2]; R],
    pub dilation: [usize; R],
    pub output_padding: [usize; R],
    pub groups: usize,
    pub bias: bool,
}

impl<const R: usize> Fields<R> {
    /// Panics with the text if it is not a problem of `R` axes, for the texts that are written by hand in this
    /// repository.
    pub fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_parse(text: &str) -> Result<Self, String> {
        let bad = |part: &str| format!("\"{part}\" in problem \"{text}\"");
        let number = |part: &str| part.parse::<usize>().map_err(|_| bad(part));
        let axes = |part: &str| -> Result<[usize; R], String> {
            let values = part.split('x').map(number).collect::<Result<Vec<usize>, _>>()?;
            values.try_into().map_err(|_| bad(part))
        };
        let pads = |part: &str| -> Result<[[i64; 2]; R], String> {
            let number = |part: &str| part.parse::<i64>().map_err(|_| bad(part));
            let pair = |part: &str| match part.split_once(':') {
                Some((before, after)) => Ok::<_, String>([number(before)?, number(after)?]),
                None => Ok([number(part)?; 2]),
            };
            let values = part.split('x').map(pair).collect::<Result<Vec<_>, _>>()?;
            values.try_into().map_err(|_| bad(part))
        };
        let mut fields = Self {
            batch: 1,
            channels: [1; 2],
            input_size: [1; R],
            kernel_size: [1; R],
            stride: [1; R],
            padding: [[0; 2]; R],
            dilation: [1; R],
            output_padding: [0; R],
            groups: 1,
            bias: false,
        };
        for part in text.split('_') {
            let digits = part.find(|c: char| c.is_ascii_digit() || c == '-').unwrap_or(part.len());
            match part.split_at(digits) {
                ("n", value) => fields.batch = number(value)?,
                ("ic", value) => fields.channels[0] = number(value)?,
                ("oc", value) => fields.channels[1] = number(value)?,
                ("i", value) => fields.input_size = axes(value)?,
                ("k", value) => fields.kernel_size = axes(value)?,
                ("s", value) => fields.stride = axes(value)?,
                ("p", value) => fields.padding = pads(value)?,
                ("d", value) => fields.dilation = axes(value)?,
                ("op", value) => fields.output_padding = axes(value)?,
                ("g", value) => fields.groups = number(value)?,
                ("b", value) => fields.bias = value == "1",
                _ => return Err(bad(part)),
            }
        }
        Ok(fields)
    }

    pub fn conv(self) -> Conv<R> {
        Conv {
            batch: self.batch,
            in_channels: self.channels[0],
            out_channels: self.channels[1],
            input_size: self.input_size,
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: self.padding.into(),
            dilation: self.dilation,
            groups: self.groups,
            bias: self.bias,
            ..Default::default()
        }
    }

    /// A convolution of 8-bit integers of these sizes, of `u8` and without zero points.
    #[allow(dead_code, reason = "the tests alone have integers")]
    pub fn conv_integer(self) -> ConvInteger<R> {
        ConvInteger {
            batch: self.batch,
            in_channels: self.channels[0],
            out_channels: self.channels[1],
            input_size: self.input_size,
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: self.padding.into(),
            dilation: self.dilation,
            groups: self.groups,
            ..Default::default()
        }
    }

    pub fn conv_transpose(self) -> ConvTranspose<R> {
        ConvTranspose {
            batch: self.batch,
            in_channels: self.channels[0],
            out_channels: self.channels[1],
            input_size: self.input_size,
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: self.padding.into(),
            output_padding: self.output_padding,
            output_size: None,
            dilation: self.dilation,
            groups: self.groups,
            bias: self.bias,
            ..Default::default()
        }
    }
}

/// A problem of the benchmark, of two spatial axes.
#[derive(Clone, Debug)]
pub enum Problem {
    ConvTranspose(ConvTranspose2d),
    Conv(Conv2d),
    /// The weight's gradient of such a layer.
    ConvTransposeWeight(ConvTranspose2d),
    ConvWeight(Conv2d),
    Upsample(Upsample2d),
}

/// A function that is generic over the op, which [`Problem::visit`] calls with the problem's own op.
#[cfg(not(target_arch = "wasm32"))]
#[allow(dead_code, reason = "the tests run futures")]
pub trait Visit {
    type Output;
    fn visit<O: GpuOp + CpuOp>(&mut self, op: &O) -> Self::Output;
}

#[allow(dead_code, reason = "each program uses some of it")]
impl Problem {
    #[cfg(not(target_arch = "wasm32"))]
    pub fn visit<V: Visit>(&self, visitor: &mut V) -> V::Output {
        match self {
            Self::ConvTranspose(op) => visitor.visit(op),
            Self::Conv(op) => visitor.visit(op),
            Self::ConvTransposeWeight(op) => visitor.visit(&op.grad_weight().expect("a valid layer")),
            Self::ConvWeight(op) => visitor.visit(&op.grad_weight().expect("a valid layer")),
            Self::Upsample(op) => visitor.visit(op),
        }
    }

    /// The problem with its output channels, and its groups if it has several, halved while the counts are even and it
    /// has more than `most` multiply-adds; and the divisor, a power of two.
    pub fn reduced_to(&self, most: u128) -> (Self, usize) {
        let (mut reduced, mut divisor) = (self.clone(), 1);
        while reduced.multiply_adds() > most && reduced.halve() {
            divisor *= 2;
        }
        (reduced, divisor)
    }

    fn multiply_adds(&self) -> u128 {
        match self {
            Self::ConvTranspose(op) | Self::ConvTransposeWeight(op) => op.multiply_adds(),
            Self::Conv(op) | Self::ConvWeight(op) => op.multiply_adds(),
            Self::Upsample(op) => op.multiply_adds(),
        }
        .expect("a valid problem")
    }

    fn halve(&mut self) -> bool {
        let halve = |ins: &mut usize, outs: &mut usize, groups: &mut usize| {
            let even = outs.is_multiple_of(2) && (*groups == 1 || groups.is_multiple_of(2));
            if even && *groups > 1 {
                (*ins, *groups) = (*ins / 2, *groups / 2);
            }
            *outs /= if even { 2 } else { 1 };
            even
        };
        match self {
            Self::ConvTranspose(op) | Self::ConvTransposeWeight(op) => {
                halve(&mut op.in_channels, &mut op.out_channels, &mut op.groups)
            }
            Self::Conv(op) | Self::ConvWeight(op) => halve(&mut op.in_channels, &mut op.out_channels, &mut op.groups),
            Self::Upsample(_) => false,
        }
    }
}

/// The transposed convolutions.
const CONV_TRANSPOSE: [(&str, &str); 11] = [
    ("dcgan_g1", "ic100_oc1024_i1x1_k4x4"),
    ("dcgan_g2", "ic1024_oc512_i4x4_k4x4_s2x2_p1x1"),
    ("dcgan_g3", "ic512_oc256_i8x8_k4x4_s2x2_p1x1"),
    ("dcgan_g4", "ic256_oc128_i16x16_k4x4_s2x2_p1x1"),
    ("dcgan_g5", "ic128_oc3_i32x32_k4x4_s2x2_p1x1"),
    ("fcn8s", "ic21_oc21_i34x34_k16x16_s8x8"),
    ("fcn8s_dw", "ic21_oc21_i34x34_k16x16_s8x8_g21"),
    ("unet_512", "ic512_oc256_i28x28_k2x2_s2x2"),
    ("unet_128", "ic128_oc64_i224x224_k2x2_s2x2"),
    ("image_3", "ic3_oc3_i512x512_k4x4_s2x2_p1x1"),
    ("fsrcnn", "ic56_oc1_i128x128_k9x9_s4x4_p4x4_op3x3"),
];

/// The direct convolutions.
const CONV: [(&str, &str); 4] = [
    ("vgg_64", "ic64_oc64_i224x224_k3x3_p1x1"),
    ("resnet_256", "ic256_oc256_i14x14_k3x3_p1x1"),
    ("pointwise", "ic256_oc64_i56x56"),
    ("depthwise", "ic144_oc144_i56x56_k3x3_p1x1_g144"),
];

/// Weight gradients of layers above, of a transposed convolution and of direct ones.
const CONV_TRANSPOSE_WEIGHT: [(&str, &str); 1] = [("weight_dcgan_g4", "ic256_oc128_i16x16_k4x4_s2x2_p1x1")];
const CONV_WEIGHT: [(&str, &str); 2] =
    [("weight_vgg_64", "ic64_oc64_i224x224_k3x3_p1x1"), ("weight_resnet_256", "ic256_oc256_i14x14_k3x3_p1x1")];

/// The upsamplings, 3x512x512 to twice its size.
const UPSAMPLE: [(&str, PytorchInterpolate); 3] = [
    ("up_nearest", PytorchInterpolate::Nearest),
    ("up_bilinear", PytorchInterpolate::Linear { align_corners: false }),
    ("up_bicubic", PytorchInterpolate::Cubic { align_corners: false }),
];

/// Whether a filter selects the problem of this name: by the whole name, or by a part of it if the filter is no layer's
/// whole name.
#[allow(dead_code, reason = "the tests run every problem")]
pub fn selects(filter: &str, name: &str) -> bool {
    let whole = CONV_TRANSPOSE.iter().chain(&CONV).map(|(name, _)| name).any(|name| *name == filter);
    if whole { name == filter } else { name.contains(filter) }
}

/// Reads a problem of two axes, written as its op's name, a colon and the fields; `None` where there is no colon.
#[allow(dead_code, reason = "the tests and the benchmark name theirs")]
pub fn parse(text: &str) -> Result<Option<Problem>, String> {
    match text.split_once(':') {
        None => Ok(None),
        Some(("conv_transpose", text)) => Ok(Some(Problem::ConvTranspose(Fields::try_parse(text)?.conv_transpose()))),
        Some(("conv", text)) => Ok(Some(Problem::Conv(Fields::try_parse(text)?.conv()))),
        Some(("conv_transpose_weight", text)) => {
            Ok(Some(Problem::ConvTransposeWeight(Fields::try_parse(text)?.conv_transpose())))
        }
        Some(("conv_weight", text)) => Ok(Some(Problem::ConvWeight(Fields::try_parse(text)?.conv()))),
        Some((op, _)) => {
            Err(format!("\"{op}\" is no op here; there are conv and conv_transpose, and either with _weight"))
        }
    }
}

/// Every named problem.
pub fn named() -> Vec<(&'static str, Problem)> {
    let transposed = |text| Fields::<2>::parse(text).conv_transpose();
    let direct = |text| Fields::<2>::parse(text).conv();
    let upsampled = |mode| {
        let base = Upsample2d { channels: 3, input_size: [512, 512], output_size: [1024, 1024], ..Default::default() };
        Problem::Upsample(Upsample2d::pytorch(base, mode).expect("a valid size"))
    };
    let mut named: Vec<_> =
        CONV_TRANSPOSE.into_iter().map(|(name, text)| (name, Problem::ConvTranspose(transposed(text)))).collect();
    named.extend(CONV.into_iter().map(|(name, text)| (name, Problem::Conv(direct(text)))));
    let weights = CONV_TRANSPOSE_WEIGHT.into_iter();
    named.extend(weights.map(|(name, text)| (name, Problem::ConvTransposeWeight(transposed(text)))));
    named.extend(CONV_WEIGHT.into_iter().map(|(name, text)| (name, Problem::ConvWeight(direct(text)))));
    named.extend(UPSAMPLE.into_iter().map(|(name, mode)| (name, upsampled(mode))));
    named
}
