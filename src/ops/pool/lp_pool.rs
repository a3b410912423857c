//! Lp pooling and its gradient: what they are, and their definition on the CPU.

use ndarray::ArrayD;

use super::lp::{
    check_power, flushed, grad_magnitude, grad_roundings, gradient_of, norm, norm_magnitude, norm_roundings,
};
use super::windows::{Sizes, Windows, for_each_sample};
use crate::error::Result;
use crate::geometry::Padding;
use crate::ops::op::Op;
use crate::ops::problem::{ProblemText, of_gradient};
use crate::ops::reference::{Reference, smallest_normal};
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Lp pooling over `R` spatial axes: the norm `(Σ |x|^p)^(1/p)` of each window. ONNX's `LpPool`.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, spatial...) with
/// `floor((input + before + after - span) / stride) + 1` samples on each axis, or rounded up. Padding counts as 0. A
/// NaN in a window makes its norm NaN. As in a [`GlobalLpPool`](crate::GlobalLpPool), no power overflows.
///
/// PyTorch's `F.lp_pool2d` agrees for an even p, and for samples that are not negative. For an odd p it adds `x^p` with
/// its sign, and a negative sum gives NaN. Where its `ceil_mode` lets a window reach past the input, it multiplies the
/// sum by the samples of a whole window and divides by those inside.
///
/// ```
/// use upconv::{LpPool2d, Op};
/// let pool = LpPool2d { p: 3, ..LpPool2d::from_shape(&[1, 3, 8, 8], [2, 2])? };
/// assert_eq!(pool.output()?.shape, [1, 3, 4, 4]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LpPool<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// Samples of a window on each axis.
    pub kernel_size: [usize; R],
    /// Input samples from one window to the next.
    pub stride: [usize; R],
    /// Zeros around the input, explicitly or by rule. Negative padding is refused
    /// ([`Error::InvalidParameter`](crate::Error::InvalidParameter)).
    pub padding: Padding<R>,
    /// Input samples from one sample of a window to the next; 1 is an ordinary window.
    pub dilation: [usize; R],
    /// Whether the output's size is rounded up. A window that would start in the padding after the input is left out.
    pub ceil_mode: bool,
    /// The power, from 1 to 64. ONNX's default is 2.
    pub p: u32,
}

/// Lp pooling over one spatial axis.
pub type LpPool1d = LpPool<1>;
/// Lp pooling over two spatial axes.
pub type LpPool2d = LpPool<2>;
/// Lp pooling over three spatial axes.
pub type LpPool3d = LpPool<3>;

impl<const R: usize> Default for LpPool<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            channels: 1,
            input_size: [1; R],
            kernel_size: [1; R],
            stride: [1; R],
            padding: Padding::default(),
            dilation: [1; R],
            ceil_mode: false,
            p: 2,
        }
    }
}

impl<const R: usize> LpPool<R> {
    /// Windows side by side (`stride = kernel_size`) on an `input` of shape (N, C, spatial...), with p = 2. Refuses
    /// another number of axes ([`Error::Rank`](crate::Error::Rank)).
    pub fn from_shape(input: &[usize], kernel_size: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, kernel_size, stride: kernel_size, ..Default::default() })
    }

    /// The gradient with respect to the input: takes the input and the output's gradient.
    pub fn grad_input(&self) -> LpPoolGrad<R> {
        LpPoolGrad { forward: self.clone() }
    }

    pub(crate) fn windows(&self) -> Result<Windows<R>> {
        check_power(self.p)?;
        Windows::new(&Sizes {
            batch: self.batch,
            channels: self.channels,
            input_size: self.input_size,
            kernel_size: self.kernel_size,
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding,
            ceil_mode: self.ceil_mode,
        })
    }

    /// The samples of each window, by their places in a row-major input.
    fn places(&self, windows: &Windows<R>) -> Vec<Vec<usize>> {
        let mut places = vec![Vec::new(); windows.output_shape().iter().product()];
        for_each_sample(windows, |output, place| places[output].push(place.flat));
        places
    }

    /// The most samples of a window.
    fn most_samples(&self) -> usize {
        self.kernel_size.iter().zip(self.input_size).map(|(&kernel, size)| kernel.min(size)).product()
    }
}

impl<const R: usize> Op for LpPool<R> {
    const NAME: &'static str = "lp_pool";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.windows()?.input_shape())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.windows()?.output_shape()))
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("c", self.channels, 1)
            .sizes("i", &self.input_size)
            .axes("k", &self.kernel_size, 1)
            .axes("s", &self.stride, 1)
            .padding(&self.padding)
            .axes("d", &self.dilation, 1)
            .count("power", self.p as usize, 2)
            .padding_rule(&self.padding);
        text.flag("ceil", self.ceil_mode).finish()
    }

    /// 0: the powers of samples are not counted.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let windows = self.windows()?;
        let input = inputs[0].widen();
        let small = flushed(&input, smallest_normal(inputs));
        let (mut values, mut magnitudes) = (Vec::new(), Vec::new());
        for places in self.places(&windows) {
            let [samples, small] = [&input, &small].map(|of| places.iter().map(|&at| of[at]).collect::<Vec<_>>());
            values.push(norm(&samples, self.p));
            magnitudes.push(norm_magnitude(norm(&samples, self.p), &small, self.p));
        }
        let array = |values| ArrayD::from_shape_vec(windows.output_shape(), values).expect("as many as windows");
        Ok(Reference::new(array(values), array(magnitudes), norm_roundings(self.most_samples(), self.p)))
    }
}

