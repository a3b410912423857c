//! The tensors that an op reads and writes: their roles, shapes and types.

use std::fmt;

use crate::dtype::DataType;
use crate::error::{Error, Result};

/// The part that a tensor plays in an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The tensor that the op is applied to. It is the gradient of the forward output in all gradients but the
    /// weight's, where it is the forward input.
    Input,
    /// The kernel of a convolution.
    Weight,
    /// One number for each output channel, which is added to all its samples.
    Bias,
    /// The gradient of the forward output, in an op that takes it beside the forward input.
    GradOutput,
    /// For each window of a max pooling, the index of the sample that it chose.
    Indices,
    /// The number that stands for 0 in the input of a quantised op, and in its padding.
    InputZeroPoint,
    /// The numbers that stand for 0 in the kernel of a quantised convolution.
    WeightZeroPoint,
    /// The result.
    Output,
    /// How many indices were out of range: the second output of a max unpooling.
    Invalid,
}

impl Role {
    /// The role in one word, as in errors: `"input"`, `"grad_output"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::GradOutput => "grad_output",
            Self::Indices => "indices",
            Self::InputZeroPoint => "input_zero_point",
            Self::WeightZeroPoint => "weight_zero_point",
            Self::Output => "output",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tensor that an op reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operand {
    /// Its part in the op.
    pub role: Role,
    /// Lengths of its axes, in the op's logical order.
    pub shape: Vec<usize>,
    /// The type of its elements.
    pub data_type: DataType,
    /// Whether its axes are those of a weight, (Cout, Cin/groups, kernel...) or transposed (Cin, Cout/groups,
    /// kernel...), and not those of an activation, (N, C, spatial...).
    pub is_weight: bool,
}

impl Operand {
    /// A tensor of numbers, with the axes of an activation.
    pub(crate) fn new(role: Role, shape: Vec<usize>) -> Self {
        Self { role, shape, data_type: DataType::Float, is_weight: false }
    }

    /// A tensor of numbers, with the axes of a convolution's kernel.
    pub(crate) fn weight(role: Role, shape: Vec<usize>) -> Self {
        Self { is_weight: true, ..Self::new(role, shape) }
    }

    /// A tensor of integers of four bytes.
    pub(crate) fn integers(role: Role, shape: Vec<usize>) -> Self {
        Self { data_type: DataType::I32, ..Self::new(role, shape) }
    }

    /// The same tensor with elements of another type.
    pub(crate) fn of(self, data_type: impl Into<DataType>) -> Self {
        Self { data_type: data_type.into(), ..self }
    }
}

pub(crate) fn check_shape(operand: Operand, actual: &[usize]) -> Result<()> {
    if operand.shape == actual {
        return Ok(());
    }
    Err(Error::Shape { operand: operand.role.name(), expected: operand.shape, actual: actual.into() })
}

/// Splits an (N, C, spatial...) shape; refuses another number of axes.
pub(crate) fn split_shape<const R: usize>(operand: &'static str, shape: &[usize]) -> Result<([usize; 2], [usize; R])> {
    let rank = || Error::Rank { operand, expected: R + 2, actual: shape.len() };
    let (channels, spatial) = shape.split_at_checked(2).ok_or_else(rank)?;
    Ok(([channels[0], channels[1]], spatial.try_into().map_err(|_| rank())?))
}
