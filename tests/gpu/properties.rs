//! Identities over random geometry: the convolution and its transpose are adjoint, and both are the matrix `W`.

use ndarray::ArrayD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use upconv::gpu::GpuOp;
use upconv::{Conv, ConvTranspose, FloatType, Gpu, Op, Padding, PlanOptions};

use super::Row;
use super::harness::{Data, Order, Outcome, Random, compare, inputs, operands, options, run_plan};

/// Input size, kernel, stride, dilation and padding of an axis.
type Numbers = (usize, usize, usize, usize, i64, i64);

/// A random geometry of `R` axes: a convolution, and the transposed convolution that goes back to its input.
fn geometries<const R: usize>() -> impl Strategy<Value = (Conv<R>, ConvTranspose<R>)> {
    let axis = (1usize..=7, 1usize..=4, 1usize..=4, 1usize..=3, -1i64..=5, -1i64..=5);
    let channels = (1usize..=3, 1usize..=3, 1usize..=3, 0usize..=2);
    (channels, prop::collection::vec(axis, R)).prop_filter_map("no output", |((ins, outs, groups, batch), axes)| {
        let field = |pick: fn(&Numbers) -> usize| std::array::from_fn(|i| pick(&axes[i]));
        let padding = std::array::from_fn(|i| [axes[i].4, axes[i].5]);
        let conv = Conv::<R> {
            batch,
            in_channels: ins * groups,
            out_channels: outs * groups,
            input_size: field(|axis| axis.0),
            kernel_size: field(|axis| axis.1),
            stride: field(|axis| axis.2),
            dilation: field(|axis| axis.3),
            padding: Padding::Explicit(padding),
            groups,
            ..Default::default()
        };
        let transpose = conv.grad_input().ok()?;
        Some((conv, transpose))
    })
}

/// By one of the op's recipes, whichever falls to this problem.
fn run<O: GpuOp>(gpu: &Gpu, op: &O, tensors: &[&ArrayD<f32>]) -> Result<ArrayD<f32>, TestCaseError> {
    let mut recipes = op.recipes(gpu.planner().capabilities(), FloatType::F32);
    recipes.dedup_by_key(|recipe| (recipe.shader, recipe.passes, recipe.tile, recipe.block));
    let chance = format!("{op:?}").bytes().fold(7usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let recipe = Some(recipes.swap_remove((chance >> 8) % recipes.len()));
    let options = PlanOptions { recipe, ..options(&operands(op).map_err(TestCaseError::fail)?, Order::Nchw) };
    let plan = gpu.planner().plan(op, &options).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let tensors: Vec<_> = tensors.iter().map(|&tensor| tensor.clone()).collect();
    run_plan(gpu, op, &plan, &options, &tensors).map_err(TestCaseError::fail)
}

/// Σ a·b of integers, exact.
fn dot(a: &ArrayD<f32>, b: &ArrayD<f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn check<const R: usize>(gpu: &Gpu, cases: u32) -> Outcome {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let outcome = runner.run(&geometries::<R>(), |(conv, transpose)| {
        let failed = |error: upconv::Error| TestCaseError::fail(error.to_string());
        let x = &inputs(&conv, "x", Data::Integers).map_err(TestCaseError::fail)?;
        let y = Random::new("y").tensor(&conv.output().map_err(failed)?.shape, Data::Integers);
        let (input, weight) = (&x[0], &x[1]);
        let forward = run(gpu, &conv, &[input, weight])?;
        let back = run(gpu, &transpose, &[&y, weight])?;
        prop_assert_eq!(dot(&forward, &y), dot(input, &back), "the adjoint identity");
        compare(&conv, x, &forward, Data::Integers).map_err(TestCaseError::fail)?;
        let slopes = run(gpu, &conv.grad_weight().map_err(failed)?, &[input, &y])?;
        prop_assert_eq!(dot(&forward, &y), dot(&slopes, weight), "the weight's gradient");
        let slopes = run(gpu, &transpose.grad_weight().map_err(failed)?, &[&y, input])?;
        prop_assert_eq!(dot(&forward, &y), dot(&slopes, weight), "the transpose's");
        let ones = run(gpu, &conv.grad_bias().map_err(failed)?, &[&y])?;
        prop_assert_eq!(f64::from(ones.sum()), f64::from(y.sum()), "the bias's gradient");

        let images = input.outer_iter().zip(forward.outer_iter()).zip(back.outer_iter().zip(y.outer_iter()));
        let matrix = conv.matrix(weight.view()).map_err(failed)?;
        let transposed = transpose.matrix(weight.view()).map_err(failed)?;
        prop_assert_eq!(&transposed, &matrix.transpose());
        let flat = |image: ndarray::ArrayViewD<f32>| image.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
        for ((input, forward), (back, y)) in images {
            prop_assert_eq!(matrix.multiply(&flat(input)).map_err(failed)?, flat(forward), "W x");
            prop_assert_eq!(transposed.multiply(&flat(y)).map_err(failed)?, flat(back), "W^T y");
        }

        let inserted = transpose.zero_insertion(y.view(), weight.view()).map_err(failed)?;
        let slow = inserted.conv.reference(&[inserted.input.view(), inserted.weight.view()]).map_err(failed)?;
        let agrees = slow.check_exact(back.view()).map_err(failed)?;
        prop_assert!(agrees.is_ok(), "zero insertion: {:?}", agrees);
        Ok(())
    });
    outcome.map_err(|error| error.to_string())
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("adjoint, gradients, matrix and zero insertion 1d", |gpu| check::<1>(gpu, 96)),
        Row::new("adjoint, gradients, matrix and zero insertion 2d", |gpu| check::<2>(gpu, 96)),
        Row::new("adjoint, gradients, matrix and zero insertion 3d", |gpu| check::<3>(gpu, 48)),
    ]
}
