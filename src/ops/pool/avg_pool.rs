//! Average pooling: what it is, and its tap tables.

use super::windows::{Sizes, Windows, taps};
use crate::error::{Error, Result};
use crate::geometry::{Padding, span};
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::Reference;
use crate::ops::resample::separable::{self, Separable, SeparableGrad};
use crate::ops::resample::tap_table::{Tap, TapTable};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Average pooling over `R` spatial axes, in PyTorch's words.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, spatial...) with
/// `floor((input + before + after - span) / stride) + 1` samples on each axis, or rounded up. A window that is wholly
/// in the padding gives 0.
///
/// ```
/// use upconv::{AvgPool2d, Op};
/// let pool = AvgPool2d::from_shape(&[1, 3, 8, 8], [2, 2])?;
/// assert_eq!(pool.output()?.shape, [1, 3, 4, 4]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AvgPool<const R: usize> {
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
    /// Zeros around the input, explicitly or by rule. Negative padding is refused ([`Error::InvalidParameter`]).
    pub padding: Padding<R>,
    /// Input samples from one sample of a window to the next; 1 is an ordinary window.
    pub dilation: [usize; R],
    /// Whether the output's size is rounded up. A window that would start in the padding after the input is left out.
    pub ceil_mode: bool,
    /// Whether the padding's zeros count in the divisor. Samples past the padding, which `ceil_mode` may add, never
    /// count.
    pub count_include_pad: bool,
    /// What to divide each sum by, instead of the number of samples; at least 1.
    pub divisor_override: Option<u32>,
}

/// Average pooling over one spatial axis.
pub type AvgPool1d = AvgPool<1>;
/// Average pooling over two spatial axes.
pub type AvgPool2d = AvgPool<2>;
/// Average pooling over three spatial axes.
pub type AvgPool3d = AvgPool<3>;

impl<const R: usize> Default for AvgPool<R> {
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
            count_include_pad: true,
            divisor_override: None,
        }
    }
}

impl<const R: usize> AvgPool<R> {
    /// Windows side by side (`stride = kernel_size`) on an `input` of shape (N, C, spatial...). Refuses another number
    /// of axes ([`Error::Rank`]).
    pub fn from_shape(input: &[usize], kernel_size: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, kernel_size, stride: kernel_size, ..Default::default() })
    }

    /// The gradient with respect to the input.
    pub fn grad_input(&self) -> SeparableGrad<Self> {
        SeparableGrad { forward: self.clone() }
    }

    fn windows(&self) -> Result<Windows<R>> {
        if self.divisor_override == Some(0) {
            return Err(Error::ZeroCount { what: "divisor_override" });
        }
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
}

impl<const R: usize> Op for AvgPool<R> {
    const NAME: &'static str = "avg_pool";

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
            .count("divisor", self.divisor_override.map_or(0, |divisor| divisor as usize), 0)
            .padding_rule(&self.padding)
            .flag("ceil", self.ceil_mode);
        text.flag("pad_not_counted", !self.count_include_pad).finish()
    }

    fn multiply_adds(&self) -> Result<u128> {
        separable::multiply_adds(self)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        separable::forward(self, &inputs[0])
    }
}

impl<const R: usize> Separable for AvgPool<R> {
    const GRAD_NAME: &'static str = "avg_pool_grad";

    fn taps(&self, axis: usize) -> Result<TapTable> {
        let windows = self.windows()?;
        let (relation, [before, after]) = (windows.axes[axis], windows.pads[axis]);
        let mut table = TapTable::with_capacity(relation.narrow, self.taps_per_axis(axis))?;
        for output in 0..relation.narrow {
            let taps_inside = taps(&relation, output);
            let count = match self.divisor_override {
                // The first axis divides for all axes.
                Some(divisor) => {
                    if axis == 0 {
                        divisor as usize
                    } else {
                        1
                    }
                }
                None if self.count_include_pad => {
                    // The window's samples before the end of the padded input, inside which every window begins.
                    let room = relation.wide as i64 + after + before - (output * relation.stride) as i64;
                    (room as usize).div_ceil(relation.dilation).min(relation.kernel)
                }
                None => taps_inside.len(),
            };
            let weight = 1.0 / count as f64;
            table.push(taps_inside.map(|tap| Tap { index: relation.wide_index(output, tap), weight }), false);
        }
        Ok(table)
    }

    fn taps_per_axis(&self, axis: usize) -> usize {
        let (kernel, dilation) = (self.kernel_size[axis], self.dilation[axis]);
        if span(kernel, dilation) > self.input_size[axis] { kernel.min(self.input_size[axis]) } else { kernel }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::ops::pool::avg_pool::AvgPool1d;
    use crate::ops::pool::avg_pool::AvgPool2d;

    fn run<const R: usize>(pool: &AvgPool<R>, values: &[f32]) -> Vec<f64> {
        let shape = pool.inputs().unwrap().swap_remove(0).shape;
        let input = ArrayD::from_shape_vec(shape, values.to_vec()).unwrap();
        pool.reference(&[input.view()]).unwrap().values.iter().copied().collect()
    }

    #[test]
    fn averages_by_hand() {
        let line = AvgPool1d { input_size: [5], kernel_size: [2], stride: [2], ..Default::default() };
        assert_eq!(run(&line, &[1., 3., 5., 7., 9.]), [2., 6.]);
        // The window that ceil_mode adds holds one sample, whatever counts.
        let ceil = AvgPool1d { ceil_mode: true, ..line.clone() };
        assert_eq!(run(&ceil, &[1., 3., 5., 7., 9.]), [2., 6., 9.]);
        let padding = Padding::Explicit([[1, 1]]);
        let padded = AvgPool1d { padding, ..line.clone() };
        assert_eq!(run(&padded, &[1., 3., 5., 7., 9.]), [0.5, 4., 8.]);
        assert_eq!(run(&AvgPool1d { count_include_pad: false, ..padded.clone() }, &[1., 3., 5., 7., 9.]), [1., 4., 8.]);
        assert_eq!(run(&AvgPool1d { divisor_override: Some(4), ..padded }, &[1., 3., 5., 7., 9.]), [0.25, 2., 4.]);
        let plane = AvgPool2d { divisor_override: Some(8), ..AvgPool2d::from_shape(&[1, 1, 2, 4], [2, 2]).unwrap() };
        assert_eq!(run(&plane, &[1., 2., 3., 4., 5., 6., 7., 8.]), [14. / 8., 22. / 8.]);
    }

    #[test]
    fn bad_numbers_are_refused() {
        let pool = AvgPool1d { input_size: [3], kernel_size: [5], ..Default::default() };
        assert_eq!(pool.output(), Err(Error::KernelTooLarge { axis: 0, span: 5, padded: 3 }));
        let cropped = AvgPool1d { padding: Padding::Explicit([[0, -1]]), ..pool };
        assert!(matches!(cropped.output(), Err(Error::InvalidParameter { value: -1.0, .. })));
        let none = AvgPool1d { divisor_override: Some(0), ..Default::default() };
        assert_eq!(none.output(), Err(Error::ZeroCount { what: "divisor_override" }));
    }
}
