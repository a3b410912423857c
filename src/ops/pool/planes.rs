//! What the global poolings share: planes that are pooled whole.

use crate::error::Result;
use crate::geometry::{MAX_COORDINATE, at_most, check_elements, check_fields, pad_to_three_axes};
use crate::ops::problem::ProblemText;

/// The planes of a tensor (N, C, spatial...), checked.
pub(crate) struct Planes<const R: usize> {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    pub(crate) size: [usize; R],
}

impl<const R: usize> Planes<R> {
    /// Refuses planes without a sample, and sizes past a limit.
    pub(crate) fn new(batch: usize, channels: usize, size: [usize; R]) -> Result<Self> {
        check_fields(&[("input_size", size, MAX_COORDINATE)])?;
        at_most("channels", channels as u128, MAX_COORDINATE as u128)?;
        let planes = Self { batch, channels, size };
        check_elements(&planes.input_shape())?;
        Ok(planes)
    }

    pub(crate) fn input_shape(&self) -> Vec<usize> {
        [&[self.batch, self.channels], &self.size[..]].concat()
    }

    pub(crate) fn output_shape(&self) -> Vec<usize> {
        [&[self.batch, self.channels], &[1; R][..]].concat()
    }

    /// Samples of a plane.
    pub(crate) fn samples(&self) -> usize {
        self.size.iter().product()
    }

    /// Samples of a plane along each of three axes.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        pad_to_three_axes(1, &self.size)
    }
}

/// The text of a global pooling's problem up to its words.
pub(crate) fn text_of_planes(name: &str, batch: usize, channels: usize, size: &[usize]) -> ProblemText {
    ProblemText::new(name).count("n", batch, 1).count("c", channels, 1).sizes("i", size)
}
