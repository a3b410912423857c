//! Tensors: their elements, their layouts in a buffer, and their roles in an op.

pub(crate) mod allocate;
pub(crate) mod element;
pub(crate) mod layout;
pub(crate) mod operand;
