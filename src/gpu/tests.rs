//! Tests of recipes, bound bytes and programs, without a GPU.

use wgpu::{Features, Limits};

use super::program_tests::every_program;
use super::shaders::SHADERS;
use super::*;
use crate::dtype::FloatType;
use crate::error::Error;
use crate::error::recipe::RecipeError;
use crate::error::texture::TextureError;
use crate::geometry::Padding;
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::program::Program;
use crate::gpu::program::texture;
use crate::ops::conv::conv::{Conv2d, Conv3d};
use crate::ops::conv::conv_transpose::ConvTranspose2d;
use crate::ops::op::Op;
use crate::ops::pool::avg_pool::AvgPool1d;
use crate::ops::pool::max_pool::MaxPool1d;
use crate::ops::resample::coordinates::Coordinates;
use crate::ops::resample::filters::Filter;
use crate::ops::resample::mode::{Border, UpsampleMode};
use crate::ops::resample::separable::Separable;
use crate::ops::resample::upsample::{Upsample1d, Upsample2d, Upsample3d};
use crate::tensor::layout::TensorLayout;

/// A device of these limits that offers f16 and no more.
fn plain(limits: &Limits) -> Capabilities {
    Capabilities::plain(limits.clone(), Features::SHADER_F16)
}

/// A software driver with subgroups of 8.
fn software() -> Capabilities {
    Capabilities {
        features: Features::SUBGROUP,
        subgroup_sizes: [8; 2],
        device_type: wgpu::DeviceType::Cpu,
        ..plain(&Limits::default())
    }
}

fn lowered<O: GpuOp>(op: &O, limits: &Limits, options: &PlanOptions) -> Program {
    op.lower(&LowerContext::new(&plain(limits), options)).unwrap()
}

fn dispatches(program: &Program) -> Vec<&Dispatch> {
    program.dispatches().collect()
}

#[test]
fn the_chooser_is_a_pure_function_of_problem_and_capabilities() {
    let up = ConvTranspose2d { input_size: [64, 64], kernel_size: [4, 4], stride: [2, 2], ..Default::default() };
    let many = ConvTranspose2d { in_channels: 256, out_channels: 128, ..up.clone() };
    let recipe = |op: &ConvTranspose2d, capabilities: &Capabilities| {
        op.recipes(capabilities, &PlanOptions::default())[0].to_string()
    };
    let gpu = plain(&Limits::default());
    assert_eq!(recipe(&up, &gpu), "conv_transpose_gather wg64");
    assert_eq!(recipe(&many, &gpu), "conv_gemm_workgroup wg256 tile128x128 merged1x2x2");
    let small = plain(&Limits { max_compute_invocations_per_workgroup: 16, ..Limits::default() });
    assert_eq!(recipe(&many, &small), "conv_transpose_gather wg1");
    let software = software();
    assert_eq!(recipe(&many, &software), "conv_gemm_subgroup wg8 tile32x32 merged1x2x2");
    let half = Capabilities { subgroup_sizes: [4; 2], ..software.clone() };
    assert_eq!(recipe(&many, &half), "conv_gemm_subgroup wg8 tile16x32 merged1x2x2");
    let opengl = Capabilities { backend: wgpu::Backend::Gl, ..software };
    assert_eq!(recipe(&many, &opengl), "conv_transpose_gather wg64");
    // Few outputs and long sums: on a device that runs many workgroups at once, several share each sum (split-K).
    let few = ConvTranspose2d { in_channels: 1024, out_channels: 512, input_size: [4, 4], ..many.clone() };
    assert_eq!(recipe(&few, &gpu), "conv_gemm_workgroup wg256 tile128x128 merged1x2x2 splitk");
    assert_eq!(
        few.grad_weight().unwrap().recipes(&gpu, &PlanOptions::default())[0].to_string(),
        "conv_weight_grad_gemm_workgroup wg64 tile64x64"
    );
    // Too many phases to compute a product for each.
    let gaps = ConvTranspose2d { stride: [100, 100], ..many.clone() };
    assert_eq!(recipe(&gaps, &gpu), "conv_transpose_gather wg64");
}

