//! Sums and searches that are just short enough for one invocation of a shader, and those that several dispatches
//! share. A software driver that ends long loops silently fails these rows if a shader's rounds are not bounded.

use ndarray::{ArrayD, IxDyn};
use upconv::gpu::GpuOp;
use upconv::{
    AvgPool2d, Border, Conv2d, Coordinates, Filter, FloatType, Gpu, LpPool1d, LpPool2d, MaxPool, MaxPool1d, MaxPool2d,
    Op, Padding, ResizeConv, Rounding, Tensor, Upsample, Upsample1d, Upsample2d, UpsampleMode,
};

use crate::Row;
use crate::harness::{Data, Outcome, Random, check_recipes, stored_as};
use crate::pool::pool::gradient_and_indices;
use crate::problems::Fields;

/// Random multiples of 1/16 from 1/4 to 3/4, so that a term that is missing cannot hide behind others: no two cancel.
/// Sums of fewer than 100,000 of their products are exact in f32, and below the largest f16.
fn positive<O: GpuOp>(op: &O, storage: FloatType) -> Result<Vec<Tensor>, String> {
    let mut random = Random::new("positive");
    let operands = op.inputs().map_err(|error| error.to_string())?;
    let tensors = operands.iter().map(|operand| {
        let tensor = ArrayD::from_shape_simple_fn(IxDyn(&operand.shape), || (random.next() % 9 + 4) as f32 / 16.0);
        stored_as(tensor, storage)
    });
    Ok(tensors.collect())
}

/// [`check_recipes`] on positive numbers; the op's sums are exact.
async fn check_exact<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    check_recipes(gpu, op, Data::Integers, |storage| positive(op, storage)).await
}

fn conv<const R: usize>(name: &str, text: &'static str) -> Row {
    Row::new(format!("{R}d conv, {name} [{text}]"), async move |gpu| {
        check_exact(gpu, &Fields::<R>::parse(text).conv()).await
    })
}

fn conv_transpose<const R: usize>(name: &str, text: &'static str) -> Row {
    Row::new(format!("{R}d conv_transpose, {name} [{text}]"), async move |gpu| {
        check_exact(gpu, &Fields::<R>::parse(text).conv_transpose()).await
    })
}

/// The gradients of a convolution's weight and bias.
fn gradients(name: &str, text: &'static str) -> Row {
    Row::new(format!("1d gradients, {name} [{text}]"), async move |gpu| {
        let conv = Fields::<1>::parse(text).conv();
        check_exact(gpu, &conv.grad_weight().map_err(|error| error.to_string())?).await?;
        check_exact(gpu, &conv.grad_bias().map_err(|error| error.to_string())?).await
    })
}

/// An op whose weights are fractions, and its gradient.
async fn both<O: GpuOp, G: GpuOp>(gpu: &Gpu, op: &O, gradient: &G) -> Outcome {
    check_recipes(gpu, op, Data::Reals, |storage| positive(op, storage)).await?;
    let outcome = check_recipes(gpu, gradient, Data::Reals, |storage| positive(gradient, storage)).await;
    outcome.map_err(|error| format!("gradient: {error}"))
}

fn resample<const R: usize>(name: &str, up: Upsample<R>) -> Row {
    let name = format!("{R}d {name} {:?} to {:?}", up.input_size, up.output_size);
    Row::new(name, async move |gpu| both(gpu, &up, &up.grad_input()).await)
}

/// A max pooling of ascending samples, so that the largest comes last, without and with indices; and its gradient.
async fn maxima<const R: usize>(gpu: &Gpu, pool: &MaxPool<R>) -> Outcome {
    let ascending = |storage| {
        let shape = pool.inputs().map_err(|error| error.to_string())?.swap_remove(0).shape;
        let samples = (0..shape.iter().product::<usize>()).map(|number| number as f32 / 64.0).collect();
        let samples = ArrayD::from_shape_vec(IxDyn(&shape), samples).map_err(|error| error.to_string())?;
        Ok(vec![stored_as(samples, storage)])
    };
    check_recipes(gpu, pool, Data::Integers, ascending).await?;
    let pool = MaxPool { indices: Some(Default::default()), ..pool.clone() };
    check_recipes(gpu, &pool, Data::Integers, ascending).await?;
    let make = |storage| gradient_and_indices(&pool, storage);
    check_recipes(gpu, &pool.grad_input(), Data::Integers, make).await.map_err(|error| format!("gradient: {error}"))
}

fn antialiased(input_size: [usize; 2], output_size: [usize; 2]) -> Upsample2d {
    let mode = UpsampleMode::Filtered { filter: Filter::Triangle, antialias: true, border: Border::Renormalise };
    Upsample2d { input_size, output_size, mode, ..Default::default() }
}

/// A crop that reaches past the input at two edges.
const CROP: Coordinates<2> = Coordinates::TfCropAndResize { roi: [[-0.25, 0.75], [0.3, 1.1]] };

