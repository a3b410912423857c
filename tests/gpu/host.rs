//! The host `Gpu`: uploads of any strides, errors as values, and a new device after a lost one.

use ndarray::{Array4, ArrayD, Ix4, IxDyn, s};
use upconv::gpu::GpuOp;
use upconv::{Conv2d, ConvTranspose2d, Error, Gpu, PlanOptions, PytorchInterpolate, Recipe, Upsample2d};

use crate::Row;
use crate::embedding::Fresh;
use crate::harness::{Data, Outcome, Random, compare, run_plan};

fn text(error: Error) -> String {
    error.to_string()
}

pub async fn sample(gpu: &Gpu) -> Result<Array4<f32>, Error> {
    let (x, w) = (Array4::<f32>::ones((1, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d { stride: [2, 2], ..ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1)? };
    gpu.run_async(&up, &[x.view(), w.view()]).await
}

async fn non_contiguous(gpu: &Gpu) -> Outcome {
    let base = Random::new("strides").tensor(&[9, 8, 2, 3], Data::Integers);
    let base = base.into_dimensionality::<Ix4>().map_err(|error| error.to_string())?;
    // Axes exchanged, every second row, columns backwards.
    let view = base.view().permuted_axes([2, 3, 0, 1]).slice_move(s![.., .., ..;2, ..;-1]);
    let weight = Random::new("w").tensor(&[2, 3, 2, 2], Data::Integers);
    let weight = weight.into_dimensionality::<Ix4>().map_err(|error| error.to_string())?;
    let conv = Conv2d::from_shapes(view.shape(), weight.shape(), 1).map_err(text)?;
    let strided = gpu.run_async(&conv, &[view, weight.view()]).await.map_err(text)?;
    let copied = view.to_owned();
    compare(&conv, &[copied.into_dyn(), weight.into_dyn()], &strided.into_dyn(), Data::Integers)
}

async fn shapes(gpu: &Gpu) -> Outcome {
    let (x, w) = (Array4::<f32>::ones((1, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1).map_err(text)?;
    let swapped = gpu.run_async(&up, &[w.view(), x.view()]).await;
    if !matches!(swapped, Err(Error::Shape { operand: "input", .. })) {
        return Err(format!("{swapped:?}"));
    }
    let biased = ConvTranspose2d { bias: true, ..up };
    let wrong = ArrayD::<f32>::ones(IxDyn(&[4]));
    let outcome = gpu.run_async(&biased, &[x.view().into_dyn(), w.view().into_dyn(), wrong.view()]).await;
    let expected = Error::Shape { operand: "bias", expected: vec![3], actual: vec![4] };
    if outcome == Err(expected) { Ok(()) } else { Err(format!("{outcome:?}")) }
}

async fn empty_batch(gpu: &Gpu) -> Outcome {
    let (x, w) = (Array4::<f32>::ones((0, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1).map_err(text)?;
    let y = gpu.run_async(&up, &[x.view(), w.view()]).await.map_err(text)?;
    if y.dim() == (0, 3, 4, 5) { Ok(()) } else { Err(format!("{:?}", y.dim())) }
}

/// A NaN and an infinity reach only the outputs in whose sums they take part: in a convolution by the plain recipe,
/// which never multiplies padding, and in a resize by every recipe.
async fn non_finite(gpu: &Gpu) -> Outcome {
    let w = Array4::<f32>::from_elem((1, 1, 3, 3), 1.0);
    let mut x = Array4::<f32>::from_elem((1, 1, 7, 9), 2.0);
    x[[0, 0, 0, 0]] = f32::NAN;
    x[[0, 0, 6, 8]] = f32::INFINITY;
    let conv = Conv2d { padding: [1, 1].into(), ..Conv2d::from_shapes(x.shape(), w.shape(), 1).map_err(text)? };
    let options = PlanOptions { recipe: Some(Recipe::plain("conv_direct", 64)), ..Default::default() };
    let plan = gpu.planner().plan_with(&conv, &options).map_err(text)?;
    let y = run_plan(gpu, &conv, &plan, &options, &[x.clone().into_dyn(), w.into_dyn()]).await?;
    let y = y.into_dimensionality::<Ix4>().map_err(|error| error.to_string())?;
    let touched = |r: usize, c: usize| (r <= 1 && c <= 1) || (r >= 5 && c >= 7);
    for ((_, _, r, c), &value) in y.indexed_iter() {
        let edge = |at: usize, last: usize| if at == 0 || at == last { 2.0 } else { 3.0 };
        if !touched(r, c) && value != 2.0 * edge(r, 6) * edge(c, 8) {
            return Err(format!("({r}, {c}) is {value}, though no NaN or infinity takes part"));
        }
    }
    let base = || Upsample2d::from_shape(x.shape(), [14, 18]).map_err(text);
    // Nearest copies samples, and so keeps a NaN and an infinity.
    let up = Upsample2d::pytorch(base()?, PytorchInterpolate::Nearest).map_err(text)?;
    for (recipe, copied) in by_each_recipe(gpu, &up, &x).await? {
        if !copied[[0, 0, 1, 1]].is_nan() || copied[[0, 0, 13, 17]] != f32::INFINITY {
            return Err(format!("{recipe}: a copy changed a NaN or an infinity"));
        }
    }
    // Twice the size: the first sample takes part in the first three outputs of each axis, the last in the last three.
    let up = Upsample2d::pytorch(base()?, PytorchInterpolate::Linear { align_corners: false }).map_err(text)?;
    for (recipe, linear) in by_each_recipe(gpu, &up, &x).await? {
        let touched = |r: usize, c: usize| (r <= 2 && c <= 2) || (r >= 11 && c >= 15);
        let wrong = linear.indexed_iter().find(|&((_, _, r, c), &value)| !touched(r, c) && value != 2.0);
        if let Some(((_, _, r, c), value)) = wrong {
            return Err(format!("{recipe}: ({r}, {c}) is {value}, though no NaN or infinity takes part"));
        }
    }
    Ok(())
}

async fn by_each_recipe(gpu: &Gpu, up: &Upsample2d, x: &Array4<f32>) -> Result<Vec<(Recipe, Array4<f32>)>, String> {
    let recipes = up.recipes(gpu.planner().capabilities(), &PlanOptions::default()).into_iter();
    let mut outputs = Vec::new();
    for recipe in recipes.filter(|recipe| recipe.workgroup_size == 64) {
        let options = PlanOptions { recipe: Some(recipe.clone()), ..Default::default() };
        let plan = gpu.planner().plan_with(up, &options).map_err(text)?;
        let y = run_plan(gpu, up, &plan, &options, &[x.clone().into_dyn()]).await?;
        outputs.push((recipe, y.into_dimensionality::<Ix4>().map_err(|error| error.to_string())?));
    }
    Ok(outputs)
}

async fn lost_device(gpu: &Gpu) -> Outcome {
    let own = Fresh::new(gpu).await?.0;
    sample(&own).await.map_err(text)?;
    own.device().destroy();
    for _ in 0..2 {
        match sample(&own).await {
            Err(Error::DeviceLost(_)) => {}
            other => return Err(format!("{other:?} from a lost device")),
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    match own.buffer("blocking", 4).and_then(|buffer| own.download::<f32>(&buffer, 0, 4)) {
        Err(Error::DeviceLost(_)) => {}
        other => return Err(format!("{other:?} from a lost device")),
    }
    // A new device works.
    sample(&Fresh::new(gpu).await?.0).await.map(|_| ()).map_err(text)
}

pub fn rows() -> Vec<Row> {
    let rows = vec![
        Row::new("a view of any strides is uploaded", non_contiguous),
        Row::new("wrong shapes are refused", shapes),
        Row::new("an empty batch gives an empty tensor", empty_batch),
        Row::new("a NaN stays where it is", non_finite),
        Row::new("a lost device is an error and the next one works", lost_device),
    ];
    #[cfg(not(target_arch = "wasm32"))]
    let rows = rows.into_iter().chain(crate::blocking::rows()).collect();
    rows
}
