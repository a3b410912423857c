//! Programs of every op by every recipe, with every value that a shader's constants can have: what other tests check.

use std::collections::{BTreeMap, BTreeSet};

use wgpu::{CooperativeMatrixProperties, CooperativeScalarType, Features, Limits, TextureFormat};

use super::shaders::SHADERS;
use super::*;
use crate::dtype::{ByteType, FloatType};
use crate::error::Error;
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::program::Program;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::OUTPUTS;
use crate::ops::activation::Activation;
use crate::ops::conv::conv::{Conv, Conv2d};
use crate::ops::conv::conv_integer::{ConvInteger2d, ZeroPoint};
use crate::ops::conv::conv_transpose::{ConvTranspose, ConvTranspose2d};
use crate::ops::conv::fold::Unfold2d;
use crate::ops::conv::resize_conv::ResizeConv2d;
use crate::ops::pixel_shuffle::{PixelShuffle2d, ShuffleDirection};
use crate::ops::pool::global_average_pool::GlobalAveragePool2d;
use crate::ops::pool::global_lp_pool::GlobalLpPool2d;
use crate::ops::pool::global_max_pool::GlobalMaxPool2d;
use crate::ops::pool::indices::IndexConvention;
use crate::ops::pool::lp_pool::LpPool2d;
use crate::ops::pool::max_pool::MaxPool2d;
use crate::ops::resample::mode::UpsampleMode;
use crate::ops::resample::upsample::Upsample2d;
use crate::tensor::layout::TensorLayout;

/// The kinds of epilogue: each activation, without a bias and with one.
fn epilogues() -> impl Iterator<Item = (Activation, bool)> {
    let activations = [
        Activation::None,
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Clip { min: 0.0, max: 6.0 },
    ];
    activations.into_iter().flat_map(|activation| [(activation, false), (activation, true)])
}

/// A device with every feature that the crate uses, subgroups of `threads` and cooperative matrices of `side` by
/// `side`.
fn device(threads: u32, side: u32, binding: u64) -> Capabilities {
    let matrix = |ab_type| CooperativeMatrixProperties {
        m_size: side,
        n_size: side,
        k_size: side,
        ab_type,
        cr_type: CooperativeScalarType::F32,
        saturating_accumulation: false,
    };
    let limits = Limits {
        max_compute_invocations_per_workgroup: 1024,
        max_compute_workgroup_size_x: 1024,
        max_storage_buffer_binding_size: binding,
        ..Limits::default()
    };
    let features =
        Features::SHADER_F16 | Features::SUBGROUP | Features::BGRA8UNORM_STORAGE | Features::TEXTURE_FORMAT_16BIT_NORM;
    Capabilities {
        subgroup_sizes: [threads; 2],
        matrices: vec![matrix(CooperativeScalarType::F32), matrix(CooperativeScalarType::F16)],
        ..Capabilities::plain(limits, features)
    }
}

/// The programs, and the devices that they are for.
struct Every {
    devices: Vec<Capabilities>,
    programs: Vec<Program>,
}

impl Every {
    /// Adds an op's programs by each recipe of each device, for f32 and f16. Recipes that the device has no room for
    /// are left out.
    fn add<O: GpuOp>(&mut self, op: &O) {
        for storage in [FloatType::F32, FloatType::F16] {
            self.add_with(op, &PlanOptions::stored_as(storage));
        }
    }

