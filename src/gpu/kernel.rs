//! From a shader's text and a program's data to GPU objects: the only place where the ops create any.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wgpu::{BindGroup, BindGroupLayout, Buffer, BufferBinding, BufferUsages, ComputePipeline, Device};

use super::params::Field;
use super::program::Program;

/// A WGSL file with what the host knows of it. A test compares the two.
#[derive(Debug)]
pub struct Shader {
    /// File name without its ending: `<op>_<algorithm>`.
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// Read-only storage bindings, from binding 1 on. The output follows them; binding 0 is the uniform.
    pub(crate) reads: u32,
    /// The uniform struct.
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) fields: &'static [Field],
    pub(crate) params_size: u64,
    /// Names of the `override` constants.
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) overrides: &'static [&'static str],
}

/// A compiled shader and the layout of its bindings.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) pipeline: ComputePipeline,
    layout: BindGroupLayout,
}

/// Pipelines that were made before, by shader and constants.
#[derive(Debug, Default)]
pub(crate) struct KernelCache {
    kernels: Mutex<HashMap<Key, Arc<Kernel>>>,
}

type Key = (&'static str, Vec<(&'static str, u64)>);

impl KernelCache {
    pub(crate) fn get(&self, device: &Device, program: &Program) -> Arc<Kernel> {
        let constants = program.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect();
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Kernel::new(device, program));
        kernels.entry((program.shader.name, constants)).or_insert_with(make).clone()
    }
}

impl Kernel {
    fn new(device: &Device, program: &Program) -> Self {
        let shader = program.shader;
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&label(program, "layout")),
            entries: &layout_entries(shader),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&label(program, "pipeline_layout")),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&label(program, "shader")),
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&label(program, "pipeline")),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &program.constants,
                ..Default::default()
            },
            cache: None,
        });
        Self { pipeline, layout }
    }

    /// A group for one dispatch: the uniform, the read-only bindings, the output.
    pub(crate) fn bind_group(&self, device: &Device, program: &Program, bindings: &[BufferBinding]) -> BindGroup {
        let entries = bindings.iter().enumerate().map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding: binding as u32,
            resource: wgpu::BindingResource::Buffer(buffer.clone()),
        });
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&label(program, "bind_group")),
            layout: &self.layout,
            entries: &entries.collect::<Vec<_>>(),
        })
    }
}

fn layout_entries(shader: &Shader) -> Vec<wgpu::BindGroupLayoutEntry> {
    let entry = |binding, ty, min_size| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(min_size),
        },
        count: None,
    };
    let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, shader.params_size)];
    entries.extend((1..=shader.reads).map(|binding| entry(binding, storage(true), 0)));
    entries.push(entry(shader.reads + 1, storage(false), 0));
    entries
}

/// The buffers that a plan owns, filled at creation.
#[derive(Debug)]
pub(crate) struct PlanBuffers {
    /// One uniform struct per dispatch, `pitch` bytes apart.
    pub(crate) params: Buffer,
    pub(crate) pitch: u64,
    pub(crate) tables: Vec<Buffer>,
}

impl PlanBuffers {
    pub(crate) fn new(device: &Device, program: &Program) -> Self {
        let alignment = u64::from(device.limits().min_uniform_buffer_offset_alignment);
        let pitch = program.shader.params_size.next_multiple_of(alignment);
        let filled = |name, contents: &[u8], usage| filled(device, &label(program, name), contents, usage);
        // A plan without dispatches keeps one unused, since a buffer cannot be empty.
        let mut params = vec![0; pitch as usize * program.dispatches.len().max(1)];
        for (slot, dispatch) in params.chunks_exact_mut(pitch as usize).zip(&program.dispatches) {
            slot[..dispatch.params.len()].copy_from_slice(&dispatch.params);
        }
        Self {
            params: filled("params", &params, BufferUsages::UNIFORM),
            pitch,
            tables: program.tables.iter().map(|table| filled("table", table, BufferUsages::STORAGE)).collect(),
        }
    }
}

fn filled(device: &Device, label: &str, contents: &[u8], usage: BufferUsages) -> Buffer {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: contents.len() as u64,
        usage,
        mapped_at_creation: true,
    });
    // A device that is lost or out of memory gives a buffer that has no contents; it has told its owner so, and what is
    // recorded with the buffer will not run.
    if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
        view.copy_from_slice(contents);
        drop(view);
        buffer.unmap();
    }
    buffer
}

/// `upconv::<op>::<algorithm>::<object>`.
fn label(program: &Program, object: &str) -> String {
    let algorithm = program.shader.name.strip_prefix(program.op).unwrap_or(program.shader.name);
    format!("upconv::{}::{}::{object}", program.op, algorithm.trim_start_matches('_'))
}
