//! From arrays to arrays: one op run by the host.

use ndarray::{Array, ArrayD, ArrayView, Dimension};
use wgpu::Buffer;

use super::gpu::Gpu;
use crate::dtype::{DataType, FloatType};
use crate::error::{Error, Result};
use crate::gpu::plan::plan::Plan;
use crate::gpu::program::context::GpuOp;
use crate::gpu::program::options::PlanOptions;
use crate::tensor::element::{Element, Tensor, TensorView, float_type};
use crate::tensor::operand::{Operand, Role};

impl Gpu {
    /// Uploads the inputs, runs the op, waits for it, and reads its (first) output back. Inputs are those of
    /// [`Op::inputs`](crate::Op::inputs), with any strides; the output is row-major and of the inputs' type, and an op
    /// with an output of another type is for [`Gpu::run_tensors`]. Inputs of f16 need a device with `SHADER_F16`.
    ///
    /// # Errors
    ///
    /// What [`Op::check_inputs`](crate::Op::check_inputs) and [`Planner::plan_with`](crate::Planner::plan_with) refuse,
    /// [`Error::DataType`] for an output of another type than `T`, and [`Error::OutOfMemory`], [`Error::DeviceLost`]
    /// and [`Error::Device`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run<O: GpuOp, T: Element, D: Dimension>(&self, op: &O, inputs: &[ArrayView<T, D>]) -> Result<Array<T, D>> {
        first(self.run_tensors(op, &views(op, inputs)?)?)
    }

    /// [`Gpu::run`] as a future. The work is submitted at the first poll.
    pub async fn run_async<O: GpuOp, T: Element, D: Dimension>(
        &self,
        op: &O,
        inputs: &[ArrayView<'_, T, D>],
    ) -> Result<Array<T, D>> {
        first(self.run_tensors_async(op, &views(op, inputs)?).await?)
    }

    /// [`Gpu::run`] for inputs of several types, and with every output of [`Op::outputs`](crate::Op::outputs).
    /// [`Error::IndexOutOfRange`] counts the indices of an unpooling that are out of range.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run_tensors<O: GpuOp>(&self, op: &O, inputs: &[TensorView]) -> Result<Vec<Tensor>> {
        let outputs = pollster::block_on(self.dispatch(op, inputs))?.into_iter();
        let tensors = outputs.map(|output| output.take(self.download(&output.buffer, 0, output.bytes)?));
        checked(op, tensors.collect::<Result<_>>()?)
    }

    /// [`Gpu::run_tensors`] as a future.
    pub async fn run_tensors_async<O: GpuOp>(&self, op: &O, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>> {
        let mut tensors = Vec::new();
        for output in self.dispatch(op, inputs).await? {
            tensors.push(output.take(self.download_async(&output.buffer, 0, output.bytes).await?)?);
        }
        checked(op, tensors)
    }

    /// A plan whose dispatches are predicted to take no longer than the options or else the time budget say. Work of
    /// more dispatches than a plan may have is cut only where it must be.
    pub(super) fn plan_in_budget<O: GpuOp>(&self, op: &O, options: &PlanOptions) -> Result<Plan> {
        let max_dispatch_time = options.max_dispatch_time.or(Some(self.time_budget()));
        match self.planner().plan_with(op, &PlanOptions { max_dispatch_time, ..options.clone() }) {
            Err(Error::TooManyDispatches { .. }) => self.planner().plan_with(op, options),
            plan => plan,
        }
    }

    /// Uploads the inputs and submits the op. The outputs are still on the device.
    async fn dispatch<O: GpuOp>(&self, op: &O, inputs: &[TensorView<'_>]) -> Result<Vec<Output>> {
        op.check_inputs(inputs)?;
        let storage = float_type(inputs)?;
        let roles: Vec<Role> = op.inputs()?.iter().map(|operand| operand.role).collect();
        let operands = op.outputs()?;
        let (outputs, failure) = self.scoped(|| {
            let plan = self.plan_in_budget(op, &PlanOptions::stored_as(storage))?;
            let buffers = inputs.iter().map(|view| self.fill(view)).collect::<Result<Vec<_>>>()?;
            let output = |operand| Output::new(self, operand, storage);
            let outputs = operands.into_iter().map(output).collect::<Result<Vec<_>>>()?;
            let read = roles.iter().copied().zip(&buffers);
            let written = outputs.iter().map(|output| (output.role, &output.buffer));
            let slices = read.chain(written).map(|(role, buffer)| (role, buffer.slice(..)));
            let bound = plan.bind(&slices.collect())?;
            for part in bound.parts(self.time_budget()) {
                let mut encoder = self.encoder();
                let label = Some("upconv::host::pass");
                part.encode(
                    &mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None }),
                );
                self.enqueue(encoder);
            }
            Ok(outputs)
        });
        self.outcome(outputs, failure.await)
    }
}

