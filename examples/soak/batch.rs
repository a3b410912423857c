//! Many cases in one submission: their tensors lie side by side in a few buffers, with guards between them.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use upconv::wgpu::{self, Buffer, ErrorFilter};
use upconv::{Bindings, Bound, Gpu, Tensor};

use crate::case::{Case, Planned};
use crate::tensors::{GUARD, POISON, Place, storage};

/// What a case did on an adapter.
pub struct Ran {
    /// The largest error as a share of its bound.
    pub worst: f64,
    pub recipe: String,
    pub dispatches: usize,
    pub refused: usize,
}

/// Slices start at multiples of this many bytes: the largest alignment that a case asks for.
const ALIGNMENT: usize = 1024;

/// The bytes of one buffer, in which tensors of many cases lie one after the other.
#[derive(Default)]
struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    /// Adds a tensor with its guards; returns where it is.
    fn place(&mut self, tensor: &[u8]) -> Range<u64> {
        let guard = GUARD as usize;
        let start = (self.bytes.len() + guard).next_multiple_of(ALIGNMENT) - guard;
        self.bytes.resize(start, 0);
        self.bytes.extend(tensor);
        start as u64..self.bytes.len() as u64
    }

    fn upload(&self, gpu: &Gpu) -> Buffer {
        let buffer = storage(gpu, self.bytes.len().next_multiple_of(4).max(4) as u64);
        gpu.queue().write_buffer(&buffer, 0, &self.bytes);
        buffer
    }
}

/// The buffers of a batch. An output or a workspace must not share its buffer with another tensor of its plan.
#[derive(Default)]
struct Arenas {
    inputs: Arena,
    outputs: Vec<Arena>,
    workspaces: Vec<Arena>,
}

/// Where a case's tensors are: their places in the arenas of inputs, outputs and workspaces.
struct Placed {
    planned: Planned,
    inputs: Vec<Range<u64>>,
    outputs: Vec<Range<u64>>,
    workspaces: Vec<Range<u64>>,
}

fn nth(arenas: &mut Vec<Arena>, number: usize) -> &mut Arena {
    if arenas.len() <= number {
        arenas.resize_with(number + 1, Arena::default);
    }
    &mut arenas[number]
}

impl Arenas {
    fn place(&mut self, case: &dyn Case, planned: Planned) -> Result<Placed, String> {
        let (operands, options) = (case.operands()?, &planned.options);
        let tensors = case.inputs(options.storage);
        let (read, written) = operands.split_at(tensors.len());
        let inputs = read.iter().zip(&tensors);
        let inputs =
            inputs.map(|(operand, tensor)| self.inputs.place(&Place::new(options, operand).bytes(Some(tensor))));
        let inputs = inputs.collect();
        let outputs = written
            .iter()
            .enumerate()
            .map(|(number, operand)| nth(&mut self.outputs, number).place(&Place::new(options, operand).bytes(None)));
        let outputs = outputs.collect();
        let workspaces = planned.plan.workspaces().iter().enumerate().map(|(number, &bytes)| {
            let poison = POISON.to_le_bytes().repeat((bytes + 2 * GUARD) as usize / 4);
            nth(&mut self.workspaces, number).place(&poison)
        });
        Ok(Placed { inputs, outputs, workspaces: workspaces.collect(), planned })
    }
}

/// Arenas on the device.
struct Buffers {
    inputs: Buffer,
    outputs: Vec<Buffer>,
    workspaces: Vec<Buffer>,
}

impl Buffers {
    fn bind(&self, case: &dyn Case, placed: &Placed) -> Result<Bound, String> {
        let inside = |range: &Range<u64>| range.start + GUARD..range.end - GUARD;
        let slices = placed.inputs.iter().map(|range| self.inputs.slice(inside(range)));
        let outputs = placed.outputs.iter().zip(&self.outputs).map(|(range, buffer)| buffer.slice(inside(range)));
        let workspaces = placed.workspaces.iter().zip(&self.workspaces);
        let workspaces: Vec<_> = workspaces.map(|(range, buffer)| buffer.slice(inside(range))).collect();
        let roles = case.operands()?.into_iter().map(|operand| operand.role);
        let bindings: Bindings = roles.zip(slices.chain(outputs)).collect();
        placed.planned.plan.bind(&bindings.workspaces(&workspaces)).map_err(|error| format!("binding: {error}"))
    }
}

