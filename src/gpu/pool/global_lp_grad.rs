//! The gradient of the global Lp pooling on the GPU.

use std::ops::Range;

use super::global::{Reduction, candidates, check_memory, reduce};
use super::global_pool::SUM;
use crate::error::Result;
use crate::gpu::program::builder::ProgramBuilder;
use crate::gpu::program::context::{GpuOp, LowerContext};
use crate::gpu::program::operand::LaidOutTensor;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::pass::{Part, Pass};
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::{Capabilities, Recipe, recipes};
use crate::gpu::program::region::Region;
use crate::gpu::program::shader::Shader;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::{mod_2_32, to_i32, uniform};
use crate::ops::op::Op;
use crate::ops::pool::global_lp_pool::GlobalLpPoolGrad;

uniform! {
    /// One spatial axis of [`GlobalLpGradParams`]; 16 bytes.
    GlobalLpGradAxis {
        first: u32,    // this dispatch's first sample
        count: u32,    // samples of this dispatch
        x_stride: u32, // elements from one sample of x to the next, modulo 2^32
        y_stride: u32, // elements from one sample of y to the next
    }
}

uniform! {
    /// `Params` of the gradient of norms of planes. Addresses and strides count elements, modulo 2³².
    GlobalLpGradParams {
        d: GlobalLpGradAxis, // depth
        h: GlobalLpGradAxis, // height
        w: GlobalLpGradAxis, // width
        batch_count: u32,    // images of this dispatch
        first_channel: u32,  // this dispatch's first channel
        channel_count: u32,  // channels of this dispatch
        x_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,        // from one image to the next
        x_channel: u32,      // from one channel to the next
        g_base: u32,         // address of channel 0 in this dispatch's first image
        g_batch: u32,        // from one image to the next
        g_channel: u32,      // from one channel to the next
        n_base: u32,         // address of channel 0 in this dispatch's first image
        n_batch: u32,        // from one image to the next
        n_channel: u32,      // from one channel to the next
        y_base: u32,         // address of channel 0, sample 0 in this dispatch's first image
        y_batch: u32,        // from one image to the next
        y_channel: u32,      // from one channel to the next
        power: i32,          // p
        row_threads: u32,    // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per sample.
pub(crate) static GRAD: Shader = Shader {
    name: "pool_global_lp_grad",
    texts: Texts::Tensors(files!("pool/global_lp_grad.wgsl", "pool/shared/norm.wgsl", "pool/shared/norm_grad.wgsl")),
    reads: 3,
    writes: 1,
    uniform: GlobalLpGradParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size"],
};

impl<const R: usize> GpuOp for GlobalLpPoolGrad<R> {
    fn recipes(&self, capabilities: &Capabilities, options: &PlanOptions) -> Vec<Recipe> {
        recipes(&candidates(&SUM, self.forward().channels, options), capabilities)
    }

    /// The planes' norms come first, in a workspace.
    fn lower(&self, context: &LowerContext<'_>) -> Result<Program> {
        let forward = self.forward();
        let candidates = candidates(&SUM, forward.channels, context.options);
        context.first_that_fits(Self::NAME, &candidates, |_, recipe| {
            check_memory(context, recipe)?;
            let mut builder = ProgramBuilder::new(context, self, recipe)?;
            let planes = forward.planes()?;
            let norms = builder.add_workspace(&[planes.batch, planes.channels, 2])?;
            reduce(&mut builder, &planes, &Reduction::norm(forward.p, true), &norms, None)?;
            let pass = GlobalLpGrad {
                outer: [planes.batch, planes.channels],
                sizes: planes.sizes(),
                power: forward.p,
                input: builder.operand(0),
                gradient: builder.operand(1),
                norms,
                output: builder.output(),
            };
            builder.add_pass(&GRAD, [], &pass)?;
            builder.finish()
        })
    }
}

/// The last pass, with its tensors laid out.
struct GlobalLpGrad {
    outer: [usize; 2],
    sizes: [usize; 3],
    power: u32,
    input: LaidOutTensor,
    gradient: LaidOutTensor,
    norms: LaidOutTensor,
    output: LaidOutTensor,
}

impl Pass for GlobalLpGrad {
    type Uniform = GlobalLpGradParams;

    fn region(&self) -> Region {
        Region::whole(self.outer, self.sizes, 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![&self.input, &self.gradient, &self.norms, &self.output]
    }

    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (outer, spatial) = (&region.outer, &region.spatial);
        let [batch, channels] = outer.clone();
        vec![
            self.input.span(outer.clone(), spatial.clone()),
            self.gradient.span(outer.clone(), [0..1, 0..1, 0..1]),
            self.norms.layout.span(&[batch, channels, 0..2]),
            self.output.span(outer.clone(), spatial.clone()),
        ]
    }

    /// The shader has no loops.
    fn rounds(&self, _: &Region) -> u64 {
        0
    }

    fn uniform(&self, part: &Part) -> GlobalLpGradParams {
        let [batch, channels] = &part.region.outer;
        let [d, h, w] = std::array::from_fn(|i| GlobalLpGradAxis {
            first: mod_2_32(part.region.spatial[i].start),
            count: mod_2_32(part.region.spatial[i].len()),
            x_stride: self.input.spatial_stride(i),
            y_stride: self.output.spatial_stride(i),
        });
        let base = |tensor: &LaidOutTensor, binding: usize| tensor.address(&[batch.start], &part.bytes[binding]);
        GlobalLpGradParams {
            d,
            h,
            w,
            batch_count: mod_2_32(batch.len()),
            first_channel: mod_2_32(channels.start),
            channel_count: mod_2_32(channels.len()),
            x_base: base(&self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            g_base: base(&self.gradient, 1),
            g_batch: self.gradient.stride(0),
            g_channel: self.gradient.stride(1),
            n_base: base(&self.norms, 2),
            n_batch: self.norms.stride(0),
            n_channel: self.norms.stride(1),
            y_base: base(&self.output, 3),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            power: to_i32(self.power),
            row_threads: part.row,
        }
    }
}
