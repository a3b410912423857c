//! Running the ops on a wgpu device that belongs to somebody else.
//!
//! # The embedding contract
//!
//! * [`Planner::new`] takes the caller's `&wgpu::Device`. wgpu's default limits and no features suffice;
//!   [`required_limits`] says what a problem needs before a device exists.
//! * [`Planner::plan`] chooses a recipe, compiles it unless it was compiled before, and makes the plan's small buffers
//!   (sizes, tap tables). Everything that can be wrong with a descriptor or a layout is found here.
//! * [`Plan::bind`] takes buffer slices, checks their size, usage, alignment and aliasing, and makes bind groups.
//! * [`Bound::encode`] records into the caller's compute pass. It creates, submits and polls nothing, and cannot fail.
//! * [`Planner::plan_textures`] makes such a plan from texture to texture: see [`TexturePlan`].
//!
//! Buffers belong to the caller, must come from the same device, and are read and written only inside the slices given.
//! WebGPU does not let one dispatch read and write the same buffer, so the output needs a buffer of its own.
//! Weights are read each time the pass runs: changing them needs no new plan.
//!
//! [`Gpu`] does all this for those who have no device of their own.

pub(crate) mod conv;
pub(crate) mod host;
mod pixel_shuffle;
pub(crate) mod plan;
mod pool;
pub(crate) mod program;
mod resample;
mod shaders;

pub use host::gpu::Gpu;
#[cfg(not(target_arch = "wasm32"))]
pub use host::timing::Timing;
#[cfg(not(target_arch = "wasm32"))]
pub use host::tune::Measured;
pub use plan::plan::{Bound, Buffers, Plan};
pub use plan::planner::{Planner, required_features, required_limits};
pub use plan::texture_level::TextureLevel;
pub use plan::texture_plan::TexturePlan;
pub use plan::tuned::TunedRecipes;
pub use program::context::GpuOp;
pub use program::options::PlanOptions;
pub use program::pixel_format::PixelFormat;
pub use program::program::Dispatch;
pub use program::recipe::{Capabilities, Recipe, Shape};
pub use program::texture::TextureOp;
pub use shaders::shader_texts;

#[cfg(test)]
mod shader_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;
