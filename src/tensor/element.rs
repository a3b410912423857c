//! Tensors of the element types that the ops read and write.

use half::f16;
use ndarray::{Array, ArrayD, ArrayView, ArrayViewD, Dimension};

use crate::dtype::{DataType, FloatType};

/// A tensor that is read, of any strides.
#[derive(Clone, Debug)]
pub enum TensorView<'a> {
    /// Numbers of four bytes.
    F32(ArrayViewD<'a, f32>),
    /// Numbers of two bytes.
    F16(ArrayViewD<'a, f16>),
    /// Integers.
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

    /// Integers, row-major; numbers are rounded towards 0.
    pub(crate) fn integers(&self) -> Vec<i64> {
        match self {
            Self::I32(view) => view.iter().map(|&value| value.into()).collect(),
            numbers => numbers.widen().into_iter().map(|value| value as i64).collect(),
        }
    }
}

/// A tensor that was computed, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Numbers of four bytes.
    F32(ArrayD<f32>),
    /// Numbers of two bytes.
    F16(ArrayD<f16>),
    /// Integers.
    I32(ArrayD<i32>),
}

/// An element type of a tensor: `f32`, [`half::f16`] or `i32`.
pub trait Element: bytemuck::Pod + private::Sealed {
    /// What an op's numbers are stored as where its inputs are of this type.
    const FLOAT_TYPE: FloatType;

    /// The view as one of any type.
    fn view<'a, D: Dimension>(view: ArrayView<'a, Self, D>) -> TensorView<'a>;

    /// The tensor's elements, if they are of this type.
    fn take(tensor: Tensor) -> Option<ArrayD<Self>>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! element {
    ($type:ty, $variant:ident, $float_type:expr) => {
        impl private::Sealed for $type {}

        impl Element for $type {
            const FLOAT_TYPE: FloatType = $float_type;

            fn view<'a, D: Dimension>(view: ArrayView<'a, Self, D>) -> TensorView<'a> {
                TensorView::$variant(view.into_dyn())
            }

            fn take(tensor: Tensor) -> Option<ArrayD<Self>> {
                if let Tensor::$variant(array) = tensor { Some(array) } else { None }
            }
        }
    };
}

element!(f32, F32, FloatType::F32);
element!(f16, F16, FloatType::F16);
element!(i32, I32, FloatType::F32);

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
