//! Convolution of 8-bit integers: what it is, and its definition on the CPU.

use ndarray::ArrayD;

use super::conv::Conv;
use super::runs::for_each_run;
use crate::dtype::ByteType;
use crate::error::Result;
use crate::geometry::{Geometry, Padding};
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::Reference;
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role};

/// A convolution of 8-bit integers with zero points and sums of `i32`, over `R` spatial axes: ONNX's `ConvInteger`.
///
/// ```text
/// output = Σ (input - input_zero_point) * (weight - weight_zero_point)
/// ```
///
/// Tensors, in ONNX's order: `input` (N, Cin, spatial...) of [`input_type`](Self::input_type); `weight` (Cout,
/// Cin/groups, kernel...) of [`weight_type`](Self::weight_type); `input_zero_point` (1) of the input's type and
/// `weight_zero_point` (1) or (Cout) of the weight's type, as far as the fields say that they are given; output (N,
/// Cout, spatial...) of `i32`.
///
/// Zero points are tensors, as in ONNX, and not fields: `DynamicQuantizeLinear` computes the input's on the device, for
/// each input anew. They are read each time a plan runs, and so need neither a new plan nor a way back to the host.
///
/// The padding holds the input's zero point, so that taps in the padding add nothing.
///
/// Every engine gives the same integers. A sum wraps modulo 2³² past the range of `i32`, as ONNX's runtimes do; with at
/// most 33,025 terms (`Cin/groups` times the kernel's taps) none can, since no term is larger than 255² in magnitude.
///
/// In a buffer, elements of one byte lie side by side; offsets and strides of their layouts count bytes. A slice has
/// whole words of four bytes, rounded up.
///
/// ```
/// use upconv::{ConvInteger2d, Op, TensorView, ndarray::{arr1, array}};
/// // ConvInteger(x: 1x1x3x3, w: 1x1x2x2, x_zero_point)
/// let x = array![[[[2u8, 3, 4], [5, 6, 7], [8, 9, 10]]]];
/// let (w, zero_point) = (array![[[[1u8, 1], [1, 1]]]], arr1(&[1u8]));
/// let conv = ConvInteger2d { input_zero_point: true, ..ConvInteger2d::from_shapes(x.shape(), w.shape(), 1)? };
/// let inputs: [TensorView; 3] = [(&x).into(), (&w).into(), (&zero_point).into()];
/// let y = conv.reference_integers(&inputs)?.swap_remove(0);
/// assert_eq!(y.iter().copied().collect::<Vec<_>>(), [12, 16, 24, 28]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConvInteger<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels of the input. 0 is legal: nothing is summed, and outputs are 0.
    pub in_channels: usize,
    /// Channels of the output; 0 is legal and computes nothing.
    pub out_channels: usize,
    /// Spatial size of the input, in samples. 0 is legal where the padding holds the kernel.
    pub input_size: [usize; R],
    /// Taps of the kernel on each axis.
    pub kernel_size: [usize; R],
    /// Input samples from one output sample to the next, at most [`MAX_STEP`](crate::geometry::MAX_STEP) where there
    /// are several output samples.
    pub stride: [usize; R],
    /// Samples of the input's zero point around the input, explicitly or by rule.
    pub padding: Padding<R>,
    /// Input samples from one tap to the next; 1 is an ordinary kernel.
    pub dilation: [usize; R],
    /// Groups of channels: each output channel reads the input channels of its own group.
    pub groups: usize,
    /// The type of the input.
    pub input_type: ByteType,
    /// The type of the weight.
    pub weight_type: ByteType,
    /// Whether the input's zero point is given; else it is 0.
    pub input_zero_point: bool,
    /// Which zero points of the weight are given.
    pub weight_zero_point: ZeroPoint,
}

/// Which zero points of a tensor are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ZeroPoint {
    /// None: the zero point is 0.
    #[default]
    None,
    /// One for the whole tensor, of shape (1).
    PerTensor,
    /// One for each output channel, of shape (Cout).
    PerChannel,
}

/// Convolution of 8-bit integers over one spatial axis.
pub type ConvInteger1d = ConvInteger<1>;
/// Convolution of 8-bit integers over two spatial axes.
pub type ConvInteger2d = ConvInteger<2>;
/// Convolution of 8-bit integers over three spatial axes.
pub type ConvInteger3d = ConvInteger<3>;

impl<const R: usize> Default for ConvInteger<R> {
    fn default() -> Self {
        Self::sized_as(&Conv::default())
    }
}

