//! A tensor at any byte of a buffer.

use wgpu::{Buffer, BufferSlice};

use super::planner::Planner;
use crate::error::{Error, Result};
use crate::tensor::layout::TensorLayout;

impl Planner {
    /// A tensor that begins at this byte of a buffer: the slice to bind, and the layout to plan with, which counts from
    /// the slice's start.
    ///
    /// A binding starts at a multiple of `min_storage_buffer_offset_alignment`, by default 256 bytes. The slice starts
    /// at the last multiple before the tensor, and the layout's offset has the rest. An element has `element_bytes`: 4,
    /// or 2 if it is stored as f16.
    ///
    /// # Errors
    ///
    /// [`Error::NotDivisible`] for a `byte` that is no multiple of `element_bytes`, [`Error::ZeroCount`] for 0 element
    /// bytes, and [`Error::BufferTooSmall`] for a tensor that passes the buffer's end.
    ///
    /// ```no_run
    /// # use upconv::{Planner, TensorLayout, wgpu};
    /// # fn example(planner: &Planner, all: &wgpu::Buffer) -> upconv::Result<()> {
    /// // An image of f32 after a header of 20 bytes.
    /// let (slice, layout) = planner.slice_at(all, 20, TensorLayout::contiguous(&[1, 3, 480, 640]), 4)?;
    /// assert_eq!((slice.offset(), layout.offset()), (0, 5));
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::cast_possible_truncation, reason = "fewer elements than an alignment has bytes")]
    pub fn slice_at<'a>(
        &self,
        buffer: &'a Buffer,
        byte: u64,
        layout: TensorLayout,
        element_bytes: u64,
    ) -> Result<(BufferSlice<'a>, TensorLayout)> {
        if element_bytes == 0 {
            return Err(Error::ZeroCount { what: "element_bytes" });
        }
        if !byte.is_multiple_of(element_bytes) {
            let [value, by] = [byte, element_bytes].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
            return Err(Error::NotDivisible { what: "the tensor's first byte", value, by });
        }
        let needed = (layout.end() as u64).saturating_mul(element_bytes).saturating_add(byte);
        if needed > buffer.size() {
            return Err(Error::BufferTooSmall { operand: "slice_at", needed, available: buffer.size() });
        }
        let alignment = u64::from(self.capabilities().limits.min_storage_buffer_offset_alignment);
        let start = byte / alignment * alignment;
        // The bytes are within the buffer, and so the elements within a usize.
        let offset = layout.offset() + ((byte - start) / element_bytes) as usize;
        Ok((buffer.slice(start..), layout.with_offset(offset)))
    }
}