#[test]
fn recipes_that_a_device_cannot_run_are_refused() {
    let conv = Conv2d { in_channels: 64, out_channels: 64, input_size: [20, 20], ..Default::default() };
    let recipe = conv.recipes(&software(), &PlanOptions::default()).swap_remove(0);
    assert_eq!(recipe.shader, "conv_gemm_subgroup");
    let options = PlanOptions { recipe: Some(recipe), ..Default::default() };
    let refused = conv.lower(&LowerContext::new(&plain(&Limits::default()), &options));
    assert!(
        matches!(refused, Err(Error::Recipe(RecipeError::Unknown { .. }) | Error::MissingFeature { .. })),
        "{refused:?}"
    );
    let small = Capabilities { subgroup_sizes: [4, 8], ..software() };
    let refused = conv.lower(&LowerContext::new(&small, &options));
    assert!(matches!(refused, Err(Error::Recipe(RecipeError::Refused { needed: 8, available: 4, .. }))), "{refused:?}");
}

/// A product's sum is split at multiples of 32 input channels only; if such a part does not fit, the plain shader runs.
#[test]
fn products_split_sums_between_their_parts() {
    let conv = Conv2d { in_channels: 80, out_channels: 512, input_size: [128, 128], ..Default::default() };
    let with = |max_storage_buffer_binding_size| {
        let limits = Limits { max_storage_buffer_binding_size, ..Limits::default() };
        lowered(&conv, &limits, &PlanOptions::default())
    };
    let steps =
        |program: &Program| program.steps[0].dispatches.iter().map(|d| d.bound_bytes[0].clone()).collect::<Vec<_>>();
    let image = 128 * 128 * 4;
    assert_eq!(with(64 * image).recipe.shader, "conv_gemm_workgroup");
    let starts: Vec<_> = steps(&with(64 * image)).iter().map(|bytes| bytes.start).collect();
    assert!(starts.contains(&(64 * image)) && starts.iter().all(|start| start % (32 * image) == 0), "{starts:?}");
    let few = Conv2d { out_channels: 64, input_size: [16, 16], ..conv };
    let limits = Limits { max_storage_buffer_binding_size: 20 * 1024, ..Limits::default() };
    let small = Capabilities { limits, ..software() };
    let lower = |capabilities: &Capabilities, recipe| {
        let options = PlanOptions { recipe, ..Default::default() };
        few.lower(&LowerContext::new(capabilities, &options))
    };
    let recipe = lower(&software(), None).unwrap().recipe;
    assert_eq!(recipe.shader, "conv_gemm_subgroup");
    assert_eq!(lower(&small, None).unwrap().recipe.shader, "conv_direct");
    let forced = lower(&small, Some(recipe));
    assert!(matches!(forced, Err(Error::BindingTooSmall { .. })), "{forced:?}");
}

#[test]
fn a_small_problem_is_one_dispatch_over_whole_tensors() {
    let conv =
        Conv2d { in_channels: 3, out_channels: 5, input_size: [6, 7], kernel_size: [3, 3], ..Default::default() };
    let program = lowered(&conv, &Limits::default(), &PlanOptions::default());
    assert_eq!(dispatches(&program).len(), 1);
    assert_eq!(dispatches(&program)[0].bound_bytes, [0..3 * 42 * 4, 0..135 * 4, 0..135 * 4, 0..5 * 20 * 4]);
    assert_eq!(dispatches(&program)[0].workgroups, [2, 1]);
}

/// Every `override` of a shader is given a value; a forgotten one would silently keep its default.
#[test]
fn programs_set_every_override() {
    let mut seen = std::collections::HashSet::new();
    for program in every_program() {
        assert_eq!(program.recipe.to_string().parse::<Recipe>().as_ref(), Ok(&program.recipe));
        for step in &program.steps {
            let names: Vec<_> = step.constants.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, step.shader.overrides, "{}", step.shader.name);
            assert_eq!(step.bindings.len() as u32, step.shader.reads + step.shader.writes, "{}", step.shader.name);
            seen.insert(step.shader.name);
        }
    }
    assert_eq!(seen, SHADERS.iter().map(|shader| shader.name).collect());
}

fn conv_4() -> Conv2d {
    Conv2d { in_channels: 4, out_channels: 4, input_size: [5, 5], ..Default::default() }
}

#[test]
fn workgroups_of_textures_are_near_to_squares() {
    let of = |size| texture::workgroup(size, &Limits::default());
    assert_eq!([64, 128, 256, 32, 1, 7].map(of), [[8, 8], [16, 8], [16, 16], [8, 4], [1, 1], [7, 1]]);
    let flat = Limits { max_compute_workgroup_size_y: 2, ..Limits::default() };
    assert_eq!(texture::workgroup(64, &flat), [32, 2]);
}

