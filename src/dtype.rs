//! The storage types of tensors.

/// The storage type of an op's floating-point tensors. Sums are f32 with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FloatType {
    /// Four bytes.
    #[default]
    F32,
    /// Two bytes; the device must have `SHADER_F16`.
    F16,
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// A floating-point number, stored as the plan's [`FloatType`].
    Float,
    /// A signed integer of four bytes, such as an index.
    I32,
}
