//! What every op has: named tensors, a cost, and a reference.

use ndarray::{ArrayView, ArrayViewD, Dimension};

use crate::reference::Reference;
use crate::{Error, Result};

/// A tensor that an op reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// `"input"`, `"weight"`, `"bias"` or `"output"`.
    pub name: &'static str,
    /// Lengths of its axes, in the op's logical order.
    pub shape: Vec<usize>,
}

impl Operand {
    pub(crate) fn new(name: &'static str, shape: Vec<usize>) -> Self {
        Self { name, shape }
    }
}

/// What an op must do and move, whatever the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations: two for each product that is summed, taps in the padding not counted.
    pub flops: u64,
    /// Bytes, each tensor read or written once.
    pub bytes: u64,
}

/// A descriptor that knows its tensors and its definition. It says what is computed, not how.
pub trait Op {
    /// The op's name, as in shader names and labels: `"conv_transpose"`.
    const NAME: &'static str;

    /// The tensors that it reads, in the order in which every call takes them. Refuses a descriptor that breaks a rule.
    fn inputs(&self) -> Result<Vec<Operand>>;

    /// The tensor that it writes. Refuses a descriptor that breaks a rule.
    fn output(&self) -> Result<Operand>;

    /// Products that are summed.
    fn multiply_adds(&self) -> Result<u128>;

    /// The definition on the CPU, summed in f64; see [`Op::reference`].
    #[doc(hidden)]
    fn define(&self, inputs: &[ArrayViewD<f32>]) -> Result<Reference>;

    /// Computes the op on the CPU in f64, with the bound that an f32 sum in any order must keep.
    ///
    /// `inputs` are those of [`Op::inputs`], of any strides. With a bias, whose rank differs, pass views made
    /// `into_dyn()`.
    fn reference<D: Dimension>(&self, inputs: &[ArrayView<f32, D>]) -> Result<Reference> {
        let views: Vec<_> = inputs.iter().map(|view| view.view().into_dyn()).collect();
        self.check_inputs(&views)?;
        self.define(&views)
    }

    /// FLOPs and bytes.
    fn cost(&self) -> Result<Cost> {
        let count = |operand: &Operand| operand.shape.iter().fold(4u64, |n, &axis| n.saturating_mul(axis as u64));
        let reads = self.inputs()?.iter().map(count).fold(0u64, u64::saturating_add);
        Ok(Cost {
            flops: u64::try_from(self.multiply_adds()?.saturating_mul(2)).unwrap_or(u64::MAX),
            bytes: reads.saturating_add(count(&self.output()?)),
        })
    }

    /// Refuses a list of tensors whose number or shapes are not the op's.
    fn check_inputs(&self, views: &[ArrayViewD<f32>]) -> Result<()> {
        let expected = self.inputs()?;
        if views.len() != expected.len() {
            return Err(Error::OperandCount { op: Self::NAME, expected: expected.len(), actual: views.len() });
        }
        expected.into_iter().zip(views).try_for_each(|(operand, view)| check_shape(operand, view.shape()))
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