impl<const R: usize> ConvInteger<R> {
    /// A stride-1 convolution of `u8` without padding and without zero points, for tensors of these shapes: `input` (N,
    /// Cin, spatial...) and `weight` (Cout, Cin/groups, kernel...). Set the other fields by struct update. Refuses what
    /// [`Conv::from_shapes`] refuses.
    pub fn from_shapes(input: &[usize], weight: &[usize], groups: usize) -> Result<Self> {
        Ok(Self::sized_as(&Conv::from_shapes(input, weight, groups)?))
    }

    /// A convolution of `u8` without zero points, of the sizes of a convolution of floating-point numbers.
    fn sized_as(conv: &Conv<R>) -> Self {
        Self {
            batch: conv.batch,
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            input_size: conv.input_size,
            kernel_size: conv.kernel_size,
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
            groups: conv.groups,
            input_type: ByteType::U8,
            weight_type: ByteType::U8,
            input_zero_point: false,
            weight_zero_point: ZeroPoint::None,
        }
    }

    /// The convolution of floating-point numbers of the same sizes.
    fn conv(&self) -> Conv<R> {
        Conv {
            batch: self.batch,
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            input_size: self.input_size,
            kernel_size: self.kernel_size,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups: self.groups,
            ..Default::default()
        }
    }

    /// The canonical form: sizes and the padding before each axis. Refuses whatever breaks a rule.
    pub fn geometry(&self) -> Result<Geometry<R>> {
        self.conv().geometry()
    }

    /// Whether any zero point is given.
    pub(crate) fn has_zero_points(&self) -> bool {
        self.input_zero_point || self.weight_zero_point != ZeroPoint::None
    }

    /// The zero points among the inputs: the input's, and one for each output channel. One that is not given is 0.
    pub(crate) fn zero_points(&self, inputs: &[TensorView]) -> (i32, Vec<i32>) {
        let mut given = inputs[2..].iter().map(|view| view.integers().into_iter().map(|value| value as i32));
        let input = if self.input_zero_point { given.next().and_then(|mut values| values.next()) } else { None };
        let weight: Vec<i32> = given.next().map_or_else(|| vec![0], Iterator::collect);
        let is_one = self.weight_zero_point != ZeroPoint::PerChannel;
        let weight = if is_one { vec![weight[0]; self.out_channels] } else { weight };
        (input.unwrap_or(0), weight)
    }
}

