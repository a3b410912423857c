//! Upsampling (resizing, up or down): what it is, its coordinate conventions, and its definition on the CPU.

use super::coordinates::Coordinates;
use super::filters::{Filter, covered, keys, onnx_window, touched, window};
use super::mode::{Border, Rounding, UpsampleMode};
use super::ratio::Ratio;
use super::scale::Scale;
use super::separable::{self, Separable, SeparableGrad};
use super::tap_table::{Tap, TapTable};
use crate::error::Result;
use crate::geometry::{MAX_COORDINATE, at_most, check_elements, check_fields, check_sizes};
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::Reference;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Largest number of samples in a window that repeats the edge, which the input's size does not bound. A scale of about
/// a millionth reaches it.
const MAX_WINDOW: u128 = 1 << 22;

/// Steps between two samples of [`UpsampleMode::CubicTable`].
const CUBIC_STEPS: f64 = 1024.0;

/// Upsampling over `R` spatial axes to any size, up or down.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, spatial...). The default mode is PyTorch's `nearest`.
///
/// ```
/// use upconv::{PytorchInterpolate, Op, Upsample2d};
/// let base = Upsample2d { channels: 3, input_size: [270, 480], output_size: [1080, 1920], ..Default::default() };
/// let up = Upsample2d::pytorch(base, PytorchInterpolate::Linear { align_corners: false })?;
/// assert_eq!(up.output()?.shape, [1, 3, 1080, 1920]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Upsample<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// Spatial size of the output, in samples; 0 is legal for [`UpsampleMode::AdaptiveArea`], as in PyTorch's adaptive
    /// poolings, which then have no gradient.
    pub output_size: [usize; R],
    /// How an output sample is made.
    pub mode: UpsampleMode,
    /// Where an output sample lies in the input.
    pub coordinates: Coordinates<R>,
    /// Output samples per input sample on each axis, if the sizes followed from scales that the caller gave; `None`
    /// stands for `output_size / input_size`.
    pub scales: Option<[Scale; R]>,
    /// What [`Coordinates::TfCropAndResize`] puts where the coordinate lies outside the input.
    pub extrapolation_value: f32,
}

/// Upsampling of one spatial axis.
pub type Upsample1d = Upsample<1>;
/// Upsampling of two spatial axes.
pub type Upsample2d = Upsample<2>;
/// Upsampling of three spatial axes.
pub type Upsample3d = Upsample<3>;
/// The gradient of an upsampling of one spatial axis.
pub type UpsampleGrad1d = SeparableGrad<Upsample<1>>;
/// The gradient of an upsampling of two spatial axes.
pub type UpsampleGrad2d = SeparableGrad<Upsample<2>>;
/// The gradient of an upsampling of three spatial axes.
pub type UpsampleGrad3d = SeparableGrad<Upsample<3>>;

impl<const R: usize> Default for Upsample<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            channels: 1,
            input_size: [1; R],
            output_size: [1; R],
            mode: UpsampleMode::Nearest(Rounding::Floor),
            coordinates: Coordinates::Asymmetric,
            scales: None,
            extrapolation_value: 0.0,
        }
    }
}

