//! How long a bound plan takes on the host's device.

use std::time::{Duration, Instant};

use wgpu::{BufferUsages, Device, Features, QuerySet};

use super::gpu::Gpu;
use crate::error::Result;
use crate::gpu::plan::bound::{Bound, BoundPart};

/// How long a run took.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Timing {
    /// Time on the GPU from the pass's beginning to its end, or the sum of several passes' times; `None` if the device
    /// has no timestamp queries.
    pub gpu: Option<Duration>,
    /// Time on the host, from before the commands are recorded until the device has finished them.
    pub wall: Duration,
}

/// Two timestamp queries and the buffer that they are resolved to.
struct Stamps {
    queries: QuerySet,
    resolved: wgpu::Buffer,
}

impl Stamps {
    /// `None` if the device has no timestamp queries.
    fn new(device: &Device) -> Option<Self> {
        if !device.features().contains(Features::TIMESTAMP_QUERY) {
            return None;
        }
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("upconv::host::timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("upconv::host::timestamps"),
            size: 16,
            usage: BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Some(Self { queries, resolved })
    }

    fn around_pass(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }
}

impl Gpu {
    /// Runs a bound plan once, alone in its submission, and measures it. A plan that is predicted to take longer than
    /// [`Gpu::time_budget`] runs in several submissions.
    pub fn time(&self, bound: &Bound) -> Result<Timing> {
        let mut whole = Timing { gpu: Some(Duration::ZERO), wall: Duration::ZERO };
        for part in bound.parts(self.time_budget()) {
            let timing = self.time_part(&part)?;
            whole.gpu = whole.gpu.zip(timing.gpu).map(|(sum, time)| sum + time);
            whole.wall += timing.wall;
        }
        Ok(whole)
    }

    fn time_part(&self, part: &BoundPart<'_>) -> Result<Timing> {
        let begin = Instant::now();
        let stamps = self.submit_and_wait(|encoder| {
            let stamps = Stamps::new(self.device());
            let timestamp_writes = stamps.as_ref().map(Stamps::around_pass);
            let label = Some("upconv::host::time");
            part.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes }));
            if let Some(stamps) = &stamps {
                encoder.resolve_query_set(&stamps.queries, 0..2, &stamps.resolved, 0);
            }
            Ok(stamps)
        })?;
        let wall = begin.elapsed();
        let gpu = stamps.map(|stamps| self.between(&stamps)).transpose()?;
        Ok(Timing { gpu, wall })
    }

    #[allow(clippy::cast_possible_truncation, reason = "a time past 584 years is cut to that")]
    fn between(&self, stamps: &Stamps) -> Result<Duration> {
        let ticks: Vec<u64> = self.download(&stamps.resolved, 0, 16)?;
        let period = f64::from(self.queue().get_timestamp_period());
        Ok(Duration::from_nanos((ticks[1].saturating_sub(ticks[0]) as f64 * period) as u64))
    }
}
