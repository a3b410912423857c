//! Max unpooling and its gradient: what they are, and their definition on the CPU.

use crate::ops::problem::{ProblemText, of_gradient};
use ndarray::{ArrayD, IxDyn};

use super::indices::{IndexConvention, Numbering};
use super::max_pool::MaxPool;
use crate::error::{Error, Result};
use crate::geometry::{MAX_COORDINATE, Pads, at_most, check_elements, check_fields, check_layer, conv_transpose_size};
use crate::ops::op::Op;
use crate::ops::reference::Reference;
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Max unpooling over `R` spatial axes: each sample is written where its index says, and the rest is 0.
///
/// Tensors: `input` (N, C, spatial...), `indices` of `i32` and of the same shape; output (N, C, spatial...), and
/// `invalid` (1) of `i32`: how many indices lie outside the plane of their image and channel, or outside the output.
/// Their samples are not written. [`Gpu::run_tensors`](crate::Gpu::run_tensors) returns them as an
/// [`Error::IndexOutOfRange`].
///
/// Where several samples have the same index, the last in row-major order wins, as when they are written one after the
/// other (ONNX; PyTorch leaves it open).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxUnpool<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// Spatial size of the output, in samples.
    pub output_size: [usize; R],
    /// The spatial size that the indices are counted in, if it is not `output_size`: ONNX's `output_shape` does not
    /// change it.
    pub index_size: Option<[usize; R]>,
    /// How the indices are counted.
    pub indices: IndexConvention,
}

/// Max unpooling over one spatial axis.
pub type MaxUnpool1d = MaxUnpool<1>;
/// Max unpooling over two spatial axes.
pub type MaxUnpool2d = MaxUnpool<2>;
/// Max unpooling over three spatial axes.
pub type MaxUnpool3d = MaxUnpool<3>;

impl<const R: usize> Default for MaxUnpool<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            channels: 1,
            input_size: [1; R],
            output_size: [1; R],
            index_size: None,
            indices: IndexConvention::Plane,
        }
    }
}

impl<const R: usize> MaxPool<R> {
    /// The unpooling that takes this pooling's output and indices back to its input's size.
    pub fn unpool(&self) -> Result<MaxUnpool<R>> {
        let output: [usize; R] = self.windows()?.axes.map(|axis| axis.narrow);
        MaxUnpool {
            batch: self.batch,
            channels: self.channels,
            input_size: output,
            output_size: self.input_size,
            index_size: None,
            indices: self.indices.unwrap_or_default(),
        }
        .checked()
    }
}

impl<const R: usize> MaxUnpool<R> {
    /// An unpooling of an `input` of this shape, (N, C, spatial...), whose indices are counted in planes of
    /// `output_size`. Refuses a descriptor that breaks a rule.
    pub fn from_shape(input: &[usize], output_size: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Self { batch, channels, input_size, output_size, ..Default::default() }.checked()
    }

    /// `torch.nn.MaxUnpool{1,2,3}d`: the output has `output_size` samples, or
    /// `(input - 1) * stride - 2 * padding + kernel_size`.
    ///
    /// In this and the other constructor, `base` gives batch, channels and the input's size; all else is replaced. Both
    /// refuse an output without samples ([`Error::EmptyOutput`]), and fields that are 0 or too large.
    pub fn pytorch(
        base: Self,
        kernel_size: [usize; R],
        stride: [usize; R],
        padding: [usize; R],
        output_size: Option<[usize; R]>,
    ) -> Result<Self> {
        let pads = padding.map(|pad| [i64::try_from(pad).unwrap_or(i64::MAX); 2]);
        let output_size = match output_size {
            Some(size) => size,
            None => base.natural_size(kernel_size, stride, pads)?,
        };
        Self { output_size, index_size: None, indices: IndexConvention::Plane, ..base }.checked()
    }

    /// ONNX `MaxUnpool`: indices are counted in a tensor of the size that kernel, strides and pads give,
    /// `(input - 1) * stride + kernel_size - before - after`, even if `output_size` (ONNX's `output_shape`) is another.
    pub fn onnx(
        base: Self,
        kernel_size: [usize; R],
        stride: [usize; R],
        pads: Pads<R>,
        output_size: Option<[usize; R]>,
    ) -> Result<Self> {
        let natural = base.natural_size(kernel_size, stride, pads)?;
        let (output_size, index_size) = (output_size.unwrap_or(natural), Some(natural));
        Self { output_size, index_size, indices: IndexConvention::Onnx, ..base }.checked()
    }

