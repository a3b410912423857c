//! A max unpooling as its shaders take it.

use crate::error::Result;
use crate::geometry::pad_to_three_axes;
use crate::gpu::program::constants::{Constant, flag};
use crate::ops::pool::indices::{IndexConvention, Numbering};
use crate::ops::pool::max_unpool::MaxUnpool;

/// An unpooling without its tensors, with three axes.
pub(crate) struct Unpool {
    pub(crate) numbering: Numbering,
    /// Whether indices number a plane column by column: ONNX's `storage_order = 1`.
    columns_first: bool,
    /// Batch and channels.
    pub(crate) outer: [usize; 2],
    /// Samples of the input on each axis.
    pub(crate) input: [usize; 3],
    /// Samples of the output on each axis.
    pub(crate) output: [usize; 3],
}

impl Unpool {
    pub(crate) fn new<const R: usize>(op: &MaxUnpool<R>) -> Result<Self> {
        Ok(Self {
            numbering: op.numbering()?,
            columns_first: op.indices == IndexConvention::OnnxColumnMajor,
            outer: [op.batch, op.channels],
            input: pad_to_three_axes(1, &op.input_size),
            output: pad_to_three_axes(1, &op.output_size),
        })
    }

    /// The constant `columns_first` of the shaders that read indices.
    pub(crate) fn columns_first(&self) -> Constant {
        flag("columns_first", self.columns_first)
    }
}
