//! A plan that is bound to buffers and textures.

use std::ops::Range;
use std::time::Duration;

use wgpu::{BindGroup, ComputePass, ComputePipeline};

/// A plan with its buffers, ready to be recorded any number of times.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(super) steps: Vec<BoundStep>,
    /// The predicted time of each dispatch of all steps.
    pub(super) times: Vec<Duration>,
}

/// The dispatches of one pipeline: bind group and workgroups of each.
#[derive(Clone, Debug)]
pub(super) struct BoundStep {
    pub(super) pipeline: ComputePipeline,
    pub(super) dispatches: Vec<(BindGroup, [u32; 2])>,
}

impl Bound {
    /// Records the dispatches. Creates nothing and cannot fail. It sets the pass's pipeline and bind group 0.
    pub fn encode(&self, pass: &mut ComputePass<'_>) {
        self.encode_dispatches(&(0..self.times.len()), pass);
    }

    /// The dispatches in parts, in their order, each predicted to take no longer than `budget`; a dispatch that takes
    /// longer is a part of its own ([`PlanOptions::max_dispatch_time`](crate::PlanOptions::max_dispatch_time) prevents
    /// that). Encoded one after the other, in passes and submissions of their own, they give the same bits as
    /// [`Bound::encode`]: so an application can render between them, and no submission is taken for a hang (Windows
    /// resets a device after two seconds).
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn run(device: &upconv::wgpu::Device, queue: &upconv::wgpu::Queue, bound: &upconv::Bound) {
    /// for part in bound.parts(Duration::from_millis(10)) {
    ///     let mut encoder = device.create_command_encoder(&Default::default());
    ///     part.encode(&mut encoder.begin_compute_pass(&Default::default()));
    ///     queue.submit([encoder.finish()]);
    /// }
    /// # }
    /// ```
    pub fn parts(&self, budget: Duration) -> impl Iterator<Item = BoundPart<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let mut predicted = *self.times.get(start)?;
            let mut end = start + 1;
            while let Some(&time) = self.times.get(end)
                && predicted + time <= budget
            {
                predicted += time;
                end += 1;
            }
            let part = BoundPart { bound: self, dispatches: start..end, predicted };
            start = end;
            Some(part)
        })
    }

    /// Records the dispatches of these numbers.
    fn encode_dispatches(&self, numbers: &Range<usize>, pass: &mut ComputePass<'_>) {
        let mut first = 0;
        for step in &self.steps {
            let end = first + step.dispatches.len();
            let inside = numbers.start.max(first)..numbers.end.min(end);
            if !inside.is_empty() {
                pass.set_pipeline(&step.pipeline);
                for (group, [x, y]) in &step.dispatches[inside.start - first..inside.end - first] {
                    pass.set_bind_group(0, group, &[]);
                    pass.dispatch_workgroups(*x, *y, 1);
                }
            }
            first = end;
        }
    }
}

/// Some dispatches of a [`Bound`]: see [`Bound::parts`].
#[derive(Clone, Debug)]
pub struct BoundPart<'a> {
    bound: &'a Bound,
    dispatches: Range<usize>,
    predicted: Duration,
}

impl BoundPart<'_> {
    /// Records the part's dispatches as [`Bound::encode`] does.
    pub fn encode(&self, pass: &mut ComputePass<'_>) {
        self.bound.encode_dispatches(&self.dispatches, pass);
    }

    /// How long the part is predicted to take.
    pub fn predicted(&self) -> Duration {
        self.predicted
    }
}