/// An output that is still on the device.
struct Output {
    role: Role,
    shape: Vec<usize>,
    data_type: DataType,
    storage: FloatType,
    buffer: Buffer,
    bytes: u64,
}

impl Output {
    fn new(gpu: &Gpu, operand: Operand, storage: FloatType) -> Result<Self> {
        let data_type = operand.data_type;
        let element = if storage == FloatType::F16 && data_type == DataType::Float { 2 } else { data_type.bytes() };
        let bytes = (operand.shape.iter().product::<usize>() as u64 * element).next_multiple_of(4);
        let buffer = gpu.allocate(operand.role.name(), bytes)?;
        Ok(Self { role: operand.role, shape: operand.shape, data_type, storage, buffer, bytes })
    }

    fn take(&self, bytes: Vec<u8>) -> Result<Tensor> {
        match (self.data_type, self.storage) {
            (DataType::Float, FloatType::F32) => self.array(&bytes).map(Tensor::F32),
            (DataType::Float, FloatType::F16) => self.array(&bytes).map(Tensor::F16),
            (DataType::I32, _) => self.array(&bytes).map(Tensor::I32),
            (DataType::U8, _) => self.array(&bytes).map(Tensor::U8),
            (DataType::I8, _) => self.array(&bytes).map(Tensor::I8),
        }
    }

    fn array<T: Element>(&self, bytes: &[u8]) -> Result<ArrayD<T>> {
        let mut values = bytemuck::pod_collect_to_vec(bytes);
        // The last word may have values too many.
        values.truncate(self.shape.iter().product());
        let count = values.len();
        ArrayD::from_shape_vec(self.shape.clone(), values).map_err(|_| Error::Shape {
            operand: "output",
            expected: self.shape.clone(),
            actual: vec![count],
        })
    }
}

/// The inputs of an op whose inputs and first output hold `T`; refuses another op.
fn views<'a, O: GpuOp, T: Element, D: Dimension>(op: &O, inputs: &'a [ArrayView<T, D>]) -> Result<Vec<TensorView<'a>>> {
    let views: Vec<TensorView> = inputs.iter().map(|view| view.view().into()).collect();
    op.check_inputs(&views)?;
    let (expected, actual) = (op.output()?.data_type, T::DATA_TYPE);
    if expected == actual { Ok(views) } else { Err(Error::DataType { operand: "output", expected, actual }) }
}

/// The outputs, unless those of integers report an error, such as indices out of range.
fn checked<O: GpuOp>(op: &O, outputs: Vec<Tensor>) -> Result<Vec<Tensor>> {
    let integers = outputs.iter().filter_map(|tensor| if let Tensor::I32(array) = tensor { Some(array) } else { None });
    op.check_integers(&integers.collect::<Vec<_>>())?;
    Ok(outputs)
}

/// The first output, of the type and rank that the caller wants.
fn first<T: Element, D: Dimension>(outputs: Vec<Tensor>) -> Result<Array<T, D>> {
    let none = || Error::Rank { operand: "output", expected: 0, actual: D::NDIM.unwrap_or(0) };
    let array = outputs.into_iter().next().and_then(T::take).ok_or_else(none)?;
    let expected = array.ndim();
    let actual = D::NDIM.unwrap_or(expected);
    array.into_dimensionality().map_err(|_| Error::Rank { operand: "output", expected, actual })
}
