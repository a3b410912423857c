//! A compiled program.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use wgpu::{Backend, BindingResource, BufferBinding, BufferSize, BufferSlice, BufferUsages, Device, TextureView};

use super::bindings::{Bindings, Resource};
use super::bound::{Bound, BoundStep};
use super::pipeline::{self, Kernel, PlanBuffers};
use super::texture_level::TextureLevel;
use crate::error::{Error, Result};
use crate::gpu::program::operand::{Source, Stored};
use crate::gpu::program::pixel_format::PixelFormat;
use crate::gpu::program::program::{Dispatch, Program, Step};
use crate::gpu::program::recipe::Recipe;
use crate::ops::op::Cost;
use crate::tensor::operand::Role;

/// A recipe compiled for one problem: bind it to buffers and textures as often as needed.
#[derive(Debug)]
pub struct Plan {
    pub(super) device: Device,
    pub(super) alignment: u64,
    pub(super) program: Program,
    pub(super) kernels: Vec<Arc<Kernel>>,
    pub(super) buffers: PlanBuffers,
    pub(super) backend: Backend,
    pub(super) cost: Cost,
    /// The predicted time of each dispatch.
    pub(super) times: Vec<Duration>,
}

impl Plan {
    /// The recipe that was chosen or forced.
    pub fn recipe(&self) -> &Recipe {
        &self.program.recipe
    }

    /// FLOPs of the problem, and bytes of its tensors as they are stored.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// How long the plan is predicted to take: by the cost model of convolutions, for other ops by the rounds of their
    /// shaders' loops, in each case times [`Planner::time_factor`](crate::Planner::time_factor). The prediction serves
    /// to keep submissions short; it may be wrong by several times.
    pub fn predicted(&self) -> Duration {
        self.times.iter().sum()
    }

    /// For each of the op's tensors, inputs before outputs, the bytes that its buffer slice must have; `None` where the
    /// plan takes a texture.
    pub fn operand_bytes(&self) -> Vec<(Role, Option<u64>)> {
        let operands = self.program.operands.iter().enumerate();
        let bytes = operands.filter_map(|(number, operand)| {
            let is_texture = matches!(operand.stored, Stored::Texels(_));
            Some((operand.role?, (!is_texture).then(|| self.program.operand_bytes(number))))
        });
        bytes.collect()
    }

    /// The dispatches that the plan records, step after step; none if no output has an element.
    pub fn dispatches(&self) -> Vec<&Dispatch> {
        self.program.dispatches().collect()
    }

    /// Bytes of each workspace that the plan needs between its passes.
    pub fn workspaces(&self) -> &[u64] {
        &self.program.workspaces
    }

    /// Binds the plan to a buffer slice or a texture level for each of the op's tensors, by their names.
    ///
    /// A slice must start at a multiple of `min_storage_buffer_offset_alignment`, lie in a buffer with `STORAGE` usage,
    /// and have [`Plan::operand_bytes`]; a layout's offset counts from the slice's start. Each output lies in a buffer
    /// of its own. A texture has the plan's format and size; input and output may be different levels or layers of one
    /// texture, but through OpenGL they must be different textures. Workspaces are made here, if the plan needs any and
    /// the caller gives none.
    ///
    /// # Errors
    ///
    /// [`Error::NotBound`], [`Error::UnknownOperand`] and [`Error::WorkspaceCount`] for what is missing
    /// or too much; [`Error::ResourceKind`], [`Error::MissingUsage`], [`Error::Misaligned`], [`Error::BufferTooSmall`]
    /// and [`Error::Texture`] for a resource that does not fit; [`Error::Aliased`] and [`Error::SameTexture`] for two
    /// that share a buffer or a picture.
    pub fn bind(&self, bindings: &Bindings<'_>) -> Result<Bound> {
        let operands = self.operands(bindings)?;
        self.check_operands(&operands)?;
        let given = bindings.given_workspaces();
        let own = if given.is_empty() { pipeline::workspaces(&self.device, &self.program) } else { Vec::new() };
        let own: Vec<_> = own.iter().map(|buffer| buffer.slice(..)).collect();
        let workspaces = if given.is_empty() { &own[..] } else { given };
        self.check_workspaces(workspaces, &operands)?;
        let views = operands.iter().zip(&self.program.operands).map(|(resource, operand)| match resource {
            Resource::Slice(_) => None,
            Resource::Texture(level) => Some(level.view(&self.program.label(operand.name()))),
        });
        let views: Vec<_> = views.collect();
        Ok(self.record(&operands, &views, workspaces))
    }

