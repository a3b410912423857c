// The README's pictures and links are relative to the repository, which the built documentation does not have beside
// it. Markdown takes the first of several definitions of a link, so these stand before the README's own.
#![cfg_attr(doc, doc = concat!(
    "[contact_sheet]: data:image/jpeg;base64,", include_str!("../examples/upscale/contact_sheet.jpg.base64"), "\n",
    "[figure]: data:image/svg+xml;base64,", include_str!("../benches/results/2026-11-22.svg.base64"), "\n",
    "[examples]: https://docs.rs/crate/upconv/latest/source/examples/README.md\n",
    "[architecture]: https://docs.rs/crate/upconv/latest/source/ARCHITECTURE.md\n",
    "[contributing]: https://docs.rs/crate/upconv/latest/source/CONTRIBUTING.md\n\n",
))]
#![doc = include_str!("../README.md")]
//!
//! # Cookbook
//!
//! Recipes by framework and by task are in [`cookbook`].
//!
//! # Versions
//!
//! wgpu, ndarray and half are part of the interface and re-exported; take them from here, or in the same major version:
//!
//! | upconv | wgpu | ndarray | half | Rust, at least |
//! |---|---|---|---|---|
//! | 0.1 | 30 | 0.17 | 2 | 1.89 |
//!
//! Descriptors ([`ConvTranspose2d`], [`Upsample2d`], ...) and [`PlanOptions`] are made by struct literals, and later
//! versions may add fields to them: end every literal in `..Default::default()`. Enums that may grow are
//! `#[non_exhaustive]`.

#![warn(unreachable_pub, unnameable_types)]

// Tests share files with the examples, which name the crate.
#[cfg(test)]
extern crate self as upconv;

#[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
mod any_device;
pub mod cookbook;
#[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
pub mod cpu;
mod dtype;
mod error;
pub mod geometry;
pub mod gpu;
mod ops;
mod tensor;

#[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
pub use any_device::AnyDevice;
pub use dtype::{ByteType, DataType, FloatType};
pub use error::mismatch::Mismatch;
pub use error::recipe::RecipeError;
pub use error::texture::TextureError;
pub use error::tuned::TunedError;
pub use error::{Error, Result};
pub use geometry::color::ColorEncoding;
pub use geometry::{Padding, Pads};
pub use gpu::{Bindings, Bound, Gpu, Plan, PlanOptions, Planner, Recipe};
pub use ops::activation::Activation;
pub use ops::conv::bias_grad::ConvBiasGrad;
pub use ops::conv::checkerboard::Checkerboard;
pub use ops::conv::conv::{Conv, Conv1d, Conv2d, Conv3d};
pub use ops::conv::conv_integer::{ConvInteger, ConvInteger1d, ConvInteger2d, ConvInteger3d, ZeroPoint};
pub use ops::conv::conv_transpose::{ConvTranspose, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};
pub use ops::conv::fold::{Fold, Fold1d, Fold2d, Fold3d, Unfold, Unfold1d, Unfold2d, Unfold3d};
pub use ops::conv::matrix;
pub use ops::conv::resize_conv::{ResizeConv, ResizeConv1d, ResizeConv2d, ResizeConv3d};
pub use ops::conv::weight_grad::ConvWeightGrad;
pub use ops::conv::zero_insertion::ZeroInsertion;
pub use ops::op::{Cost, Op};
pub use ops::pixel_shuffle::{
    ChannelOrder, PixelShuffle, PixelShuffle1d, PixelShuffle2d, PixelShuffle3d, ShuffleDirection,
};
pub use ops::pool::avg_pool::{AvgPool, AvgPool1d, AvgPool2d, AvgPool3d};
pub use ops::pool::global_average_pool::{
    GlobalAveragePool, GlobalAveragePool1d, GlobalAveragePool2d, GlobalAveragePool3d,
};
pub use ops::pool::global_lp_pool::{GlobalLpPool, GlobalLpPool1d, GlobalLpPool2d, GlobalLpPool3d, GlobalLpPoolGrad};
pub use ops::pool::global_max_pool::{GlobalMaxPool, GlobalMaxPool1d, GlobalMaxPool2d, GlobalMaxPool3d};
pub use ops::pool::indices::IndexConvention;
pub use ops::pool::lp_pool::{LpPool, LpPool1d, LpPool2d, LpPool3d, LpPoolGrad};
pub use ops::pool::max_pool::{MaxPool, MaxPool1d, MaxPool2d, MaxPool3d, MaxPoolGrad};
pub use ops::pool::max_unpool::{MaxUnpool, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, MaxUnpoolGrad};
pub use ops::reference::{Agreement, Reference};
pub use ops::resample::bed_of_nails::{BedOfNails, BedOfNails1d, BedOfNails2d, BedOfNails3d};
pub use ops::resample::coordinates::Coordinates;
pub use ops::resample::filters::Filter;
pub use ops::resample::frameworks::{
    AspectRatio, OpencvInterpolation, PillowResample, PytorchInterpolate, ScikitOrder, TensorflowResize,
    TensorflowV1Resize,
};
pub use ops::resample::mode::{Border, Rounding, UpsampleMode};
pub use ops::resample::scale::Scale;
pub use ops::resample::separable::{Separable, SeparableGrad};
pub use ops::resample::tap_table::{Tap, TapTable};
pub use ops::resample::upsample::{
    Upsample, Upsample1d, Upsample2d, Upsample3d, UpsampleGrad1d, UpsampleGrad2d, UpsampleGrad3d,
};
pub use tensor::element::{Element, Tensor, TensorView};
pub use tensor::layout::TensorLayout;
pub use tensor::operand::{Operand, Role};

pub use half;
pub use ndarray;
pub use wgpu;
