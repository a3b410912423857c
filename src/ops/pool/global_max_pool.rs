//! Global max pooling: what it is, and its definition on the CPU.

use ndarray::ArrayD;

use super::indices::IndexConvention;
use super::max_pool::{MaxPool, MaxPoolGrad};
use super::planes::{Planes, text_of_planes};
use crate::error::Result;
use crate::ops::op::Op;
use crate::ops::reference::Reference;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// The largest sample of each plane, over `R` spatial axes: ONNX's `GlobalMaxPool`, PyTorch's `AdaptiveMaxPool2d(1)`.
///
/// Tensors: `input` (N, C, spatial...); output (N, C, 1...); with [`indices`](Self::indices) another output, `indices`,
/// of the same shape and of `i32`. A plane without a sample is refused
/// ([`Error::ZeroOnAxis`](crate::Error::ZeroOnAxis)).
///
/// It chooses as a [`MaxPool`](crate::MaxPool) of one window does, the first of the largest samples or a NaN, and
/// copies its bits. A workgroup searches a plane, where that has a single thread.
///
/// ```
/// use upconv::{GlobalMaxPool2d, IndexConvention, Op};
/// let indices = Some(IndexConvention::Plane);
/// let pool = GlobalMaxPool2d { indices, ..GlobalMaxPool2d::from_shape(&[1, 64, 7, 7])? };
/// assert_eq!(pool.output()?.shape, [1, 64, 1, 1]);
/// assert_eq!(pool.grad_input().output()?.shape, [1, 64, 7, 7]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GlobalMaxPool<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// Whether the chosen samples' indices are written too, and how they are counted.
    pub indices: Option<IndexConvention>,
}

/// Global max pooling over one spatial axis.
pub type GlobalMaxPool1d = GlobalMaxPool<1>;
/// Global max pooling over two spatial axes.
pub type GlobalMaxPool2d = GlobalMaxPool<2>;
/// Global max pooling over three spatial axes.
pub type GlobalMaxPool3d = GlobalMaxPool<3>;

impl<const R: usize> Default for GlobalMaxPool<R> {
    fn default() -> Self {
        Self { batch: 1, channels: 1, input_size: [1; R], indices: None }
    }
}

impl<const R: usize> GlobalMaxPool<R> {
    /// The pooling of an `input` of shape (N, C, spatial...), without indices. Refuses another number of axes
    /// ([`Error::Rank`](crate::Error::Rank)).
    pub fn from_shape(input: &[usize]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, indices: None })
    }

    /// The gradient with respect to the input: takes the output's gradient and the indices that the pooling wrote, in
    /// its convention ([`IndexConvention::Plane`] where it has none).
    pub fn grad_input(&self) -> MaxPoolGrad<R> {
        self.window().grad_input()
    }

    /// The same pooling as a window.
    fn window(&self) -> MaxPool<R> {
        let &Self { batch, channels, input_size, indices } = self;
        let (kernel_size, stride) = (input_size, input_size);
        MaxPool { batch, channels, input_size, kernel_size, stride, indices, ..Default::default() }
    }

    /// Whether the last of several NaN in a plane is chosen, and not the first.
    pub(crate) fn last_nan(&self) -> bool {
        self.window().last_nan()
    }

    pub(crate) fn planes(&self) -> Result<Planes<R>> {
        self.window().windows()?;
        Planes::new(self.batch, self.channels, self.input_size)
    }
}

impl<const R: usize> Op for GlobalMaxPool<R> {
    const NAME: &'static str = "global_max_pool";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.planes()?.input_shape())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.planes()?.output_shape()))
    }

    fn outputs(&self) -> Result<Vec<Operand>> {
        self.window().outputs()
    }

    fn problem(&self) -> String {
        let text = text_of_planes(Self::NAME, self.batch, self.channels, &self.input_size);
        if let Some(indices) = self.indices { text.word(indices.word()).finish() } else { text.finish() }
    }

    /// 0: samples are only compared.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        self.window().define(inputs)
    }

    fn define_integers(&self, inputs: &[TensorView]) -> Result<Vec<ArrayD<i32>>> {
        self.window().define_integers(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn maxima_by_hand() {
        let indices = Some(IndexConvention::Onnx);
        let pool = GlobalMaxPool1d { indices, ..GlobalMaxPool1d::from_shape(&[1, 2, 4]).unwrap() };
        let samples = vec![1.0, 7.0, 7.0, -2.0, -1.0, f32::NAN, 9.0, f32::NAN];
        let input = ArrayD::from_shape_vec(vec![1, 2, 4], samples).unwrap();
        let values = pool.reference(&[input.view()]).unwrap().values;
        assert!(values[[0, 0, 0]] == 7.0 && values[[0, 1, 0]].is_nan());
        let chosen = pool.reference_integers(&[input.view()]).unwrap().swap_remove(0);
        assert_eq!(chosen.iter().copied().collect::<Vec<_>>(), [1, 5]);
    }

    #[test]
    fn a_plane_without_samples_is_refused() {
        let none = GlobalMaxPool2d::from_shape(&[1, 2, 0, 3]).unwrap();
        assert_eq!(none.output(), Err(Error::ZeroOnAxis { what: "input_size", axis: 0 }));
        let many =
            GlobalMaxPool1d { input_size: [1 << 30], channels: 4, indices: Some(IndexConvention::Onnx), batch: 1 };
        assert!(matches!(many.output(), Err(Error::TooLarge { what: "an index", .. })));
    }
}