    /// A resource for each operand: inputs, then outputs.
    fn operands<'a>(&self, bindings: &Bindings<'a>) -> Result<Vec<Resource<'a>>> {
        let op = self.program.op;
        let roles = || self.program.operands.iter().filter_map(|operand| operand.role);
        if let Some(unknown) = bindings.roles().find(|role| !roles().any(|known| known == *role)) {
            return Err(Error::UnknownOperand { op, operand: unknown.name() });
        }
        roles().map(|role| bindings.get(role).ok_or(Error::NotBound { op, operand: role.name() })).collect()
    }

    fn record(
        &self,
        operands: &[Resource<'_>],
        views: &[Option<TextureView>],
        workspaces: &[BufferSlice<'_>],
    ) -> Bound {
        let mut number = 0;
        let steps = self.program.steps.iter().zip(&self.kernels).map(|(step, kernel)| {
            let label = pipeline::label(self.program.op, step.shader, "bind_group");
            let group = |dispatch: &Dispatch| {
                let bindings = self.bindings(number, step, dispatch, (operands, views), workspaces);
                number += 1;
                (kernel.bind_group(&self.device, &label, &bindings), dispatch.workgroups)
            };
            let dispatches = step.dispatches.iter().map(group).collect();
            BoundStep { pipeline: kernel.pipeline.clone(), dispatches }
        });
        Bound { steps: steps.collect(), times: self.times.clone() }
    }

    /// Refuses resources that are too small or of the wrong kind, and an output that shares its buffer or picture.
    fn check_operands(&self, resources: &[Resource<'_>]) -> Result<()> {
        let operands = &self.program.operands;
        for (number, (operand, resource)) in operands.iter().zip(resources).enumerate() {
            match (operand.stored, resource) {
                (Stored::Texels(pixels), Resource::Texture(level)) => self.check_level(number, &pixels, level)?,
                (Stored::Texels(_), Resource::Slice(_)) => {
                    return Err(Error::ResourceKind { operand: operand.name(), expected: "texture" });
                }
                (_, Resource::Texture(_)) => {
                    return Err(Error::ResourceKind { operand: operand.name(), expected: "buffer slice" });
                }
                (_, Resource::Slice(slice)) => {
                    self.check_slice(operand.name(), self.program.operand_bytes(number), slice)?
                }
            }
        }
        for written in self.program.inputs..resources.len() {
            for other in 0..written {
                let [first, second] = [other, written].map(|number| operands[number].name());
                self.check_apart(&resources[other], &resources[written], first, second)?;
            }
        }
        Ok(())
    }

    fn check_level(&self, number: usize, pixels: &PixelFormat, level: &TextureLevel<'_>) -> Result<()> {
        let operand = &self.program.operands[number];
        let shape = operand.layout.shape();
        let written = number >= self.program.inputs;
        let format = if written { pixels.storage() } else { pixels.format };
        level.check(operand.name(), written, format, [shape[3], shape[2]])?;
        if written { Ok(()) } else { level.check_layers(self.backend) }
    }

    /// Refuses a resource that is written and shares its buffer or picture with another resource.
    fn check_apart(
        &self,
        one: &Resource<'_>,
        written: &Resource<'_>,
        operand: &'static str,
        output: &'static str,
    ) -> Result<()> {
        match (one, written) {
            (Resource::Slice(one), Resource::Slice(written)) if one.buffer() == written.buffer() => {
                Err(Error::Aliased { operand, output })
            }
            // OpenGL cannot read one level of a texture while another level is written.
            (Resource::Texture(one), Resource::Texture(written))
                if one.is(written) || (self.backend == Backend::Gl && one.texture == written.texture) =>
            {
                Err(Error::SameTexture { level: one.mip_level, layer: one.array_layer })
            }
            _ => Ok(()),
        }
    }

    fn check_workspaces(&self, workspaces: &[BufferSlice<'_>], operands: &[Resource<'_>]) -> Result<()> {
        let (expected, actual, workspace) = (self.program.workspaces.len(), workspaces.len(), "workspace");
        if expected != actual {
            return Err(Error::WorkspaceCount { op: self.program.op, expected, actual });
        }
        for (number, (&needed, slice)) in self.program.workspaces.iter().zip(workspaces).enumerate() {
            self.check_slice(workspace, needed, slice)?;
            let written = Resource::Slice(*slice);
            for (operand, resource) in self.program.operands.iter().zip(operands) {
                self.check_apart(resource, &written, operand.name(), workspace)?;
            }
            for earlier in &workspaces[..number] {
                self.check_apart(&Resource::Slice(*earlier), &written, workspace, workspace)?;
            }
        }
        Ok(())
    }

    fn check_slice(&self, operand: &'static str, needed: u64, slice: &BufferSlice<'_>) -> Result<()> {
        let alignment = self.alignment;
        if !slice.buffer().usage().contains(BufferUsages::STORAGE) {
            return Err(Error::MissingUsage { operand, usage: "STORAGE" });
        }
        if slice.offset() % alignment != 0 {
            return Err(Error::Misaligned { operand, offset: slice.offset(), alignment });
        }
        if slice.size() < needed {
            return Err(Error::BufferTooSmall { operand, needed, available: slice.size() });
        }
        Ok(())
    }

    /// The uniform and the other bindings of the dispatch of this number.
    fn bindings<'a>(
        &'a self,
        number: u64,
        step: &Step,
        dispatch: &Dispatch,
        (operands, views): (&[Resource<'a>], &'a [Option<TextureView>]),
        workspaces: &[BufferSlice<'a>],
    ) -> Vec<BindingResource<'a>> {
        let params = BufferBinding {
            buffer: &self.buffers.params,
            offset: self.buffers.pitch * number,
            size: BufferSize::new(step.shader.uniform.size),
        };
        let window = |(source, bytes): (&Source, &Range<u64>)| {
            let (buffer, offset) = match *source {
                Source::Operand(operand) => match (&operands[operand], &views[operand]) {
                    (_, Some(view)) => return BindingResource::TextureView(view),
                    (Resource::Slice(slice), _) => (slice.buffer(), slice.offset()),
                    // Every texture has its view.
                    (Resource::Texture(_), None) => unreachable!("a texture without a view"),
                },
                Source::Table(table) => (&self.buffers.tables[table], 0),
                Source::Workspace(workspace) => (workspaces[workspace].buffer(), workspaces[workspace].offset()),
            };
            let size = BufferSize::new(bytes.end - bytes.start);
            BindingResource::Buffer(BufferBinding { buffer, offset: offset + bytes.start, size })
        };
        let windows = step.bindings.iter().zip(&dispatch.bound_bytes).map(window);
        std::iter::once(BindingResource::Buffer(params)).chain(windows).collect()
    }
}
