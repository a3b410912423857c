//! Why a transposed convolution draws a checkerboard, in numbers: the taps and weights that each phase of its output
//! sums.

use std::fmt;

use ndarray::{ArrayD, ArrayView, Dimension, IxDyn};

use super::conv_transpose::ConvTranspose;
use crate::error::Result;
use crate::geometry::gcd;
use crate::tensor::allocate::zeros;
use crate::tensor::operand::{Operand, Role, check_shape};

/// The taps and weights that each phase of a transposed convolution's output sums.
///
/// Here, outputs whose indices have the same remainder by the stride are one phase: away from the border, they sum the
/// same taps of the kernel. If phases sum different numbers of taps, or weights of different sums, a constant input
/// gives an uneven output.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Checkerboard {
    /// The number of taps that an output of each phase sums, for one input channel. Shape (stride...).
    pub taps: ArrayD<usize>,
    /// Σ of the weights that an output of each phase sums, over taps and input channels: the output's value on an input
    /// of ones. Shape (Cout, stride...).
    pub weight_sums: ArrayD<f64>,
    /// The largest difference between the weight sums of two phases of one output channel, relative to the largest
    /// absolute value of that channel's sums: 0 for an even layer, 1 if some phase has no taps, 2 if two phases are
    /// opposite.
    pub ripple: f64,
    /// Changes that would reduce the ripple; empty if the ripple is below 10⁻⁶.
    pub advice: Vec<String>,
}

/// Ripples below this are due to rounding.
const EVEN: f64 = 1e-6;

impl<const R: usize> ConvTranspose<R> {
    /// The report for this layer with this weight, (Cin, Cout/groups, kernel...). Refuses another shape
    /// ([`Error::Shape`](crate::Error::Shape)).
    ///
    /// ```
    /// use upconv::{ConvTranspose2d, ndarray::Array4};
    /// let layer = ConvTranspose2d { input_size: [8, 8], kernel_size: [3, 3], stride: [2, 2], ..Default::default() };
    /// let report = layer.checkerboard(Array4::ones((1, 1, 3, 3)).view())?;
    /// assert_eq!(report.taps.iter().copied().collect::<Vec<_>>(), [4, 2, 2, 1]);
    /// assert_eq!(report.ripple, 0.75);
    /// println!("{report}");
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn checkerboard<D: Dimension>(&self, weight: ArrayView<f32, D>) -> Result<Checkerboard> {
        let geometry = self.geometry()?;
        check_shape(Operand::weight(Role::Weight, geometry.weight_shape()), weight.shape())?;
        let pads = self.pads()?;
        let phases: usize = self.stride.iter().fold(1, |n, &stride| n.saturating_mul(stride));
        let per_group = geometry.wide_per_group();
        let shape: Vec<usize> = [self.out_channels].into_iter().chain(self.stride).collect();
        let count = self.out_channels.saturating_mul(phases);
        let (mut taps, mut sums) = (zeros("the report", phases)?, zeros::<f64>("the report", count)?);
        for (index, &value) in weight.into_dyn().indexed_iter() {
            // A tap takes part in the outputs q = tap * dilation - pad (mod stride), which are one phase.
            let phase = (0..R).fold(0, |phase, axis| {
                let wide = (index[axis + 2] * self.dilation[axis]) as i64 - pads[axis][0];
                phase * self.stride[axis] + wide.rem_euclid(self.stride[axis] as i64) as usize
            });
            let channel = index[0] / geometry.narrow_per_group() * per_group + index[1];
            sums[channel * phases + phase] += f64::from(value);
            taps[phase] += usize::from(index[0] == 0 && index[1] == 0);
        }
        let ripple = sums.chunks(phases).map(ripple).fold(0.0, f64::max);
        let advice = if ripple < EVEN { Vec::new() } else { self.advice(&taps) };
        Ok(Checkerboard {
            taps: ArrayD::from_shape_vec(IxDyn(&self.stride), taps).expect("a count for each phase"),
            weight_sums: ArrayD::from_shape_vec(IxDyn(&shape), sums).expect("a sum for each channel and phase"),
            ripple,
            advice,
        })
    }

