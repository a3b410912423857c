//! Runs an op on a device under conditions that bring mistakes to light, and compares with the reference.
//!
//! Every buffer begins with a guard band and its slice after it; every layout has an offset; whatever is not an element
//! of a tensor holds a poison (a NaN of known bits) before, and must hold it after. Outputs are poisoned throughout.

use std::collections::HashSet;

use ndarray::{ArrayD, ArrayViewD, Dimension, IxDyn};
use upconv::gpu::GpuOp;
use upconv::{Gpu, Op, Operand, Plan, PlanOptions, Planner, TensorLayout, wgpu};

pub type Outcome = Result<(), String>;

/// A NaN that no shader makes: reading it spoils a sum, and finding it says that nothing was written.
const POISON: u32 = 0x7fc0_dead;

/// Bytes before a slice; every device lets a binding start there.
const GUARD: u64 = 256;

/// What the tensors hold.
#[derive(Clone, Copy, PartialEq)]
pub enum Data {
    /// Integers from -4 to 4, whose sums are exact: compared with `==`.
    Integers,
    /// Reals of very different sizes, compared with the reference's bound.
    Reals,
}

/// How activations lie in memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Order {
    Nchw,
    Nhwc,
    /// Rows of 256 bytes, or the next multiple of it.
    RowPitch,
    /// The batch innermost, with room for one image more that nobody may write.
    Interleaved,
}

impl Order {
    pub fn place(self, shape: &[usize], offset: usize) -> TensorLayout {
        let layout = match self {
            Self::Nchw => TensorLayout::contiguous(shape),
            Self::Nhwc => TensorLayout::channels_last(shape),
            Self::RowPitch => TensorLayout::row_pitch(shape, shape.last().unwrap_or(&1).next_multiple_of(64)),
            Self::Interleaved => {
                let inner = TensorLayout::contiguous(&shape[1..]);
                let step = shape[0] + 1;
                let strides: Vec<_> =
                    [1].into_iter().chain(inner.strides().iter().map(|stride| stride * step)).collect();
                TensorLayout::new(shape, &strides, 0).expect("a small tensor")
            }
        };
        layout.with_offset(offset)
    }
}

/// A small generator of its own, so that a row always sees the same numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: &str) -> Self {
        Self(
            seed.bytes()
                .fold(0x9e37_79b9_7f4a_7c15, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn value(&mut self, data: Data) -> f32 {
        match data {
            Data::Integers => (self.next() % 9) as f32 - 4.0,
            Data::Reals => ((self.next() % 20001) as f32 / 10000.0 - 1.0) * 10f32.powi((self.next() % 5) as i32 - 2),
        }
    }

    pub fn tensor(&mut self, shape: &[usize], data: Data) -> ArrayD<f32> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || self.value(data))
    }
}

/// Random inputs for an op.
pub fn inputs<O: Op>(op: &O, seed: &str, data: Data) -> Result<Vec<ArrayD<f32>>, String> {
    let mut random = Random::new(seed);
    let operands = op.inputs().map_err(|error| error.to_string())?;
    Ok(operands.iter().map(|operand| random.tensor(&operand.shape, data)).collect())
}

/// Layouts with offsets, no two alike.
pub fn options(operands: &[Operand], order: Order) -> PlanOptions {
    let mut options = PlanOptions::default();
    for (number, operand) in operands.iter().enumerate() {
        let offset = 3 + 2 * number;
        match operand.name {
            "input" => options.input = Some(order.place(&operand.shape, offset)),
            "output" => options.output = Some(order.place(&operand.shape, offset)),
            // NHWC frameworks keep the kernel's taps outermost; any strides do.
            "weight" => options.weight = Some(order.place(&operand.shape, offset)),
            _ => options.bias = Some(TensorLayout::contiguous(&operand.shape).with_offset(offset)),
        }
    }
    options
}

/// Input and output operands of an op.
pub fn operands<O: Op>(op: &O) -> Result<Vec<Operand>, String> {
    let mut operands = op.inputs().map_err(|error| error.to_string())?;
    operands.push(op.output().map_err(|error| error.to_string())?);
    Ok(operands)
}