    fn add_with<O: GpuOp>(&mut self, op: &O, options: &PlanOptions) {
        for capabilities in &self.devices {
            for recipe in op.recipes(capabilities, options) {
                let name = recipe.to_string();
                let options = PlanOptions { recipe: Some(recipe), ..options.clone() };
                match op.lower(&LowerContext::new(capabilities, &options)) {
                    Ok(program) => self.programs.push(program),
                    Err(Error::BindingTooSmall { .. }) => (),
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
    }

    /// Adds an op's programs from texture to texture, of every format that is written, with values that the shader has
    /// to decode and encode, or not; and its programs in which one end is a tensor.
    fn add_textures<O: GpuOp>(&mut self, op: &O, formats: &[TextureFormat]) {
        let input = TextureFormat::Rgba8Unorm;
        for &format in formats {
            for [decode, encode] in [[false, false], [false, true], [true, false], [true, true]] {
                let of = |format, srgb| if srgb { PixelFormat::srgb(format) } else { PixelFormat::from(format) };
                let [input, output] = [of(input, decode), of(format, encode)];
                self.add_with(op, &PlanOptions::textures(input, output));
                for storage in [FloatType::F32, FloatType::F16] {
                    let plain = PlanOptions::stored_as(storage);
                    self.add_with(op, &PlanOptions { input_texture: Some(input), ..plain.clone() });
                    self.add_with(op, &PlanOptions { output_texture: Some(output), ..plain });
                }
            }
        }
    }
}

/// Programs in which every text of every shader occurs, and every value of every constant that a planner sets.
pub(super) fn every_program() -> Vec<Program> {
    let large = Limits::default().max_storage_buffer_binding_size;
    // Bindings so small that sums are split between dispatches.
    let small = 48 << 10;
    let kinds = [(4, 8, large), (8, 16, large), (16, 8, large), (32, 16, large), (64, 8, large), (128, 16, large)];
    let devices = kinds.into_iter().chain([(8, 8, small), (32, 16, small)]);
    let devices = devices.map(|(threads, side, binding)| device(threads, side, binding)).collect();
    let mut every = Every { devices, programs: Vec::new() };
    for out_channels in [4, 8, 16, 32, 64] {
        let conv = conv(out_channels);
        every.add(&conv);
        every.add(&conv.grad_weight().unwrap());
        every.add(&up(out_channels));
    }
    // The rest does not depend on subgroups, on matrices or on tiles.
    every.devices = vec![device(8, 8, large), device(8, 16, small)];
    for (activation, bias) in epilogues() {
        every.add(&Conv2d { activation, bias, ..conv(8) });
        every.add(&ConvTranspose2d { activation, bias, ..up(8) });
    }
    // A channel that is larger than a binding of the second device.
    let large = Conv2d { in_channels: 4, input_size: [120, 120], ..conv(4) };
    every.add(&large.grad_weight().unwrap());
    every.devices.truncate(1);
    every.add(&conv(8).grad_bias().unwrap());
    integers(&mut every);
    let unfold = Unfold2d { input_size: [4, 5], kernel_size: [3, 2], ..Default::default() };
    every.add(&unfold);
    every.add(&unfold.grad_input());
    resamplings(&mut every);
    pools(&mut every);
    global_pools(&mut every);
    textures(&mut every);
    every.programs
}

fn conv(out_channels: usize) -> Conv2d {
    Conv { in_channels: 96, out_channels, input_size: [12, 12], kernel_size: [3, 3], ..Default::default() }
}

fn up(out_channels: usize) -> ConvTranspose2d {
    let [kernel_size, stride] = [[4, 4], [2, 2]];
    ConvTranspose { in_channels: 96, out_channels, input_size: [12, 12], kernel_size, stride, ..Default::default() }
}

/// Zero points that are given, and that are not.
fn integers(every: &mut Every) {
    for weight_zero_point in [ZeroPoint::None, ZeroPoint::PerTensor, ZeroPoint::PerChannel] {
        for input_zero_point in [false, true] {
            let (input_size, out_channels, weight_type) = ([4, 4], 8, ByteType::I8);
            let zero_points = ConvInteger2d { input_zero_point, weight_zero_point, ..Default::default() };
            every.add(&ConvInteger2d { input_size, out_channels, weight_type, ..zero_points });
        }
    }
}

/// Every number of channels and of taps that the shaders of blocks have, and every epilogue after a resize.
fn resamplings(every: &mut Every) {
    for channels in 1..=4 {
        let nearest = Upsample2d { channels, input_size: [4, 4], output_size: [8, 8], ..Default::default() };
        let linear = Upsample2d { mode: UpsampleMode::Linear, ..nearest };
        // One tap, which a table says, since the gradient of nearest neighbours has no shader of its own.
        every.add(&Upsample2d { output_size: [4, 4], ..linear });
        every.add(&Upsample2d { mode: UpsampleMode::Cubic { a: -0.75, exclude_outside: false }, ..linear });
        every.add(&nearest);
        every.add(&linear);
    }
    for (activation, bias) in epilogues() {
        let conv = Conv2d { input_size: [4, 4], activation, bias, ..Default::default() };
        let upsample = Upsample2d { input_size: [2, 2], output_size: [4, 4], ..Default::default() };
        every.add(&ResizeConv2d { upsample, conv });
    }
}

fn pools(every: &mut Every) {
    for direction in [ShuffleDirection::ToSpace, ShuffleDirection::ToDepth] {
        every.add(&PixelShuffle2d { direction, ..Default::default() });
    }
    let norms = LpPool2d { input_size: [4, 4], kernel_size: [2, 2], ..Default::default() };
    every.add(&norms);
    every.add(&norms.grad_input());
    let conventions = [IndexConvention::Plane, IndexConvention::OnnxColumnMajor, IndexConvention::TensorFlow];
    let indices = conventions.map(Some).into_iter().chain([None]);
    for pool in indices.map(|indices| MaxPool2d { input_size: [4, 4], indices, ..Default::default() }) {
        every.add(&pool);
        every.add(&pool.grad_input());
        if pool.indices.is_some() {
            let unpool = pool.unpool().unwrap();
            every.add(&unpool);
            every.add(&unpool.grad_input());
        }
    }
}

/// Planes of one slice and of several, on a line and in rows apart.
fn global_pools(every: &mut Every) {
    for input_size in [[4, 4], [100, 100]] {
        let average = GlobalAveragePool2d { batch: 1, channels: 20, input_size };
        let norm = GlobalLpPool2d { batch: 1, channels: 20, input_size, p: 3 };
        let shape = [1, 20, input_size[0], input_size[1]];
        for layout in [TensorLayout::contiguous(&shape), TensorLayout::row_pitch(&shape, 128)] {
            for storage in [FloatType::F32, FloatType::F16] {
                let options = PlanOptions { input: Some(layout.clone()), ..PlanOptions::stored_as(storage) };
                every.add_with(&average, &options);
                every.add_with(&norm, &options);
                every.add_with(&norm.grad_input(), &options);
                for indices in [None, Some(IndexConvention::Plane), Some(IndexConvention::Onnx)] {
                    every.add_with(&GlobalMaxPool2d { batch: 1, channels: 20, input_size, indices }, &options);
                }
            }
        }
    }
}

/// Every number of channels for one format, and every format for four channels.
fn textures(every: &mut Every) {
    for channels in 1..=4 {
        let conv = Conv2d { in_channels: channels, out_channels: 5 - channels, ..conv(1) };
        let linear = Upsample2d { channels, mode: UpsampleMode::Linear, ..Default::default() };
        every.add_textures(&conv, &OUTPUTS[..1]);
        every.add_textures(&linear, &OUTPUTS[..1]);
    }
    let conv = Conv2d { in_channels: 1, ..conv(1) };
    let up = ConvTranspose2d { in_channels: 1, ..up(1) };
    every.add_textures(&Upsample2d { mode: UpsampleMode::Linear, ..Default::default() }, &OUTPUTS);
    every.add_textures(&conv, &OUTPUTS);
    every.add_textures(&up, &OUTPUTS);
    for (activation, bias) in epilogues() {
        every.add_textures(&Conv2d { activation, bias, ..conv.clone() }, &OUTPUTS[..1]);
        every.add_textures(&ConvTranspose2d { activation, bias, ..up.clone() }, &OUTPUTS[..1]);
    }
}

/// The values that planners give a constant; `None` for the threads of a workgroup, which a caller may choose.
fn values(shader: &Shader, constant: &str) -> Option<&'static [u32]> {
    match constant {
        "workgroup_size" | "workgroup_width" | "workgroup_height" => None,
        "activation" => Some(&[0, 1, 2, 3, 4, 5]),
        "channels" | "in_per_group" | "out_per_group" => Some(&[1, 2, 3, 4]),
        "tile_channels" => Some(&[1, 16]),
        "taps" => Some(&[1, 2, 4]),
        "quads" if shader.subgroups => Some(&[1, 2, 4, 8]),
        "quads" => Some(&[1, 2]),
        "staged_rows" => Some(&[32, 64, 128]),
        "staged_columns" => Some(&[128, 256]),
        _ => Some(&[0, 1]),
    }
}

#[test]
fn every_constant_has_every_value() {
    let mut found = BTreeMap::<_, BTreeSet<u32>>::new();
    for step in every_program().iter().flat_map(|program| &program.steps) {
        for &(name, value) in &step.constants {
            found.entry((step.shader.name, name)).or_default().insert(value as u32);
        }
    }
    for shader in SHADERS {
        for &name in shader.overrides {
            let values = values(shader, name).map(|values| values.iter().copied().collect());
            let found = &found[&(shader.name, name)];
            assert_eq!(found, values.as_ref().unwrap_or(found), "{} {name}", shader.name);
        }
    }
}
