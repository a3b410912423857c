//! The ops on all cores of the CPU: convolutions by matrix products, upsampling by sums of rows.
//!
//! This engine is for machines without an adapter ([`AnyDevice`](crate::AnyDevice)) and for the benchmark. Its results
//! keep the error bound that [`Reference`](crate::Reference) states and are tested against it. Ops that have no fast
//! implementation here are computed by the reference.
//!
//! Threads are rayon's: `RAYON_NUM_THREADS`, or the pool that the caller installs, sets their number.
//!
//! ```
//! # use upconv::{ConvTranspose2d, cpu, ndarray::Array4};
//! let (x, w) = (Array4::<f32>::ones((1, 8, 32, 32)), Array4::<f32>::ones((8, 3, 4, 4)));
//! let base = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1)?;
//! let up = ConvTranspose2d { stride: [2, 2], padding: [1, 1].into(), ..base };
//! let y = cpu::run(&up, &[x.view(), w.view()])?;
//! assert_eq!(y.dim(), (1, 3, 64, 64));
//! # Ok::<(), upconv::Error>(())
//! ```

use ndarray::{Array, ArrayD, ArrayView, ArrayViewD, CowArray, Dimension, IxDyn};

use crate::dtype::FloatType;
use crate::error::{Error, Result};
use crate::ops::activation::Activation;
use crate::ops::conv::bias_grad::ConvBiasGrad;
use crate::ops::conv::fold::{Fold, Unfold};
use crate::ops::conv::resize_conv::ResizeConv;
use crate::ops::op::Op;
use crate::ops::pixel_shuffle::PixelShuffle;
use crate::ops::pool::avg_pool::AvgPool;
use crate::ops::pool::global_average_pool::GlobalAveragePool;
use crate::ops::pool::global_lp_pool::{GlobalLpPool, GlobalLpPoolGrad};
use crate::ops::pool::global_max_pool::GlobalMaxPool;
use crate::ops::pool::lp_pool::{LpPool, LpPoolGrad};
use crate::ops::pool::max_pool::MaxPool;
use crate::ops::resample::bed_of_nails::BedOfNails;
use crate::ops::resample::separable::{Separable, SeparableGrad};
use crate::tensor::allocate::reserve;
use crate::tensor::element::{Tensor, TensorView, float_type};

mod conv;
mod conv_integer;
mod conv_transpose;
mod conv_weight_grad;
mod gemm;
mod layer;
mod separable;
mod simd;

/// An op that the CPU engine runs. Implemented by this crate's descriptors, except those that read indices, such as
/// [`MaxUnpool`](crate::MaxUnpool).
pub trait CpuOp: Op {
    /// The first output for inputs of the op's shapes; see [`run`].
    #[doc(hidden)]
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        by_reference(self, inputs)
    }

    /// Every output for inputs of the op's types and shapes; see [`run_tensors`].
    #[doc(hidden)]
    fn compute_tensors(&self, inputs: &[TensorView]) -> Result<Vec<Tensor>> {
        let storage = float_type(inputs)?;
        let singles: Vec<_> = inputs.iter().map(TensorView::to_f32).collect();
        let first = self.compute(&singles.iter().map(|single| single.view()).collect::<Vec<_>>())?;
        let first = match storage {
            FloatType::F32 => Tensor::F32(first),
            FloatType::F16 => Tensor::F16(first.mapv(half::f16::from_f32)),
        };
        let integers = self.define_integers(inputs)?.into_iter().map(Tensor::I32);
        Ok(std::iter::once(first).chain(integers).collect())
    }
}

/// Computes an op by its definition, for ops that have no faster implementation here.
fn by_reference<O: Op + ?Sized>(op: &O, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
    let views: Vec<TensorView> = inputs.iter().map(|input| input.view().into()).collect();
    Ok(op.define(&views)?.values.mapv(|value| value as f32))
}

/// Computes the op's first output, row-major, from its inputs in f32.
///
/// `inputs` have the order and the shapes of [`Op::inputs`], and any strides: activations are (N, C, spatial...),
/// weights (Cout, Cin/g, k...) or, transposed, (Cin, Cout/g, k...). Where ranks differ, as with a bias, pass views
/// made `into_dyn()`.
///
/// # Errors
///
/// The errors of the descriptor; [`Error::OperandCount`] and [`Error::Shape`] where the inputs are not the op's;
/// [`Error::Rank`] where the output does not have the rank of `D`; [`Error::NoMemory`].
pub fn run<O: CpuOp, D: Dimension>(op: &O, inputs: &[ArrayView<f32, D>]) -> Result<Array<f32, D>> {
    let views: Vec<_> = inputs.iter().map(|input| input.view().into_dyn()).collect();
    op.check_inputs(&views.iter().map(|view| view.view().into()).collect::<Vec<TensorView>>())?;
    let output = op.compute(&views)?;
    let (expected, actual) = (output.ndim(), D::NDIM.unwrap_or(output.ndim()));
    output.into_dimensionality().map_err(|_| Error::Rank { operand: "output", expected, actual })
}

