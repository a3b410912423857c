//! Pixel shuffle (sub-pixel rearrangement, depth to space) and its inverse: what they are, and their definition on the
//! CPU.

use crate::ops::problem::ProblemText;
use ndarray::{ArrayD, ArrayView, Axis, Dimension, IxDyn};

use super::op::Op;
use super::reference::Reference;
use crate::error::{Error, Result};
use crate::geometry::{MAX_COORDINATE, at_most, check_elements, check_fields, check_sizes};
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Which way samples move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShuffleDirection {
    /// From channels into blocks of samples: PyTorch's `PixelShuffle`, ONNX's and TensorFlow's `DepthToSpace`.
    ToSpace,
    /// From blocks of samples into channels: PyTorch's `PixelUnshuffle`, ONNX's and TensorFlow's `SpaceToDepth`.
    ToDepth,
}

/// Where a block's samples lie among the channels of the deep side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelOrder {
    /// Channel, row, column: `c * Π factor + phase`. PyTorch's, and ONNX's mode `CRD`.
    ColumnRowDepth,
    /// Row, column, channel: `phase * channels + c`. TensorFlow's, ONNX's `SpaceToDepth`, and its default mode `DCR`.
    DepthColumnRow,
}

/// A rearrangement between channels and blocks of samples, over `R` spatial axes. Nothing is computed, only moved.
///
/// The *deep* side has shape (N, channels · Π factor, size...), the *spacious* side (N, channels, size · factor...).
/// The phase of a sample in its block counts row-major, the last axis fastest.
///
/// ```
/// use upconv::{Op, PixelShuffle2d, ShuffleDirection};
/// let shuffle = PixelShuffle2d::from_shape(&[1, 12, 8, 8], [2, 2], ShuffleDirection::ToSpace)?;
/// assert_eq!(shuffle.output()?.shape, [1, 3, 16, 16]);
/// assert_eq!(shuffle.grad_input().output()?.shape, [1, 12, 8, 8]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PixelShuffle<const R: usize> {
    /// Images; 0 is legal and moves nothing.
    pub batch: usize,
    /// Channels of the spacious side; 0 is legal and moves nothing.
    pub channels: usize,
    /// Spatial size of the deep side, in samples; 0 is legal and moves nothing.
    pub size: [usize; R],
    /// Samples of a block along each axis.
    pub factor: [usize; R],
    /// The deep side's order of channels.
    pub order: ChannelOrder,
    /// Which side is the input.
    pub direction: ShuffleDirection,
}

/// Pixel shuffle over one spatial axis.
pub type PixelShuffle1d = PixelShuffle<1>;
/// Pixel shuffle over two spatial axes.
pub type PixelShuffle2d = PixelShuffle<2>;
/// Pixel shuffle over three spatial axes.
pub type PixelShuffle3d = PixelShuffle<3>;

impl<const R: usize> Default for PixelShuffle<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            channels: 1,
            size: [1; R],
            factor: [1; R],
            order: ChannelOrder::ColumnRowDepth,
            direction: ShuffleDirection::ToSpace,
        }
    }
}

impl<const R: usize> PixelShuffle<R> {
    /// A shuffle of an `input` of this shape, (N, C, spatial...), in PyTorch's order of channels:
    /// `torch.nn.PixelShuffle`, or with [`ShuffleDirection::ToDepth`] `torch.nn.PixelUnshuffle`. Refuses channels or
    /// sizes that the factors do not divide ([`Error::NotDivisible`]).
    ///
    /// ```
    /// use upconv::{ChannelOrder, PixelShuffle2d, ShuffleDirection};
    /// // TensorFlow's depth_to_space, and ONNX's DepthToSpace in its default mode.
    /// let shuffle = PixelShuffle2d::from_shape(&[1, 12, 8, 8], [2, 2], ShuffleDirection::ToSpace)?;
    /// let depth_to_space = PixelShuffle2d { order: ChannelOrder::DepthColumnRow, ..shuffle };
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn from_shape(input: &[usize], factor: [usize; R], direction: ShuffleDirection) -> Result<Self> {
        check_fields(&[("factor", factor, MAX_COORDINATE)])?;
        let ([batch, mut channels], mut size) = split_shape::<R>("input", input)?;
        match direction {
            ShuffleDirection::ToSpace => {
                let block = factor.iter().fold(1usize, |n, &f| n.saturating_mul(f));
                channels = divide("in_channels", channels, block)?;
            }
            ShuffleDirection::ToDepth => {
                for (size, factor) in size.iter_mut().zip(factor) {
                    *size = divide("input_size", *size, factor)?;
                }
            }
        }
        Self { batch, channels, size, factor, order: ChannelOrder::ColumnRowDepth, direction }.checked()
    }

