//! What an op says of a tensor that it reads or writes.

use std::fmt;

use crate::dtype::DataType;
use crate::error::{Error, Result};

/// The part that a tensor plays in an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// What the op is applied to; of a gradient, the gradient of the forward output.
    Input,
    /// The kernel of a convolution.
    Weight,
    /// A number that is added to each channel.
    Bias,
    /// The gradient of the forward output, in an op that takes it beside the forward input.
    GradOutput,
    /// Which samples a pooling chose.
    Indices,
    /// The result.
    Output,
    /// How many indices were out of range: the second output of a max unpooling.
    Invalid,
}

impl Role {
    /// The role in one word, as errors have it: `"input"`, `"grad_output"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::GradOutput => "grad_output",
            Self::Indices => "indices",
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
    /// What its elements are.
    pub data_type: DataType,
    /// Whether its axes are those of a convolution's kernel, (Cout, Cin/groups, kernel...) or the transposed one's, and
    /// not those of an activation, (N, C, spatial...).
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

    /// A tensor of integers.
    pub(crate) fn integers(role: Role, shape: Vec<usize>) -> Self {
        Self { data_type: DataType::I32, ..Self::new(role, shape) }
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