/// From texture to texture the texel shader comes first, and all others are offered. If channels change their order, or
/// the input or output is a tensor, only the others are, and they convert.
#[test]
fn textures_have_recipes_of_their_own_and_all_others() {
    let format = PixelFormat::from(wgpu::TextureFormat::Rgba8Unorm);
    let shaders = |options: &PlanOptions| -> Vec<_> {
        let mut recipes = conv_4().recipes(&software(), options);
        recipes.dedup_by_key(|recipe| recipe.shader);
        recipes.into_iter().map(|recipe| recipe.shader).collect()
    };
    let tensors = shaders(&PlanOptions::default());
    assert_eq!(shaders(&PlanOptions::textures(format, format)), [&["conv_texture"], &tensors[..]].concat());
    assert_eq!(shaders(&PlanOptions::textures(format.with_channels([2, 1, 0, 3]), format)), tensors);
    let mixed = PlanOptions { input_texture: Some(format), ..Default::default() };
    assert_eq!(shaders(&mixed), tensors);
    let steps = |options: &PlanOptions| -> Vec<_> {
        let program = lowered(&conv_4(), &Limits::default(), options);
        program.steps.iter().map(|step| step.shader.name).collect()
    };
    assert_eq!(steps(&mixed)[0], "texture_unpack");
    let mixed = PlanOptions { output_texture: Some(format), ..Default::default() };
    assert_eq!(steps(&mixed).last(), Some(&"texture_pack"));
}

/// Tensors that are no picture, and pixel formats that do not fit the tensor.
#[test]
fn ends_that_cannot_be_textures_are_refused() {
    let format = PixelFormat::from(wgpu::TextureFormat::Rgba8Unorm);
    let refused = |op: &Conv2d, input: PixelFormat, output: PixelFormat| {
        let options = PlanOptions::textures(input, output);
        op.lower(&LowerContext::new(&software(), &options)).map(|_| ())
    };
    let end = |operand, error| Err(Error::Texture { operand, error });
    let many = Conv2d { batch: 2, ..conv_4() };
    let shape = vec![2, 4, 5, 5];
    assert_eq!(refused(&many, format, format), end("input", TextureError::NoPicture { shape }));
    let wide = Conv2d { in_channels: 5, ..conv_4() };
    let few = TextureError::Channels { channels: 5, format: "Rgba8Unorm".into(), available: 4 };
    assert_eq!(refused(&wide, format, format), end("input", few.clone()));
    assert_eq!(refused(&conv_4(), format.with_channels([0, 1, 2, 4]), format), end("input", few));
    let twice = format.with_channels([0, 1, 1, 3]);
    assert_eq!(refused(&conv_4(), twice, format), Ok(()));
    assert_eq!(refused(&conv_4(), format, twice), end("output", TextureError::RepeatedComponent { component: 1 }));
    let endless = format.with_scale([1.0, f32::INFINITY, 1.0, 1.0], [0.0; 4]);
    assert!(matches!(refused(&conv_4(), endless, format), Err(Error::InvalidParameter { .. })));
    let weight = conv_4().grad_weight().unwrap();
    let options = PlanOptions { output_texture: Some(format), ..Default::default() };
    let refused = weight.lower(&LowerContext::new(&software(), &options));
    assert!(matches!(refused, Err(Error::Texture { operand: "output", .. })), "{refused:?}");
}

#[test]
fn an_empty_batch_has_no_dispatch() {
    let up = Upsample2d { batch: 0, input_size: [2, 2], output_size: [4, 4], ..Default::default() };
    assert!(dispatches(&lowered(&up, &Limits::default(), &PlanOptions::default())).is_empty());
}

#[test]
fn a_picture_has_pixels_and_channels() {
    let texture = PixelFormat::from(wgpu::TextureFormat::Rgba8Unorm);
    let padding = [[1, 0], [0, 0]].into();
    for broken in [Conv2d { in_channels: 0, ..conv_4() }, Conv2d { input_size: [0, 5], padding, ..conv_4() }] {
        let shape = broken.inputs().unwrap().swap_remove(0).shape;
        let error = Error::Texture { operand: "input", error: TextureError::NoPicture { shape } };
        let options = PlanOptions { input_texture: Some(texture), ..Default::default() };
        let refused = broken.lower(&LowerContext::new(&software(), &options));
        assert_eq!(refused.err(), Some(error), "{broken:?}");
    }
}

