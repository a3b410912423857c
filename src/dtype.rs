//! What numbers are stored as.

/// What the floating-point tensors of an op are stored as. Sums are f32 either way.
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
    /// A number, stored as the plan's [`FloatType`].
    Float,
    /// A signed integer of four bytes, such as an index.
    I32,
}
