//! Reading a buffer back to the host.

use std::sync::Arc;

use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};
use wgpu::{Buffer, BufferUsages, MapMode};

use super::gpu::Gpu;
use crate::error::{Error, Result};

/// A read-back under way.
struct Reading {
    staging: Buffer,
    /// How the mapping ended.
    mapped: OneshotReceiver<Result<()>>,
    /// For the polling thread, which may learn that the mapping will fail.
    #[cfg(not(target_arch = "wasm32"))]
    sender: Arc<futures_intrusive::channel::shared::OneshotSender<Result<()>>>,
}

impl Gpu {
    /// Reads `bytes` bytes from byte `offset` of a buffer with `COPY_SRC` usage, after waiting for all work submitted
    /// before. Both are multiples of 4, and `bytes` is a multiple of `T`'s size. [`Error::BufferTooSmall`] past the
    /// buffer's end.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn download<T: bytemuck::Pod>(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Vec<T>> {
        let Some(reading) = pollster::block_on(self.read_back(buffer, offset, bytes))? else { return Ok(Vec::new()) };
        self.wait()?;
        pollster::block_on(self.collect(reading))
    }

    /// [`Gpu::download`] as a future. Outside the browser one thread of this `Gpu` waits for the device, for all
    /// futures together.
    pub async fn download_async<T: bytemuck::Pod>(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Vec<T>> {
        let Some(reading) = self.read_back(buffer, offset, bytes).await? else { return Ok(Vec::new()) };
        #[cfg(not(target_arch = "wasm32"))]
        {
            let sender = reading.sender.clone();
            self.finish_in_background(move |error| drop(sender.send(Err(error))));
        }
        self.collect(reading).await
    }

    /// Copies into a staging buffer, submits, and asks for the staging buffer to be mapped; `None` for 0 bytes.
    async fn read_back(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Option<Reading>> {
        let needed = offset.saturating_add(bytes);
        if needed > buffer.size() {
            return Err(Error::BufferTooSmall { operand: "download", needed, available: buffer.size() });
        }
        if bytes == 0 {
            return Ok(None);
        }
        let (reading, failure) = self.scoped(|| {
            let staging = self.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("upconv::host::read_back"),
                size: bytes,
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let mut encoder = self.encoder();
            encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
            self.enqueue(encoder);
            let (sender, mapped) = oneshot_channel();
            let sender = Arc::new(sender);
            let reading = Reading {
                staging: staging.clone(),
                mapped,
                #[cfg(not(target_arch = "wasm32"))]
                sender: sender.clone(),
            };
            staging.slice(..).map_async(MapMode::Read, move |result| {
                let failed = |error: wgpu::BufferAsyncError| Error::Device(format!("the read-back buffer: {error}"));
                // The receiver is gone only if the caller dropped the future.
                let _ = sender.send(result.map_err(failed));
            });
            Ok(Some(reading))
        });
        self.outcome(reading, failure.await)
    }

    /// The bytes, once they are mapped.
    async fn collect<T: bytemuck::Pod>(&self, reading: Reading) -> Result<Vec<T>> {
        let unanswered = || Err(Error::Device("the device dropped the read-back buffer's mapping".into()));
        let mapped = reading.mapped.receive().await.unwrap_or_else(unanswered);
        mapped.map_err(|error| self.lost_or(error))?;
        let view = reading.staging.slice(..).get_mapped_range();
        let view = view.map_err(|error| self.lost_or(Error::Device(error.to_string())))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }
}
