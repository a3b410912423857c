//! What the poolings share: the windows' sizes and places.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::geometry::{
    Axis, MAX_COORDINATE, Padding, Pads, at_most, check_elements, check_layer, conv_size, pad_to_three_axes, span,
};

/// The numbers of a pooling, checked and resolved to axes.
pub(crate) struct Windows<const R: usize> {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) axes: [Axis; R],
    /// Padding before and after each axis.
    pub(crate) pads: Pads<R>,
}

/// The fields of a pooling's descriptor, from which [`Windows::new`] makes the windows.
pub(crate) struct Sizes<const R: usize> {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) input_size: [usize; R],
    pub(crate) kernel_size: [usize; R],
    pub(crate) stride: [usize; R],
    pub(crate) dilation: [usize; R],
    pub(crate) padding: Padding<R>,
    pub(crate) ceil_mode: bool,
}

impl<const R: usize> Windows<R> {
    pub(crate) fn new(sizes: &Sizes<R>) -> Result<Self> {
        check_layer(sizes.input_size, sizes.kernel_size, sizes.stride, sizes.dilation)?;
        at_most("channels", sizes.channels as u128, MAX_COORDINATE as u128)?;
        let (mut axes, mut pads) = ([Axis::UNIT; R], [[0; 2]; R]);
        for i in 0..R {
            pads[i] = sizes.pads(i)?;
            axes[i] = sizes.axis(i, pads[i])?;
        }
        let windows = Self { batch: sizes.batch, channels: sizes.channels, axes, pads };
        check_elements(&windows.input_shape())?;
        check_elements(&windows.output_shape())?;
        Ok(windows)
    }

    pub(crate) fn input_shape(&self) -> Vec<usize> {
        [self.batch, self.channels].into_iter().chain(self.axes.iter().map(|axis| axis.wide)).collect()
    }

    pub(crate) fn output_shape(&self) -> Vec<usize> {
        [self.batch, self.channels].into_iter().chain(self.axes.iter().map(|axis| axis.narrow)).collect()
    }

    /// Three axes, as the shaders and references loop over them: before the problem's own, [`Axis::UNIT`] for each that
    /// it lacks.
    pub(crate) fn axes3(&self) -> [Axis; 3] {
        pad_to_three_axes(Axis::UNIT, &self.axes)
    }
}

impl<const R: usize> Sizes<R> {
    fn pads(&self, i: usize) -> Result<[i64; 2]> {
        let span = span(self.kernel_size[i], self.dilation[i]);
        let pads = self.padding.on_axis(i, self.input_size[i], span, self.stride[i])?;
        match pads.into_iter().find(|&pad| pad < 0) {
            Some(pad) => {
                Err(Error::InvalidParameter { what: "a pooling's padding", value: pad as f64, must: "at least 0" })
            }
            None => Ok(pads),
        }
    }

    fn axis(&self, axis: usize, pads: [i64; 2]) -> Result<Axis> {
        let (wide, kernel) = (self.input_size[axis], self.kernel_size[axis]);
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let span = span(kernel, dilation);
        let padded = wide as i128 + i128::from(pads[0]) + i128::from(pads[1]);
        let mut size = conv_size(wide, pads, span, stride);
        if self.ceil_mode && (padded - span as i128).rem_euclid(stride as i128) != 0 {
            // One window more, unless it would start in the padding after the input.
            let starts = size * stride as i128;
            size += i128::from(starts < wide as i128 + i128::from(pads[0]));
        }
        if size < 1 {
            return Err(Error::KernelTooLarge { axis, span, padded });
        }
        at_most("the output size", size as u128, MAX_COORDINATE as u128)?;
        let axis = Axis { wide, narrow: size as usize, kernel, stride, dilation, pad: pads[0] }.with_short_steps()?;
        axis.check()?;
        Ok(axis)
    }
}

impl Axis {
    /// The number of a window without an input sample, if there is one. Windows wholly inside the input are skipped.
    pub(crate) fn empty_window(&self) -> Option<usize> {
        let before = usize::try_from(self.pad).unwrap_or(0).div_ceil(self.stride).min(self.narrow);
        let room = self.wide as i64 + self.pad - self.span() as i64;
        let inside = if room < 0 { 0 } else { room as usize / self.stride + 1 };
        (0..before).chain(inside.clamp(before, self.narrow)..self.narrow).find(|&output| taps(self, output).is_empty())
    }
}

/// The taps of a window that fall on an input sample.
pub(crate) fn taps(axis: &Axis, output: usize) -> Range<usize> {
    let first = (output * axis.stride) as i64 - axis.pad;
    let dilation = axis.dilation as i64;
    let start = (-first).max(0).div_euclid(dilation) + i64::from((-first).max(0) % dilation != 0);
    let end = (axis.wide as i64 - 1 - first).div_euclid(dilation) + 1;
    let [start, end] = [start, end].map(|tap| tap.clamp(0, axis.kernel as i64) as usize);
    start..end.max(start)
}