/// A tensor of more than 2³² elements is split, and each window's addresses fit 32 bits.
#[test]
fn tensors_past_32_bit_indices_are_split() {
    let up =
        Upsample2d { batch: 3, channels: 700, input_size: [50, 50], output_size: [1500, 1500], ..Default::default() };
    let limits = Limits { max_storage_buffer_binding_size: 1 << 36, max_buffer_size: 1 << 36, ..Limits::default() };
    let program = lowered(&up, &limits, &PlanOptions::default());
    let bytes = 3 * 700 * 1500 * 1500 * 4;
    let largest =
        dispatches(&program).iter().map(|dispatch| dispatch.bound_bytes[2].end - dispatch.bound_bytes[2].start).max();
    assert!(largest.unwrap() <= 1 << 33 && dispatches(&program).len() > 2);
    assert_eq!(dispatches(&program).iter().map(|dispatch| dispatch.bound_bytes[2].end).max(), Some(bytes));
    assert_eq!(required_limits(&up, &PlanOptions::default()).unwrap().max_buffer_size, bytes);
    let line = Upsample1d { output_size: [40_000_000], ..Default::default() };
    assert_eq!(required_limits(&line, &PlanOptions::default()).unwrap(), Limits::default());
}

#[test]
fn layouts_and_limits_that_cannot_be_are_refused() {
    let conv = Conv2d { input_size: [4, 4], ..Default::default() };
    let far = TensorLayout::contiguous(&[1, 1, 4, 4]).with_offset(usize::MAX);
    let pitched = TensorLayout::row_pitch(&[1, 1, 4, 4], usize::MAX);
    for input in [far, pitched] {
        let options = PlanOptions { input: Some(input), ..Default::default() };
        let refused = conv.lower(&LowerContext::new(&plain(&Limits::default()), &options));
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    }
    let options = PlanOptions::default();
    let none = Limits { max_compute_workgroups_per_dimension: 0, ..Limits::default() };
    let refused = conv.lower(&LowerContext::new(&plain(&none), &options));
    assert!(matches!(refused, Err(Error::LimitTooLow { needed: 1, available: 0, .. })), "{refused:?}");
    for (few, needed) in [(2, 4), (3, 4)] {
        let limits = Limits { max_storage_buffers_per_shader_stage: few, ..Limits::default() };
        let refused = conv.lower(&LowerContext::new(&plain(&limits), &options)).err();
        let (what, limit, available) = ("conv_direct", "max_storage_buffers_per_shader_stage", few.into());
        assert_eq!(refused, Some(Error::LimitTooLow { what, limit, needed, available }));
    }
    let small = Limits { max_buffer_size: 255, max_storage_buffer_binding_size: 255, ..Limits::default() };
    let refused = conv.lower(&LowerContext::new(&plain(&small), &options));
    assert!(matches!(refused, Err(Error::TooLarge { value: 256, limit: 255, .. })), "{refused:?}");
    let one = Limits { max_compute_workgroups_per_dimension: 1, ..Limits::default() };
    let large = Conv2d { input_size: [4096, 4096], ..Default::default() };
    let refused = large.lower(&LowerContext::new(&plain(&one), &options));
    let limit_name = "max_compute_workgroups_per_dimension";
    assert_eq!(refused.err(), Some(Error::TooManyDispatches { limit_name, limit: 1, max: 4096 }));
}

/// A bound on the work cuts dispatches, and a plan that would need too many of them is refused.
#[test]
fn long_dispatches_are_cut() {
    let conv = Conv2d { in_channels: 7, input_size: [20, 30], kernel_size: [3, 3], ..Default::default() };
    let conv = Conv2d { batch: 3, out_channels: 5, ..conv };
    let capabilities = plain(&Limits::default());
    for recipe in conv.recipes(&capabilities, &PlanOptions::default()) {
        let options = PlanOptions { recipe: Some(recipe.clone()), ..Default::default() };
        let context = LowerContext::new(&capabilities, &options);
        let cut_to = |max_work| conv.lower(&LowerContext { max_work, ..context }).unwrap();
        let whole = cut_to(u64::MAX);
        let all = whole.dispatches().map(|dispatch| whole.work(dispatch)).sum::<u64>();
        for parts in [2, 5] {
            let program = cut_to(all / parts);
            for dispatch in program.dispatches() {
                let [work, workgroups] = [program.work(dispatch), dispatch.workgroups.map(u64::from).iter().product()];
                // The last workgroup of a part may have less to do than the others.
                assert!(work <= all / parts + work / workgroups, "{recipe}: {work} of {all} in {workgroups}");
            }
            assert!(program.dispatches().count() as u64 <= 4 * parts, "{recipe}");
        }
        let large = Conv2d { input_size: [1000, 1500], ..conv.clone() };
        let refused = large.lower(&LowerContext { max_work: all / 5, ..context }).unwrap_err();
        assert!(matches!(refused, Error::TooManyDispatches { max: 4096, .. }), "{recipe}: {refused:?}");
    }
    // A workgroup is not cut.
    let options = PlanOptions::default();
    let context = LowerContext { max_work: 1, ..LowerContext::new(&capabilities, &options) };
    let one = Conv2d { input_size: [3, 3], out_channels: 1, batch: 1, ..conv };
    assert_eq!(one.lower(&context).unwrap().dispatches().count(), 1);
}

