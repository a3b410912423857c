//! Every way in which a call can be refused: one variant per broken rule, each with its numbers.

pub(crate) mod mismatch;
pub(crate) mod recipe;
pub(crate) mod texture;
pub(crate) mod tuned;
pub(crate) mod words;

use mismatch::Mismatch;
use recipe::RecipeError;
use texture::TextureError;
use tuned::TunedError;

use crate::dtype::{DataType, FloatType};

/// Why a descriptor, a layout, a binding or a run was refused.
///
/// Most variants are mistakes of the caller, found before any GPU work is recorded. [`Error::Mismatch`] says that a
/// result is wrong; [`Error::NoAdapter`] and the variants after it are failures of the device at run time, which
/// [`Gpu`](crate::gpu::Gpu) reports.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size or step that must be at least 1 is 0.
    #[error("{what} is 0 on spatial axis {axis}; it must be at least 1")]
    ZeroOnAxis {
        /// The field.
        what: &'static str,
        /// The spatial axis, from 0.
        axis: usize,
    },
    /// A count that must be at least 1 is 0.
    #[error("{what} is 0; it must be at least 1")]
    ZeroCount {
        /// The field.
        what: &'static str,
    },
    /// The group count does not divide a channel count.
    #[error("groups {groups} does not divide {what} {channels}")]
    Groups {
        /// The group count.
        groups: usize,
        /// The field that it must divide.
        what: &'static str,
        /// That field's value.
        channels: usize,
    },
    /// A size is not a multiple of the number that must divide it.
    #[error("{what} {value} is not a multiple of {by}")]
    NotDivisible {
        /// The size.
        what: &'static str,
        /// Its value.
        value: usize,
        /// The number that must divide it.
        by: usize,
    },
    /// The kernel reaches further than the padded input.
    #[error("the kernel spans {span} samples on spatial axis {axis}, the padded input only {padded}")]
    KernelTooLarge {
        /// The spatial axis, from 0.
        axis: usize,
        /// `dilation * (kernel - 1) + 1`.
        span: usize,
        /// Input size plus padding on both sides.
        padded: i128,
    },
    /// A window of a max pooling covers no sample of the input, only padding.
    #[error("window {output} on spatial axis {axis} lies in the padding; a max pooling has nothing to choose there")]
    EmptyWindow {
        /// The spatial axis, from 0.
        axis: usize,
        /// The window's number on this axis: the index of its output.
        output: usize,
    },
    /// The sizes leave no output, or a negative number of samples.
    #[error("the output would have {size} samples on spatial axis {axis}")]
    EmptyOutput {
        /// The spatial axis, from 0.
        axis: usize,
        /// The size that the formula gives.
        size: i128,
    },
    /// The output padding is not smaller than the larger of stride and dilation.
    #[error(
        "output padding {output_padding} on spatial axis {axis} must be smaller than max(stride, dilation) = {limit}"
    )]
    OutputPadding {
        /// The spatial axis, from 0.
        axis: usize,
        /// The output padding asked for.
        output_padding: usize,
        /// `max(stride, dilation)`.
        limit: usize,
    },
    /// No padding of this convention gives the output size asked for.
    #[error("output size {wanted} on spatial axis {axis} is not possible: {convention} allows {min} to {max}")]
    OutputSize {
        /// The spatial axis, from 0.
        axis: usize,
        /// The size asked for.
        wanted: usize,
        /// The smallest size that the convention allows.
        min: i128,
        /// The largest size that the convention allows.
        max: i128,
        /// The convention whose rule is broken.
        convention: &'static str,
    },
    /// A number is past its limit: of 32-bit coordinates, of this machine's memory, of the device, or of another field.
    #[error("{what} is {value}, past the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its value.
        value: u128,
        /// The largest value allowed.
        limit: u128,
    },
    /// A real-valued parameter is not finite, or out of range.
    #[error("{what} is {value}; it must be {must}")]
    InvalidParameter {
        /// The parameter.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        must: &'static str,
    },
    /// A tensor's shape is not the one that the descriptor gives.
    #[error("{operand} has shape {actual:?}; the descriptor says {expected:?}")]
    Shape {
        /// Which tensor.
        operand: &'static str,
        /// The descriptor's shape.
        expected: Vec<usize>,
        /// The tensor's shape.
        actual: Vec<usize>,
    },
    /// A tensor's elements, or those of an array that is asked for, are not of the op's type.
    #[error("{operand} holds {actual:?} elements; the op has {expected:?} there")]
    DataType {
        /// Which tensor.
        operand: &'static str,
        /// The op's type.
        expected: DataType,
        /// The tensor's type.
        actual: DataType,
    },
    /// A shape has the wrong number of axes.
    #[error("{operand} has {actual} axes, {expected} are expected")]
    Rank {
        /// Which tensor.
        operand: &'static str,
        /// The number of axes expected, batch and channels included.
        expected: usize,
        /// The number of axes of the shape.
        actual: usize,
    },
    /// The number of input tensors is not the one that the op takes.
    #[error("{op} takes {expected} input tensors, {actual} were given")]
    OperandCount {
        /// The op.
        op: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// The number of workspaces is not the plan's.
    #[error("the plan of {op} takes {expected} workspaces, {actual} were given")]
    WorkspaceCount {
        /// The op.
        op: &'static str,
        /// How many the plan takes.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// A layout, a texture format or a binding was given for a tensor that the op does not have, or a layout for a
    /// texture.
    #[error("{op} has no tensor \"{operand}\" to lay out or to bind")]
    UnknownOperand {
        /// The op.
        op: &'static str,
        /// The tensor named.
        operand: &'static str,
    },
    /// Nothing was bound for a tensor that the op has.
    #[error("{op}: nothing is bound for \"{operand}\"")]
    NotBound {
        /// The op.
        op: &'static str,
        /// The tensor.
        operand: &'static str,
    },
    /// A buffer slice was bound where the plan has a texture, or the other way round.
    #[error("{operand}: the plan takes a {expected} here")]
    ResourceKind {
        /// Which tensor.
        operand: &'static str,
        /// `"texture"` or `"buffer slice"`.
        expected: &'static str,
    },
    /// A layout's shape and strides have different lengths.
    #[error("a layout of {axes} axes has {strides} strides")]
    LayoutRank {
        /// Length of the shape.
        axes: usize,
        /// Length of the strides.
        strides: usize,
    },
    /// Two elements of an output layout may share an address.
    #[error("the output layout (shape {shape:?}, strides {strides:?}) puts two elements at one address")]
    LayoutOverlap {
        /// The layout's shape.
        shape: Vec<usize>,
        /// The layout's strides, in elements.
        strides: Vec<usize>,
    },
    /// A buffer slice ends before its layout does.
    #[error("{operand}: the layout reaches {needed} bytes, the buffer slice has {available}")]
    BufferTooSmall {
        /// Which tensor.
        operand: &'static str,
        /// Bytes from the slice's start to the end of the last element.
        needed: u64,
        /// Bytes in the slice.
        available: u64,
    },
    /// A buffer slice starts at an offset that the device does not allow for a storage binding.
    #[error(
        "{operand}: the slice starts at byte {offset}, not a multiple of min_storage_buffer_offset_alignment = \
         {alignment}; put the rest into the layout's offset"
    )]
    Misaligned {
        /// Which tensor.
        operand: &'static str,
        /// The slice's byte offset.
        offset: u64,
        /// The device's alignment, in bytes.
        alignment: u64,
    },
    /// A buffer or a texture lacks a usage.
    #[error("{operand}: it was created without the usage {usage}")]
    MissingUsage {
        /// Which tensor.
        operand: &'static str,
        /// The usage's name in wgpu.
        usage: &'static str,
    },
    /// A tensor that is written is in the same buffer as another one.
    #[error(
        "{operand} and {output} lie in the same buffer; a dispatch that writes a buffer may not use it twice, at any \
         offset"
    )]
    Aliased {
        /// The other tensor.
        operand: &'static str,
        /// The tensor that is written.
        output: &'static str,
    },
    /// A texture cannot be the input or the output of this plan.
    #[error("{operand}: {error}")]
    Texture {
        /// Which texture.
        operand: &'static str,
        /// What is wrong with it.
        error: TextureError,
    },
    /// Input and output are the same level and layer of a texture or, through OpenGL, any two of one texture.
    #[error("input and output are the same texture; the input is its mip level {level} of array layer {layer}")]
    SameTexture {
        /// The mip level of the input.
        level: u32,
        /// The array layer of the input.
        layer: u32,
    },
    /// The smallest part of the work that can be dispatched needs more of a tensor than a binding can hold.
    #[error(
        "{operand}: the smallest part that can be dispatched binds {needed} bytes, more than {limit_name} = {limit}"
    )]
    BindingTooSmall {
        /// Which tensor.
        operand: &'static str,
        /// Bytes that the smallest part of the work binds.
        needed: u64,
        /// The limit in bytes.
        limit: u64,
        /// The limit's name in wgpu.
        limit_name: &'static str,
    },
    /// The work would have to be split into too many dispatches.
    #[error("splitting to keep {limit_name} = {limit} would take more than {max} dispatches")]
    TooManyDispatches {
        /// The limit's name in wgpu, or what else is limited.
        limit_name: &'static str,
        /// The limit.
        limit: u64,
        /// The largest number of dispatches that one plan may hold.
        max: usize,
    },
    /// The value of a framework's attribute is a word that is not known.
    #[error("{what} \"{word}\" is unknown: {} are known", .known.join(", "))]
    UnknownWord {
        /// The attribute's name in the framework, such as `auto_pad`.
        what: &'static str,
        /// The word.
        word: String,
        /// The words that are known.
        known: Vec<String>,
    },
    /// A result differs from the reference by more than its error bound.
    #[error(transparent)]
    Mismatch(Mismatch),
    /// A recipe cannot be used.
    #[error(transparent)]
    Recipe(RecipeError),
    /// A text of tuned recipes cannot be used.
    #[error(transparent)]
    Tuned(TunedError),
    /// The device has less of a limit than the op or one of its tensors needs by any recipe.
    #[error("{what} needs {limit} of at least {needed}, the device has {available}")]
    LimitTooLow {
        /// The op, or its tensor.
        what: &'static str,
        /// The limit's name in wgpu.
        limit: &'static str,
        /// How much is needed.
        needed: u64,
        /// How much the device has.
        available: u64,
    },
    /// The device was made without a feature that the plan needs.
    #[error("{what} needs the device feature {feature}, which this device was made without")]
    MissingFeature {
        /// What needs it.
        what: &'static str,
        /// The feature's name in wgpu.
        feature: &'static str,
    },
    /// The op has no shader for this storage type. In this version every op has shaders for f32 and f16.
    #[error("{op} takes no tensors stored as {storage:?}")]
    StorageUnsupported {
        /// The op.
        op: &'static str,
        /// The storage asked for.
        storage: FloatType,
    },
    /// Some of an op's inputs are stored as f32, some as f16.
    #[error("{singles} inputs hold f32 and {halves} f16; one op's numbers are stored alike")]
    MixedStorage {
        /// The number of inputs stored as f32.
        singles: usize,
        /// The number of inputs stored as f16.
        halves: usize,
    },
    /// This machine has too little memory for a tensor or a table.
    #[error("{what} would take {bytes} bytes, more than this machine gives")]
    NoMemory {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        bytes: u128,
    },
    /// Indices of a max unpooling are outside the plane of their image and channel, or outside the output.
    #[error("{count} indices lie outside their plane; their samples were left out")]
    IndexOutOfRange {
        /// The number of these indices.
        count: u32,
    },
    /// No adapter answers.
    #[error("no GPU adapter: {0}")]
    NoAdapter(String),
    /// The adapter gave no device.
    #[error("the adapter gave no device: {0}")]
    NoDevice(String),
    /// The device was lost.
    #[error("the GPU device was lost: {0}")]
    DeviceLost(String),
    /// The device has no memory left for this.
    #[error("the GPU is out of memory: {0}")]
    OutOfMemory(String),
    /// The device refused or failed at something else.
    #[error("the GPU reported an error: {0}")]
    Device(String),
}

/// `Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
