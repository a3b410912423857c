//! Descriptors, layouts, limits and recipes become programs, which keep to the device's limits and to their tensors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upconv::gpu::dissect::{Dissected, Held};
use upconv::gpu::{GpuOp, dissect};
use upconv::wgpu::Limits;
use upconv::{Error, FloatType, PlanOptions};

#[allow(dead_code, reason = "tests on data use the rest")]
#[path = "../../tests/common/draws.rs"]
mod draws;
#[allow(dead_code, reason = "the rest is for tests on a GPU")]
#[path = "../../tests/gpu/tensors.rs"]
mod tensors;
use draws::{Draw, OPS, Visit};

/// Numbers from the fuzzer's bytes, two for each; zeros after the last.
struct Bytes<'a>(&'a [u8]);

impl Draw for Bytes<'_> {
    fn below(&mut self, n: usize) -> usize {
        let (taken, rest) = self.0.split_at(self.0.len().min(2));
        self.0 = rest;
        taken.iter().fold(0, |number, &byte| number << 8 | usize::from(byte)) % n
    }
}

struct Check<'a>(Bytes<'a>);

impl Visit for Check<'_> {
    type Out = ();

    fn visit<O: GpuOp + Send + 'static>(self, op: O, _: bool) {
        let mut draw = self.0;
        let inputs = op.inputs().expect("a problem that was checked");
        let options = draws::layouts(&mut draw, &inputs, &op.outputs().expect("a problem that was checked"));
        let storage = draw.pick(&[FloatType::F32, FloatType::F16]);
        let options = PlanOptions { storage, ..options };
        let limits = Limits::default().or_worse_values_from(&draws::limits(&mut draw));
        let device = dissect::device(limits.clone(), draw.pick(&[4, 8, 16, 32]));
        let recipes = op.recipes(&device, &options);
        if recipes.is_empty() {
            return;
        }
        let options = PlanOptions { recipe: Some(draw.pick(&recipes)), ..options };
        let most = if draw.once_in(2) { 1 << draw.between(6, 16) } else { u64::MAX };
        let program = match dissect::dissect(&op, &device, &options, most) {
            Ok(program) => program,
            Err(
                Error::BindingTooSmall { .. }
                | Error::TooManyDispatches { .. }
                | Error::TooLarge { .. }
                | Error::LimitTooLow { .. }
                | Error::Recipe(_),
            ) => return,
            Err(error) => panic!("{}, {options:?}: {error}", op.problem()),
        };
        check(&program, &limits).unwrap_or_else(|error| panic!("{}, {options:?}: {error}", op.problem()));
    }
}

/// Every dispatch binds what its buffers have and the limits allow, runs a grid that they allow, and makes no more
/// rounds than any shader may.
fn check(program: &Dissected, limits: &Limits) -> Result<(), String> {
    let bytes = |held: &Held| match *held {
        Held::Operand(number) => program.operands[number].bytes,
        Held::Table(number) => program.tables[number].len() as u64,
        Held::Workspace(number) => program.workspaces[number],
    };
    for step in &program.steps {
        for dispatch in &step.dispatches {
            for (held, bound) in step.bindings.iter().zip(&dispatch.bound_bytes) {
                let aligned = bound.start % u64::from(limits.min_storage_buffer_offset_alignment) == 0;
                let small = bound.end - bound.start <= limits.max_storage_buffer_binding_size;
                if bound.is_empty() || !aligned || !small || bound.end > bytes(held) {
                    return Err(format!("{}: {bound:?} of {} bytes are bound", step.shader, bytes(held)));
                }
            }
            let most = limits.max_compute_workgroups_per_dimension;
            if dispatch.workgroups.iter().any(|&count| count == 0 || count > most) || dispatch.rounds > 1 << 15 {
                return Err(format!("{}: {dispatch:?}", step.shader));
            }
        }
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&name, rest)) = bytes.split_first() else { return };
    let (first, second) = rest.split_at(rest.len() / 2);
    draws::problem(OPS[usize::from(name) % OPS.len()], &mut Bytes(first), Check(Bytes(second)));
});