impl<const R: usize> Upsample<R> {
    /// PyTorch's `nearest` for an `input` of shape (N, C, spatial...). Refuses another number of axes
    /// ([`Error::Rank`](crate::Error::Rank)).
    pub fn from_shape(input: &[usize], output_size: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, output_size, ..Default::default() })
    }

    /// The gradient with respect to the input.
    ///
    /// ```
    /// use upconv::{Op, Upsample2d};
    /// let up = Upsample2d { input_size: [4, 4], output_size: [8, 8], ..Default::default() };
    /// assert_eq!(up.grad_input().output()?.shape, [1, 1, 4, 4]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn grad_input(&self) -> SeparableGrad<Self> {
        SeparableGrad { forward: self.clone() }
    }

    /// Input samples that an output of [`UpsampleMode::Area`] covers, as a numerator and a denominator.
    fn covers(&self, axis: usize) -> (usize, usize) {
        let (input, output) = (self.input_size[axis], self.output_size[axis]);
        match self.coordinates {
            Coordinates::AlignCorners if input > 1 && output > 1 => (input - 1, output - 1),
            _ => (input, output),
        }
    }

    /// F of an axis: of a scale that was given, the fraction that [`Scale`] promises for the mode.
    fn scale(&self, axis: usize) -> Result<Ratio> {
        match self.scales {
            Some(scales) if self.is_copy() => scales[axis].simplest(),
            Some(scales) => scales[axis].exact(),
            None => Ok(Ratio::new(self.output_size[axis] as i128, self.input_size[axis] as i128)),
        }
    }

    pub(crate) fn checked(self) -> Result<Self> {
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        check_fields(&[("input_size", self.input_size, MAX_COORDINATE)])?;
        if self.mode == UpsampleMode::AdaptiveArea {
            check_sizes("output_size", &self.output_size)?;
        } else {
            check_fields(&[("output_size", self.output_size, MAX_COORDINATE)])?;
        }
        at_most("channels", self.channels as u128, MAX_COORDINATE as u128)?;
        match self.mode {
            UpsampleMode::Cubic { a, .. } | UpsampleMode::CubicTable { a, .. } => Filter::Cubic { a }.check()?,
            UpsampleMode::Filtered { filter, .. } | UpsampleMode::OnnxAntialias { filter, .. } => filter.check()?,
            _ => {}
        }
        for axis in 0..R {
            self.scale(axis)?;
            self.coordinates.check(axis)?;
            if matches!(
                self.mode,
                UpsampleMode::OnnxAntialias { .. } | UpsampleMode::Filtered { border: Border::Repeat, .. }
            ) {
                at_most("the samples of a window", self.taps_per_axis(axis) as u128, MAX_WINDOW)?;
            }
        }
        [self.input_size, self.output_size].iter().try_for_each(|size| check_elements(&self.shape(size)))
    }

    fn shape(&self, size: &[usize; R]) -> Vec<usize> {
        [&[self.batch, self.channels], &size[..]].concat()
    }
}

fn nearest(x: Ratio, rounding: Rounding, input: usize) -> Tap {
    let index = match rounding {
        Rounding::Floor => x.floor(),
        Rounding::Ceil => x.ceil(),
        Rounding::PreferFloor => x.minus_half().ceil(),
        Rounding::PreferCeil => x.plus_half().floor(),
    };
    Tap { index: clamp(index, input), weight: 1.0 }
}

/// The coordinate is clamped into the input first, as PyTorch does: past the border, the result is the edge sample
/// alone.
fn linear(x: Ratio, input: usize) -> [Tap; 2] {
    let x = x.clamp(0, input as i128 - 1);
    let (low, t) = (x.floor(), x.fraction());
    [Tap { index: clamp(low, input), weight: 1.0 - t }, Tap { index: clamp(low + 1, input), weight: t }]
}

/// Keys' cubic, `t` after the sample `low`. The coordinate is not clamped; the four indices are.
fn cubic(low: i128, t: f64, a: f64, exclude_outside: bool, input: usize) -> [Tap; 4] {
    let mut weights = [1.0 + t, t, 1.0 - t, 2.0 - t].map(|distance| keys(a, distance));
    let indices: [i128; 4] = std::array::from_fn(|i| low - 1 + i as i128);
    if exclude_outside {
        let kept: [f64; 4] =
            std::array::from_fn(|i| if (0..input as i128).contains(&indices[i]) { weights[i] } else { 0.0 });
        let total: f64 = kept.iter().sum();
        // If the coordinate is so far out that no sample is left, the edge is repeated after all.
        if total != 0.0 {
            weights = kept.map(|weight| weight / total);
        }
    }
    std::array::from_fn(|i| Tap { index: clamp(indices[i], input), weight: weights[i] })
}

fn clamp(index: i128, input: usize) -> usize {
    index.clamp(0, input as i128 - 1) as usize
}

impl<const R: usize> Op for Upsample<R> {
    const NAME: &'static str = "upsample";

    fn inputs(&self) -> Result<Vec<Operand>> {
        self.check()?;
        Ok(vec![Operand::new(Role::Input, self.shape(&self.input_size))])
    }

    fn output(&self) -> Result<Operand> {
        self.check()?;
        Ok(Operand::new(Role::Output, self.shape(&self.output_size)))
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("c", self.channels, 1)
            .sizes("i", &self.input_size)
            .sizes("o", &self.output_size)
            .word(self.mode)
            .word(self.coordinates);
        let scales = |scales: [Scale; R]| format!("scales({})", scales.map(|scale| scale.to_string()).join(","));
        let text = if let Some(given) = self.scales { text.word(scales(given)) } else { text };
        let outside = matches!(self.coordinates, Coordinates::TfCropAndResize { .. });
        if outside { text.word(format_args!("outside({})", self.extrapolation_value)).finish() } else { text.finish() }
    }

