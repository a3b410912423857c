//! The shaders' texts against the host's tables.

use std::path::{Path, PathBuf};

use wgpu::Features;
use wgpu::naga::{self, AddressSpace, ScalarKind, StorageAccess, TypeInner, valid};

use super::shaders::SHADERS;
use super::source_tests::files;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::OUTPUTS;
use crate::gpu::program::uniform::{Field, Kind};

/// Parses one of a shader's texts, and validates it with the features that it needs.
pub(super) fn parse(shader: &Shader, text: usize) -> (naga::Module, valid::ModuleInfo) {
    let source = shader.texts.text(text);
    let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
    let mut needed = valid::Capabilities::empty();
    needed.set(valid::Capabilities::SHADER_FLOAT16, source.contains("enable f16;"));
    let norm = OUTPUTS[text % OUTPUTS.len()].required_features().contains(Features::TEXTURE_FORMAT_16BIT_NORM);
    needed.set(valid::Capabilities::STORAGE_TEXTURE_16BIT_NORM_FORMATS, shader.writes_texture() && norm);
    needed.set(valid::Capabilities::SUBGROUP, shader.subgroups);
    needed.set(valid::Capabilities::COOPERATIVE_MATRIX, shader.cooperative());
    let mut validator = valid::Validator::new(Default::default(), needed);
    validator.subgroup_stages(valid::ShaderStages::COMPUTE).subgroup_operations(valid::SubgroupOperationSet::all());
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{}: {error:?}", shader.name));
    (module, info)
}

/// Compares a struct with its field table: names, scalar kinds, and that each field follows the last.
fn check_fields(shader: &str, module: &naga::Module, inner: &TypeInner, fields: &[Field]) -> u32 {
    let TypeInner::Struct { members, .. } = inner else { panic!("{shader}: not a struct") };
    assert_eq!(members.len(), fields.len(), "{shader}");
    let mut offset = 0;
    for (member, field) in members.iter().zip(fields) {
        assert_eq!((member.name.as_deref(), member.offset), (Some(field.name), offset), "{shader}");
        let inner = &module.types[member.ty].inner;
        offset += match field.kind {
            Kind::Struct(fields) => check_fields(shader, module, inner, fields),
            number => {
                let TypeInner::Scalar(actual) = inner else { panic!("{shader}: {} is no number", field.name) };
                let expected = match number {
                    Kind::U32 => ScalarKind::Uint,
                    Kind::I32 => ScalarKind::Sint,
                    _ => ScalarKind::Float,
                };
                assert_eq!((actual.kind, actual.width), (expected, 4), "{shader}: {}", field.name);
                4
            }
        };
    }
    offset
}

#[test]
fn uniforms_bindings_and_overrides_are_the_hosts() {
    for shader in SHADERS {
        (0..shader.texts.count()).for_each(|text| check_shader(shader, &parse(shader, text).0));
    }
}

fn check_shader(shader: &Shader, module: &naga::Module) {
    let mut globals: Vec<_> = module.global_variables.iter().filter_map(|(_, v)| Some((v.binding?, v))).collect();
    globals.sort_by_key(|(binding, _)| binding.binding);
    assert_eq!(globals.len() as u32, 1 + shader.reads + shader.writes, "{}", shader.name);
    for (number, (binding, variable)) in globals.iter().enumerate() {
        assert_eq!((binding.group, binding.binding), (0, number as u32), "{}", shader.name);
        let last = shader.reads + shader.writes;
        let expected = match number as u32 {
            0 => AddressSpace::Uniform,
            1 if shader.reads_texture() => AddressSpace::Handle,
            n if shader.writes_texture() && n == last => AddressSpace::Handle,
            n if n <= shader.reads => AddressSpace::Storage { access: StorageAccess::LOAD },
            _ => AddressSpace::Storage { access: StorageAccess::LOAD | StorageAccess::STORE },
        };
        assert_eq!(variable.space, expected, "{} binding {number}", shader.name);
    }
    let params = &module.types[globals[0].1.ty].inner;
    // wgpu's downlevel limits let a stage have four storage buffers.
    let is_storage = |space| matches!(space, AddressSpace::Storage { .. });
    assert!(globals.iter().filter(|(_, variable)| is_storage(variable.space)).count() <= 4, "{}", shader.name);
    let size = check_fields(shader.name, module, params, shader.uniform.fields);
    assert_eq!(u64::from(size), shader.uniform.size, "{}", shader.name);
    // Their order does not matter: naga's depends on the functions that use them.
    let mut overrides: Vec<_> = module.overrides.iter().filter_map(|(_, item)| item.name.as_deref()).collect();
    let mut expected = shader.overrides.to_vec();
    overrides.sort_unstable();
    expected.sort_unstable();
    assert_eq!(overrides, expected, "{}", shader.name);
    assert_eq!(module.entry_points.len(), 1, "{}", shader.name);
    assert_eq!(module.entry_points[0].name, "main");
}

#[test]
fn every_shader_file_is_registered_by_its_path() {
    let files = files("shaders", "wgsl");
    let parts = ["prelude", "shared"];
    let in_parts = |path: &PathBuf| path.iter().any(|folder| parts.iter().any(|part| folder == *part));
    let whole = files.iter().filter(|path| !in_parts(path));
    let named = |path: &PathBuf| {
        let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")).ok()?;
        Some(inside.with_extension("").to_str()?.replace(['/', '\\'], "_"))
    };
    let mut names: Vec<_> = whole.filter_map(named).collect();
    let mut registered: Vec<_> = SHADERS.iter().map(|shader| shader.name.to_string()).collect();
    names.sort_unstable();
    registered.sort_unstable();
    // One file serves cooperative matrices of two sizes.
    registered.dedup();
    assert_eq!(names, registered);
}

/// A text that writes a texture declares the format that the plan binds.
#[test]
fn texts_write_the_formats_that_they_are_for() {
    for shader in SHADERS.into_iter().filter(|shader| shader.writes_texture()) {
        for number in 0..shader.texts.count() {
            let format = OUTPUTS[number % OUTPUTS.len()];
            let (module, _) = parse(shader, number);
            let (_, output) = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("y")).unwrap();
            let TypeInner::Image { class: naga::ImageClass::Storage { format: named, .. }, .. } =
                module.types[output.ty].inner
            else {
                panic!("{} writes no texture", shader.name)
            };
            assert_eq!(format!("{named:?}"), format!("{format:?}"), "{}", shader.name);
        }
    }
}