/// Where the tables together are larger than a binding, each box of outputs has its own rows of them.
#[test]
fn large_tables_are_cut() {
    let up =
        Upsample2d { input_size: [50, 60], output_size: [200, 300], mode: UpsampleMode::Linear, ..Default::default() };
    let whole = lowered(&up, &Limits::default(), &PlanOptions::default());
    let bytes = (1 + (200 + 300) * 2) * 8;
    assert_eq!(whole.tables.iter().map(Vec::len).collect::<Vec<_>>(), [bytes]);
    let limits = Limits { max_storage_buffer_binding_size: 4096, ..Limits::default() };
    let recipe = Some(whole.recipe);
    let program = lowered(&up, &limits, &PlanOptions { recipe, ..Default::default() });
    assert!(program.tables.len() > 1 && program.tables.iter().all(|table| table.len() <= 4096));
    assert!(program.steps.iter().all(|step| step.bindings.len() == 3));
    let tiny = Limits { max_storage_buffer_binding_size: 24, ..Limits::default() };
    let refused = up.lower(&LowerContext::new(&plain(&tiny), &PlanOptions::default()));
    assert!(matches!(refused, Err(Error::BindingTooSmall { operand: "tap tables", .. })), "{refused:?}");
}

/// Together the outputs of this crop read the whole input, a few of them only a part: it is split until that part fits.
#[test]
fn crops_are_split_until_they_fit() {
    let crop = Upsample2d {
        input_size: [6000, 6000],
        output_size: [300, 300],
        coordinates: Coordinates::TfCropAndResize { roi: [[0.0, 3.0]; 2] },
        mode: UpsampleMode::Linear,
        ..Default::default()
    };
    let program = lowered(&crop, &Limits::default(), &PlanOptions::default());
    let largest =
        dispatches(&program).iter().map(|dispatch| dispatch.bound_bytes[0].end - dispatch.bound_bytes[0].start).max();
    assert!(dispatches(&program).len() > 1 && largest.unwrap() <= 128 << 20);
}

/// The blocks of the resampling shaders: four rows of a column.
const FOUR_ROWS: Shape = Shape::Blocks { block: [1, 4, 1], split_k: false };

/// A resize runs axis by axis if that is cheaper and the device holds the workspace; if not, forcing it is an error.
#[test]
fn passes_are_chosen_by_cost_and_room() {
    let up = Upsample2d {
        input_size: [64, 64],
        output_size: [128, 128],
        mode: UpsampleMode::Filtered {
            filter: Filter::Lanczos { lobes: 3 },
            antialias: false,
            border: Border::Renormalise,
        },
        coordinates: Coordinates::HalfPixel,
        ..Default::default()
    };
    let program = lowered(&up, &Limits::default(), &PlanOptions::default());
    assert_eq!((program.recipe.shape, &program.workspaces[..]), (Shape::AxisPasses { passes: 2 }, &[64 * 128 * 4][..]));
    // An axis that is not resampled needs no pass, and a few taps are best summed in blocks.
    let line = Upsample2d { output_size: [64, 128], ..up.clone() };
    assert_eq!(lowered(&line, &Limits::default(), &PlanOptions::default()).recipe.shape, Shape::PLAIN);
    for mode in [UpsampleMode::Linear, UpsampleMode::Cubic { a: -0.5, exclude_outside: false }] {
        let few = lowered(&Upsample2d { mode, ..up.clone() }, &Limits::default(), &PlanOptions::default());
        assert_eq!((few.recipe.shader, few.recipe.shape), ("resample_taps_row_blocks", FOUR_ROWS));
    }

    // Of tensors of f16, the workspace of f32 between the passes may be the largest buffer.
    let up = Upsample2d { output_size: [96, 128], ..up };
    let small = Limits { max_buffer_size: 64 * 128 * 4 - 1, ..Limits::default() };
    let capabilities = plain(&small);
    let halves = PlanOptions::stored_as(FloatType::F16);
    let chosen = up.lower(&LowerContext::new(&capabilities, &halves)).unwrap();
    assert_eq!(chosen.recipe, Recipe::plain("resample_taps", 64));
    let options = PlanOptions { recipe: Some(program.recipe), ..halves };
    let forced = up.lower(&LowerContext::new(&capabilities, &options));
    assert!(matches!(forced, Err(Error::TooLarge { what, .. }) if what.contains("workspace")), "{forced:?}");
}

