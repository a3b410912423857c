//! Tensors of the element types that the ops read and write.

use half::f16;
use ndarray::{Array, ArrayD, ArrayView, ArrayViewD, Dimension};
#[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
use ndarray::{CowArray, IxDyn};

use crate::dtype::{DataType, FloatType};
use crate::error::{Error, Result};

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
    /// Unsigned integers of one byte.
    U8(ArrayViewD<'a, u8>),
    /// Signed integers of one byte.
    I8(ArrayViewD<'a, i8>),
}

/// The same expression for a tensor's array, whatever its elements are.
macro_rules! each {
    ($tensor:expr, $array:ident => $value:expr) => {
        match $tensor {
            Self::F32($array) => $value,
            Self::F16($array) => $value,
            Self::I32($array) => $value,
            Self::U8($array) => $value,
            Self::I8($array) => $value,
        }
    };
}

impl TensorView<'_> {
    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        each!(self, view => view.shape())
    }

    /// The type of the elements.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::F32(_) | Self::F16(_) => DataType::Float,
            Self::I32(_) => DataType::I32,
            Self::U8(_) => DataType::U8,
            Self::I8(_) => DataType::I8,
        }
    }

    /// The elements in f64, row-major, whatever the strides were.
    pub(crate) fn widen(&self) -> Vec<f64> {
        each!(self, view => view.iter().map(|&value| value.into()).collect())
    }

    /// The elements as f32; copied unless they are.
    #[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
    pub(crate) fn to_f32(&self) -> CowArray<'_, f32, IxDyn> {
        match self {
            Self::F32(view) => view.view().into(),
            Self::F16(view) => view.mapv(f32::from).into(),
            Self::I32(view) => view.mapv(|value| value as f32).into(),
            Self::U8(view) => view.mapv(f32::from).into(),
            Self::I8(view) => view.mapv(f32::from).into(),
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

/// The type that all tensors of floating-point numbers have, or f32 if there is none; refuses a mixture of f32 and f16.
pub(crate) fn float_type(tensors: &[TensorView]) -> Result<FloatType> {
    let count = |wanted: fn(&TensorView) -> bool| tensors.iter().filter(|view| wanted(view)).count();
    let singles = count(|view| matches!(view, TensorView::F32(_)));
    let halves = count(|view| matches!(view, TensorView::F16(_)));
    match (singles, halves) {
        (_, 0) => Ok(FloatType::F32),
        (0, _) => Ok(FloatType::F16),
        (singles, halves) => Err(Error::MixedStorage { singles, halves }),
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
    /// Unsigned integers of one byte.
    U8(ArrayD<u8>),
    /// Signed integers of one byte.
    I8(ArrayD<i8>),
}

impl Tensor {
    /// The lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        each!(self, array => array.shape())
    }

    /// Its elements as f64, which holds each of them exactly.
    pub fn to_f64(&self) -> ArrayD<f64> {
        each!(self, array => array.mapv(f64::from))
    }
}

/// An element type of a tensor: `f32`, [`half::f16`], `i32`, `u8` or `i8`.
pub trait Element: bytemuck::Pod + private::Sealed {
    /// The type, as operands name it.
    const DATA_TYPE: DataType;

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
    ($type:ty, $variant:ident, $data_type:ident) => {
        impl private::Sealed for $type {}

        impl Element for $type {
            const DATA_TYPE: DataType = DataType::$data_type;

            fn view<'a, D: Dimension>(view: ArrayView<'a, Self, D>) -> TensorView<'a> {
                TensorView::$variant(view.into_dyn())
            }

            fn take(tensor: Tensor) -> Option<ArrayD<Self>> {
                if let Tensor::$variant(array) = tensor { Some(array) } else { None }
            }
        }
    };
}

element!(f32, F32, Float);
element!(f16, F16, Float);
element!(i32, I32, I32);
element!(u8, U8, U8);
element!(i8, I8, I8);

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
            Tensor::U8(array) => Self::U8(array.view()),
            Tensor::I8(array) => Self::I8(array.view()),
        }
    }
}
