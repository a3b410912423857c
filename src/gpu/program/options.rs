//! What a caller may ask of a plan.

use super::recipe::Recipe;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;

/// What a plan may be told besides the descriptor. A layout that is not given is row-major without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// Where the input lies.
    pub input: Option<TensorLayout>,
    /// Where the weight lies.
    pub weight: Option<TensorLayout>,
    /// Where the bias lies.
    pub bias: Option<TensorLayout>,
    /// Where the gradient of the forward output lies, for an op that takes it beside another input.
    pub grad_output: Option<TensorLayout>,
    /// Where a pooling's indices lie, as an input or as an output.
    pub indices: Option<TensorLayout>,
    /// Where the output goes. No two of its elements may share an address.
    pub output: Option<TensorLayout>,
    /// What every floating-point tensor of the op is stored as. Sums are f32.
    pub storage: FloatType,
    /// The recipe to run; refused, never swapped, if this problem or device cannot run it.
    pub recipe: Option<Recipe>,
}

/// The tensors that may be laid out.
pub(crate) const OPERANDS: [&str; 6] = ["input", "weight", "bias", "grad_output", "indices", "output"];

impl PlanOptions {
    /// Every tensor where TensorFlow has it: activations with the channels innermost (NHWC), the weight in
    /// [`TensorLayout::tensorflow_filter`]'s order.
    pub fn nhwc<O: Op>(op: &O) -> Result<Self> {
        let mut options = Self::default();
        for operand in op.inputs()?.into_iter().chain(op.outputs()?) {
            let (shape, name) = (&operand.shape, operand.name);
            let weight = name == "weight" || (name == "output" && O::NAME == "conv_weight_grad");
            let layout =
                if weight { TensorLayout::tensorflow_filter(shape) } else { TensorLayout::channels_last(shape) };
            if let (Some(slot), true) = (options.slot(name), shape.len() > 2) {
                *slot = Some(layout);
            }
        }
        Ok(options)
    }

    /// A tensor that is laid out though it is a texture in an op between textures.
    pub(crate) fn textures_laid_out(&self) -> Option<&'static str> {
        [("input", &self.input), ("output", &self.output)]
            .into_iter()
            .find_map(|(name, layout)| layout.as_ref().map(|_| name))
    }

    /// The layouts that are given, with the tensors' names.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = (&'static str, &TensorLayout)> {
        let layouts = [&self.input, &self.weight, &self.bias, &self.grad_output, &self.indices, &self.output];
        OPERANDS.into_iter().zip(layouts).filter_map(|(name, layout)| Some((name, layout.as_ref()?)))
    }

    /// The layout of a tensor, if it may have one.
    pub(crate) fn slot(&mut self, operand: &str) -> Option<&mut Option<TensorLayout>> {
        match operand {
            "input" => Some(&mut self.input),
            "weight" => Some(&mut self.weight),
            "bias" => Some(&mut self.bias),
            "grad_output" => Some(&mut self.grad_output),
            "indices" => Some(&mut self.indices),
            "output" => Some(&mut self.output),
            _ => None,
        }
    }
}