fn layout_of(options: &PlanOptions, operand: &Operand) -> TensorLayout {
    let given = match operand.name {
        "input" => &options.input,
        "weight" => &options.weight,
        "bias" => &options.bias,
        _ => &options.output,
    };
    given.clone().unwrap_or_else(|| TensorLayout::contiguous(&operand.shape))
}

/// A buffer's words: guard, poison, a tensor's elements where its layout puts them, guard.
fn words(layout: &TensorLayout, tensor: Option<ArrayViewD<f32>>) -> Vec<u32> {
    let mut words = vec![POISON; 2 * GUARD as usize / 4 + layout.end()];
    if let Some(tensor) = tensor {
        for (index, value) in tensor.indexed_iter() {
            words[GUARD as usize / 4 + layout.index(index.slice())] = value.to_bits();
        }
    }
    words
}

fn upload(gpu: &Gpu, words: &[u32]) -> Result<wgpu::Buffer, String> {
    let buffer = gpu.buffer("test", 4 * words.len() as u64).map_err(|error| error.to_string())?;
    gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(words));
    Ok(buffer)
}

/// Runs a plan on poisoned buffers and takes the output apart: its elements, or the first word that was written outside.
pub fn run_plan<O: Op>(
    gpu: &Gpu,
    op: &O,
    plan: &Plan,
    options: &PlanOptions,
    inputs: &[ArrayD<f32>],
) -> Result<ArrayD<f32>, String> {
    let operands = operands(op)?;
    let (output, sources) = operands.split_last().ok_or("no operands")?;
    let mut buffers = Vec::new();
    for (operand, tensor) in sources.iter().zip(inputs) {
        buffers.push(upload(gpu, &words(&layout_of(options, operand), Some(tensor.view())))?);
    }
    let layout = layout_of(options, output);
    let target = upload(gpu, &words(&layout, None))?;
    let end = |buffer: &wgpu::Buffer| buffer.size() - GUARD;
    let slices: Vec<_> = buffers.iter().map(|buffer| buffer.slice(GUARD..end(buffer))).collect();
    let bound = plan.bind(&slices, target.slice(GUARD..end(&target))).map_err(|error| error.to_string())?;
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    bound.encode(&mut encoder.begin_compute_pass(&Default::default()));
    gpu.queue().submit([encoder.finish()]);
    let after: Vec<u32> = gpu.download(&target, 0, target.size()).map_err(|error| error.to_string())?;
    take_apart(&after, &layout)
}

fn take_apart(after: &[u32], layout: &TensorLayout) -> Result<ArrayD<f32>, String> {
    let mut elements = HashSet::new();
    let mut unwritten = None;
    let output = ArrayD::from_shape_fn(IxDyn(layout.shape()), |index| {
        let at = GUARD as usize / 4 + layout.index(index.slice());
        elements.insert(at);
        if after[at] == POISON {
            unwritten = Some(index.slice().to_vec());
        }
        f32::from_bits(after[at])
    });
    if let Some(index) = unwritten {
        return Err(format!("output element {index:?} was not written"));
    }
    match (0..after.len()).find(|at| after[*at] != POISON && !elements.contains(at)) {
        Some(at) => Err(format!("word {at} of the output buffer was written; it is no element")),
        None => Ok(output),
    }
}

/// Compares an output with the reference of these inputs.
pub fn compare<O: Op>(op: &O, inputs: &[ArrayD<f32>], output: &ArrayD<f32>, data: Data) -> Outcome {
    let views: Vec<_> = inputs.iter().map(|tensor| tensor.view()).collect();
    let reference = op.reference(&views).map_err(|error| error.to_string())?;
    let outcome = match data {
        Data::Integers => reference.check_exact(output.view()),
        Data::Reals => reference.check(output.view()),
    };
    outcome.map_err(|error| error.to_string())?.map(|_| ()).map_err(|mismatch| mismatch.to_string())
}