impl<const R: usize> Op for ConvInteger<R> {
    const NAME: &'static str = "conv_integer";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let geometry = self.geometry()?;
        let mut inputs = vec![
            Operand::new(Role::Input, geometry.wide_shape()).of(self.input_type),
            Operand::weight(Role::Weight, geometry.weight_shape()).of(self.weight_type),
        ];
        if self.input_zero_point {
            inputs.push(Operand::new(Role::InputZeroPoint, vec![1]).of(self.input_type));
        }
        let zero_points = match self.weight_zero_point {
            ZeroPoint::None => return Ok(inputs),
            ZeroPoint::PerTensor => 1,
            ZeroPoint::PerChannel => self.out_channels,
        };
        inputs.push(Operand::new(Role::WeightZeroPoint, vec![zero_points]).of(self.weight_type));
        Ok(inputs)
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::integers(Role::Output, self.geometry()?.narrow_shape()))
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("ic", self.in_channels, 1)
            .count("oc", self.out_channels, 1)
            .sizes("i", &self.input_size)
            .axes("k", &self.kernel_size, 1)
            .axes("s", &self.stride, 1)
            .padding(&self.padding)
            .axes("d", &self.dilation, 1)
            .count("g", self.groups, 1)
            .padding_rule(&self.padding)
            .flag("input_i8", self.input_type == ByteType::I8)
            .flag("weight_i8", self.weight_type == ByteType::I8)
            .flag("input_zero_point", self.input_zero_point);
        match self.weight_zero_point {
            ZeroPoint::None => text,
            ZeroPoint::PerTensor => text.word("weight_zero_point"),
            ZeroPoint::PerChannel => text.word("weight_zero_points"),
        }
        .finish()
    }

    fn multiply_adds(&self) -> Result<u128> {
        Ok(self.geometry()?.multiply_adds())
    }

    /// The integers of [`Op::define_integers`] as numbers, with a bound of 0: an f64 holds every `i32`.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let values = self.define_integers(inputs)?.swap_remove(0).mapv(f64::from);
        let magnitudes = values.mapv(f64::abs);
        Ok(Reference::new(values, magnitudes, 0))
    }

    /// One tap at a time over the whole image, in sums of 64 bits that do not overflow and are cut to 32 in the end,
    /// where the other engines take one output at a time, in sums of 32 bits that wrap.
    fn define_integers(&self, inputs: &[TensorView]) -> Result<Vec<ArrayD<i32>>> {
        let geometry = self.geometry()?;
        let (input, weight) = (inputs[0].integers(), inputs[1].integers());
        let (input_zero, weight_zeros) = self.zero_points(inputs);
        let shape = geometry.narrow_shape();
        let taps = self.kernel_size.iter().product::<usize>() * geometry.wide_per_group();
        let mut sums: Vec<i64> = zeros("the reference", shape.iter().product())?;
        for_each_run(&geometry, |run| {
            let factor = weight[run.weight] - i64::from(weight_zeros[run.weight / taps]);
            for i in 0..run.len {
                sums[run.narrow + i] += (input[run.wide + i * run.step] - i64::from(input_zero)) * factor;
            }
        });
        let sums = sums.into_iter().map(|sum| sum as i32).collect();
        Ok(vec![ArrayD::from_shape_vec(shape, sums).expect("as many sums as the shape has elements")])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, IxDyn, arr1};

    use super::*;
    use crate::error::Error;

    fn filled<T: Clone>(shape: &[usize], value: T) -> ArrayD<T> {
        ArrayD::from_elem(IxDyn(shape), value)
    }

    /// ONNX's `test_convinteger_with_padding` with another zero point, and a zero point for each channel.
    #[test]
    fn padding_and_zero_points() {
        let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, 2, 2]), vec![2u8, 3, 4, 5]).unwrap();
        let w = ArrayD::from_shape_vec(IxDyn(&[2, 1, 1, 2]), vec![1i8, -1, 2, 3]).unwrap();
        let conv = ConvInteger2d {
            padding: [[0, 0], [1, 0]].into(),
            weight_type: ByteType::I8,
            input_zero_point: true,
            weight_zero_point: ZeroPoint::PerChannel,
            ..ConvInteger::from_shapes(x.shape(), w.shape(), 1).unwrap()
        };
        let (x_zero, w_zero) = (arr1(&[1u8]), arr1(&[0i8, -1]));
        let inputs: [TensorView; 4] = [(&x).into(), (&w).into(), (&x_zero).into(), (&w_zero).into()];
        let y = conv.reference_integers(&inputs).unwrap().swap_remove(0);
        assert_eq!(y.iter().copied().collect::<Vec<_>>(), [-1, -1, -3, -1, 4, 11, 12, 25]);
        let reference = conv.reference(&inputs).unwrap();
        assert_eq!(reference.values, y.mapv(f64::from));
        assert_eq!(reference.bound(&[0, 1, 1, 1]), 0.0);
    }

    /// 33,025 terms of 255² are within an i32; one more is past it.
    #[test]
    fn sums_wrap_past_i32() {
        for (terms, expected) in [(33_025, 2_147_450_625), (33_026, -2_147_451_646), (100_000, 2_207_532_704u32 as i32)]
        {
            let conv = ConvInteger1d { in_channels: terms, ..Default::default() };
            let ones = filled(&[1, terms, 1], 255u8);
            let y = conv.reference_integers(&[ones.view(), ones.view()]).unwrap().swap_remove(0);
            assert_eq!(y[[0, 0, 0]], expected);
            assert_eq!(i64::from(y[[0, 0, 0]]), (65_025 * terms as i64 + (1 << 31)).rem_euclid(1 << 32) - (1 << 31));
        }
    }

    #[test]
    fn types_shapes_and_counts_are_checked() {
        let conv = ConvInteger1d { input_zero_point: true, input_size: [3], ..Default::default() };
        let (x, w, zero) = (filled(&[1, 1, 3], 1u8), filled(&[1, 1, 1], 1u8), filled(&[1], 1u8));
        let (signed, two) = (filled(&[1], 1i8), filled(&[2], 1u8));
        let with = |zero| conv.reference_tensors(&[TensorView::from(&x), TensorView::from(&w), zero]);
        assert!(with((&zero).into()).is_ok());
        assert!(matches!(with((&signed).into()), Err(Error::DataType { operand: "input_zero_point", .. })));
        assert!(matches!(with((&two).into()), Err(Error::Shape { operand: "input_zero_point", .. })));
        let few = conv.reference_tensors(&[x.view(), w.view()]);
        assert!(matches!(few, Err(Error::OperandCount { op: "conv_integer", expected: 3, actual: 2 })));
        assert_eq!(conv.cost().unwrap().bytes, 3 + 1 + 1 + 4 * 3);
        assert_eq!(conv.problem(), "conv_integer:i3 input_zero_point");
    }
}
