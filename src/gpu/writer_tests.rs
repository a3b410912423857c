//! Every text, with every set of constants that a planner gives it, through naga's writers, with the options of wgpu's
//! back ends (wgpu-hal 30): none of their users meets a text that naga cannot write.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use wgpu::Features;
use wgpu::naga::back::pipeline_constants::process_overrides;
use wgpu::naga::back::{glsl, hlsl, msl, spv};
use wgpu::naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use wgpu::naga::valid::ModuleInfo;
use wgpu::naga::{AddressSpace, Block, Expression, Function, Handle, Module, ResourceBinding, ShaderStage, Statement};

use super::program_tests::every_program;
use super::shader_tests::parse;
use super::shaders::SHADERS;
use crate::gpu::plan::pipeline::ZERO_WORKGROUP_MEMORY;
use crate::gpu::program::constants::Constant;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::OUTPUTS;
use crate::gpu::program::texture::needed_to_write;

/// What a binding of a shader is to a back end that numbers kinds of bindings separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Uniform,
    Texture,
    ReadBuffer,
    WrittenBuffer,
    WrittenTexture,
}

/// A text with its constants in place.
struct Resolved<'a> {
    shader: &'a Shader,
    /// The numbers of the shader, of the text in the shader, and of the set of constants among those of the text.
    numbers: [usize; 3],
    constants: &'a [Constant],
    module: &'a Module,
    info: &'a ModuleInfo,
}

impl Resolved<'_> {
    /// The features that a device must have to be given the text.
    fn needed(&self) -> Features {
        let mut needed = Features::empty();
        needed.set(Features::SHADER_F16, self.shader.texts.text(self.numbers[1]).contains("enable f16;"));
        needed.set(Features::SUBGROUP, self.shader.subgroups);
        needed.set(MATRICES, self.shader.cooperative());
        if self.shader.writes_texture() {
            needed |= needed_to_write(OUTPUTS[self.numbers[1] % OUTPUTS.len()]);
        }
        needed
    }

    /// Each binding with its kind, and how many earlier bindings belong to the `same` group of kinds.
    fn bindings(&self, same: impl Fn(Kind, Kind) -> bool) -> Vec<(ResourceBinding, Kind, u32)> {
        let last = self.shader.reads + self.shader.writes;
        let kind = |binding| match binding {
            0 => Kind::Uniform,
            1 if self.shader.reads_texture() => Kind::Texture,
            n if n == last && self.shader.writes_texture() => Kind::WrittenTexture,
            n if n <= self.shader.reads => Kind::ReadBuffer,
            _ => Kind::WrittenBuffer,
        };
        let number = |binding| (0..binding).filter(|&earlier| same(kind(earlier), kind(binding))).count() as u32;
        let of = |binding| (ResourceBinding { group: 0, binding }, kind(binding), number(binding));
        (0..=last).map(of).collect()
    }
}

/// A way in which wgpu has shaders written.
struct BackEnd {
    name: &'static str,
    /// The ending of its files.
    ending: &'static str,
    /// Features that texts need and that the back end never offers, each with the reason.
    lacks: &'static [(Features, &'static str)],
    write: fn(&Resolved<'_>) -> Result<Vec<u8>, String>,
}

const NO_HALF: (Features, &str) = (Features::SHADER_F16, "GLSL has no f16, and wgpu does not use its extensions");
const NO_SUBGROUPS: (Features, &str) = (Features::SUBGROUP, "wgpu offers no subgroups through OpenGL");
const NO_BGRA: (Features, &str) = (Features::BGRA8UNORM_STORAGE, "OpenGL has no images of BGRA");
const GL_MATRICES: (Features, &str) = (MATRICES, "OpenGL has no cooperative matrices");
const DX_MATRICES: (Features, &str) = (MATRICES, "naga writes no cooperative matrices in HLSL");
const MATRICES: Features = Features::EXPERIMENTAL_COOPERATIVE_MATRIX;

