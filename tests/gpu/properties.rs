//! Identities over random geometry: the convolution and its transpose are adjoint, and both are the matrix `W`.

use ndarray::ArrayD;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use upconv::gpu::GpuOp;
use upconv::{Conv, ConvTranspose, Gpu, Op, Padding, PlanOptions};

use crate::Row;
use crate::harness::{Data, Order, Outcome, Random, compare, inputs, operands, options, run_plan};

/// Input size, kernel, stride, dilation and padding of an axis.
type Numbers = (usize, usize, usize, usize, i64, i64);

/// A convolution of `R` axes, and the transposed convolution that goes back to its input.
type Geometry<const R: usize> = (Conv<R>, ConvTranspose<R>);

/// A random geometry.
fn geometries<const R: usize>() -> impl Strategy<Value = Geometry<R>> {
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

/// Runs the op by each kind of its recipes, which must agree, as integers are summed exactly.
async fn run<O: GpuOp>(gpu: &Gpu, op: &O, tensors: &[&ArrayD<f32>]) -> Result<ArrayD<f32>, TestCaseError> {
    let mut recipes = op.recipes(gpu.planner().capabilities(), &PlanOptions::default());
    recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
    let placed = options(&operands(op).map_err(TestCaseError::fail)?, Order::Nchw);
    let tensors: Vec<_> = tensors.iter().map(|&tensor| tensor.clone()).collect();
    let mut first = None;
    for recipe in recipes {
        let options = PlanOptions { recipe: Some(recipe.clone()), ..placed.clone() };
        let plan = gpu.planner().plan_with(op, &options).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let output = run_plan(gpu, op, &plan, &options, &tensors).await.map_err(TestCaseError::fail)?;
        let expected = first.get_or_insert_with(|| output.clone());
        prop_assert_eq!(&*expected, &output, "by {}", recipe);
    }
    first.ok_or_else(|| TestCaseError::fail("the op has no recipe"))
}

/// Σ a·b of integers, exact.
fn dot(a: &ArrayD<f32>, b: &ArrayD<f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Draws cases one after the other, from the seed in `PROPTEST_RNG_SEED` or 0. A case that fails is shrunk as long as
/// it still fails, and then reported.
async fn check<const R: usize>(gpu: &Gpu, cases: u32) -> Outcome {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    let seed = if let RngSeed::Fixed(seed) = config.rng_seed { seed } else { 0 };
    config.rng_seed = RngSeed::Fixed(seed);
    let mut runner = TestRunner::new(config);
    for _ in 0..cases {
        let mut case = geometries::<R>().new_tree(&mut runner).map_err(|reason| reason.to_string())?;
        let Err(error) = holds(gpu, case.current()).await else { continue };
        let (mut failure, mut another) = (format!("{error}: {:?}", case.current()), case.simplify());
        while another {
            another = match holds(gpu, case.current()).await {
                Ok(()) => case.complicate(),
                Err(error) => {
                    failure = format!("{error}: {:?}", case.current());
                    case.simplify()
                }
            };
        }
        return Err(format!("PROPTEST_RNG_SEED={seed}: {failure}"));
    }
    Ok(())
}

async fn holds<const R: usize>(gpu: &Gpu, (conv, transpose): Geometry<R>) -> Result<(), TestCaseError> {
    let failed = |error: upconv::Error| TestCaseError::fail(error.to_string());
    let x = &inputs(&conv, "x", Data::Integers).map_err(TestCaseError::fail)?;
    let y = Random::new("y").tensor(&conv.output().map_err(failed)?.shape, Data::Integers);
    let (input, weight) = (&x[0], &x[1]);
    let forward = run(gpu, &conv, &[input, weight]).await?;
    let back = run(gpu, &transpose, &[&y, weight]).await?;
    prop_assert_eq!(dot(&forward, &y), dot(input, &back), "the adjoint identity");
    compare(&conv, x, &forward, Data::Integers).map_err(TestCaseError::fail)?;
    let slopes = run(gpu, &conv.grad_weight().map_err(failed)?, &[input, &y]).await?;
    prop_assert_eq!(dot(&forward, &y), dot(&slopes, weight), "the weight's gradient");
    let slopes = run(gpu, &transpose.grad_weight().map_err(failed)?, &[&y, input]).await?;
    prop_assert_eq!(dot(&forward, &y), dot(&slopes, weight), "the transpose's");
    let ones = run(gpu, &conv.grad_bias().map_err(failed)?, &[&y]).await?;
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
    slow.check_exact(back.view()).map_err(|error| TestCaseError::fail(format!("zero insertion: {error}")))?;
    Ok(())
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("adjoint, gradients, matrix and zero insertion 1d", async move |gpu| check::<1>(gpu, 96).await),
        Row::new("adjoint, gradients, matrix and zero insertion 2d", async move |gpu| check::<2>(gpu, 96).await),
        Row::new("adjoint, gradients, matrix and zero insertion 3d", async move |gpu| check::<3>(gpu, 48).await),
    ]
}
