#![doc = include_str!("../README.md")]
//!
//! # Cookbook
//!
//! Recipes by framework and by task are in [`cookbook`].

mod activation;
mod avg_pool;
mod bed_of_nails;
mod checkerboard;
mod color;
mod conv;
mod conv_bias_grad;
mod conv_transpose;
mod conv_weight_grad;
pub mod cookbook;
mod coordinates;
#[cfg(all(feature = "cpu", not(target_arch = "wasm32")))]
pub mod cpu;
mod error;
mod filters;
pub mod geometry;
pub mod gpu;
mod gradients;
mod layout;
pub mod matrix;
mod max_pool;
mod max_unpool;
mod memory;
mod op;
mod pixel_shuffle;
mod pool;
mod pool_indices;
mod reference;
mod resize_conv;
mod separable;
mod taps;
mod tensor;
mod texture_mistake;
mod upsample;
mod upsample_conventions;
mod zero_insertion;

pub use activation::Activation;
pub use avg_pool::AvgPool;
pub use bed_of_nails::BedOfNails;
pub use checkerboard::Checkerboard;
pub use color::ColorEncoding;
pub use conv::Conv;
pub use conv_bias_grad::ConvBiasGrad;
pub use conv_transpose::{ConvTranspose, TransposePadding};
pub use conv_weight_grad::ConvWeightGrad;
pub use error::{Error, Result, TextureMistake};
pub use filters::Filter;
pub use geometry::{Padding, Pads};
pub use gpu::{Bound, Gpu, Plan, PlanOptions, Planner, Recipe};
pub use layout::TensorLayout;
pub use max_pool::{MaxPool, MaxPoolGrad};
pub use max_unpool::{MaxUnpool, MaxUnpoolGrad};
pub use op::{Cost, Op, Operand};
pub use pixel_shuffle::{ChannelOrder, PixelShuffle, ShuffleDirection};
pub use pool_indices::IndexConvention;
pub use reference::{Agreement, Mismatch, Reference};
pub use resize_conv::ResizeConv;
pub use separable::{Separable, SeparableGrad};
pub use taps::{Tap, TapTable};
pub use tensor::{DataType, Element, FloatType, Tensor, TensorView};
pub use upsample::{Coordinates, Rounding, Upsample, UpsampleMode};
pub use upsample_conventions::{AspectRatio, Interpolate, OpenCvResize, PillowResize, SplineOrder, TfResize};
pub use zero_insertion::ZeroInsertion;

pub use half;
pub use ndarray;
pub use wgpu;

/// Average pooling over one spatial axis.
pub type AvgPool1d = AvgPool<1>;
/// Average pooling over two spatial axes.
pub type AvgPool2d = AvgPool<2>;
/// Average pooling over three spatial axes.
pub type AvgPool3d = AvgPool<3>;
/// Bed of nails over one spatial axis.
pub type BedOfNails1d = BedOfNails<1>;
/// Bed of nails over two spatial axes.
pub type BedOfNails2d = BedOfNails<2>;
/// Bed of nails over three spatial axes.
pub type BedOfNails3d = BedOfNails<3>;
/// Convolution over one spatial axis.
pub type Conv1d = Conv<1>;
/// Convolution over two spatial axes.
pub type Conv2d = Conv<2>;
/// Convolution over three spatial axes.
pub type Conv3d = Conv<3>;
/// Transposed convolution over one spatial axis.
pub type ConvTranspose1d = ConvTranspose<1>;
/// Transposed convolution over two spatial axes.
pub type ConvTranspose2d = ConvTranspose<2>;
/// Transposed convolution over three spatial axes.
pub type ConvTranspose3d = ConvTranspose<3>;
/// Max pooling over one spatial axis.
pub type MaxPool1d = MaxPool<1>;
/// Max pooling over two spatial axes.
pub type MaxPool2d = MaxPool<2>;
/// Max pooling over three spatial axes.
pub type MaxPool3d = MaxPool<3>;
/// Max unpooling over one spatial axis.
pub type MaxUnpool1d = MaxUnpool<1>;
/// Max unpooling over two spatial axes.
pub type MaxUnpool2d = MaxUnpool<2>;
/// Max unpooling over three spatial axes.
pub type MaxUnpool3d = MaxUnpool<3>;
/// Pixel shuffle over one spatial axis.
pub type PixelShuffle1d = PixelShuffle<1>;
/// Pixel shuffle over two spatial axes.
pub type PixelShuffle2d = PixelShuffle<2>;
/// Pixel shuffle over three spatial axes.
pub type PixelShuffle3d = PixelShuffle<3>;
/// Resize-convolution over one spatial axis.
pub type ResizeConv1d = ResizeConv<1>;
/// Resize-convolution over two spatial axes.
pub type ResizeConv2d = ResizeConv<2>;
/// Resize-convolution over three spatial axes.
pub type ResizeConv3d = ResizeConv<3>;
/// Upsampling of one spatial axis.
pub type Upsample1d = Upsample<1>;
/// Upsampling of two spatial axes.
pub type Upsample2d = Upsample<2>;
/// Upsampling of three spatial axes.
pub type Upsample3d = Upsample<3>;
/// The gradient of an upsampling of one spatial axis.
pub type UpsampleGrad1d = SeparableGrad<Upsample<1>>;
/// The gradient of an upsampling of two spatial axes.
pub type UpsampleGrad2d = SeparableGrad<Upsample<2>>;
/// The gradient of an upsampling of three spatial axes.
pub type UpsampleGrad3d = SeparableGrad<Upsample<3>>;