    /// ICNR initialisation of the convolution before a shuffle to space. `kernel` is the weight of a convolution with
    /// [`Self::channels`] outputs, (channels, Cin/groups, kernel...); another shape is refused ([`Error::Shape`]). The
    /// returned weight, (channels · Π factor, Cin/groups, kernel...), repeats each kernel for every phase, so that
    /// convolution and shuffle start as the small convolution followed by nearest-neighbour upsampling, without a
    /// checkerboard.
    pub fn icnr<D: Dimension>(&self, kernel: ArrayView<f32, D>) -> Result<ArrayD<f32>> {
        self.check()?;
        let kernel = kernel.into_dyn();
        if kernel.ndim() != R + 2 || kernel.shape()[0] != self.channels {
            let expected = [&[self.channels], kernel.shape().get(1..).unwrap_or_default()].concat();
            return Err(Error::Shape { operand: "kernel", expected, actual: kernel.shape().into() });
        }
        let block = self.block();
        let deep = self.channels * block;
        let source = (0..deep).map(|channel| match self.order {
            ChannelOrder::ColumnRowDepth => channel / block,
            ChannelOrder::DepthColumnRow => channel % self.channels,
        });
        Ok(kernel.select(Axis(0), &source.collect::<Vec<_>>()))
    }

    /// The gradient with respect to the input: the same samples moved back.
    pub fn grad_input(&self) -> Self {
        let direction = match self.direction {
            ShuffleDirection::ToSpace => ShuffleDirection::ToDepth,
            ShuffleDirection::ToDepth => ShuffleDirection::ToSpace,
        };
        Self { direction, ..self.clone() }
    }

    /// Samples in a block.
    pub(crate) fn block(&self) -> usize {
        self.factor.iter().product()
    }

    fn checked(self) -> Result<Self> {
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<()> {
        check_sizes("size", &self.size)?;
        check_fields(&[("factor", self.factor, MAX_COORDINATE)])?;
        let limit = MAX_COORDINATE as u128;
        for (size, factor) in self.size.iter().zip(self.factor) {
            at_most("a spatial size", *size as u128 * factor as u128, limit)?;
        }
        let deep = self.factor.iter().fold(self.channels as u128, |n, &factor| n.saturating_mul(factor as u128));
        at_most("channels", deep, limit)?;
        check_elements(&self.spacious_shape())
    }

    fn deep_shape(&self) -> Vec<usize> {
        [&[self.batch, self.channels * self.block()], &self.size[..]].concat()
    }

    fn spacious_shape(&self) -> Vec<usize> {
        let spatial = self.size.iter().zip(self.factor).map(|(size, factor)| size * factor);
        [self.batch, self.channels].into_iter().chain(spatial).collect()
    }
}

fn divide(what: &'static str, value: usize, by: usize) -> Result<usize> {
    if value.is_multiple_of(by) { Ok(value / by) } else { Err(Error::NotDivisible { what, value, by }) }
}

impl<const R: usize> Op for PixelShuffle<R> {
    const NAME: &'static str = "pixel_shuffle";

    fn inputs(&self) -> Result<Vec<Operand>> {
        self.check()?;
        let shape = match self.direction {
            ShuffleDirection::ToSpace => self.deep_shape(),
            ShuffleDirection::ToDepth => self.spacious_shape(),
        };
        Ok(vec![Operand::new(Role::Input, shape)])
    }

