//! The generator on the GPU: every layer planned and bound once, and all of them in one submission.

use std::time::{Duration, Instant};

use ndarray::{Array4, ArrayD};
use upconv::wgpu::{self, Buffer, BufferSlice};
use upconv::{Agreement, Bindings, Bound, Gpu, Op, Plan, Result};

use super::generator::{Generator, Layer};

/// The layers in the GPU's memory.
pub struct Network {
    plans: Vec<Plan>,
    bounds: Vec<Bound>,
    /// Two buffers: each layer reads one and writes the other, in turn.
    activations: [Buffer; 2],
    /// A copy of each layer's output, to be checked.
    kept: Vec<Buffer>,
}

impl Network {
    /// Plans and binds. All layers share two buffers of activations and one workspace, for those that need it.
    pub fn new(gpu: &Gpu, generator: &Generator) -> Result<Self> {
        let layers = &generator.layers;
        let plans = layers.iter().map(|layer| gpu.planner().plan(&layer.op)).collect::<Result<Vec<_>>>()?;
        let sizes = layers.iter().map(bytes).collect::<Result<Vec<_>>>()?;
        let input = (generator.latent() * layers[0].op.batch * 4) as u64;
        // Layer n, counted from 0, writes buffer n % 2 and reads the other.
        let largest = |side: usize| {
            let own = sizes.iter().skip(side).step_by(2).copied();
            own.chain((side == 1).then_some(input)).fold(0, u64::max)
        };
        let activations = [gpu.buffer("activation", largest(0))?, gpu.buffer("activation", largest(1))?];
        let workspace = plans.iter().flat_map(Plan::workspaces).copied().max().unwrap_or(0);
        let workspace = gpu.buffer("workspace", workspace)?;
        let mut bounds = Vec::new();
        for (number, (plan, layer)) in plans.iter().zip(layers).enumerate() {
            let [read, written] = [&activations[(number + 1) % 2], &activations[number % 2]];
            let (weight, bias) = (gpu.upload(layer.weight.view())?, gpu.upload(layer.bias.view())?);
            let workspaces: Vec<BufferSlice> = plan.workspaces().iter().map(|_| workspace.slice(..)).collect();
            let bindings = Bindings::new().input(read.slice(..)).weight(weight.slice(..)).bias(bias.slice(..));
            bounds.push(plan.bind(&bindings.output(written.slice(..)).workspaces(&workspaces))?);
        }
        let kept = sizes.iter().map(|&bytes| gpu.buffer("kept", bytes)).collect::<Result<Vec<_>>>()?;
        Ok(Self { plans, bounds, activations, kept })
    }

    /// The recipe of each layer.
    pub fn recipes(&self) -> impl Iterator<Item = String> + '_ {
        self.plans.iter().map(|plan| plan.recipe().to_string())
    }

    /// Runs all layers in one submission, which also copies each output, and returns the copies.
    pub fn run(&self, gpu: &Gpu, generator: &Generator, latent: &Array4<f32>) -> Result<Vec<ArrayD<f32>>> {
        let latent: Vec<f32> = latent.iter().copied().collect();
        gpu.queue().write_buffer(&self.activations[1], 0, bytemuck::cast_slice(&latent));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        for (number, (bound, kept)) in self.bounds.iter().zip(&self.kept).enumerate() {
            bound.encode(&mut encoder.begin_compute_pass(&Default::default()));
            encoder.copy_buffer_to_buffer(&self.activations[number % 2], 0, kept, 0, kept.size());
        }
        gpu.queue().submit([encoder.finish()]);
        let output = |(layer, kept): (&Layer, &Buffer)| {
            let values: Vec<f32> = gpu.download(kept, 0, kept.size())?;
            let shape = layer.op.output()?.shape;
            Ok(ArrayD::from_shape_vec(shape, values).expect("a buffer as large as its layer's output"))
        };
        generator.layers.iter().zip(&self.kept).map(output).collect()
    }

    /// Time of a whole run without copies, from its recording to its end as the host sees it: the fastest of five.
    pub fn time(&self, gpu: &Gpu) -> Result<Duration> {
        let once = || {
            let begin = Instant::now();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            self.bounds.iter().for_each(|bound| bound.encode(&mut pass));
            drop(pass);
            gpu.queue().submit([encoder.finish()]);
            let waited = gpu.device().poll(wgpu::PollType::wait_indefinitely());
            waited.map(|_| begin.elapsed()).map_err(|error| upconv::Error::Device(error.to_string()))
        };
        let times = (0..5).map(|_| once()).collect::<Result<Vec<_>>>()?;
        Ok(times.into_iter().min().unwrap_or_default())
    }
}

/// Compares a layer's output with the reference's output for the same input.
pub fn check(layer: &Layer, input: &ArrayD<f32>, output: &ArrayD<f32>) -> Result<Agreement> {
    let operands = [input.view(), layer.weight.view().into_dyn(), layer.bias.view().into_dyn()];
    layer.op.reference(&operands)?.check(output.view())
}

fn bytes(layer: &Layer) -> Result<u64> {
    Ok(layer.op.output()?.shape.iter().product::<usize>() as u64 * 4)
}
