//! Max pooling and its gradient: what they are, and their definition on the CPU.

use crate::ops::problem::{ProblemText, of_gradient};
use ndarray::ArrayD;

use super::indices::{IndexConvention, Numbering};
use super::windows::{Place, Sizes, Windows, for_each_sample};
use crate::error::{Error, Result};
use crate::geometry::Padding;
use crate::ops::op::Op;
use crate::ops::reference::{Reference, Sums};
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Max pooling over `R` spatial axes, in PyTorch's words.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, spatial...) with
/// `floor((input + before + after - span) / stride) + 1` samples on each axis, or rounded up; with
/// [`indices`](Self::indices) another output, `indices`, of the same shape and of `i32`.
///
/// The output is the first of the largest samples of its window in row-major order, and a NaN is larger than every
/// number: samples are compared and copied as bits, so that this holds on every device. (Samples of f16 are compared as
/// the f32 that the device converts them to; it may take subnormals for 0.) Of several NaN the last is chosen, as in
/// PyTorch, or the first if [`indices`](Self::indices) has another framework's convention. Padding never wins; a window
/// of padding alone is refused ([`Error::EmptyWindow`]).
///
/// ```
/// use upconv::{IndexConvention, MaxPool2d, Op};
/// let pool = MaxPool2d { indices: Some(IndexConvention::Plane), ..MaxPool2d::from_shape(&[1, 3, 8, 8], [2, 2])? };
/// assert_eq!(pool.output()?.shape, [1, 3, 4, 4]);
/// assert_eq!(pool.unpool()?.output()?.shape, [1, 3, 8, 8]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxPool<const R: usize> {
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
    /// Padding around the input, explicitly or by rule. Negative padding is refused ([`Error::InvalidParameter`]).
    pub padding: Padding<R>,
    /// Input samples from one sample of a window to the next; 1 is an ordinary window.
    pub dilation: [usize; R],
    /// Whether the output's size is rounded up. A window that would start in the padding after the input is left out.
    pub ceil_mode: bool,
    /// Whether the chosen samples' indices are written too, and how they are counted.
    pub indices: Option<IndexConvention>,
}

/// Max pooling over one spatial axis.
pub type MaxPool1d = MaxPool<1>;
/// Max pooling over two spatial axes.
pub type MaxPool2d = MaxPool<2>;
/// Max pooling over three spatial axes.
pub type MaxPool3d = MaxPool<3>;

impl<const R: usize> Default for MaxPool<R> {
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
            indices: None,
        }
    }
}

impl<const R: usize> MaxPool<R> {
    /// Windows side by side (`stride = kernel_size`) on an `input` of shape (N, C, spatial...). Refuses another number
    /// of axes ([`Error::Rank`]).
    pub fn from_shape(input: &[usize], kernel_size: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, kernel_size, stride: kernel_size, ..Default::default() })
    }

    /// Whether the last of several NaN in a window is chosen, and not the first.
    pub(crate) fn last_nan(&self) -> bool {
        self.indices.unwrap_or_default() == IndexConvention::Plane
    }

    /// The gradient with respect to the input: takes the output's gradient and the indices that the pooling wrote, in
    /// its convention ([`IndexConvention::Plane`] where it has none).
    pub fn grad_input(&self) -> MaxPoolGrad<R> {
        MaxPoolGrad { forward: Self { indices: Some(self.indices.unwrap_or_default()), ..self.clone() } }
    }

    /// The windows. Refuses a window that is wholly in the padding.
    pub(crate) fn windows(&self) -> Result<Windows<R>> {
        let windows = Windows::new(&Sizes {
            batch: self.batch,
            channels: self.channels,
            input_size: self.input_size,
            kernel_size: self.kernel_size,
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding,
            ceil_mode: self.ceil_mode,
        })?;
        for (axis, relation) in windows.axes.iter().enumerate() {
            if let Some(output) = relation.empty_window() {
                return Err(Error::EmptyWindow { axis, output });
            }
        }
        if let Some(convention) = self.indices {
            convention.numbering(&windows.input_shape())?;
        }
        Ok(windows)
    }
}