fn resampling() -> Vec<Row> {
    let nearest = UpsampleMode::Nearest(Rounding::Floor);
    vec![
        resample("antialiased, one pass", antialiased([100, 150], [1, 1])),
        resample("antialiased, a pass for each axis", antialiased([300, 250], [1, 1])),
        resample(
            "antialiased crop, a pass for each axis",
            Upsample { coordinates: CROP, extrapolation_value: 2.5, ..antialiased([420, 400], [2, 3]) },
        ),
        resample(
            "area, two passes for an axis",
            Upsample1d { input_size: [140_000], output_size: [2], mode: UpsampleMode::Area, ..Default::default() },
        ),
        resample("nearest", Upsample { mode: nearest, ..antialiased([1, 1], [260, 270]) }),
        resample(
            "nearest, far apart",
            Upsample1d { input_size: [200_000], output_size: [3], mode: nearest, ..Default::default() },
        ),
        resample("linear rows far apart", Upsample { mode: UpsampleMode::Linear, ..antialiased([90_000, 1], [4, 1]) }),
    ]
}

fn pooling() -> Vec<Row> {
    let average = AvgPool2d { input_size: [271, 272], kernel_size: [270, 270], ..Default::default() };
    let norm = LpPool2d { input_size: [271, 272], kernel_size: [270, 270], p: 3, ..Default::default() };
    let short = LpPool2d { kernel_size: [160, 200], stride: [100, 60], ..norm.clone() };
    let overlaps = LpPool1d {
        input_size: [5],
        kernel_size: [70_000],
        padding: Padding::Explicit([[69_997, 69_998]]),
        ..Default::default()
    };
    let windows = |kernel_size| MaxPool2d { input_size: [271, 272], kernel_size, ..Default::default() };
    let maximum = |name: &str, pool: MaxPool2d| {
        Row::new(format!("2d maximum, {name} {:?}", pool.kernel_size), async move |gpu| maxima(gpu, &pool).await)
    };
    // Each sample is in every window, or nearly.
    let most = MaxPool1d {
        input_size: [5],
        kernel_size: [70_000],
        padding: Padding::Explicit([[69_997, 69_998]]),
        ..Default::default()
    };
    vec![
        Row::new("2d average of 270x270", async move |gpu| both(gpu, &average, &average.grad_input()).await),
        Row::new("2d norm of 160x200, one part", async move |gpu| both(gpu, &short, &short.grad_input()).await),
        Row::new("2d norm of 270x270, several parts", async move |gpu| both(gpu, &norm, &norm.grad_input()).await),
        Row::new("1d norm, 70,000 windows for each sample", async move |gpu| {
            both(gpu, &overlaps, &overlaps.grad_input()).await
        }),
        maximum("one part", windows([160, 200])),
        maximum("several parts", windows([270, 270])),
        Row::new("1d gradient of a maximum, 70,000 windows for each sample", async move |gpu| maxima(gpu, &most).await),
    ]
}

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        conv::<1>("taps of one dispatch", "ic1_oc1_i32003_k32000_b1"),
        conv::<1>("taps of several dispatches", "ic1_oc1_i70003_k70000_b1"),
        conv::<2>("taps of several dispatches", "ic2_oc4_i191x192_k190x191_g2_b1"),
        conv::<1>("taps of several dispatches, apart", "ic1_oc2_i66020_k33000_s3_p40_d2"),
        conv::<3>("taps of several dispatches", "ic1_oc1_i34x33x32_k33x32x31_b1"),
        conv::<2>("taps of several dispatches and slices of channels", "ic96_oc2_i23x22_k22x22_b1"),
        // Each channel enters three loops.
        conv::<2>("channels of several dispatches, one tap", "ic6800_oc2_i1x1_b1"),
        conv::<2>("channels of several dispatches", "ic2048_oc8_i5x5_k5x5_b1"),
        conv_transpose::<1>("taps of several dispatches", "ic1_oc2_i40000_k70001_s2_p74995_b1"),
        conv_transpose::<1>("channels of several dispatches", "ic20000_oc1_i2_k4_b1"),
        gradients("positions of one dispatch", "ic1_oc2_i16001_k2"),
        gradients("positions of several dispatches", "n3_ic1_oc2_i40001_k2"),
    ];
    for crop in [false, true] {
        let name = if crop { "2d resize_conv, antialiased crop" } else { "2d resize_conv, antialiased" };
        rows.push(Row::new(name, async move |gpu| {
            let conv = Conv2d { in_channels: 2, kernel_size: [2, 2], input_size: [3, 2], ..Default::default() };
            let whole = Upsample2d { channels: 2, ..antialiased([300, 350], [3, 2]) };
            let part = Upsample { coordinates: CROP, extrapolation_value: 2.5, ..whole.clone() };
            let op = ResizeConv { upsample: if crop { part } else { whole }, conv };
            check_recipes(gpu, &op, Data::Reals, |storage| positive(&op, storage)).await
        }));
    }
    rows.extend(resampling());
    rows.extend(pooling());
    rows
}