    /// 0 for a copy; otherwise, every output counts as many products as the output with the most samples.
    fn multiply_adds(&self) -> Result<u128> {
        separable::multiply_adds(self)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        separable::forward(self, &inputs[0])
    }
}

impl<const R: usize> Separable for Upsample<R> {
    const GRAD_NAME: &'static str = "upsample_grad";

    fn taps(&self, axis: usize) -> Result<TapTable> {
        self.check()?;
        let (input, output) = (self.input_size[axis], self.output_size[axis]);
        let scale = self.scale(axis)?;
        let mut table = TapTable::with_capacity(output, self.taps_per_axis(axis))?;
        let crop = matches!(self.coordinates, Coordinates::TfCropAndResize { .. });
        for q in 0..output {
            let x = self.coordinates.locate(axis, q, input, output, scale);
            let outside = crop && x.is_outside(input);
            match self.mode {
                UpsampleMode::Nearest(rounding) => table.push([nearest(x, rounding, input)], outside),
                UpsampleMode::Linear => table.push(linear(x, input), outside),
                UpsampleMode::Cubic { a, exclude_outside } => {
                    table.push(cubic(x.floor(), x.fraction(), a, exclude_outside, input), outside);
                }
                UpsampleMode::CubicTable { a, exclude_outside } => {
                    let t = (x.fraction() * CUBIC_STEPS).round_ties_even() / CUBIC_STEPS;
                    table.push(cubic(x.floor(), t, a, exclude_outside, input), outside);
                }
                UpsampleMode::Filtered { filter, antialias, border: Border::Renormalise } => {
                    let step = self.coordinates.step(input, output, scale);
                    // A box has Pillow's centre, whose rounding decides which samples lie in it.
                    let centre = match (filter, self.coordinates) {
                        (Filter::Box, Coordinates::HalfPixel) => (q as f64 + 0.5) * step,
                        _ => self.coordinates.centre(q, x, step),
                    };
                    let stretch = if antialias { step.max(1.0) } else { 1.0 };
                    table.push(window(filter, centre, stretch, input), outside);
                }
                UpsampleMode::Filtered { filter, antialias, border: Border::Repeat } => {
                    let shrink = if antialias { scale.at_most_1() } else { Ratio::new(1, 1) };
                    let taps = onnx_window(filter, x, shrink, false, input);
                    table.push(taps, outside);
                }
                UpsampleMode::OnnxAntialias { filter, exclude_outside } => {
                    let taps = onnx_window(filter, x, scale.at_most_1(), exclude_outside, input);
                    table.push(taps, outside);
                }
                UpsampleMode::Area => table.push(covered(q, self.covers(axis), input), false),
                UpsampleMode::AdaptiveArea => table.push(touched(q, input, output), false),
            }
        }
        Ok(table)
    }

    fn taps_per_axis(&self, axis: usize) -> usize {
        let (input, output) = (self.input_size[axis], self.output_size[axis]);
        match self.mode {
            UpsampleMode::Nearest(_) => 1,
            UpsampleMode::Linear => 2,
            UpsampleMode::Cubic { .. } | UpsampleMode::CubicTable { .. } => 4,
            UpsampleMode::Filtered { filter, antialias: false, border: Border::Repeat } => {
                2 * filter.radius().ceil() as usize
            }
            UpsampleMode::Filtered { filter, antialias, border: Border::Renormalise } => {
                let step = self.scale(axis).map_or(1.0, |scale| self.coordinates.step(input, output, scale));
                let stretch = if antialias { step.max(1.0) } else { 1.0 };
                ((2.0 * filter.radius() * stretch).ceil() as usize + 1).min(input)
            }
            UpsampleMode::OnnxAntialias { filter, .. }
            | UpsampleMode::Filtered { filter, antialias: true, border: Border::Repeat } => {
                let stretch = self.scale(axis).map_or(1.0, |scale| 1.0 / scale.at_most_1().to_f64());
                2 * (filter.radius().ceil() * stretch).ceil() as usize
            }
            UpsampleMode::Area => {
                let (samples, outputs) = self.covers(axis);
                (samples.div_ceil(outputs.max(1)) + 1).min(input)
            }
            UpsampleMode::AdaptiveArea => (input.div_ceil(output.max(1)) + 1).min(input),
        }
    }

    fn extrapolation(&self) -> f32 {
        self.extrapolation_value
    }

    fn is_copy(&self) -> bool {
        matches!(self.mode, UpsampleMode::Nearest(_))
    }
}

#[cfg(test)]
mod tests;
