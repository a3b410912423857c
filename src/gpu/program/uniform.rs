//! The uniform structs of the shaders, field by field as in WGSL; a test compares them with the shaders.

/// A field of a uniform struct: its name and WGSL type. Every field takes four bytes but a vector and a nested struct.
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
    /// A vector of four.
    U32x4,
    I32x4,
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

impl Uniform for [u32; 4] {
    const KIND: Kind = Kind::U32x4;
}

impl Uniform for [i32; 4] {
    const KIND: Kind = Kind::I32x4;
}

/// A struct of four-byte fields and of vectors of four, which come first; with its field table.
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
        }

        impl $crate::gpu::program::uniform::Uniform for $name {
            const KIND: $crate::gpu::program::uniform::Kind =
                $crate::gpu::program::uniform::Kind::Struct(Self::FIELDS);
        }
    };
}
pub(crate) use uniform;

/// An address or stride modulo 2³². Shaders compute addresses modulo 2³² too, and the result is right as long as it
/// lies inside a window of fewer than 2³² elements, even where a base or a stride by itself does not fit.
pub(crate) fn wrap(elements: usize) -> u32 {
    elements as u32
}