/// Sizes that only an empty batch makes legal, and resizes whose size between two passes overflows a usize.
#[test]
fn absurd_sizes_are_errors() {
    let conv = Conv3d { batch: 0, input_size: [1 << 22; 3], ..Default::default() };
    assert!(matches!(conv.grad_weight(), Err(Error::TooLarge { .. })));
    // Its weight has more elements than a usize can count.
    let kernel = Conv3d { kernel_size: [1 << 22; 3], ..conv };
    assert!(kernel.recipes(&software(), &PlanOptions::default()).is_empty() || Op::output(&kernel).is_ok());
    let up = Upsample3d { batch: 0, output_size: [1 << 22; 3], ..Default::default() };
    assert!(matches!(Op::output(&up), Err(Error::TooLarge { .. })));
    let mode = UpsampleMode::Linear;
    let long = Upsample3d { input_size: [1 << 30, 1 << 30, 1], output_size: [1, 1, 16], mode, ..up };
    let long = Upsample3d { batch: 1, ..long };
    assert!(!long.recipes(&plain(&Limits::default()), &PlanOptions::default()).is_empty());
    let shrink = Upsample1d { input_size: [2_000_000_000], mode, ..Default::default() };
    let grad = shrink.grad_input();
    let options = PlanOptions::default();
    let refused = grad.lower(&LowerContext::new(&plain(&Limits::default()), &options));
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    let padding = Padding::Explicit([[1_000_000; 2]]);
    let pool = AvgPool1d { kernel_size: [1_000_001], padding, ..Default::default() };
    assert_eq!(Separable::taps(&pool, 0).unwrap().len(), 1_000_001);
}

/// Split-K slices depend on the problem alone, and not on the device.
#[test]
fn sums_are_cut_where_the_problem_says() {
    let conv = Conv2d { input_size: [100, 100], kernel_size: [3, 3], ..Default::default() };
    let weight = conv.grad_weight().unwrap();
    let small = Limits { max_storage_buffer_binding_size: 4096, ..Limits::default() };
    let [whole, split] = [&Limits::default(), &small].map(|limits| lowered(&weight, limits, &PlanOptions::default()));
    assert_eq!((whole.recipe.shape.split_k(), whole.workspaces.clone()), (true, split.workspaces.clone()));
    assert!(dispatches(&split).len() > dispatches(&whole).len());
    assert_eq!(whole.workspaces, [9 * 148 * 4]);
}

/// A max pooling's gradient in f16 adds in a workspace of f32 if it takes several dispatches.
#[test]
fn long_sums_of_f16_have_a_workspace() {
    let halves = PlanOptions::stored_as(FloatType::F16);
    let grad = |size| MaxPool1d { input_size: [2 * size], kernel_size: [size], ..Default::default() }.grad_input();
    let [short, long] = [grad(30_000), grad(40_000)].map(|op| lowered(&op, &Limits::default(), &halves));
    assert_eq!((short.recipe.shape, &short.workspaces[..]), (Shape::PLAIN, &[][..]));
    assert_eq!((long.recipe.shape.split_k(), &long.workspaces[..]), (true, &[80_000 * 4][..]));
    let singles = lowered(&grad(40_000), &Limits::default(), &PlanOptions::default());
    assert_eq!((singles.recipe.shape, dispatches(&singles).len() + 1), (Shape::PLAIN, dispatches(&long).len()));
}

#[test]
fn layouts_move_the_window() {
    let conv = Conv2d { input_size: [4, 4], ..Default::default() };
    let input = TensorLayout::contiguous(&[1, 1, 4, 4]).with_offset(100);
    let options = PlanOptions { input: Some(input), ..Default::default() };
    let program = lowered(&conv, &Limits::default(), &options);
    // The input begins at byte 400; its binding begins at byte 256, a multiple of the alignment.
    assert_eq!(dispatches(&program)[0].bound_bytes[0], 256..464);
}