/// [`run`] for inputs of several types, and with every output of [`Op::outputs`]. Tensors of f16 are computed in f32,
/// and the output is rounded.
///
/// ```
/// use upconv::{ConvInteger1d, Tensor, cpu, ndarray::array};
/// let (x, w) = (array![[[1u8, 2, 3]]], array![[[4u8, 5]]]);
/// let conv = ConvInteger1d::from_shapes(x.shape(), w.shape(), 1)?;
/// let y = cpu::run_tensors(&conv, &[(&x).into(), (&w).into()])?;
/// assert_eq!(y, [Tensor::I32(array![[[14, 23]]].into_dyn())]);
/// # Ok::<(), upconv::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`run`]; [`Error::DataType`] for a tensor of another type than the op's; [`Error::MixedStorage`] for
/// tensors of f32 beside tensors of f16.
pub fn run_tensors<O: CpuOp>(op: &O, inputs: &[TensorView]) -> Result<Vec<Tensor>> {
    op.check_inputs(inputs)?;
    op.compute_tensors(inputs)
}

impl<const R: usize> CpuOp for AvgPool<R> {}
impl<const R: usize> CpuOp for BedOfNails<R> {}
impl<const R: usize> CpuOp for ConvBiasGrad<R> {}
impl<const R: usize> CpuOp for Fold<R> {}
impl<const R: usize> CpuOp for GlobalAveragePool<R> {}
impl<const R: usize> CpuOp for GlobalLpPool<R> {}
impl<const R: usize> CpuOp for GlobalLpPoolGrad<R> {}
impl<const R: usize> CpuOp for GlobalMaxPool<R> {}
impl<const R: usize> CpuOp for LpPool<R> {}
impl<const R: usize> CpuOp for LpPoolGrad<R> {}
impl<const R: usize> CpuOp for MaxPool<R> {}
impl<const R: usize> CpuOp for PixelShuffle<R> {}
impl<const R: usize> CpuOp for ResizeConv<R> {}
impl<const R: usize> CpuOp for Unfold<R> {}
impl<T: Separable> CpuOp for SeparableGrad<T> {}

/// The fewest numbers in a loop that are worth another thread.
const LEAST_WORK: usize = 1 << 14;

/// Bytes of a matrix product's intermediate matrix, few enough for it to stay in a core's own cache.
const SLAB: usize = 1 << 20;

/// The fewest rows that a thread should take, if each row takes `work` operations.
fn least_rows(work: usize) -> usize {
    LEAST_WORK.div_ceil(work.max(1))
}

/// Elements in row-major order, copied only if they are not.
fn row_major<'a>(view: &'a ArrayViewD<f32>) -> CowArray<'a, f32, IxDyn> {
    view.as_standard_layout()
}

/// A tensor of zeros; an error where it does not fit into memory.
fn zeros(shape: &[usize]) -> Result<Vec<f32>> {
    use rayon::prelude::*;
    let length = shape.iter().product();
    let mut values = reserve("a tensor of the CPU engine", length)?;
    values.par_extend(rayon::iter::repeat_n(0.0, length).with_min_len(LEAST_WORK));
    Ok(values)
}

/// Gives a buffer `length` numbers, of any value; an error where they do not fit into memory.
fn resize(buffer: &mut Vec<f32>, length: usize) -> Result<()> {
    if buffer.capacity() < length {
        *buffer = reserve("a tensor of the CPU engine", length)?;
    }
    buffer.resize(length, 0.0);
    Ok(())
}

/// The row-major output of a shape.
fn shaped(shape: Vec<usize>, values: Vec<f32>) -> Result<ArrayD<f32>> {
    let actual = vec![values.len()];
    ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|_| Error::Shape {
        operand: "output",
        expected: shape,
        actual,
    })
}

/// Adds each channel's bias to an output of planes (image, channel) of `plane` samples, and applies the activation.
fn apply_epilogue(output: &mut [f32], plane: usize, channels: usize, bias: Option<&[f32]>, activation: Activation) {
    use rayon::prelude::*;
    if (bias.is_none() && activation == Activation::None) || plane == 0 {
        return;
    }
    let planes = output.par_chunks_mut(plane).enumerate().with_min_len(least_rows(plane));
    planes.for_each(|(number, plane)| {
        let bias = bias.map_or(0.0, |bias| bias[number % channels]);
        match activation {
            Activation::None => plane.iter_mut().for_each(|value| *value += bias),
            // `max` would make a NaN 0.
            Activation::Relu => plane.iter_mut().for_each(|value| {
                let sum = *value + bias;
                *value = if sum < 0.0 { 0.0 } else { sum };
            }),
            other => plane.iter_mut().for_each(|value| *value = other.apply(f64::from(*value + bias)) as f32),
        }
    });
}
