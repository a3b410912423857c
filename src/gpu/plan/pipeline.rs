//! From a shader's text and a program's data to GPU objects: the only place where the ops create any.

use std::sync::Arc;

use wgpu::{BindGroup, BindGroupLayout, BindingResource, Buffer, BufferUsages, ComputePipeline, Device, PipelineCache};

use super::once_per_key::OncePerKey;
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::shader::Shader;

/// A compiled shader and the layout of its bindings.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) pipeline: ComputePipeline,
    layout: BindGroupLayout,
}

/// The pipelines that were compiled, for later plans.
#[derive(Debug, Default)]
pub(crate) struct KernelCache {
    cache: Option<PipelineCache>,
    kernels: OncePerKey<Key, Arc<Kernel>>,
}

/// Whether workgroup memory begins as zeros. Shaders read none of it that they have not written, and zeros would take
/// Direct3D's compiler FXC several seconds for each shader that has some.
pub(crate) const ZERO_WORKGROUP_MEMORY: bool = false;

/// The shader's address, the number of its text, and the names and bits of the constants.
type Key = (usize, usize, Vec<(&'static str, u64)>);

impl KernelCache {
    pub(crate) fn through(cache: PipelineCache) -> Self {
        Self { cache: Some(cache), ..Default::default() }
    }

    pub(crate) fn get(&self, device: &Device, op: &str, step: &Step) -> Arc<Kernel> {
        let constants = step.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect();
        let make = || Arc::new(Kernel::new(device, op, step, self.cache.as_ref()));
        self.kernels.get((std::ptr::from_ref(step.shader).addr(), step.text, constants), make)
    }
}

impl Kernel {
    fn new(device: &Device, op: &str, step: &Step, cache: Option<&PipelineCache>) -> Self {
        let shader = step.shader;
        let label = |object| label(op, shader, object);
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&label("layout")),
            entries: &layout_entries(step),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&label("pipeline_layout")),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&label("shader")),
            source: wgpu::ShaderSource::Wgsl(shader.texts.text(step.text).into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&label("pipeline")),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &step.constants,
                zero_initialize_workgroup_memory: ZERO_WORKGROUP_MEMORY,
            },
            cache,
        });
        Self { pipeline, layout }
    }

    /// The bind group of a dispatch: the uniform, the bindings that are read, then the bindings that are written.
    pub(crate) fn bind_group(&self, device: &Device, label: &str, bindings: &[BindingResource]) -> BindGroup {
        let entries =
            (0..).zip(bindings).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource: resource.clone() });
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &self.layout,
            entries: &entries.collect::<Vec<_>>(),
        })
    }
}

fn layout_entries(step: &Step) -> Vec<wgpu::BindGroupLayoutEntry> {
    let (shader, last) = (step.shader, step.shader.reads + step.shader.writes);
    let buffer = |ty, min_size| wgpu::BindingType::Buffer {
        ty,
        has_dynamic_offset: false,
        min_binding_size: wgpu::BufferSize::new(min_size),
    };
    let ty = |binding| match (binding, step.storage.output_texture) {
        (0, _) => buffer(wgpu::BufferBindingType::Uniform, shader.uniform.size),
        (1, _) if step.storage.input_texture => wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        },
        (_, Some(format)) if binding == last => wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::WriteOnly,
            format,
            view_dimension: wgpu::TextureViewDimension::D2,
        },
        _ => buffer(wgpu::BufferBindingType::Storage { read_only: binding <= shader.reads }, 0),
    };
    let entry = |binding| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: ty(binding),
        count: None,
    };
    (0..=last).map(entry).collect()
}

/// The buffers that a plan owns, filled at creation.
#[derive(Debug)]
pub(crate) struct PlanBuffers {
    /// One uniform struct per dispatch of all steps, `pitch` bytes apart.
    pub(crate) params: Buffer,
    pub(crate) pitch: u64,
    pub(crate) tables: Vec<Buffer>,
}

impl PlanBuffers {
    pub(crate) fn new(device: &Device, program: &Program) -> Self {
        let limits = device.limits();
        let filled = |name, contents: &[u8], usage| filled(device, &program.label(name), contents, usage);
        let pitch = program.uniform_pitch(&limits);
        let mut params = vec![0; program.uniform_bytes(&limits)];
        for (slot, dispatch) in params.chunks_exact_mut(pitch).zip(program.dispatches()) {
            slot[..dispatch.uniform.len()].copy_from_slice(&dispatch.uniform);
        }
        Self {
            params: filled("params", &params, BufferUsages::UNIFORM),
            pitch: pitch as u64,
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
    // A device that is lost or out of memory gives a buffer that cannot be mapped. wgpu reports that to the device's
    // owner, and commands that use the buffer will not run.
    if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
        view.copy_from_slice(contents);
        drop(view);
        buffer.unmap();
    }
    buffer
}

/// The workspaces of a plan that was given none.
pub(crate) fn workspaces(device: &Device, program: &Program) -> Vec<Buffer> {
    let make = |&size: &u64| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(&program.label("workspace")),
            size,
            usage: BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    };
    program.workspaces.iter().map(make).collect()
}

impl Program {
    pub(crate) fn label(&self, object: &str) -> String {
        format!("upconv::{}::{}::{object}", self.op, algorithm(self.op, self.recipe.shader))
    }
}

/// `upconv::<op>::<algorithm>::<object>`.
pub(crate) fn label(op: &str, shader: &Shader, object: &str) -> String {
    format!("upconv::{op}::{}::{object}", algorithm(op, shader.name))
}

fn algorithm<'a>(op: &str, shader: &'a str) -> &'a str {
    shader.strip_prefix(op).unwrap_or(shader).trim_start_matches('_')
}
