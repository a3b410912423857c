//! Resize-convolution: a convolution of an upsampled image that is never stored; what it is, and its definition on the
//! CPU.

use super::conv::Conv;
use super::runs::for_each_run;
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::{Reference, Sums, UNIT};
use crate::ops::resample::separable;
use crate::ops::resample::upsample::Upsample;
use crate::tensor::element::TensorView;
use crate::tensor::operand::Operand;

/// An upsampling followed by a convolution, without the tensor between them: the layer that replaces a transposed
/// convolution to avoid a checkerboard.
///
/// Tensors: `input` (N, Cin, spatial...) of the upsampling's input size, `weight` (Cout, Cin/groups, kernel...), `bias`
/// (Cout) if there is one; output (N, Cout, spatial...) of the convolution's output size.
///
/// ```
/// use upconv::{Conv2d, Op, ResizeConv2d, Upsample2d};
/// let upsample = Upsample2d { channels: 8, input_size: [16, 16], output_size: [32, 32], ..Default::default() };
/// let base = Conv2d { in_channels: 8, out_channels: 3, input_size: [32, 32], ..Default::default() };
/// let conv = Conv2d { kernel_size: [3, 3], padding: [1, 1].into(), ..base };
/// assert_eq!(ResizeConv2d { upsample, conv }.output()?.shape, [1, 3, 32, 32]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResizeConv<const R: usize> {
    /// The upsampling, of any mode: nearest and linear are the usual ones.
    pub upsample: Upsample<R>,
    /// The convolution. Its batch, input channels and input size are those of the upsampling's output.
    pub conv: Conv<R>,
}

/// Resize-convolution over one spatial axis.
pub type ResizeConv1d = ResizeConv<1>;
/// Resize-convolution over two spatial axes.
pub type ResizeConv2d = ResizeConv<2>;
/// Resize-convolution over three spatial axes.
pub type ResizeConv3d = ResizeConv<3>;

impl<const R: usize> ResizeConv<R> {
    /// The convolution's canonical form. Refuses an upsampling whose output is not the convolution's input
    /// ([`Error::Shape`]).
    pub fn geometry(&self) -> Result<Geometry<R>> {
        let (between, expected) = (self.upsample.output()?.shape, self.conv.inputs()?.swap_remove(0).shape);
        if between != expected {
            return Err(Error::Shape { operand: "upsampled input", expected, actual: between });
        }
        self.conv.geometry()
    }
}

impl<const R: usize> Op for ResizeConv<R> {
    const NAME: &'static str = "resize_conv";

    fn inputs(&self) -> Result<Vec<Operand>> {
        self.geometry()?;
        let mut inputs = self.conv.inputs()?;
        inputs[0] = self.upsample.inputs()?.swap_remove(0);
        Ok(inputs)
    }

    fn output(&self) -> Result<Operand> {
        self.geometry()?;
        self.conv.output()
    }

    fn problem(&self) -> String {
        ProblemText::new(Self::NAME).word(self.upsample.problem()).word(self.conv.problem()).finish()
    }

    /// The convolution's products; the upsampling's are not counted.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(self.geometry()?.multiply_adds())
    }

    /// One op after the other, whereas the shader computes an upsampled sample anew for each tap that reads it.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let geometry = self.geometry()?;
        let upsampled = separable::forward(&self.upsample, &inputs[0])?;
        let weight = inputs[1].widen();
        let shape = geometry.narrow_shape();
        let sum = |samples: Vec<f64>, weight: &[f64], bias: Option<Vec<f64>>| {
            let mut sums = Sums::zeros(&shape, inputs)?;
            for_each_run(&geometry, |run| {
                for i in 0..run.len {
                    sums.add(run.narrow + i, samples[run.wide + i * run.step], weight[run.weight]);
                }
            });
            if let Some(bias) = bias {
                sums.add_bias(&bias, shape[2..].iter().product());
            }
            Ok(sums)
        };
        let bias = inputs.get(2).map(TensorView::widen);
        let taps = geometry.wide_per_group() * self.conv.kernel_size.iter().product::<usize>();
        let roundings = upsampled.roundings + taps + 2 + usize::from(self.conv.bias);
        let values =
            sum(upsampled.values.iter().copied().collect(), &weight, bias.clone())?.into_reference(&shape, roundings);
        // The same sum of absolute values: an error of an upsampled sample counts with the weight that multiplies it.
        let sizes: Vec<f64> = weight.iter().map(|weight| weight.abs()).collect();
        let bias = bias.map(|bias| bias.iter().map(|bias| bias.abs()).collect());
        // Upsampled samples that are subnormal may be flushed to 0, too.
        let smallest = f64::from(f32::MIN_POSITIVE) / UNIT;
        let magnitudes = upsampled.magnitudes.iter().map(|magnitude| magnitude + smallest).collect();
        let magnitudes = sum(magnitudes, &sizes, bias)?.into_reference(&shape, roundings);
        Ok(self.conv.activation.apply_to(Reference { magnitudes: magnitudes.magnitudes, ..values }))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::ops::conv::resize_conv::ResizeConv2d;
    use crate::ops::resample::frameworks::PytorchInterpolate;
    use crate::ops::resample::upsample::Upsample2d;

    #[test]
    fn it_is_one_op_after_the_other() {
        let base = Upsample2d { channels: 2, input_size: [3, 4], output_size: [6, 7], ..Default::default() };
        let upsample = Upsample2d::pytorch(base, PytorchInterpolate::Linear { align_corners: false }).unwrap();
        let conv = Conv {
            in_channels: 2,
            out_channels: 3,
            input_size: [6, 7],
            kernel_size: [3, 2],
            stride: [1, 2],
            padding: [1, 1].into(),
            bias: true,
            ..Default::default()
        };
        let tensor = |shape: &[usize], step: usize| {
            let count = shape.iter().product();
            ArrayD::from_shape_vec(shape, (0..count).map(|at| (at * step % 11) as f32 - 5.0).collect()).unwrap()
        };
        let (x, w, b) = (tensor(&[1, 2, 3, 4], 7), tensor(&[3, 2, 3, 2], 3), tensor(&[3], 2));
        let between = upsample.reference(&[x.view()]).unwrap().to_f32();
        let apart = conv.reference(&[between.view(), w.view(), b.view()]).unwrap().values;
        let op = ResizeConv2d { upsample, conv };
        let together = op.reference(&[x.view(), w.view(), b.view()]).unwrap().values;
        assert!(apart.iter().zip(&together).all(|(a, b)| (a - b).abs() < 1e-5));
        let wrong = ResizeConv2d { conv: Conv { input_size: [6, 6], ..op.conv }, ..op };
        assert!(matches!(wrong.output(), Err(Error::Shape { operand: "upsampled input", .. })));
    }
}
