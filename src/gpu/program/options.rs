//! What a caller may ask of a plan.

use super::recipe::Recipe;
use crate::dtype::FloatType;
use crate::error::Result;
use crate::ops::op::Op;
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

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

impl PlanOptions {
    /// Every tensor where TensorFlow has it: activations with the channels innermost (NHWC), the weight in
    /// [`TensorLayout::tensorflow_filter`]'s order.
    pub fn nhwc<O: Op>(op: &O) -> Result<Self> {
        let mut options = Self::default();
        for operand in op.inputs()?.into_iter().chain(op.outputs()?) {
            let shape = &operand.shape;
            let layout = match operand.is_weight {
                true => TensorLayout::tensorflow_filter(shape),
                false => TensorLayout::channels_last(shape),
            };
            if let (Some(slot), true) = (options.layout_mut(operand.role), shape.len() > 2) {
                *slot = Some(layout);
            }
        }
        Ok(options)
    }

    /// A tensor that is laid out though it is a texture in an op between textures.
    pub(crate) fn textures_laid_out(&self) -> Option<Role> {
        self.layouts().map(|(role, _)| role).find(|role| [Role::Input, Role::Output].contains(role))
    }

    /// The layouts that are given, by role.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = (Role, &TensorLayout)> {
        let layouts = [
            (Role::Input, &self.input),
            (Role::Weight, &self.weight),
            (Role::Bias, &self.bias),
            (Role::GradOutput, &self.grad_output),
            (Role::Indices, &self.indices),
            (Role::Output, &self.output),
        ];
        layouts.into_iter().filter_map(|(role, layout)| Some((role, layout.as_ref()?)))
    }

    /// The layout of a tensor; `None` for one that is always row-major without gaps.
    pub fn layout_mut(&mut self, role: Role) -> Option<&mut Option<TensorLayout>> {
        match role {
            Role::Input => Some(&mut self.input),
            Role::Weight => Some(&mut self.weight),
            Role::Bias => Some(&mut self.bias),
            Role::GradOutput => Some(&mut self.grad_output),
            Role::Indices => Some(&mut self.indices),
            Role::Output => Some(&mut self.output),
            Role::Invalid => None,
        }
    }
}
