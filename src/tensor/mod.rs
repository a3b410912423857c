//! Tensors: their elements, their layouts in a buffer, and what an op says of them.

pub(crate) mod allocate;
pub(crate) mod element;
pub(crate) mod layout;
pub(crate) mod operand;
