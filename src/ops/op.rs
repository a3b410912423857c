//! What every op has: named tensors, a cost, and a reference.

use ndarray::ArrayD;

use super::reference::Reference;
use crate::dtype::DataType;
use crate::error::{Error, Result};
use crate::tensor::element::{Tensor, TensorView};
use crate::tensor::operand::{Operand, check_shape};

/// The arithmetic and the memory traffic that an op needs, whatever the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// Operations: two for each product that is summed, taps in the padding not counted.
    pub flops: u64,
    /// Bytes if each tensor is read or written once: four for each element, but one for an integer of 8 bits.
    pub bytes: u64,
}

/// A descriptor that knows its tensors and its definition. It says what is computed, not how.
pub trait Op {
    /// The op's name, as in shader names and labels: `"conv_transpose"`.
    const NAME: &'static str;

    /// The tensors that it reads, in the order in which every call takes them. Refuses a descriptor that breaks a rule.
    fn inputs(&self) -> Result<Vec<Operand>>;

    /// The tensor that it writes, the first one if there are several. Refuses a descriptor that breaks a rule.
    fn output(&self) -> Result<Operand>;

    /// All tensors that it writes. Those after the first hold integers; the first does in a
    /// [`ConvInteger`](crate::ConvInteger).
    fn outputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![self.output()?])
    }

    /// The problem as one line of text, such as `conv:ic64_oc64_i224x224_k3x3_p1x1 relu`: its name in benchmarks, and
    /// the key of tuned recipes. Fields that have the descriptor's default are left out.
    fn problem(&self) -> String;

    /// The number of products that are summed; 0 for an op that only moves, compares or adds samples. Refuses a
    /// descriptor that breaks a rule.
    fn multiply_adds(&self) -> Result<u128>;

    /// The definition on the CPU, summed in f64; see [`Op::reference`].
    #[doc(hidden)]
    fn define(&self, inputs: &[TensorView]) -> Result<Reference>;

    /// The definition of the outputs of integers; see [`Op::reference_integers`].
    #[doc(hidden)]
    fn define_integers(&self, _inputs: &[TensorView]) -> Result<Vec<ArrayD<i32>>> {
        Ok(Vec::new())
    }

    /// Computes the op on the CPU in f64, with the bound that an f32 sum in any order must keep.
    ///
    /// `inputs` are those of [`Op::inputs`], of any strides. Where their ranks or types differ, as with a bias, pass
    /// views made `into_dyn()`, or [`TensorView`]s. Refuses inputs that [`Op::check_inputs`] refuses.
    fn reference<'a, V: Into<TensorView<'a>> + Clone>(&self, inputs: &[V]) -> Result<Reference> {
        self.define(&self.views(inputs)?)
    }

    /// Computes the outputs of integers on the CPU, in the order of [`Op::outputs`]. A GPU must give the same integers.
    fn reference_integers<'a, V: Into<TensorView<'a>> + Clone>(&self, inputs: &[V]) -> Result<Vec<ArrayD<i32>>> {
        self.define_integers(&self.views(inputs)?)
    }

    /// Every output by its definition, in the order of [`Op::outputs`]: floating-point numbers are rounded once to f32.
    fn reference_tensors<'a, V: Into<TensorView<'a>> + Clone>(&self, inputs: &[V]) -> Result<Vec<Tensor>> {
        let views = self.views(inputs)?;
        let mut tensors = Vec::new();
        if self.output()?.data_type == DataType::Float {
            tensors.push(Tensor::F32(self.define(&views)?.to_f32()));
        }
        tensors.extend(self.define_integers(&views)?.into_iter().map(Tensor::I32));
        Ok(tensors)
    }

    /// The error that the outputs of integers report about the inputs' values, such as [`Error::IndexOutOfRange`].
    #[doc(hidden)]
    fn check_integers(&self, _integers: &[&ArrayD<i32>]) -> Result<()> {
        Ok(())
    }

    #[doc(hidden)]
    fn views<'a, V: Into<TensorView<'a>> + Clone>(&self, inputs: &[V]) -> Result<Vec<TensorView<'a>>> {
        let views: Vec<TensorView> = inputs.iter().map(|view| view.clone().into()).collect();
        self.check_inputs(&views)?;
        Ok(views)
    }

    /// The op's FLOPs and bytes. Refuses a descriptor that breaks a rule.
    fn cost(&self) -> Result<Cost> {
        let bytes = |operand: &Operand| {
            operand.shape.iter().fold(operand.data_type.bytes(), |n, &axis| n.saturating_mul(axis as u64))
        };
        let reads = self.inputs()?.iter().map(bytes).fold(0u64, u64::saturating_add);
        Ok(Cost {
            flops: u64::try_from(self.multiply_adds()?.saturating_mul(2)).unwrap_or(u64::MAX),
            bytes: self.outputs()?.iter().map(bytes).fold(reads, u64::saturating_add),
        })
    }

    /// Refuses a list of tensors whose number, types or shapes are not the op's ([`Error::OperandCount`],
    /// [`Error::DataType`], [`Error::Shape`]).
    fn check_inputs(&self, views: &[TensorView]) -> Result<()> {
        let expected = self.inputs()?;
        if views.len() != expected.len() {
            return Err(Error::OperandCount { op: Self::NAME, expected: expected.len(), actual: views.len() });
        }
        expected.into_iter().zip(views).try_for_each(|(operand, view)| {
            let (expected, actual) = (operand.data_type, view.data_type());
            if expected != actual {
                return Err(Error::DataType { operand: operand.role.name(), expected, actual });
            }
            check_shape(operand, view.shape())
        })
    }
}
