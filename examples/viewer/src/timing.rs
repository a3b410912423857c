//! The GPU's own time of a pass, read without waiting for it: the value is some frames old.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use upconv::wgpu::{
    self, Buffer, BufferDescriptor, BufferUsages, CommandEncoder, ComputePassTimestampWrites, Device, Features,
    MapMode, QuerySet, QuerySetDescriptor, QueryType, Queue,
};

/// Two timestamps of eight bytes.
const BYTES: u64 = 16;

/// States of the staging buffer.
const FREE: u8 = 0;
const UNDER_WAY: u8 = 1;
const MAPPED: u8 = 2;

pub struct Clock {
    queries: QuerySet,
    resolved: Buffer,
    staging: Buffer,
    state: Arc<AtomicU8>,
    /// Nanoseconds of a tick.
    period: f32,
    milliseconds: Option<f32>,
}

impl Clock {
    /// None where the device has no timestamp queries.
    pub fn new(device: &Device, queue: &Queue) -> Option<Self> {
        if !device.features().contains(Features::TIMESTAMP_QUERY) {
            return None;
        }
        let buffer = |label, usage| {
            device.create_buffer(&BufferDescriptor {
                label: Some(label),
                size: BYTES,
                usage,
                mapped_at_creation: false,
            })
        };
        Some(Self {
            queries: device.create_query_set(&QuerySetDescriptor {
                label: Some("viewer::clock"),
                ty: QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer("viewer::ticks", BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC),
            staging: buffer("viewer::ticks_read", BufferUsages::MAP_READ | BufferUsages::COPY_DST),
            state: Arc::default(),
            period: queue.get_timestamp_period(),
            milliseconds: None,
        })
    }

    /// The timestamp writes of the pass that is measured.
    pub fn writes(&self) -> ComputePassTimestampWrites<'_> {
        ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    /// Records a copy of the timestamps after the pass, if the staging buffer is free. Returns whether it did: then
    /// [`Clock::request`] is due after the submission.
    pub fn resolve(&self, encoder: &mut CommandEncoder) -> bool {
        encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        let free = self.state.load(Ordering::Acquire) == FREE;
        if free {
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, BYTES);
        }
        free
    }

    /// Maps the staging buffer, after the submission.
    pub fn request(&self) {
        let state = self.state.clone();
        state.store(UNDER_WAY, Ordering::Release);
        self.staging.slice(..).map_async(MapMode::Read, move |result| {
            state.store(if result.is_ok() { MAPPED } else { FREE }, Ordering::Release);
        });
    }

    /// The last time that has arrived, in milliseconds.
    pub fn milliseconds(&mut self, device: &Device) -> Option<f32> {
        // This poll does not wait; in a browser it does nothing.
        let _ = device.poll(wgpu::PollType::Poll);
        if self.state.load(Ordering::Acquire) == MAPPED {
            if let Ok(view) = self.staging.slice(..).get_mapped_range() {
                let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
                self.milliseconds = Some(ticks[1].saturating_sub(ticks[0]) as f32 * self.period / 1e6);
            }
            self.staging.unmap();
            self.state.store(FREE, Ordering::Release);
        }
        self.milliseconds
    }
}