    /// The smallest spatial size that a pooling with these parameters turns into this input's.
    fn natural_size(&self, kernel_size: [usize; R], stride: [usize; R], pads: Pads<R>) -> Result<[usize; R]> {
        check_layer(self.input_size, kernel_size, stride, [1; R])?;
        let mut sizes = [0; R];
        for (axis, natural) in sizes.iter_mut().enumerate() {
            let size = conv_transpose_size(self.input_size[axis], pads[axis], kernel_size[axis], stride[axis]);
            if size < 1 {
                return Err(Error::EmptyOutput { axis, size });
            }
            at_most("the output size", size as u128, MAX_COORDINATE as u128)?;
            *natural = size as usize;
        }
        Ok(sizes)
    }

    /// The gradient with respect to the input: takes the output's gradient and the indices.
    pub fn grad_input(&self) -> MaxUnpoolGrad<R> {
        MaxUnpoolGrad { forward: self.clone() }
    }

    fn checked(self) -> Result<Self> {
        self.numbering()?;
        Ok(self)
    }

    /// The numbering of the indices. Refuses a descriptor that breaks a rule.
    pub(crate) fn numbering(&self) -> Result<Numbering> {
        let index_size = self.index_size.unwrap_or(self.output_size);
        check_fields(&[
            ("input_size", self.input_size, MAX_COORDINATE),
            ("output_size", self.output_size, MAX_COORDINATE),
            ("index_size", index_size, MAX_COORDINATE),
        ])?;
        at_most("channels", self.channels as u128, MAX_COORDINATE as u128)?;
        for size in [&self.input_size, &self.output_size, &index_size] {
            check_elements(&self.shape(size))?;
            // Places in a plane are counted in 32 bits.
            let plane = size.iter().fold(1u128, |n, &size| n.saturating_mul(size as u128));
            at_most("samples in a plane", plane, MAX_COORDINATE as u128)?;
        }
        self.indices.numbering(&self.shape(&index_size))
    }

    fn shape(&self, size: &[usize; R]) -> Vec<usize> {
        [&[self.batch, self.channels], &size[..]].concat()
    }

    /// For each sample of the input, its offset in a row-major output, or `None` if its index is invalid.
    fn places(&self, indices: &[i64]) -> Result<Vec<Option<usize>>> {
        let numbering = self.numbering()?;
        let (samples, mut sizes) = (self.input_size.iter().product::<usize>(), [1; 3]);
        sizes[3 - R..].copy_from_slice(&self.output_size);
        let [depth, height, width] = sizes;
        let place = |(sample, &index): (usize, &i64)| {
            let plane = sample / samples;
            let [d, h, w] = numbering.place([plane / self.channels, plane % self.channels], index)?;
            let inside = d < depth && h < height && w < width;
            inside.then_some(((plane * depth + d) * height + h) * width + w)
        };
        Ok(indices.iter().enumerate().map(place).collect())
    }
}

impl<const R: usize> Op for MaxUnpool<R> {
    const NAME: &'static str = "max_unpool";

    fn inputs(&self) -> Result<Vec<Operand>> {
        self.numbering()?;
        let shape = self.shape(&self.input_size);
        Ok(vec![Operand::new(Role::Input, shape.clone()), Operand::integers(Role::Indices, shape)])
    }

    fn output(&self) -> Result<Operand> {
        self.numbering()?;
        Ok(Operand::new(Role::Output, self.shape(&self.output_size)))
    }

    fn outputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![self.output()?, Operand::integers(Role::Invalid, vec![1])])
    }

    fn problem(&self) -> String {
        let text = ProblemText::new(Self::NAME)
            .count("n", self.batch, 1)
            .count("c", self.channels, 1)
            .sizes("i", &self.input_size)
            .sizes("o", &self.output_size);
        let text = if let Some(size) = &self.index_size { text.sizes("index", size) } else { text };
        text.word(self.indices.word()).finish()
    }

    /// 0: samples are only moved.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// Scatters, one sample after the other.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let shape = self.shape(&self.output_size);
        let mut values: Vec<f64> = zeros("the reference", shape.iter().product())?;
        let places = self.places(&inputs[1].integers())?;
        for (value, place) in inputs[0].widen().into_iter().zip(places) {
            if let Some(place) = place {
                values[place] = value;
            }
        }
        let values = ArrayD::from_shape_vec(shape, values).expect("as many as the shape has");
        let magnitudes = values.mapv(f64::abs);
        Ok(Reference::new(values, magnitudes, 0))
    }

    fn define_integers(&self, inputs: &[TensorView]) -> Result<Vec<ArrayD<i32>>> {
        let places = self.places(&inputs[1].integers())?;
        let invalid = places.iter().filter(|place| place.is_none()).count();
        Ok(vec![ArrayD::from_elem(IxDyn(&[1]), invalid as i32)])
    }

    fn check_integers(&self, integers: &[&ArrayD<i32>]) -> Result<()> {
        match integers.first().and_then(|invalid| invalid.first()) {
            Some(&count) if count != 0 => Err(Error::IndexOutOfRange { count: count as u32 }),
            _ => Ok(()),
        }
    }
}

