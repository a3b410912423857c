//! Training on the GPU: one compute pass computes the network, its gradients and an optimiser's step. During training
//! only the losses are read back.

use bytemuck::{Pod, Zeroable};
use ndarray::Array4;
use upconv::gpu::GpuOp;
use upconv::wgpu::{self, Buffer, BufferSlice, util::DeviceExt};
use upconv::{Bindings, Bound, Gpu, Result};

use super::super_resolution::{FACTOR, Layer, Network, SLOPE};

/// Every tensor of parameters begins at a multiple of so many bytes, at which every device lets a binding begin.
const ALIGNMENT: u64 = 256;

/// Adam's constants, as its authors and PyTorch have them.
const BETA: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;

/// `Params` of `loss.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LossParams {
    /// Side of a picture, in samples.
    side: u32,
    /// Samples on each side of a picture that do not count.
    edge: u32,
    /// Samples of the batch.
    count: u32,
    /// Where in the losses the error is written.
    slot: u32,
    /// 1 / number of samples that count.
    scale: f32,
}

/// `Params` of `adam.wgsl`, for step t.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct AdamParams {
    /// Learning rate times `sqrt(1 - beta_2^t) / (1 - beta_1^t)`.
    rate: f32,
    /// Decay of the gradients' running mean.
    beta_1: f32,
    /// Decay of their squares' running mean.
    beta_2: f32,
    /// [`EPSILON`] times `sqrt(1 - beta_2^t)`.
    epsilon: f32,
}

/// The size of the batch that a step of training takes.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Number of pictures.
    pub count: usize,
    /// Side of a small picture, in samples.
    pub side: usize,
}

/// A dispatch of the example's own shaders.
struct ExampleDispatch {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: u32,
}

enum Dispatch {
    Example(ExampleDispatch),
    Library(Bound),
}

/// A network in the GPU's memory with all that it takes to train it.
pub struct Trainer<'a> {
    gpu: &'a Gpu,
    network: Network,
    dispatches: Vec<Dispatch>,
    input: Buffer,
    truth: Buffer,
    losses: Buffer,
    parameters: Buffer,
    /// Where each layer's weight and bias begin in the parameters, in bytes.
    byte_offsets: Vec<[u64; 2]>,
    loss: (Buffer, LossParams),
    adam: Buffer,
    steps: u32,
}

/// Number of losses that the GPU keeps: those of the last steps.
pub const LOSSES: u32 = 20;

impl<'a> Trainer<'a> {
    /// Plans, binds and uploads everything.
    pub fn new(gpu: &'a Gpu, network: Network, batch: Batch) -> Result<Self> {
        let (byte_offsets, bytes) = byte_offsets(&network);
        let [parameters, gradients] = [gpu.buffer("parameters", bytes)?, gpu.buffer("gradients", bytes)?];
        for (layer, [weight, bias]) in network.layers.iter().zip(&byte_offsets) {
            let values: Vec<f32> = layer.weight.iter().copied().collect();
            gpu.queue().write_buffer(&parameters, *weight, bytemuck::cast_slice(&values));
            gpu.queue().write_buffer(&parameters, *bias, bytemuck::cast_slice(&layer.bias));
        }
        let layers = network.layers(batch.count, [batch.side; 2]);
        let samples = batch.count * batch.side * batch.side;
        let large = batch.side * FACTOR;
        let input = gpu.buffer("input", samples as u64 * 4)?;
        let truth = gpu.buffer("truth", (samples * FACTOR * FACTOR) as u64 * 4)?;
        let losses = gpu.buffer("losses", u64::from(LOSSES) * 4)?;
        let edge = network.reach() * FACTOR;
        let counted = batch.count * (large - 2 * edge) * (large - 2 * edge);
        let loss = LossParams {
            side: large as u32,
            edge: edge as u32,
            count: (samples * FACTOR * FACTOR) as u32,
            slot: 0,
            scale: 1.0 / counted as f32,
        };
        let [loss_buffer, adam] =
            [bytemuck::bytes_of(&loss), bytemuck::bytes_of(&AdamParams::zeroed())].map(|params| uniform(gpu, params));
        let mut trainer = Self {
            gpu,
            network,
            dispatches: Vec::new(),
            input,
            truth,
            losses,
            parameters,
            byte_offsets,
            loss: (loss_buffer, loss),
            adam,
            steps: 0,
        };
        let outputs = trainer.forward(&layers)?;
        trainer.backward(&layers, &outputs, &gradients)?;
        let [mean, square] = [gpu.buffer("mean", bytes)?, gpu.buffer("square", bytes)?];
        let buffers = [&trainer.adam, &gradients, &trainer.parameters, &mean, &square];
        let step =
            example_dispatch(gpu, ADAM, &[], &buffers.map(|buffer| buffer.slice(..)), (bytes / 4).div_ceil(64) as u32);
        trainer.dispatches.push(Dispatch::Example(step));
        Ok(trainer)
    }