const BACK_ENDS: [BackEnd; 8] = [
    BackEnd {
        name: "vulkan, oldest",
        ending: "1_3.spv",
        lacks: &[],
        write: |text| write_spirv(text, (1, 3), Zeros::Polyfill, Policy::Restrict),
    },
    BackEnd {
        name: "vulkan, newest",
        ending: "1_6.spv",
        lacks: &[],
        write: |text| write_spirv(text, (1, 6), Zeros::Native, Policy::Unchecked),
    },
    BackEnd { name: "metal, oldest", ending: "2_3.metal", lacks: &[], write: |text| write_msl(text, (2, 3)) },
    BackEnd { name: "metal, newest", ending: "4_0.metal", lacks: &[], write: |text| write_msl(text, (4, 0)) },
    BackEnd {
        name: "dx12, FXC",
        ending: "5_1.hlsl",
        lacks: &[
            (Features::SHADER_F16, "f16 needs shader model 6.2"),
            (Features::SUBGROUP, "subgroups need shader model 6.0"),
            DX_MATRICES,
        ],
        write: |text| write_hlsl(text, hlsl::ShaderModel::V5_1),
    },
    BackEnd {
        name: "dx12, DXC",
        ending: "6_2.hlsl",
        lacks: &[DX_MATRICES],
        write: |text| write_hlsl(text, hlsl::ShaderModel::V6_2),
    },
    BackEnd {
        name: "OpenGL ES",
        ending: "310es.comp",
        lacks: &[NO_HALF, NO_SUBGROUPS, NO_BGRA, GL_MATRICES],
        write: |text| write_glsl(text, glsl::Version::new_gles(310), Policy::Unchecked),
    },
    BackEnd {
        name: "OpenGL",
        ending: "450.comp",
        lacks: &[NO_HALF, NO_SUBGROUPS, NO_BGRA, GL_MATRICES],
        write: |text| write_glsl(text, glsl::Version::Desktop(450), Policy::ReadZeroSkipWrite),
    },
];

type Policy = BoundsCheckPolicy;
type Zeros = spv::ZeroInitializeWorkgroupMemoryMode;

/// `wgpu-hal/src/vulkan/adapter.rs`, for a device with every feature that the texts need.
fn write_spirv(text: &Resolved<'_>, lang_version: (u8, u8), zeros: Zeros, checks: Policy) -> Result<Vec<u8>, String> {
    use spv::Capability::*;
    let mut capabilities = vec![Shader, Matrix, Sampled1D, Image1D, ImageQuery, DerivativeControl];
    capabilities.extend([StorageImageExtendedFormats, StorageImageWriteWithoutFormat, Float16]);
    capabilities.extend([GroupNonUniform, GroupNonUniformVote, GroupNonUniformArithmetic, GroupNonUniformBallot]);
    capabilities.extend([GroupNonUniformShuffle, GroupNonUniformShuffleRelative, GroupNonUniformQuad]);
    if text.shader.cooperative() {
        capabilities.extend([CooperativeMatrixKHR, VulkanMemoryModel]);
    }
    let target = |binding: u32| spv::BindingInfo { descriptor_set: 0, binding, binding_array_size: None };
    let options = spv::Options {
        lang_version,
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        fake_missing_bindings: false,
        binding_map: text.bindings(|_, _| true).into_iter().map(|(at, _, number)| (at, target(number))).collect(),
        capabilities: Some(capabilities.into_iter().collect()),
        bounds_check_policies: BoundsCheckPolicies {
            index: Policy::Restrict,
            buffer: checks,
            image_load: checks,
            binding_array: Policy::Unchecked,
        },
        zero_initialize_workgroup_memory: if ZERO_WORKGROUP_MEMORY { zeros } else { Zeros::None },
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".into() };
    let words = spv::write_vec(text.module, text.info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
    Ok(bytemuck::cast_slice(&words).to_vec())
}

/// `wgpu-hal/src/metal/device.rs`.
fn write_msl(text: &Resolved<'_>, lang_version: (u8, u8)) -> Result<Vec<u8>, String> {
    let is_texture = |kind| matches!(kind, Kind::Texture | Kind::WrittenTexture);
    let bindings = text.bindings(|one, other| is_texture(one) == is_texture(other));
    let buffers = bindings.iter().filter(|(_, kind, _)| !is_texture(*kind)).count();
    let target = |kind, slot: u32| {
        let slot = Some(slot as u8);
        let mutable = matches!(kind, Kind::WrittenBuffer | Kind::WrittenTexture);
        let [buffer, texture] = if is_texture(kind) { [None, slot] } else { [slot, None] };
        msl::BindTarget { buffer, texture, mutable, ..Default::default() }
    };
    let resources = msl::EntryPointResources {
        resources: bindings.iter().map(|&(at, kind, slot)| (at, target(kind, slot))).collect(),
        sizes_buffer: Some(buffers as u8),
        ..Default::default()
    };
    let checks = BoundsCheckPolicies {
        index: Policy::Restrict,
        buffer: Policy::Restrict,
        image_load: Policy::Restrict,
        binding_array: Policy::Unchecked,
    };
    let options = msl::Options {
        lang_version,
        per_entry_point_map: [("main".to_string(), resources)].into_iter().collect(),
        fake_missing_bindings: false,
        bounds_check_policies: checks,
        zero_initialize_workgroup_memory: ZERO_WORKGROUP_MEMORY,
        ..Default::default()
    };
    let entry_point = Some((ShaderStage::Compute, "main".into()));
    let pipeline = msl::PipelineOptions { entry_point, vertex_pulling_transform: true, ..Default::default() };
    let (source, info) =
        msl::write_string(text.module, text.info, &options, &pipeline).map_err(|error| error.to_string())?;
    entry_point_written(info.entry_point_names)?;
    Ok(source.into_bytes())
}

/// `wgpu-hal/src/dx12/device.rs`.
fn write_hlsl(text: &Resolved<'_>, shader_model: hlsl::ShaderModel) -> Result<Vec<u8>, String> {
    // Registers of constant buffers, of resources that are read, and of those that are written.
    let registers = |kind| match kind {
        Kind::Uniform => 'b',
        Kind::Texture | Kind::ReadBuffer => 't',
        Kind::WrittenBuffer | Kind::WrittenTexture => 'u',
    };
    let bindings = text.bindings(|one, other| registers(one) == registers(other));
    let target = |register| hlsl::BindTarget { register, ..Default::default() };
    let options = hlsl::Options {
        shader_model,
        binding_map: bindings.into_iter().map(|(at, _, register)| (at, target(register))).collect(),
        fake_missing_bindings: false,
        zero_initialize_workgroup_memory: ZERO_WORKGROUP_MEMORY,
        ..Default::default()
    };
    let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, "main".into())) };
    let mut source = String::new();
    let mut writer = hlsl::Writer::new(&mut source, &options, &pipeline);
    let info = writer.write(text.module, text.info, None).map_err(|error| error.to_string())?;
    entry_point_written(info.entry_point_names)?;
    Ok(source.into_bytes())
}

