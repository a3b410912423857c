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

/// The type of an 8-bit integer, as quantised networks have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ByteType {
    /// 0 to 255.
    #[default]
    U8,
    /// -128 to 127.
    I8,
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// A floating-point number, stored as the plan's [`FloatType`].
    Float,
    /// A signed integer of four bytes, such as an index.
    I32,
    /// An integer of one byte, from 0 to 255.
    U8,
    /// An integer of one byte, from -128 to 127.
    I8,
}

impl From<ByteType> for DataType {
    fn from(bytes: ByteType) -> Self {
        match bytes {
            ByteType::U8 => Self::U8,
            ByteType::I8 => Self::I8,
        }
    }
}

impl DataType {
    /// Bytes of an element; four for a floating-point number, which may be stored as f16.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Float | Self::I32 => 4,
            Self::U8 | Self::I8 => 1,
        }
    }
}