impl<const R: usize> Op for MaxPool<R> {
    const NAME: &'static str = "max_pool";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.windows()?.input_shape())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.windows()?.output_shape()))
    }

    fn outputs(&self) -> Result<Vec<Operand>> {
        let output = self.output()?;
        let indices = self.indices.map(|_| Operand::integers(Role::Indices, output.shape.clone()));
        Ok([output].into_iter().chain(indices).collect())
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
            .padding_rule(&self.padding)
            .flag("ceil", self.ceil_mode);
        if let Some(indices) = self.indices { text.word(indices.word()).finish() } else { text.finish() }
    }

    /// 0: samples are only compared.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let windows = self.windows()?;
        let input = inputs[0].widen();
        let mut values = zeros("the reference", windows.output_shape().iter().product())?;
        for_each_maximum(&windows, &input, self.last_nan(), |output, place| values[output] = input[place.flat]);
        let values = ArrayD::from_shape_vec(windows.output_shape(), values).expect("as many as the shape has");
        let magnitudes = values.mapv(f64::abs);
        Ok(Reference::new(values, magnitudes, 0))
    }

    fn define_integers(&self, inputs: &[TensorView]) -> Result<Vec<ArrayD<i32>>> {
        let Some(convention) = self.indices else { return Ok(Vec::new()) };
        let windows = self.windows()?;
        let numbering = convention.numbering(&windows.input_shape())?;
        let mut indices: Vec<i32> = zeros("the reference", windows.output_shape().iter().product())?;
        for_each_maximum(&windows, &inputs[0].widen(), self.last_nan(), |output, place| {
            indices[output] = numbering.index(place.plane, place.at) as i32;
        });
        Ok(vec![ArrayD::from_shape_vec(windows.output_shape(), indices).expect("as many as the shape has")])
    }
}

/// Visits the sample that each window chooses.
fn for_each_maximum<const R: usize>(
    windows: &Windows<R>,
    input: &[f64],
    last_nan: bool,
    mut visit: impl FnMut(usize, Place),
) {
    let larger = |a: f64, b: f64| if a.is_nan() { last_nan || !b.is_nan() } else { a > b };
    let mut best: Option<(usize, Place)> = None;
    for_each_sample(windows, |output, place| match &best {
        Some((of, chosen)) if *of == output && !larger(input[place.flat], input[chosen.flat]) => {}
        Some((of, _)) if *of == output => best = Some((output, place)),
        _ => {
            if let Some((of, chosen)) = best.replace((output, place)) {
                visit(of, chosen);
            }
        }
    });
    if let Some((of, chosen)) = best {
        visit(of, chosen);
    }
}

/// The gradient of a [`MaxPool`] with respect to its input, made by [`MaxPool::grad_input`].
///
/// Tensors: `input`, the gradient of the forward output; `indices`, those that the pooling wrote; output, of the
/// forward input's shape: each sample gets the gradients of the windows that chose it. An index that does not lie in
/// its window takes no part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxPoolGrad<const R: usize> {
    forward: MaxPool<R>,
}

impl<const R: usize> MaxPoolGrad<R> {
    pub(crate) fn windows(&self) -> Result<(Windows<R>, Numbering)> {
        let windows = self.forward.windows()?;
        let numbering = self.forward.indices.unwrap_or_default().numbering(&windows.input_shape())?;
        Ok((windows, numbering))
    }
}