/// `wgpu-hal/src/gles/device.rs`.
fn write_glsl(text: &Resolved<'_>, version: glsl::Version, image_load: Policy) -> Result<Vec<u8>, String> {
    let slots = |kind| match kind {
        Kind::ReadBuffer => Kind::WrittenBuffer,
        other => other,
    };
    let bindings = text.bindings(|one, other| slots(one) == slots(other));
    let options = glsl::Options {
        version,
        writer_flags: glsl::WriterFlags::ADJUST_COORDINATE_SPACE | glsl::WriterFlags::FORCE_POINT_SIZE,
        binding_map: bindings.into_iter().map(|(at, _, slot)| (at, slot as u8)).collect(),
        zero_initialize_workgroup_memory: ZERO_WORKGROUP_MEMORY,
    };
    let shader_stage = ShaderStage::Compute;
    let pipeline = glsl::PipelineOptions { shader_stage, entry_point: "main".into(), multiview: None };
    let unchecked = Policy::Unchecked;
    let checks = BoundsCheckPolicies { index: unchecked, buffer: unchecked, image_load, binding_array: unchecked };
    let mut source = String::new();
    let writer = glsl::Writer::new(&mut source, text.module, text.info, &options, &pipeline, checks);
    writer.and_then(|mut writer| writer.write()).map_err(|error| error.to_string())?;
    Ok(source.into_bytes())
}

/// Refuses a text whose one entry point the writer has left out or renamed.
fn entry_point_written<E: std::fmt::Display>(names: Vec<Result<String, E>>) -> Result<(), String> {
    match &names[..] {
        [Ok(_)] => Ok(()),
        [Err(error)] => Err(error.to_string()),
        _ => Err(format!("{} entry points", names.len())),
    }
}

/// The sets of constants that planners give each text, by the shader's address and the text's number.
type Sets = HashMap<(*const Shader, usize), BTreeMap<String, Vec<Constant>>>;

fn sets_by_text() -> Sets {
    let mut sets = Sets::new();
    for step in every_program().into_iter().flat_map(|program| program.steps) {
        sets.entry((std::ptr::from_ref(step.shader), step.text))
            .or_default()
            .insert(format!("{:?}", step.constants), step.constants);
    }
    sets
}

/// The sets with which a text is written: those of all texts of its shader. A text that writes a texture has its own
/// sets alone, because there are many, and the texts differ only in a format and a few numbers.
fn sets_of<'a>(sets: &'a Sets, shader: &Shader, text: usize) -> BTreeMap<&'a String, &'a Vec<Constant>> {
    let texts = if shader.writes_texture() { text..text + 1 } else { 0..shader.texts.count() };
    texts.filter_map(|text| sets.get(&(std::ptr::from_ref(shader), text))).flatten().collect()
}

