//! How a pooling numbers the samples that it chose.

use crate::error::{Error, Result};
use crate::geometry::{at_most, pad_to_three_axes};

/// How an index of a max pooling numbers the samples of the tensor that was pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexConvention {
    /// Row-major in the plane of its image and channel: `y * W + x`. PyTorch's and Caffe's.
    #[default]
    Plane,
    /// Row-major in the whole tensor: `((n * C + c) * H + y) * W + x`. ONNX's default.
    Onnx,
    /// As [`Self::Onnx`], but column-major in the plane, the first axis fastest: `(n * C + c) * H * W + x * H + y`.
    /// ONNX's `storage_order = 1`.
    OnnxColumnMajor,
    /// Channels last: `(y * W + x) * C + c`. TensorFlow's.
    TensorFlow,
    /// `((n * H + y) * W + x) * C + c`: TensorFlow's `include_batch_in_index`.
    TensorFlowWithBatch,
}

/// An index as a sum: `n * batch + c * channel + place * unit`, with the place in the plane row-major or column-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbering {
    pub(crate) batch: usize,
    pub(crate) channel: usize,
    pub(crate) unit: usize,
    /// What the index grows by from one sample to the next along each of three axes.
    pub(crate) axes: [usize; 3],
    /// Samples of a plane along these axes.
    pub(crate) sizes: [usize; 3],
}

impl IndexConvention {
    /// The convention's word in a problem's text.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plane => "plane_indices",
            Self::Onnx => "onnx_indices",
            Self::OnnxColumnMajor => "onnx_column_major_indices",
            Self::TensorFlow => "tensorflow_indices",
            Self::TensorFlowWithBatch => "tensorflow_batch_indices",
        }
    }

    /// The numbering of a tensor of this shape (N, C, spatial...). Refuses one whose indices pass an `i32`.
    pub(crate) fn numbering(self, shape: &[usize]) -> Result<Numbering> {
        let spatial = shape.get(2..).filter(|spatial| (1..=3).contains(&spatial.len()));
        let rank = Error::Rank { operand: "input", expected: 5, actual: shape.len() };
        let spatial = spatial.ok_or(rank)?;
        let sizes = pad_to_three_axes(1, spatial);
        let [d, h, w] = sizes;
        let plane = sizes.iter().fold(1u128, |n, &size| n.saturating_mul(size as u128));
        let (images, channels) = (shape[0].max(1) as u128, shape[1] as u128);
        let (batch, channel, unit, count) = match self {
            Self::Plane => (0, 0, 1, plane),
            Self::Onnx | Self::OnnxColumnMajor => {
                (plane.saturating_mul(channels), plane, 1, plane.saturating_mul(channels).saturating_mul(images))
            }
            Self::TensorFlow => (0, 1, channels, plane.saturating_mul(channels)),
            Self::TensorFlowWithBatch => {
                let image = plane.saturating_mul(channels);
                (image, 1, channels, image.saturating_mul(images))
            }
        };
        at_most("an index", count, 1 << 31)?;
        let axes = if self == Self::OnnxColumnMajor { [1, d, d * h] } else { [h * w, w, 1] };
        let [batch, channel, unit] = [batch, channel, unit].map(|step| step as usize);
        Ok(Numbering { batch, channel, unit, axes: axes.map(|step| step * unit), sizes })
    }
}

impl Numbering {
    /// The numbering of a pooling without indices.
    pub(crate) const NONE: Self = Self { batch: 0, channel: 0, unit: 1, axes: [0; 3], sizes: [1; 3] };

    /// The index of a sample.
    pub(crate) fn index(&self, [image, channel]: [usize; 2], at: [usize; 3]) -> i64 {
        let place: usize = at.iter().zip(self.axes).map(|(at, step)| at * step).sum();
        (image * self.batch + channel * self.channel + place) as i64
    }

    /// The sample of an index, if it lies in the plane of this image and channel.
    pub(crate) fn place(&self, [image, channel]: [usize; 2], index: i64) -> Option<[usize; 3]> {
        let inside = index.checked_sub((image * self.batch + channel * self.channel) as i64)?;
        let inside = usize::try_from(inside).ok().filter(|inside| inside.is_multiple_of(self.unit))?;
        let [d, h, w] = self.sizes;
        let at = std::array::from_fn(|axis| inside / self.axes[axis] % self.sizes[axis]);
        (inside / self.unit < d * h * w).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_by_hand() {
        let index = |convention: IndexConvention| convention.numbering(&[2, 3, 4, 5]).unwrap().index([1, 2], [0, 3, 1]);
        assert_eq!(index(IndexConvention::Plane), 16);
        assert_eq!(index(IndexConvention::Onnx), 5 * 20 + 16);
        assert_eq!(index(IndexConvention::OnnxColumnMajor), 5 * 20 + 3 + 4);
        let volume = IndexConvention::OnnxColumnMajor.numbering(&[1, 1, 2, 3, 4]).unwrap();
        assert_eq!(volume.index([0, 0], [1, 2, 3]), 1 + 2 * 2 + 3 * 6);
        assert_eq!(index(IndexConvention::TensorFlow), 16 * 3 + 2);
        assert_eq!(index(IndexConvention::TensorFlowWithBatch), 60 + 16 * 3 + 2);
    }

    #[test]
    fn every_index_comes_back_and_no_other() {
        for convention in [
            IndexConvention::Plane,
            IndexConvention::Onnx,
            IndexConvention::OnnxColumnMajor,
            IndexConvention::TensorFlow,
            IndexConvention::TensorFlowWithBatch,
        ] {
            let numbering = convention.numbering(&[2, 3, 2, 4, 5]).unwrap();
            for plane in [[0, 0], [0, 2], [1, 1]] {
                let mut places: Vec<_> =
                    (-300..400).filter_map(|index| Some((numbering.place(plane, index)?, index))).collect();
                assert_eq!(places.len(), 40, "{convention:?}");
                assert!(places.iter().all(|&(at, index)| numbering.index(plane, at) == index), "{convention:?}");
                places.sort();
                places.dedup_by_key(|place| place.0);
                assert_eq!(places.len(), 40, "{convention:?}");
            }
        }
        let large = [4, 4, 1 << 16, 1 << 15];
        assert!(IndexConvention::Plane.numbering(&large).is_ok());
        assert!(matches!(IndexConvention::Onnx.numbering(&large), Err(Error::TooLarge { .. })));
    }
}