/// An op whose sums of integers are exact, under every condition: four layouts, integers and reals, and split into
/// windows with the same bits.
pub fn check<O: GpuOp>(gpu: &Gpu, op: &O, name: &str) -> Outcome {
    let conditions = [
        (Order::Nchw, Data::Integers),
        (Order::Nhwc, Data::Reals),
        (Order::RowPitch, Data::Integers),
        (Order::Interleaved, Data::Reals),
    ];
    check_under(gpu, op, name, &conditions)
}

/// The same for an op whose weights are fractions.
pub fn check_reals<O: GpuOp>(gpu: &Gpu, op: &O, name: &str) -> Outcome {
    let orders = [Order::Nchw, Order::Nhwc, Order::RowPitch, Order::Interleaved];
    check_under(gpu, op, name, &orders.map(|order| (order, Data::Reals)))
}

fn check_under<O: GpuOp>(gpu: &Gpu, op: &O, name: &str, conditions: &[(Order, Data)]) -> Outcome {
    let operands = operands(op)?;
    for &(order, data) in conditions {
        let told = |error: String| format!("{order:?}: {error}");
        let inputs = inputs(op, name, data)?;
        let options = options(&operands, order);
        let plan = gpu.planner().plan(op, &options).map_err(|error| told(error.to_string()))?;
        let whole = run_plan(gpu, op, &plan, &options, &inputs).map_err(told)?;
        compare(op, &inputs, &whole, data).map_err(told)?;
    }
    check_split(gpu, op, name)
}

/// Bindings of a few elements and short rows of workgroups must give the same bits as one dispatch.
fn check_split<O: GpuOp>(gpu: &Gpu, op: &O, name: &str) -> Outcome {
    let (operands, inputs) = (operands(op)?, inputs(op, name, Data::Reals)?);
    let options = options(&operands, Order::Nchw);
    let whole = gpu.planner().plan(op, &options).map_err(|error| error.to_string())?;
    let whole = run_plan(gpu, op, &whole, &options, &inputs)?;
    let count = |operand: &Operand| operand.shape.iter().product::<usize>() as u64;
    let (largest, outputs) = (operands.iter().map(count).max().unwrap_or(0), operands.last().map_or(0, count));
    let limits = wgpu::Limits {
        // Half the largest tensor and room for a window's alignment; a few outputs in each dispatch.
        max_storage_buffer_binding_size: (largest * 2).next_multiple_of(4) + 512,
        max_compute_invocations_per_workgroup: 1,
        max_compute_workgroups_per_dimension: ((outputs / 4).isqrt() as u32).max(1),
        ..gpu.device().limits()
    };
    let split = Planner::with_limits(gpu.device(), &limits).plan(op, &options).map_err(|error| error.to_string())?;
    if outputs > 1 && split.dispatches().len() < 2 {
        return Err("was not split".into());
    }
    let parts = run_plan(gpu, op, &split, &options, &inputs).map_err(|error| format!("split: {error}"))?;
    let bits = |tensor: &ArrayD<f32>| tensor.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    if bits(&whole) == bits(&parts) {
        return Ok(());
    }
    Err(format!("{} dispatches gave other bits than one", split.dispatches().len()))
}

/// The harness itself: an element left unwritten, a word written beside, and a wrong value are all noticed.
pub fn rows() -> Vec<super::Row> {
    vec![super::Row::new("what goes wrong is noticed", |_| {
        let layout = Order::RowPitch.place(&[1, 1, 2, 3], 5);
        let tensor = Random::new("harness").tensor(layout.shape(), Data::Integers);
        let right = words(&layout, Some(tensor.view()));
        let base = GUARD as usize / 4 + layout.offset();
        let spoiled = |at: usize, word: u32| {
            let mut words = right.clone();
            words[at] = word;
            take_apart(&words, &layout)
        };
        if take_apart(&right, &layout)? != tensor {
            return Err("a right output is taken apart wrongly".into());
        }
        let beside = [base - 1, base + 3, 0, right.len() - 1];
        let noticed = spoiled(base + 1, POISON).is_err() && beside.iter().all(|&at| spoiled(at, 0).is_err());
        if noticed { Ok(()) } else { Err("a stray or a missing write was not noticed".into()) }
    })]
}
