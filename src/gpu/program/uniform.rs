//! The uniform structs of the shaders, field by field as in WGSL; a test compares them with the shaders.

/// A uniform struct as its shader has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UniformLayout {
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) fields: &'static [Field],
    /// In bytes.
    pub(crate) size: u64,
}

/// A field of a uniform struct: its name and WGSL type. Every field but a nested struct takes four bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) name: &'static str,
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
pub(crate) enum Kind {
    U32,
    I32,
    F32,
    Struct(&'static [Field]),
}

pub(crate) trait Uniform {
    const KIND: Kind;
}

impl Uniform for u32 {
    const KIND: Kind = Kind::U32;
}

impl Uniform for i32 {
    const KIND: Kind = Kind::I32;
}

impl Uniform for f32 {
    const KIND: Kind = Kind::F32;
}

/// Declares a uniform struct and the table of its fields: nested structs, which come first, and four-byte fields. The
/// size of a nested struct must be a multiple of 16 bytes.
macro_rules! uniform {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name {
            $(pub(crate) $field: $kind),+
        }

        impl $name {
            pub(crate) const FIELDS: &'static [$crate::gpu::program::uniform::Field] = &[$(
                $crate::gpu::program::uniform::Field {
                    name: stringify!($field),
                    kind: <$kind as $crate::gpu::program::uniform::Uniform>::KIND,
                }
            ),+];

            /// The struct as the shader declares it: its fields, and its size in bytes.
            #[allow(dead_code, reason = "a nested struct has no shader of its own")]
            pub(crate) const LAYOUT: $crate::gpu::program::uniform::UniformLayout =
                $crate::gpu::program::uniform::UniformLayout {
                    fields: Self::FIELDS,
                    size: size_of::<Self>() as u64,
                };
        }

        impl $crate::gpu::program::uniform::Uniform for $name {
            const KIND: $crate::gpu::program::uniform::Kind =
                $crate::gpu::program::uniform::Kind::Struct(Self::FIELDS);
        }
    };
}
pub(crate) use uniform;

/// A size, a padding or a coordinate as the shaders' i32. Descriptors are checked to stay below 2³¹ - 65536.
pub(crate) fn to_i32(value: impl TryInto<i32>) -> i32 {
    let value = value.try_into();
    debug_assert!(value.is_ok(), "a coordinate of 2^31 or more passed the checks of its descriptor");
    value.unwrap_or(i32::MAX)
}

/// A count as the u32 of a recipe, a constant or a dispatch; see [`to_i32`].
pub(crate) fn to_u32(value: impl TryInto<u32>) -> u32 {
    let value = value.try_into();
    debug_assert!(value.is_ok(), "a count of 2^32 or more passed the checks of its descriptor");
    value.unwrap_or(u32::MAX)
}

/// An address or stride modulo 2³². Shaders compute addresses modulo 2³² too, and the result is right as long as it
/// lies inside a window of fewer than 2³² elements, even where a base or a stride by itself does not fit.
#[allow(clippy::cast_possible_truncation, reason = "the remainder modulo 2^32 is meant")]
pub(crate) fn mod_2_32(elements: usize) -> u32 {
    elements as u32
}

/// The number of elements of `element_bytes` each in the first `bytes` of a tensor, modulo 2³².
#[allow(clippy::cast_possible_truncation, reason = "the remainder modulo 2^32 is meant")]
pub(crate) fn elements_before(bytes: u64, element_bytes: u64) -> u32 {
    (bytes / element_bytes) as u32
}