    fn output(&self) -> Result<Operand> {
        let moved_back = self.grad_input().inputs()?.swap_remove(0);
        Ok(Operand::new(Role::Output, moved_back.shape))
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME).count("n", self.batch, 1).count("c", self.channels, 1);
        text.sizes("i", &self.size)
            .sizes("f", &self.factor)
            .word(match self.order {
                ChannelOrder::ColumnRowDepth => "crd",
                ChannelOrder::DepthColumnRow => "dcr",
            })
            .word(match self.direction {
                ShuffleDirection::ToSpace => "to_space",
                ShuffleDirection::ToDepth => "to_depth",
            })
            .finish()
    }

    /// 0: samples are only moved.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// The textbooks' reshape, transpose, reshape, where the shader works out one address for each sample.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        // `parts` is the deep side's shape with the channels split into channel and phases; `spacious_axis_of` has the
        // position of each of these axes in the spacious side's shape, split likewise: (batch, channel, size, factor,
        // size, factor, ...).
        let phases = self.factor.iter().copied();
        let (mut parts, mut spacious_axis_of) = (vec![self.batch], vec![0]);
        let place_of_phase = (0..R).map(|axis| 3 + 2 * axis);
        match self.order {
            ChannelOrder::ColumnRowDepth => {
                parts.extend([self.channels].into_iter().chain(phases));
                spacious_axis_of.extend([1].into_iter().chain(place_of_phase));
            }
            ChannelOrder::DepthColumnRow => {
                parts.extend(phases.chain([self.channels]));
                spacious_axis_of.extend(place_of_phase.chain([1]));
            }
        }
        parts.extend(self.size);
        spacious_axis_of.extend((0..R).map(|axis| 2 + 2 * axis));
        let mut order = vec![0; spacious_axis_of.len()];
        spacious_axis_of.iter().enumerate().for_each(|(from, &to)| order[to] = from);

        let input = ArrayD::from_shape_vec(inputs[0].shape(), inputs[0].widen()).expect("as many as its shape has");
        let values = match self.direction {
            ShuffleDirection::ToSpace => rearrange(input, &parts, &order, &self.spacious_shape()),
            ShuffleDirection::ToDepth => {
                let apart: Vec<_> = order.iter().map(|&from| parts[from]).collect();
                rearrange(input, &apart, &spacious_axis_of, &self.deep_shape())
            }
        };
        let magnitudes = values.mapv(f64::abs);
        Ok(Reference::new(values, magnitudes, 0))
    }
}