/// A sample of the input: image and channel, coordinates, and its place in a row-major tensor.
pub(crate) struct Place {
    pub(crate) plane: [usize; 2],
    pub(crate) at: [usize; 3],
    pub(crate) flat: usize,
}

/// Visits the samples of every window, in row-major order, with the output's place in a row-major tensor.
pub(crate) fn for_each_sample<const R: usize>(windows: &Windows<R>, mut visit: impl FnMut(usize, Place)) {
    let axes = windows.axes3();
    let sizes = axes.map(|axis| axis.wide);
    let outputs = axes.map(|axis| axis.narrow);
    for (output, at) in
        ndarray::indices([windows.batch, windows.channels, outputs[0], outputs[1], outputs[2]]).into_iter().enumerate()
    {
        let [n, c, window @ ..]: [usize; 5] = [at.0, at.1, at.2, at.3, at.4];
        let [d, h, w]: [Vec<usize>; 3] =
            std::array::from_fn(|i| taps(&axes[i], window[i]).map(|tap| axes[i].wide_index(window[i], tap)).collect());
        for &d in &d {
            for &h in &h {
                for &w in &w {
                    let flat = (((n * windows.channels + c) * sizes[0] + d) * sizes[1] + h) * sizes[2] + w;
                    visit(output, Place { plane: [n, c], at: [d, h, w], flat });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(wide: usize, kernel: usize, stride: usize, padding: [i64; 2], ceil_mode: bool) -> usize {
        let sizes = Sizes {
            batch: 1,
            channels: 1,
            input_size: [wide],
            kernel_size: [kernel],
            stride: [stride],
            dilation: [1],
            padding: Padding::Explicit([padding]),
            ceil_mode,
        };
        Windows::new(&sizes).unwrap().axes[0].narrow
    }

    #[test]
    fn sizes_by_hand() {
        assert_eq!([size(7, 2, 2, [0, 0], false), size(7, 2, 2, [0, 0], true)], [3, 4]);
        // A last window that would start in the padding is dropped.
        assert_eq!(size(4, 2, 2, [1, 1], true), 3);
        assert_eq!(size(3, 1, 2, [0, 1], true), 2);
        assert_eq!(size(2, 1, 3, [0, 1], true), 1);
        assert_eq!(size(6, 3, 4, [1, 1], true), 3 - 1);
    }

    /// A pooling's stride is its window's size unless it is given, also where there is one window.
    #[test]
    fn one_window_has_any_stride() {
        assert_eq!([size(70_000, 70_000, 70_000, [0, 0], false), size(5, 2, 70_000, [1, 1], true)], [1, 1]);
        let sizes = |input| Sizes {
            batch: 2,
            channels: 0,
            input_size: [input],
            kernel_size: [70_000],
            stride: [70_000],
            dilation: [1],
            padding: Padding::Valid,
            ceil_mode: false,
        };
        assert_eq!(Windows::new(&sizes(70_000)).unwrap().output_shape(), [2, 0, 1]);
        let refused = Windows::new(&sizes(140_000)).err();
        assert_eq!(refused, Some(Error::TooLarge { what: "stride", value: 70_000, limit: 65_535 }));
    }

    #[test]
    fn empty_windows_are_found() {
        for (wide, kernel, stride, dilation, pad) in
            [(5, 3, 2, 1, 1), (4, 2, 1, 5, 3), (2, 2, 4, 5, 3), (3, 5, 2, 2, 4), (1, 2, 1, 3, 2), (6, 1, 1, 1, 2)]
        {
            let axis = Axis { wide, narrow: 6, kernel, stride, dilation, pad };
            let brute = (0..6).find(|&output| taps(&axis, output).is_empty());
            assert_eq!(axis.empty_window().is_some(), brute.is_some(), "{axis:?}");
        }
    }

    #[test]
    fn taps_are_those_that_meet_a_sample() {
        for (wide, kernel, stride, dilation, pad) in
            [(5, 3, 2, 1, 1), (4, 3, 1, 3, 2), (9, 2, 4, 5, 2), (3, 5, 2, 2, 4)]
        {
            for output in 0..4 {
                let axis = Axis { wide, narrow: 4, kernel, stride, dilation, pad };
                let meets = |tap: &usize| (0..wide as i64).contains(&((output * stride + tap * dilation) as i64 - pad));
                assert!(taps(&axis, output).eq((0..kernel).filter(meets)), "{axis:?} {output}");
            }
        }
    }
}
