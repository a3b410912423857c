//! Recipes: a layer as another framework writes it and as it is written here, and what to do about a device, its
//! limits, textures, checkerboards, timing and reading back.
//!
//! | page | about |
//! |---|---|
//! | [`pytorch`] | convolutions, upsampling, pixel shuffle, unfold, pooling, padding, weights, batch norm |
//! | [`tensorflow`] | Keras' layers and TensorFlow's functions, NHWC |
//! | [`onnx`] | `ConvTranspose`, `Conv`, `ConvInteger`, `Resize`, `DepthToSpace`, `MaxUnpool`, `Col2Im` |
//! | [`caffe`] | `Deconvolution` with the bilinear filler, `Crop` |
//! | [`conventions`] | what padding, output padding, kernels, indices and coordinates mean here |
//! | [`sharing`] | a device that another crate has too: buffers, passes, textures, sRGB |
//! | [`limits`] | which limits and features to request, tensors larger than a binding |
//! | [`checkerboards`] | what they are, how to measure them, four ways out |
//! | [`measuring`] | how long a layer takes, tuning, saved recipes |
//! | [`reading_back`] | results on the host without stalling |
//!
//! The Rust in these pages is compiled, and run where it needs no GPU: what an op means can be computed anywhere by
//! [`Op::reference`](crate::Op::reference), whose numbers the examples assert. On a device the same descriptors go to
//! [`Gpu::run`](crate::Gpu::run) or [`Planner::plan`](crate::Planner::plan).

#[doc = include_str!("cookbook/pytorch.md")]
pub mod pytorch {}

#[doc = include_str!("cookbook/tensorflow.md")]
pub mod tensorflow {}

#[doc = include_str!("cookbook/onnx.md")]
pub mod onnx {}

#[doc = include_str!("cookbook/caffe.md")]
pub mod caffe {}

#[doc = include_str!("cookbook/conventions.md")]
pub mod conventions {}

#[doc = include_str!("cookbook/sharing.md")]
pub mod sharing {}

#[doc = include_str!("cookbook/limits.md")]
pub mod limits {}

#[doc = include_str!("cookbook/checkerboards.md")]
pub mod checkerboards {}

#[doc = include_str!("cookbook/measuring.md")]
pub mod measuring {}

#[doc = include_str!("cookbook/reading_back.md")]
pub mod reading_back {}