impl<const R: usize> Op for MaxPoolGrad<R> {
    const NAME: &'static str = "max_pool_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let shape = self.forward.output()?.shape;
        Ok(vec![Operand::new(Role::Input, shape.clone()), Operand::integers(Role::Indices, shape)])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.windows()?.0.input_shape()))
    }

    fn problem(&self) -> String {
        of_gradient(Self::NAME, &self.forward.problem())
    }

    /// 0: samples are only added.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// Scatters each window's gradient, whereas the shader gathers, for each sample, the gradients of the windows
    /// around it.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let (windows, numbering) = self.windows()?;
        let (gradient, indices) = (inputs[0].widen(), inputs[1].integers());
        let shape = windows.input_shape();
        let mut sums = Sums::zeros(&shape, inputs)?;
        for_each_sample(&windows, |output, place| {
            if indices[output] == numbering.index(place.plane, place.at) {
                sums.add(place.flat, gradient[output], 1.0);
            }
        });
        // A sample is in at most ceil(span / stride) windows of an axis, and in no more than there are.
        let overlaps = windows.axes.iter().map(|axis| axis.span().div_ceil(axis.stride).min(axis.narrow)).product();
        Ok(sums.into_reference(&shape, overlaps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pool::max_pool::MaxPool1d;
    use crate::ops::pool::max_pool::MaxPool2d;

    /// A tensor of this shape, each sample computed from its row-major number.
    fn numbered(shape: &[usize], value: impl Fn(usize) -> f32) -> ArrayD<f32> {
        let count = shape.iter().product();
        ArrayD::from_shape_vec(shape, (0..count).map(value).collect()).unwrap()
    }

    #[test]
    fn the_first_of_the_largest_wins_and_a_nan_above_all() {
        let pool =
            MaxPool1d { indices: Some(IndexConvention::Plane), ..MaxPool1d::from_shape(&[1, 1, 12], [4]).unwrap() };
        let samples = [1., 3., 3., 2., -5., f32::NAN, 9., f32::NAN, -1., -2., -0., 0.];
        let input = numbered(&[1, 1, 12], |at| samples[at]);
        let values = pool.reference(&[input.view()]).unwrap().values;
        assert!(values[[0, 0, 0]] == 3.0 && values[[0, 0, 1]].is_nan() && values[[0, 0, 2]] == 0.0);
        let indices = pool.reference_integers(&[input.view()]).unwrap().swap_remove(0);
        assert_eq!(indices.iter().copied().collect::<Vec<_>>(), [1, 7, 10]);
        let onnx = MaxPool1d { indices: Some(IndexConvention::Onnx), ..pool };
        let indices = onnx.reference_integers(&[input.view()]).unwrap().swap_remove(0);
        assert_eq!(indices.iter().copied().collect::<Vec<_>>(), [1, 5, 10]);
    }

    #[test]
    fn the_gradient_goes_to_the_chosen_samples() {
        let pool = MaxPool2d { stride: [1, 1], ..MaxPool2d::from_shape(&[1, 1, 3, 3], [2, 2]).unwrap() };
        let with_indices = MaxPool2d { indices: Some(IndexConvention::Plane), ..pool.clone() };
        let input = numbered(&[1, 1, 3, 3], |at| [1., 2., 0., 3., 9., 4., 0., 5., 8.][at]);
        let indices = with_indices.reference_integers(&[input.view()]).unwrap().swap_remove(0);
        assert!(indices.iter().all(|&index| index == 4));
        let gradient = numbered(&[1, 1, 2, 2], |at| at as f32 + 1.0);
        let back = pool.grad_input().reference(&[TensorView::from(&gradient), TensorView::from(&indices)]).unwrap();
        assert_eq!(back.values.iter().copied().collect::<Vec<_>>(), [0., 0., 0., 0., 10., 0., 0., 0., 0.]);
        let wrong = pool.grad_input().reference(&[gradient.view(), gradient.view()]);
        assert!(matches!(wrong, Err(Error::DataType { operand: "indices", .. })), "{wrong:?}");
    }

    #[test]
    fn a_window_of_padding_alone_is_refused() {
        let padding = Padding::Explicit([[3, 0]]);
        let pool = MaxPool1d { input_size: [4], kernel_size: [2], stride: [2], padding, ..Default::default() };
        assert_eq!(pool.output(), Err(Error::EmptyWindow { axis: 0, output: 0 }));
    }
}
