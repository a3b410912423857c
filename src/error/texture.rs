//! What can be wrong with a texture.

/// What is wrong with a texture; see [`Error::Texture`](crate::Error::Texture). Formats are named as in wgpu.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextureError {
    /// The format cannot be used in this way.
    #[error("a texture of {format} cannot be {what}")]
    Unusable {
        /// The texture's format.
        format: String,
        /// How it was to be used, such as `"read as floats"`.
        what: &'static str,
    },
    /// The tensor is not one image.
    #[error("a tensor of shape {shape:?} is no picture; it must be of shape (1, channels, height, width)")]
    NoPicture {
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// Two channels are to be written to one component of a texel.
    #[error("two channels are to be written to component {component} of a texel")]
    RepeatedComponent {
        /// 0 is red, 1 green, 2 blue, 3 alpha.
        component: u8,
    },
    /// The texture has another format than the plan was made for.
    #[error("the texture is of {actual}, the plan was made for {expected}")]
    Format {
        /// The plan's format.
        expected: String,
        /// The texture's format.
        actual: String,
    },
    /// The op has more channels than a texel.
    #[error("the op has {channels} channels, a texel of {format} has {available}")]
    Channels {
        /// The op's channels, or one more than the largest component that a channel is mapped to.
        channels: usize,
        /// The format.
        format: String,
        /// The format's channels.
        available: usize,
    },
    /// The texture has another size than the descriptor gives.
    #[error(
        "the texture is {} texels wide and {} high, the descriptor says {} and {}",
        .actual[0], .actual[1], .expected[0], .expected[1]
    )]
    Size {
        /// The descriptor's width and height.
        expected: [u32; 2],
        /// The texture's width and height, at that mip level.
        actual: [u32; 2],
    },
    /// The texture is not two-dimensional, or has several samples per texel.
    #[error("the texture is of dimension {dimension} with {samples} samples; it must be of D2 with 1")]
    Kind {
        /// The texture's dimension.
        dimension: String,
        /// The samples of each of its texels.
        samples: u32,
    },
    /// The texture has no such mip level or array layer.
    #[error("{what} {number} of a texture that has {count}")]
    Part {
        /// `"mip level"` or `"array layer"`.
        what: &'static str,
        /// Its number, from 0.
        number: u32,
        /// How many the texture has.
        count: u32,
    },
    /// Through OpenGL, one array layer of several cannot be read.
    #[error("through OpenGL no layer of a texture of {layers} can be read by itself")]
    Layers {
        /// How many array layers the texture has.
        layers: u32,
    },
}