/// Calls `check` with every text and every set of constants of it.
fn for_each_text(mut check: impl FnMut(&Resolved<'_>)) {
    let sets = sets_by_text();
    for (number, shader) in SHADERS.into_iter().enumerate() {
        for text in 0..shader.texts.count() {
            let (module, info) = parse(shader, text);
            let sets = sets_of(&sets, shader, text);
            assert!(!sets.is_empty(), "{}: no program has text {text}", shader.name);
            for (set, constants) in sets.into_values().enumerate() {
                let values = constants.iter().map(|&(name, value)| (name.to_string(), value)).collect();
                let entry_point = Some((ShaderStage::Compute, "main"));
                let resolved = process_overrides(&module, &info, entry_point, &values);
                let (module, info) = resolved.unwrap_or_else(|error| panic!("{}: {constants:?}: {error}", shader.name));
                check(&Resolved { shader, numbers: [number, text, set], constants, module: &module, info: &info });
            }
        }
    }
}

/// What is written is also kept, in the folder that the environment variable `UPCONV_WRITTEN` names, for compilers that
/// are at hand: `tests/written` runs them.
#[test]
fn every_back_end_can_be_given_every_text() {
    let folder = std::env::var_os("UPCONV_WRITTEN").map(PathBuf::from);
    let mut refused = BTreeSet::new();
    for_each_text(|text| {
        for back_end in &BACK_ENDS {
            let mut lacking = back_end.lacks.iter().filter(|(lack, _)| text.needed().contains(*lack)).peekable();
            if lacking.peek().is_some() {
                refused.extend(lacking.map(|(_, reason)| (back_end.name, *reason)));
                continue;
            }
            let written = (back_end.write)(text);
            let ([shader, number, set], ending) = (text.numbers, back_end.ending);
            let name = format!("{}_{shader}_{number}_{set}.{ending}", text.shader.name);
            let written = written.unwrap_or_else(|error| panic!("{name}: {:?}: {error}", text.constants));
            folder.iter().for_each(|folder| std::fs::write(folder.join(&name), &written).unwrap());
        }
    });
    let reasons = BACK_ENDS.iter().flat_map(|end| end.lacks.iter().map(|(_, reason)| (end.name, *reason)));
    assert_eq!(refused, reasons.collect(), "a reason that refuses no text is out of date");
}

/// FXC has to unroll every loop around a write into a local vector, matrix or array at an index that is no constant,
/// and fails if it cannot (wgpu's issues 4436, 4460 and 8334). No text has such a write.
#[test]
fn local_vectors_are_written_at_constant_indices() {
    for shader in SHADERS {
        for text in 0..shader.texts.count() {
            let (module, _) = parse(shader, text);
            let functions = module.functions.iter().map(|(_, function)| function);
            for function in functions.chain(module.entry_points.iter().map(|entry| &entry.function)) {
                let mut pointers = Vec::new();
                collect_stores(&function.body, &mut pointers);
                let moves = pointers.into_iter().any(|pointer| moves_in_a_local(&module, function, pointer));
                assert!(!moves, "{} {:?}", shader.name, function.name);
            }
        }
    }
}

/// The pointers through which a block and its inner blocks write.
fn collect_stores(block: &Block, pointers: &mut Vec<Handle<Expression>>) {
    for statement in block {
        match statement {
            Statement::Store { pointer, .. } => pointers.push(*pointer),
            Statement::Block(block) => collect_stores(block, pointers),
            Statement::If { accept, reject, .. } => {
                [accept, reject].into_iter().for_each(|block| collect_stores(block, pointers))
            }
            Statement::Loop { body, continuing, .. } => {
                [body, continuing].into_iter().for_each(|block| collect_stores(block, pointers));
            }
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| collect_stores(&case.body, pointers)),
            _ => (),
        }
    }
}

/// Whether a pointer leads into a local variable by an index that is no constant.
fn moves_in_a_local(module: &Module, function: &Function, mut pointer: Handle<Expression>) -> bool {
    let mut moves = false;
    loop {
        match function.expressions[pointer] {
            Expression::Access { base, index } => {
                let constant = matches!(
                    function.expressions[index],
                    Expression::Literal(_) | Expression::Constant(_) | Expression::Override(_)
                );
                (moves, pointer) = (moves || !constant, base);
            }
            Expression::AccessIndex { base, .. } => pointer = base,
            Expression::LocalVariable(_) | Expression::FunctionArgument(_) => return moves,
            Expression::GlobalVariable(variable) => {
                return moves && module.global_variables[variable].space == AddressSpace::Private;
            }
            _ => return false,
        }
    }
}