    fn advice(&self, taps: &[usize]) -> Vec<String> {
        let mut advice = Vec::new();
        for axis in 0..R {
            let (kernel, stride) = (self.kernel_size[axis], self.stride[axis]);
            let shared = gcd(stride, self.dilation[axis]);
            if shared > 1 {
                let dilation = self.dilation[axis];
                advice.push(format!(
                    "axis {axis}: dilation {dilation} and stride {stride} share the factor {shared}; most \
                     phases meet no tap"
                ));
            } else if kernel % stride != 0 {
                let larger = kernel.next_multiple_of(stride);
                advice.push(format!("axis {axis}: kernel {kernel} is no multiple of stride {stride}; take {larger}"));
            }
        }
        if taps.iter().all(|&count| count == taps[0]) {
            advice
                .push("every phase meets as many taps: start from `bilinear_filler`, or upsample and convolve".into());
        }
        advice
    }
}

/// The largest difference of two sums, relative to the largest absolute value of a sum.
fn ripple(sums: &[f64]) -> f64 {
    let (low, high) = sums.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &sum| (l.min(sum), h.max(sum)));
    let size = low.abs().max(high.abs());
    if size == 0.0 { 0.0 } else { (high - low) / size }
}

impl fmt::Display for Checkerboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "ripple {:.1} %", 100.0 * self.ripple)?;
        writeln!(f, "taps per phase {:?}", self.taps.iter().collect::<Vec<_>>())?;
        self.advice.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conv::conv_transpose::ConvTranspose1d;
    use crate::ops::conv::conv_transpose::ConvTranspose2d;
    use crate::ops::op::Op;

    /// A constant input gives the sums that the report predicts, phase by phase, away from the border.
    #[test]
    fn the_report_is_what_a_flat_input_shows() {
        for (kernel, stride, dilation, pad, groups) in
            [(3, 2, 1, 0, 1), (4, 2, 1, 1, 2), (5, 3, 2, 2, 1), (2, 3, 1, -1, 1), (3, 4, 2, 1, 2)]
        {
            let up = ConvTranspose1d {
                in_channels: 4,
                out_channels: 6,
                groups,
                input_size: [24],
                kernel_size: [kernel],
                stride: [stride],
                dilation: [dilation],
                padding: [[pad, pad]].into(),
                ..Default::default()
            };
            let shape = up.geometry().unwrap().weight_shape();
            let weight = ArrayD::from_shape_fn(IxDyn(&shape), |at| (at[0] * 7 + at[1] * 3 + at[2] * 5) as f32 - 9.0);
            let report = up.checkerboard(weight.view()).unwrap();
            let flat = ArrayD::ones(IxDyn(&[1, 4, 24]));
            let output = up.reference(&[flat.view(), weight.view()]).unwrap().values;
            for channel in 0..6 {
                for q in 12 * stride..14 * stride {
                    assert_eq!(output[[0, channel, q]], report.weight_sums[[channel, q % stride]], "{up:?} {q}");
                }
            }
        }
    }

    #[test]
    fn even_layers_have_no_ripple_and_no_advice() {
        let bilinear = ConvTranspose2d::caffe_bilinear(
            ConvTranspose2d { batch: 1, in_channels: 3, input_size: [5, 5], ..Default::default() },
            3,
        )
        .unwrap();
        let report = bilinear.checkerboard(bilinear.bilinear_filler().unwrap().view()).unwrap();
        assert!(report.ripple < EVEN && report.advice.is_empty(), "{report}");
        assert_eq!(report.taps.iter().max(), Some(&4));
    }

    #[test]
    fn advice_names_the_cause() {
        let advice = |kernel, stride, dilation| {
            let up = ConvTranspose1d {
                input_size: [9],
                kernel_size: [kernel],
                stride: [stride],
                dilation: [dilation],
                ..Default::default()
            };
            let weight = ArrayD::from_shape_fn(IxDyn(&[1, 1, kernel]), |at| at[2] as f32 + 1.0);
            up.checkerboard(weight.view()).unwrap().advice.concat()
        };
        assert!(advice(3, 2, 1).contains("kernel 3 is no multiple of stride 2; take 4"));
        assert!(advice(4, 2, 2).contains("share the factor 2"));
        assert!(advice(4, 2, 1).contains("bilinear_filler"));
    }
}