/// The gradient of a [`MaxUnpool`] with respect to its input, made by [`MaxUnpool::grad_input`].
///
/// Tensors: `input`, the gradient of the forward output; `indices`, those of the forward op; output, of the forward
/// input's shape: each sample gets the gradient at its index, or 0 if the index is invalid. Samples that share an index
/// all get its gradient, as in PyTorch, though the forward op wrote only one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaxUnpoolGrad<const R: usize> {
    /// The unpooling whose gradient it is.
    pub forward: MaxUnpool<R>,
}

impl<const R: usize> Op for MaxUnpoolGrad<R> {
    const NAME: &'static str = "max_unpool_grad";

    fn inputs(&self) -> Result<Vec<Operand>> {
        let indices = self.forward.inputs()?.swap_remove(1);
        Ok(vec![Operand::new(Role::Input, self.forward.output()?.shape), indices])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.forward.inputs()?.swap_remove(0).shape))
    }

    fn problem(&self) -> String {
        of_gradient(Self::NAME, &self.forward.problem())
    }

    /// 0: samples are only moved.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let gradient = inputs[0].widen();
        let places = self.forward.places(&inputs[1].integers())?;
        let values = places.into_iter().map(|place| place.map_or(0.0, |place| gradient[place])).collect();
        let shape = self.forward.shape(&self.forward.input_size);
        let values = ArrayD::from_shape_vec(shape, values).expect("as many as the shape has");
        let magnitudes = values.mapv(f64::abs);
        Ok(Reference::new(values, magnitudes, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pool::max_pool::MaxPool2d;
    use crate::ops::pool::max_unpool::MaxUnpool1d;
    use crate::ops::pool::max_unpool::MaxUnpool2d;

    #[test]
    fn samples_go_where_their_indices_say() {
        let unpool = MaxUnpool1d { input_size: [4], output_size: [5], ..Default::default() };
        let input = ArrayD::from_shape_vec(vec![1, 1, 4], vec![1f32, 2., 3., 4.]).unwrap();
        let indices = ArrayD::from_shape_vec(vec![1, 1, 4], vec![3, 0, 3, -1]).unwrap();
        let views = [TensorView::from(&input), TensorView::from(&indices)];
        let values = unpool.reference(&views).unwrap().values;
        assert_eq!(values.iter().copied().collect::<Vec<_>>(), [2., 0., 0., 3., 0.]);
        let integers = unpool.reference_integers(&views).unwrap();
        assert_eq!(
            unpool.check_integers(&integers.iter().collect::<Vec<_>>()),
            Err(Error::IndexOutOfRange { count: 1 })
        );
    }

    #[test]
    fn sizes_by_hand() {
        let five_by_seven = MaxUnpool2d { channels: 2, input_size: [5, 7], ..Default::default() };
        let natural = MaxUnpool2d::pytorch(five_by_seven, [3, 2], [3, 2], [0, 0], None).unwrap();
        assert_eq!(natural.output_size, [15, 14]);
        let onnx = MaxUnpool2d::onnx(
            MaxUnpool2d { input_size: [2, 2], ..Default::default() },
            [2, 2],
            [2, 2],
            [[0; 2]; 2],
            Some([5, 5]),
        )
        .unwrap();
        assert_eq!((onnx.output_size, onnx.index_size), ([5, 5], Some([4, 4])));
        let pool = MaxPool2d::from_shape(&[1, 1, 5, 4], [2, 2]).unwrap();
        assert_eq!(pool.unpool().unwrap().output().unwrap().shape, [1, 1, 5, 4]);
        let whole = MaxUnpool1d::pytorch(MaxUnpool1d::default(), [70_000], [70_000], [0], None).unwrap();
        assert_eq!(whole.output_size, [70_000]);
        let huge = MaxUnpool2d { output_size: [1 << 20; 2], ..Default::default() };
        assert!(matches!(huge.output(), Err(Error::TooLarge { .. })));
    }
}
