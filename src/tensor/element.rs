//! Tensors of the element types that the ops read and write.

use half::f16;
use ndarray::{Array, ArrayD, ArrayView, ArrayViewD, Dimension};

use crate::dtype::DataType;

/// A read-only view of a tensor, with any strides.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TensorView<'a> {
    /// Floating-point numbers of four bytes.
    F32(ArrayViewD<'a, f32>),
    /// Floating-point numbers of two bytes.
    F16(ArrayViewD<'a, f16>),
    /// Signed integers of four bytes.
    I32(ArrayViewD<'a, i32>),
}

impl TensorView<'_> {
    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(view) => view.shape(),
            Self::F16(view) => view.shape(),
            Self::I32(view) => view.shape(),
        }
    }

    /// The type of the elements.
    pub fn data_type(&self) -> DataType {
        if matches!(self, Self::I32(_)) { DataType::I32 } else { DataType::Float }
    }

    /// The elements in f64, row-major, whatever the strides were.
    pub(crate) fn widen(&self) -> Vec<f64> {
        match self {
            Self::F32(view) => view.iter().map(|&value| value.into()).collect(),
            Self::F16(view) => view.iter().map(|&value| value.into()).collect(),
            Self::I32(view) => view.iter().map(|&value| value.into()).collect(),
        }
    }

    /// The elements as integers, row-major; floating-point numbers are rounded towards 0.
    pub(crate) fn integers(&self) -> Vec<i64> {
        match self {
            Self::I32(view) => view.iter().map(|&value| value.into()).collect(),
            numbers => numbers.widen().into_iter().map(|value| value as i64).collect(),
        }
    }
}

/// A tensor that an op computed, row-major.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Tensor {
    /// Floating-point numbers of four bytes.
    F32(ArrayD<f32>),
    /// Floating-point numbers of two bytes.
    F16(ArrayD<f16>),
    /// Signed integers of four bytes.
    I32(ArrayD<i32>),
}

impl Tensor {
    /// The lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(array) => array.shape(),
            Self::F16(array) => array.shape(),
            Self::I32(array) => array.shape(),
        }
    }

    /// Its elements as f64, which holds each of them exactly.
    pub fn to_f64(&self) -> ArrayD<f64> {
        match self {
            Self::F32(array) => array.mapv(f64::from),
            Self::F16(array) => array.mapv(f64::from),
            Self::I32(array) => array.mapv(f64::from),
        }
    }
}

/// An element type of a tensor: `f32`, [`half::f16`] or `i32`.
pub trait Element: bytemuck::Pod + private::Sealed {
    /// The view with its element type known only at run time.
    fn view<'a, D: Dimension>(view: ArrayView<'a, Self, D>) -> TensorView<'a>;

    /// The tensor's elements, or `None` if they are of another type.
    fn take(tensor: Tensor) -> Option<ArrayD<Self>>;
}

mod private {
    #[expect(unnameable_types, reason = "only this crate names element types")]
    pub trait Sealed {}
}

macro_rules! element {
    ($type:ty, $variant:ident) => {
        impl private::Sealed for $type {}

        impl Element for $type {
            fn view<'a, D: Dimension>(view: ArrayView<'a, Self, D>) -> TensorView<'a> {
                TensorView::$variant(view.into_dyn())
            }

            fn take(tensor: Tensor) -> Option<ArrayD<Self>> {
                if let Tensor::$variant(array) = tensor { Some(array) } else { None }
            }
        }
    };
}

element!(f32, F32);
element!(f16, F16);
element!(i32, I32);

impl<'a, T: Element, D: Dimension> From<ArrayView<'a, T, D>> for TensorView<'a> {
    fn from(view: ArrayView<'a, T, D>) -> Self {
        T::view(view)
    }
}

impl<'a, T: Element, D: Dimension> From<&'a Array<T, D>> for TensorView<'a> {
    fn from(array: &'a Array<T, D>) -> Self {
        T::view(array.view())
    }
}

impl<'a> From<&'a Tensor> for TensorView<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        match tensor {
            Tensor::F32(array) => Self::F32(array.view()),
            Tensor::F16(array) => Self::F16(array.view()),
            Tensor::I32(array) => Self::I32(array.view()),
        }
    }
}
