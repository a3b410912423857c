//! Measuring which recipe is the fastest on the host's device.

use std::time::Duration;

use wgpu::{Extent3d, Texture, TextureDescriptor, TextureDimension, TextureUsages};

use super::gpu::Gpu;
use crate::error::Result;
use crate::gpu::plan::bindings::Bindings;
use crate::gpu::program::context::GpuOp;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pixel_format::PixelFormat;
use crate::gpu::program::recipe::Recipe;
use crate::gpu::program::uniform::to_u32;
use crate::tensor::operand::Role;

/// A recipe is repeated this often, if one run takes no longer than [`MAX_REPEATED_TIME`].
const REPETITIONS: usize = 5;

/// A recipe whose run takes longer than this is not repeated.
const MAX_REPEATED_TIME: Duration = Duration::from_millis(300);

/// A recipe that was measured by [`Gpu::measure`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// The recipe.
    pub recipe: Recipe,
    /// Median time on the GPU, or on the host if the device has no timestamp queries; see
    /// [`Timing`](crate::gpu::Timing).
    pub time: Duration,
    /// The time that [`Plan::predicted`](crate::Plan::predicted) said.
    pub predicted: Duration,
    /// Workgroups of all the recipe's dispatches.
    pub workgroups: u64,
}

impl Gpu {
    /// Measures the recipes of a problem on tensors of zeros, keeps the fastest for the planner's later plans of the
    /// same problem (see [`Planner::tuned`](crate::Planner::tuned)), and returns it. The longest time that was measured
    /// so also sets [`Planner::time_factor`](crate::Planner::time_factor).
    pub fn tune<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Recipe> {
        let measured = self.measure(op, options)?;
        let Some(fastest) = measured.into_iter().min_by_key(|measured| measured.time) else {
            // If no recipe runs, planning fails with the reason.
            return Ok(self.planner().plan_with(op, options)?.recipe().clone());
        };
        self.planner().insert_tuned(op, options, &fastest.recipe);
        self.planner().learn_time(fastest.time, fastest.predicted);
        Ok(fastest.recipe)
    }

    /// Measures every recipe that runs on this device, in the planner's order, with one workgroup size for each shader
    /// and shape. Recipes that fail on this device are left out; if all fail, the error is that of the first.
    pub fn measure<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Vec<Measured>> {
        let mut recipes = self.planner().recipes(op, options);
        recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
        let run = |recipe| self.measure_one(op, &PlanOptions { recipe: Some(recipe), ..options.clone() });
        let (measured, failed): (Vec<_>, Vec<_>) = recipes.into_iter().map(run).partition(Result::is_ok);
        match failed.into_iter().find_map(Result::err) {
            Some(error) if measured.is_empty() => Err(error),
            _ => Ok(measured.into_iter().flatten().collect()),
        }
    }

    /// A texture for a plan's input or output, a tensor of this shape (1, C, height, width).
    fn texture(&self, role: Role, pixels: &PixelFormat, shape: &[usize]) -> Texture {
        let (format, usage) = match role {
            Role::Output => (pixels.storage(), TextureUsages::STORAGE_BINDING),
            _ => (pixels.format, TextureUsages::TEXTURE_BINDING),
        };
        self.device().create_texture(&TextureDescriptor {
            label: Some("upconv::host::tune"),
            size: Extent3d { width: to_u32(shape[3]), height: to_u32(shape[2]), depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: TextureDimension::D2,
            format,
            usage,
            view_formats: &[],
        })
    }

    fn measure_one<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Measured> {
        let pictures = op.inputs()?.into_iter().chain(op.outputs()?).collect::<Vec<_>>();
        let (bound, failure) = self.scoped(|| {
            let plan = self.plan_in_budget(op, options)?;
            let mut bindings = Bindings::new();
            let (mut buffers, mut textures) = (Vec::new(), Vec::new());
            for (role, bytes) in plan.operand_bytes() {
                match (bytes, options.texture(role)) {
                    (Some(bytes), _) => buffers.push((role, self.allocate("tune", bytes)?)),
                    (None, Some(pixels)) => {
                        let shape = pictures.iter().find(|operand| operand.role == role).map(|operand| &operand.shape);
                        textures.extend(shape.map(|shape| (role, self.texture(role, &pixels, shape))));
                    }
                    (None, None) => {}
                }
            }
            for (role, buffer) in &buffers {
                bindings = bindings.with(*role, buffer.slice(..));
            }
            for (role, texture) in &textures {
                bindings = bindings.with(*role, texture);
            }
            Ok((plan.bind(&bindings)?, plan))
        });
        let (bound, plan) = pollster::block_on(async { self.outcome(bound, failure.await) })?;
        let mut times = Vec::new();
        // The first run is not counted: drivers put off some of their work until then.
        for _ in 0..=REPETITIONS {
            let timing = self.time(&bound)?;
            times.push(timing.gpu.unwrap_or(timing.wall));
            if times.len() > 1 && timing.wall > MAX_REPEATED_TIME {
                break;
            }
        }
        let kept = &mut times[1..];
        kept.sort();
        let dispatches = plan.dispatches();
        let workgroups = dispatches.iter().map(|dispatch| dispatch.workgroups.map(u64::from));
        Ok(Measured {
            recipe: options.recipe.clone().unwrap_or_else(|| plan.recipe().clone()),
            time: kept[kept.len() / 2],
            predicted: plan.predicted(),
            workgroups: workgroups.map(|[x, y]| x * y).sum(),
        })
    }
}
