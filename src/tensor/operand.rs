//! What an op says of a tensor that it reads or writes.

use crate::dtype::DataType;
use crate::error::{Error, Result};

/// A tensor that an op reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Such as `"input"`, `"weight"`, `"bias"` or `"output"`.
    pub name: &'static str,
    /// Lengths of its axes, in the op's logical order.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub data_type: DataType,
}

impl Operand {
    pub(crate) fn new(name: &'static str, shape: Vec<usize>) -> Self {
        Self { name, shape, data_type: DataType::Float }
    }

    /// A tensor of integers.
    pub(crate) fn integers(name: &'static str, shape: Vec<usize>) -> Self {
        Self { name, shape, data_type: DataType::I32 }
    }
}

pub(crate) fn check_shape(operand: Operand, actual: &[usize]) -> Result<()> {
    if operand.shape == actual {
        return Ok(());
    }
    Err(Error::Shape { operand: operand.name, expected: operand.shape, actual: actual.into() })
}

/// Splits an (N, C, spatial...) shape; refuses another number of axes.
pub(crate) fn split_shape<const R: usize>(operand: &'static str, shape: &[usize]) -> Result<([usize; 2], [usize; R])> {
    let rank = || Error::Rank { operand, expected: R + 2, actual: shape.len() };
    let (channels, spatial) = shape.split_at_checked(2).ok_or_else(rank)?;
    Ok(([channels[0], channels[1]], spatial.try_into().map_err(|_| rank())?))
}