/// Plans a case; a panic is a failure of the case.
fn plan(gpu: &Gpu, case: &dyn Case) -> Result<Planned, String> {
    caught("planning", || case.plan(gpu))
}

fn caught<T>(what: &str, run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).into()));
        Err(format!("{what} panicked: {}", text.unwrap_or_default()))
    })
}

/// Runs all cases in one submission, and each again by itself if wgpu refuses something.
pub fn run(gpu: &Gpu, cases: &[&dyn Case]) -> Vec<Result<Ran, String>> {
    match together(gpu, cases) {
        Ok(all) => all,
        Err(error) if cases.len() == 1 => vec![Err(error)],
        Err(error) => {
            let mut all: Vec<_> = cases.iter().flat_map(|&case| run(gpu, &[case])).collect();
            if let (true, Some(last)) = (all.iter().all(Result::is_ok), all.last_mut()) {
                *last = Err(format!("only together with the {} cases before: {error}", cases.len() - 1));
            }
            all
        }
    }
}

/// The outcome of each case, or what wgpu refused.
fn together(gpu: &Gpu, cases: &[&dyn Case]) -> Result<Vec<Result<Ran, String>>, String> {
    let scope = gpu.device().push_error_scope(ErrorFilter::Validation);
    let mut arenas = Arenas::default();
    let placed: Vec<_> = cases.iter().map(|&case| arenas.place(case, plan(gpu, case)?)).collect();
    let all = |arenas: &[Arena]| arenas.iter().map(|arena| arena.upload(gpu)).collect::<Vec<_>>();
    let (outputs, workspaces) = (all(&arenas.outputs), all(&arenas.workspaces));
    let buffers = Buffers { inputs: arenas.inputs.upload(gpu), outputs, workspaces };
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    let record = |(&case, placed): (&&dyn Case, Result<Placed, String>)| {
        let placed = placed?;
        buffers.bind(case, &placed)?.encode(&mut pass);
        Ok(placed)
    };
    let recorded: Vec<Result<Placed, String>> = cases.iter().zip(placed).map(record).collect();
    drop(pass);
    gpu.queue().submit([encoder.finish()]);
    if let Some(error) = pollster::block_on(scope.pop()) {
        return Err(error.to_string());
    }
    let read = |buffer: &Buffer| gpu.download::<u8>(buffer, 0, buffer.size()).map_err(|error| error.to_string());
    let outputs = buffers.outputs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let check = |(&case, placed): (&&dyn Case, Result<Placed, String>)| check(case, placed?, &outputs);
    Ok(cases.iter().zip(recorded).map(check).collect())
}

/// Takes a case's outputs out of the arenas, and compares them with the reference.
fn check(case: &dyn Case, placed: Placed, outputs: &[Vec<u8>]) -> Result<Ran, String> {
    let Planned { plan, options, refused } = placed.planned;
    let (recipe, dispatches) = (plan.recipe().to_string(), plan.dispatches().len());
    let named = |error: String| format!("by {recipe} in {dispatches} dispatches: {error}");
    let operands = case.operands()?;
    let written = operands[placed.inputs.len()..].iter().zip(&placed.outputs).zip(outputs);
    let tensors = written.map(|((operand, range), bytes)| {
        let bytes = &bytes[range.start as usize..range.end as usize];
        Place::new(&options, operand).read(bytes, operand.data_type, options.storage)
    });
    let tensors = tensors.collect::<Result<Vec<Tensor>, _>>().map_err(named)?;
    let worst = caught("the reference", || case.check(options.storage, &tensors)).map_err(named)?;
    Ok(Ran { worst, recipe, dispatches, refused })
}
