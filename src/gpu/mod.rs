//! Running the ops on a wgpu device that belongs to somebody else.
//!
//! # The embedding contract
//!
//! * [`Planner::new`] takes the caller's `&wgpu::Device`. wgpu's default limits and no features suffice, and so
//!   do its lower `downlevel_defaults`; [`required_limits`] says what a problem needs before a device exists.
//! * [`Planner::plan`] chooses a recipe, compiles it unless it was compiled before, and makes the plan's small buffers
//!   (sizes, tap tables). [`Planner::plan_with`] does the same with layouts, textures, a storage type or a recipe of
//!   the caller's choice: [`PlanOptions`]. Everything that can be wrong with a descriptor or an option is found here.
//! * [`Plan::bind`] takes a buffer slice or a texture level for each tensor, by name, checks size, usage, alignment and
//!   aliasing, and makes bind groups.
//! * [`Bound::encode`] records into the caller's compute pass. It creates, submits and polls nothing, and cannot fail.
//!
//! Buffers belong to the caller, must come from the same device, and are read and written only inside the slices given.
//! WebGPU does not let one dispatch read and write the same buffer, so the output needs a buffer of its own.
//! Weights are read each time the pass runs: changing them needs no new plan.
//!
//! A plan of several passes needs workspaces for what lies between them. [`Plan::workspaces`] says how many bytes each
//! has; [`Plan::bind`] makes them, or takes the caller's from [`Bindings::workspaces`]. Every GPU object has a label:
//! `upconv::<op>::<algorithm>::<object>`, or `upconv::host::<object>` if [`Gpu`] made it.
//!
//! # Recipes
//!
//! The planner chooses among the recipes for a problem by a model of their cost. [`PlanOptions::recipe`] forces one; a
//! recipe that the device cannot run is refused, and never replaced. [`Gpu::tune`] measures the recipes and keeps the
//! fastest; [`Planner::tuned`] and [`Planner::use_tuned`] save and load what was measured, as text, for one adapter and
//! driver. [`Planner::prewarm`] compiles ahead of the first plan, [`Planner::with_pipeline_cache`] compiles through the
//! caller's `wgpu::PipelineCache`, and [`Planner::limited_to`] keeps to limits below the device's. Devices with
//! `Features::SUBGROUP` have faster recipes. The cargo feature `cooperative-matrix` adds products by cooperative
//! matrices (tensor cores), which are experimental in wgpu.
//!
//! # Textures
//!
//! The input and the output may be textures, each by itself: [`PlanOptions::input_texture`] and
//! [`PlanOptions::output_texture`] say what their texels stand for. Such a tensor is one picture, of shape
//! (1, C, height, width) with at most four channels. Convolutions and upsampling over two spatial axes can read and
//! write texels in one pass if both are textures, their [`PixelFormat`]s have the default channels, scale and offset,
//! and the storage type is f32. All other recipes and ops work on tensors, and a pass converts each texture.
//!
//! An input texture may have any sampled float format, such as rgba8unorm, rgba8unorm-srgb, bgra8unorm, rgba16float and
//! r32float. An output texture may have any float storage format that WebGPU guarantees, or a 16-bit normalised one.
//!
//! Alpha is filtered like any other channel: multiply colours by alpha before a resize, or the colours of transparent
//! texels bleed into visible ones. Padding is 0, transparent black. Results are clamped to the range of a normalised
//! format and rounded to the nearest value that the format holds.
//!
//! ```
//! use upconv::wgpu::{self, TextureFormat::Rgba8UnormSrgb};
//! use upconv::{Bindings, PytorchInterpolate, PlanOptions, Planner, Upsample2d};
//!
//! /// Doubles a picture; the `target` is of `Rgba8Unorm`, with `STORAGE_BINDING`.
//! fn double(
//!     planner: &Planner,
//!     pass: &mut wgpu::ComputePass,
//!     [picture, target]: [&wgpu::Texture; 2],
//! ) -> upconv::Result<()> {
//!     let up = Upsample2d {
//!         channels: 4,
//!         input_size: [picture.height() as usize, picture.width() as usize],
//!         output_size: [target.height() as usize, target.width() as usize],
//!         ..Default::default()
//!     };
//!     let up = Upsample2d::pytorch(up, PytorchInterpolate::Cubic { align_corners: false })?;
//!     let plan = planner.plan_with(&up, &PlanOptions::textures(Rgba8UnormSrgb, Rgba8UnormSrgb))?;
//!     plan.bind(&Bindings::new().input(picture).output(target))?.encode(pass);
//!     Ok(())
//! }
//! ```
//!
//! [`Gpu`] does all this for those who have no device of their own.

// Numbers of the host become the 32 bits of the device here, so each cast that could lose some has to say why.
#![cfg_attr(not(test), warn(clippy::cast_possible_truncation))]

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
pub use plan::bindings::{Bindings, Resource};
pub use plan::bound::{Bound, BoundPart};
pub use plan::plan::Plan;
pub use plan::planner::{Planner, required_features, required_limits};
pub use plan::texture_level::TextureLevel;
pub use plan::tuned::TunedRecipes;
pub use program::context::GpuOp;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use program::dissect;
pub use program::options::PlanOptions;
pub use program::pixel_format::PixelFormat;
pub use program::program::Dispatch;
pub use program::recipe::{Capabilities, Recipe, Shape};
pub use shaders::shader_texts;

#[cfg(test)]
mod interpreter_tests;
#[cfg(test)]
mod program_tests;
#[cfg(test)]
mod rounds_tests;
#[cfg(test)]
mod shader_tests;
#[cfg(test)]
mod source_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer_tests;