/// The gradient of an [`LpPool`] with respect to its input, made by [`LpPool::grad_input`].
///
/// Tensors: `input`, the forward input; `grad_output`, the gradient of the forward output; output, of the forward
/// input's shape: for each sample, the sum of `g · sign(x) · (|x| / norm)^(p - 1)` over the windows that hold it. The
/// sign of 0 is 0, and where p is more than 1, a window of zeros adds 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LpPoolGrad<const R: usize> {
    forward: LpPool<R>,
}

impl<const R: usize> LpPoolGrad<R> {
    pub(crate) fn forward(&self) -> &LpPool<R> {
        &self.forward
    }
}

impl<const R: usize> Op for LpPoolGrad<R> {
    const NAME: &'static str = "lp_pool_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let windows = self.forward.windows()?;
        let gradient = Operand::new(Role::GradOutput, windows.output_shape());
        Ok(vec![Operand::new(Role::Input, windows.input_shape()), gradient])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.forward.windows()?.input_shape()))
    }

    fn problem(&self) -> String {
        of_gradient(Self::NAME, &self.forward.problem())
    }

    /// 0: the powers of samples are not counted.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// Scatters the gradients of each window, whereas the shader gathers those of a sample.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let (windows, p) = (self.forward.windows()?, self.forward.p);
        let (input, gradient) = (inputs[0].widen(), inputs[1].widen());
        let smallest = smallest_normal(inputs);
        let small = flushed(&input, smallest);
        let shape = windows.input_shape();
        let (mut values, mut magnitudes) = (zeros("the reference", input.len())?, zeros("the reference", input.len())?);
        for (places, &g) in self.forward.places(&windows).iter().zip(&gradient) {
            let [samples, small] = [&input, &small].map(|of| places.iter().map(|&at| of[at]).collect::<Vec<_>>());
            let norms = [norm(&samples, p), norm(&small, p)];
            for (&at, &sample) in places.iter().zip(&samples) {
                values[at] += gradient_of(sample, norms[0], g, p);
                magnitudes[at] += grad_magnitude(sample, norms, g, p, smallest);
            }
        }
        // A sample is in at most ceil(span / stride) windows of an axis, and in no more than there are.
        let overlaps: usize =
            windows.axes.iter().map(|axis| axis.span().div_ceil(axis.stride).min(axis.narrow)).product();
        let roundings = grad_roundings(self.forward.most_samples(), p) + overlaps;
        let array = |values| ArrayD::from_shape_vec(shape.clone(), values).expect("as many as samples");
        Ok(Reference::new(array(values), array(magnitudes), roundings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn pool(p: u32) -> LpPool1d {
        LpPool1d { p, stride: [1], ..LpPool1d::from_shape(&[1, 1, 4], [2]).unwrap() }
    }

    fn values(reference: Reference) -> Vec<f64> {
        reference.values.iter().copied().collect()
    }

    #[test]
    fn norms_and_gradients_by_hand() {
        let input = ArrayD::from_shape_vec(vec![1, 1, 4], vec![3.0, -4.0, 0.0, 0.0]).unwrap();
        let gradient = ArrayD::from_shape_vec(vec![1, 1, 3], vec![10.0, 1.0, 7.0]).unwrap();
        assert_eq!(values(pool(1).reference(&[input.view()]).unwrap()), [7.0, 4.0, 0.0]);
        assert_eq!(values(pool(2).reference(&[input.view()]).unwrap()), [5.0, 4.0, 0.0]);
        let back = |p| values(pool(p).grad_input().reference(&[input.view(), gradient.view()]).unwrap());
        assert_eq!(back(1), [10.0, -11.0, 0.0, 0.0]);
        assert_eq!(back(2), [6.0, -9.0, 0.0, 0.0]);
        // Padding counts as 0, and a window of padding alone is 0.
        let padded = LpPool1d { padding: [[3, 0]].into(), stride: [2], ..pool(2) };
        assert_eq!(values(padded.reference(&[input.view()]).unwrap()), [0.0, 3.0, 4.0]);
    }

    #[test]
    fn bad_numbers_are_refused() {
        assert_eq!(pool(0).output(), Err(Error::ZeroCount { what: "p" }));
        assert!(matches!(pool(65).grad_input().output(), Err(Error::TooLarge { what: "p", .. })));
        let wide = LpPool1d { kernel_size: [5], ..pool(2) };
        assert_eq!(wide.output(), Err(Error::KernelTooLarge { axis: 0, span: 5, padded: 4 }));
    }
}