/// Reshape to `parts`, bring the axes into `order`, reshape to `shape`.
fn rearrange(tensor: ArrayD<f64>, parts: &[usize], order: &[usize], shape: &[usize]) -> ArrayD<f64> {
    let apart = tensor.into_shape_with_order(IxDyn(parts)).expect("the parts of the shape");
    let ordered = apart.permuted_axes(IxDyn(order)).as_standard_layout().into_owned();
    ordered.into_shape_with_order(IxDyn(shape)).expect("as many samples")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pixel_shuffle::PixelShuffle1d;
    use crate::ops::pixel_shuffle::PixelShuffle2d;

    fn run<const R: usize>(op: &PixelShuffle<R>) -> Vec<f64> {
        let shape = op.inputs().unwrap().swap_remove(0).shape;
        let count = shape.iter().product::<usize>();
        let input = ArrayD::from_shape_vec(IxDyn(&shape), (0..count).map(|i| i as f32).collect()).unwrap();
        op.reference(&[input.view()]).unwrap().values.iter().copied().collect()
    }

    #[test]
    fn both_orders_by_hand() {
        // Channels 0-3, one row of two samples each: 0 1 | 2 3 | 4 5 | 6 7.
        let crd = PixelShuffle2d::from_shape(&[1, 4, 1, 2], [2, 1], ShuffleDirection::ToSpace).unwrap();
        assert_eq!(run(&crd), [0., 1., 2., 3., 4., 5., 6., 7.]);
        let dcr = PixelShuffle2d { order: ChannelOrder::DepthColumnRow, ..crd.clone() };
        assert_eq!(run(&dcr), [0., 1., 4., 5., 2., 3., 6., 7.]);
        let columns = PixelShuffle2d::from_shape(&[1, 2, 1, 2], [1, 2], ShuffleDirection::ToSpace).unwrap();
        assert_eq!(run(&columns), [0., 2., 1., 3.]);
        let line = PixelShuffle1d::from_shape(&[1, 1, 6], [3], ShuffleDirection::ToDepth).unwrap();
        assert_eq!(run(&line), [0., 3., 1., 4., 2., 5.]);
    }

    #[test]
    fn there_and_back_is_the_identity() {
        for order in [ChannelOrder::ColumnRowDepth, ChannelOrder::DepthColumnRow] {
            let shuffle =
                PixelShuffle { batch: 2, channels: 3, size: [2, 3, 4], factor: [2, 1, 3], order, ..Default::default() };
            let shape = shuffle.inputs().unwrap().swap_remove(0).shape;
            let input =
                ArrayD::from_shape_fn(IxDyn(&shape), |at| at[0] as f32 + 10.0 * at[1] as f32 + 1000.0 * at[4] as f32);
            let there = shuffle.reference(&[input.view()]).unwrap().to_f32();
            let back = shuffle.grad_input().reference(&[there.view()]).unwrap().to_f32();
            assert_eq!(back, input);
        }
    }

    /// A convolution with an ICNR weight and a shuffle are the plain convolution, upsampled by repeating samples.
    #[test]
    fn icnr_starts_as_nearest_neighbour() {
        for order in [ChannelOrder::ColumnRowDepth, ChannelOrder::DepthColumnRow] {
            let shuffle = PixelShuffle2d { channels: 2, size: [3, 4], factor: [2, 3], order, ..Default::default() };
            let kernel = ArrayD::from_shape_fn(IxDyn(&[2, 1, 1, 1]), |at| at[0] as f32 + 1.0);
            let weight = shuffle.icnr(kernel.view()).unwrap();
            assert_eq!(weight.shape(), [12, 1, 1, 1]);
            let deep = ArrayD::from_shape_fn(IxDyn(&[1, 12, 3, 4]), |at| {
                weight[[at[1], 0, 0, 0]] * (at[2] * 4 + at[3]) as f32
            });
            let output = shuffle.reference(&[deep.view()]).unwrap().values;
            for (at, value) in output.indexed_iter() {
                assert_eq!(*value, ((at[1] + 1) * (at[2] / 2 * 4 + at[3] / 3)) as f64);
            }
            assert!(matches!(shuffle.icnr(deep.view()), Err(Error::Shape { .. })));
        }
    }

    #[test]
    fn nothing_is_shuffled_to_nothing() {
        for (input, direction, output) in [
            ([2, 0, 3, 4], ShuffleDirection::ToSpace, [2, 0, 6, 8]),
            ([2, 0, 2, 4], ShuffleDirection::ToDepth, [2, 0, 1, 2]),
            ([2, 4, 0, 3], ShuffleDirection::ToSpace, [2, 1, 0, 6]),
            ([2, 1, 0, 4], ShuffleDirection::ToDepth, [2, 4, 0, 2]),
        ] {
            let shuffle = PixelShuffle2d::from_shape(&input, [2, 2], direction).unwrap();
            let none = ArrayD::<f32>::zeros(IxDyn(&input));
            assert_eq!(shuffle.reference(&[none.view()]).unwrap().values.shape(), output);
        }
    }

    #[test]
    fn what_does_not_divide_is_refused() {
        let deep = PixelShuffle2d::from_shape(&[1, 6, 2, 2], [2, 2], ShuffleDirection::ToSpace);
        assert_eq!(deep, Err(Error::NotDivisible { what: "in_channels", value: 6, by: 4 }));
        let odd = PixelShuffle2d::from_shape(&[1, 6, 4, 5], [2, 2], ShuffleDirection::ToDepth);
        assert_eq!(odd, Err(Error::NotDivisible { what: "input_size", value: 5, by: 2 }));
        assert_eq!(
            PixelShuffle2d::from_shape(&[1, 6, 2, 2], [0, 2], ShuffleDirection::ToSpace),
            Err(Error::ZeroOnAxis { what: "factor", axis: 0 })
        );
        let huge = PixelShuffle2d { size: [1 << 20; 2], factor: [1 << 20; 2], ..Default::default() };
        assert!(matches!(huge.output(), Err(Error::TooLarge { .. })));
    }
}
