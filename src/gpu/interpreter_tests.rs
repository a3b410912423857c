//! Shaders of random programs run on the host, which sees every address: see `windows`.

#![allow(unreachable_pub, reason = "files that are shared with the examples")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use wgpu::Limits;

use super::dissect::{self, Dissected};
use super::shaders::SHADERS;
use super::*;
use crate::dtype::FloatType;
use crate::error::Error;
use crate::tensor::element::Tensor;

#[path = "../../tests/common/draws.rs"]
mod draws;
#[path = "../../tests/gpu/expected.rs"]
mod expected;
#[path = "../../tests/common/interpreter.rs"]
mod interpreter;
#[allow(dead_code, unreachable_patterns, reason = "the rest is for tests on a GPU, from outside of the crate")]
#[path = "../../tests/gpu/tensors.rs"]
mod tensors;
#[path = "../../tests/common/windows.rs"]
mod windows;

use draws::{Draw, OPS, Visit};
use expected::Expected;
use tensors::{Data, Random, stored_as};

/// Shaders that the interpreter does not run, and why. All others must be run by the test below.
const NOT_RUN: [(&str, &str); 7] = [
    ("conv_integer_direct", "inputs of several types are not drawn"),
    ("conv_integer_zero_points", "inputs of several types are not drawn"),
    ("conv_gemm_cooperative", "matrices of a subgroup"),
    ("conv_texture", "texels have no addresses"),
    ("resample_texture", "texels have no addresses"),
    ("texture_unpack", "texels have no addresses"),
    ("texture_pack", "texels have no addresses"),
];

/// Programs whose shaders make more rounds in all are left out.
const MOST_WORK: u64 = 1 << 18;

struct Check<'a> {
    random: Random,
    run: &'a mut BTreeMap<&'static str, usize>,
}

impl Visit for Check<'_> {
    type Out = Result<(), String>;

    fn visit<O: GpuOp + Send + 'static>(self, op: O, exact: bool) -> Self::Out {
        let Self { mut random, run } = self;
        let random = &mut random;
        let inputs = op.inputs().map_err(|error| error.to_string())?;
        let options = draws::layouts(random, &inputs, &op.outputs().map_err(|error| error.to_string())?);
        let storage = random.pick(&[FloatType::F32, FloatType::F32, FloatType::F16]);
        let options = PlanOptions { storage, ..options };
        let data = if exact && random.once_in(2) { Data::Integers } else { Data::Reals };
        let tensors = draws::tensors(random, &inputs, &options, data);
        let stored = tensors.into_iter().map(|tensor| match tensor {
            Tensor::F32(tensor) => stored_as(tensor, storage),
            other => other,
        });
        let stored: Vec<_> = stored.collect();
        let subgroup = random.pick(&[4, 8, 16, 32]);
        let Some((program, recipe)) = lower(random, &op, &options, subgroup)? else { return Ok(()) };
        if windows::work(&program) > MOST_WORK {
            return Ok(());
        }
        let named = |error| format!("{} by {recipe}, {options:?}: {error}", op.problem());
        let outputs = windows::run(&program, subgroup as usize, &stored).map_err(named)?;
        Expected::of(&op, &stored)?.check(&outputs, data).map_err(named)?;
        windows::shaders(&program).into_iter().for_each(|shader| *run.entry(shader).or_default() += 1);
        Ok(())
    }
}

/// A program by a random recipe within random limits; `None` if the limits are too low.
fn lower<O: GpuOp>(
    random: &mut Random,
    op: &O,
    options: &PlanOptions,
    subgroup: u32,
) -> Result<Option<(Dissected, String)>, String> {
    let limits = Limits::default().or_worse_values_from(&draws::limits(random));
    let device = dissect::device(limits, subgroup);
    let mut recipes = op.recipes(&device, options);
    // Large workgroups have many idle threads.
    recipes.retain(|recipe| recipe.workgroup_size <= 64);
    if recipes.is_empty() {
        return Ok(None);
    }
    let shaders: BTreeSet<_> = recipes.iter().map(|recipe| recipe.shader).collect();
    let shader = random.pick(&Vec::from_iter(shaders));
    recipes.retain(|recipe| recipe.shader == shader);
    let recipe = random.pick(&recipes);
    let name = recipe.to_string();
    let options = PlanOptions { recipe: Some(recipe), ..options.clone() };
    let most = if random.once_in(4) { 1 << random.between(6, 16) } else { u64::MAX };
    match dissect::dissect(op, &device, &options, most) {
        Ok(program) => Ok(Some((program, name))),
        Err(
            Error::BindingTooSmall { .. }
            | Error::TooManyDispatches { .. }
            | Error::TooLarge { .. }
            | Error::LimitTooLow { .. }
            | Error::Recipe(_),
        ) => Ok(None),
        Err(error) => Err(format!("{} by {name}: {error}", op.problem())),
    }
}

/// Runs cases until every shader has run, at least 200, or for the seconds in `UPCONV_INTERPRETER_SECONDS`. Each is
/// drawn from its number and the seed in `PROPTEST_RNG_SEED`, or 0.
#[test]
fn shaders_keep_to_what_is_bound_and_write_every_output_once() {
    let number_in = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let seed = number_in("PROPTEST_RNG_SEED").unwrap_or(0);
    let (start, longest) = (Instant::now(), number_in("UPCONV_INTERPRETER_SECONDS").map(Duration::from_secs));
    let known: BTreeSet<_> = SHADERS.iter().map(|shader| shader.name).collect();
    let left_out: BTreeSet<_> = NOT_RUN.iter().map(|(name, _)| *name).collect();
    assert!(left_out.is_subset(&known), "{left_out:?}");
    let mut run = BTreeMap::new();
    let missing =
        |run: &BTreeMap<&str, usize>| known.difference(&left_out).copied().find(|name| !run.contains_key(name));
    for number in 0.. {
        assert!(longest.is_some() || number < 6000, "not run in 6000 cases: {:?}", missing(&run));
        let enough = longest.map_or(number >= 200, |longest| start.elapsed() > longest);
        if enough && missing(&run).is_none() {
            break;
        }
        let mut random = Random::new(&format!("seed {seed}, case {number}"));
        let name = OPS[random.below(OPS.len())];
        let own = Random::new(&format!("seed {seed}, case {number}, own"));
        let checked = draws::problem(name, &mut random, Check { random: own, run: &mut run });
        if let Some(Err(error)) = checked {
            panic!("PROPTEST_RNG_SEED={seed}, case {number}: {error}");
        }
    }
    println!("{run:?}");
    assert_eq!(missing(&run), None, "a shader that was not run");
}