    /// Binds the layers in order; returns the output of each.
    fn forward(&mut self, layers: &[Layer]) -> Result<Vec<Buffer>> {
        let mut outputs: Vec<Buffer> = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            let input = outputs.last().unwrap_or(&self.input);
            let [weight, bias] = self.parameters_of(number);
            let inputs = [input.slice(..), weight, bias];
            let (output, bound) = match layer {
                Layer::Conv(conv) => self.bind(conv, &inputs)?,
                Layer::Up(up) => self.bind(up, &inputs)?,
            };
            self.dispatches.push(Dispatch::Library(bound));
            outputs.push(output);
        }
        Ok(outputs)
    }

    /// Binds the loss, and then the gradients of all parameters, from the last layer to the first.
    fn backward(&mut self, layers: &[Layer], outputs: &[Buffer], gradients: &Buffer) -> Result<()> {
        let output = &outputs[outputs.len() - 1];
        let mut gradient = self.gpu.buffer("gradient", output.size())?;
        let buffers = [&self.loss.0, output, &self.truth, &gradient, &self.losses].map(|buffer| buffer.slice(..));
        self.dispatches.push(Dispatch::Example(example_dispatch(self.gpu, LOSS, &[], &buffers, 1)));
        for (number, layer) in layers.iter().enumerate().rev() {
            let input = if number > 0 { &outputs[number - 1] } else { &self.input };
            let [weight, _] = self.parameters_of(number);
            let [to_weight, to_bias] = self.byte_offsets[number].map(|place| gradients.slice(place..));
            let both = [input.slice(..), gradient.slice(..)];
            let (bounds, before) = match layer {
                Layer::Conv(conv) => {
                    let before = if number > 0 {
                        Some(self.bind(&conv.grad_input()?, &[gradient.slice(..), weight])?)
                    } else {
                        None
                    };
                    (self.bind_gradients(&conv.grad_weight()?, &conv.grad_bias()?, both, [to_weight, to_bias])?, before)
                }
                Layer::Up(up) => {
                    let before = self.bind(&up.grad_input()?, &[gradient.slice(..), weight])?;
                    (
                        self.bind_gradients(&up.grad_weight()?, &up.grad_bias()?, both, [to_weight, to_bias])?,
                        Some(before),
                    )
                }
            };
            self.dispatches.extend(bounds.map(Dispatch::Library));
            if let Some((before, bound)) = before {
                self.dispatches.push(Dispatch::Library(bound));
                let groups = (before.size() / 4).div_ceil(64).min(1024) as u32;
                let buffers = [outputs[number - 1].slice(..), before.slice(..)];
                let relu = example_dispatch(self.gpu, LEAKY_RELU_GRAD, &[("slope", SLOPE.into())], &buffers, groups);
                self.dispatches.push(Dispatch::Example(relu));
                gradient = before;
            }
        }
        Ok(())
    }

    /// Slices of a layer's weight and bias.
    fn parameters_of(&self, number: usize) -> [BufferSlice<'_>; 2] {
        self.byte_offsets[number].map(|place| self.parameters.slice(place..))
    }

    /// Plans an op and binds it to a new output buffer.
    fn bind<O: GpuOp>(&self, op: &O, inputs: &[BufferSlice<'_>]) -> Result<(Buffer, Bound)> {
        let bytes = op.output()?.shape.iter().product::<usize>() as u64 * 4;
        let output = self.gpu.buffer(O::NAME, bytes)?;
        let plan = self.gpu.planner().plan(op)?;
        let roles = op.inputs()?.into_iter().map(|operand| operand.role);
        let bindings: Bindings = roles.zip(inputs.iter().copied()).collect();
        let bound = plan.bind(&bindings.output(output.slice(..)))?;
        Ok((output, bound))
    }

    /// Binds the gradients of a layer's weight and bias to the buffers that they are written to.
    fn bind_gradients<W: GpuOp, B: GpuOp>(
        &self,
        weight: &W,
        bias: &B,
        [input, gradient]: [BufferSlice<'_>; 2],
        [to_weight, to_bias]: [BufferSlice<'_>; 2],
    ) -> Result<[Bound; 2]> {
        let planner = self.gpu.planner();
        Ok([
            planner.plan(weight)?.bind(&Bindings::new().input(input).grad_output(gradient).output(to_weight))?,
            planner.plan(bias)?.bind(&Bindings::new().input(gradient).output(to_bias))?,
        ])
    }

    /// One step on these pictures, small and large, at this learning rate.
    pub fn step(&mut self, small: &[f32], large: &[f32], rate: f32) {
        let queue = self.gpu.queue();
        queue.write_buffer(&self.input, 0, bytemuck::cast_slice(small));
        queue.write_buffer(&self.truth, 0, bytemuck::cast_slice(large));
        let loss = LossParams { slot: self.steps % LOSSES, ..self.loss.1 };
        queue.write_buffer(&self.loss.0, 0, bytemuck::bytes_of(&loss));
        self.steps += 1;
        let [first, second] = BETA.map(|beta| 1.0 - beta.powi(self.steps as i32));
        let (rate, epsilon) = (rate * second.sqrt() / first, EPSILON * second.sqrt());
        let adam = AdamParams { rate, beta_1: BETA[0], beta_2: BETA[1], epsilon };
        queue.write_buffer(&self.adam, 0, bytemuck::bytes_of(&adam));
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for dispatch in &self.dispatches {
            match dispatch {
                Dispatch::Library(bound) => bound.encode(&mut pass),
                Dispatch::Example(own) => {
                    pass.set_pipeline(&own.pipeline);
                    pass.set_bind_group(0, &own.group, &[]);
                    pass.dispatch_workgroups(own.workgroups, 1, 1);
                }
            }
        }
        drop(pass);
        queue.submit([encoder.finish()]);
    }

    /// The mean squared errors of the last [`LOSSES`] steps, waiting for them.
    pub fn losses(&self) -> Result<Vec<f32>> {
        self.gpu.download(&self.losses, 0, self.losses.size())
    }

    /// The parameters as they are now.
    pub fn network(&self) -> Result<Network> {
        let mut network = self.network.clone();
        for (layer, [weight, bias]) in network.layers.iter_mut().zip(&self.byte_offsets) {
            let values = self.gpu.download(&self.parameters, *weight, layer.weight.len() as u64 * 4)?;
            layer.weight = Array4::from_shape_vec(layer.weight.dim(), values).expect("as many as were uploaded");
            layer.bias = self.gpu.download(&self.parameters, *bias, layer.bias.len() as u64 * 4)?;
        }
        Ok(network)
    }
}

const LOSS: &str = include_str!("shaders/loss.wgsl");
const LEAKY_RELU_GRAD: &str = include_str!("shaders/leaky_relu_grad.wgsl");
const ADAM: &str = include_str!("shaders/adam.wgsl");

/// Where each layer's weight and bias begin, and the size of all parameters, in bytes.
fn byte_offsets(network: &Network) -> (Vec<[u64; 2]>, u64) {
    let mut end = 0;
    let mut place = |count: usize| {
        let begin = end;
        end += (count as u64 * 4).next_multiple_of(ALIGNMENT);
        begin
    };
    let byte_offsets =
        network.layers.iter().map(|layer| [place(layer.weight.len()), place(layer.bias.len())]).collect();
    (byte_offsets, end)
}

fn uniform(gpu: &Gpu, contents: &[u8]) -> Buffer {
    gpu.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some("train::params"),
        contents,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
    })
}

fn resource<'a>(slice: &BufferSlice<'a>) -> wgpu::BindingResource<'a> {
    let (buffer, offset, size) = (slice.buffer(), slice.offset(), wgpu::BufferSize::new(slice.size()));
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
}

fn example_dispatch(
    gpu: &Gpu,
    text: &str,
    constants: &[(&str, f64)],
    buffers: &[BufferSlice<'_>],
    workgroups: u32,
) -> ExampleDispatch {
    let device = gpu.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("train::shader"),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("train::pipeline"),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
        cache: None,
    });
    let entries =
        (0..).zip(buffers).map(|(binding, slice)| wgpu::BindGroupEntry { binding, resource: resource(slice) });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("train::bind_group"),
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries.collect::<Vec<_>>(),
    });
    ExampleDispatch { pipeline, group, workgroups }
}
