//! Activations in the epilogue of a convolution's own dispatch: with and without a bias, and applied once where a sum
//! is split.

use ndarray::{IxDyn, arr1};
use upconv::half::f16;
use upconv::{Activation, Conv2d, ConvTranspose2d, FloatType, Tensor};

use crate::Row;
use crate::harness::{Data, Outcome, check, check_reals, check_recipes};
use crate::problems::Fields;
use crate::splitting::split_sum;

const EXACT: [Activation; 4] = [
    Activation::Relu,
    Activation::LeakyRelu { slope: 0.25 },
    Activation::LeakyRelu { slope: -2.0 },
    Activation::Clip { min: -3.0, max: 6.0 },
];

const TRANSCENDENTAL: [Activation; 2] = [Activation::Sigmoid, Activation::Tanh];

/// Whether the activation's values on integers are exact in f32, so that they are compared with `==`.
fn is_exact(activation: Activation) -> bool {
    EXACT.contains(&activation)
}

async fn both(gpu: &upconv::Gpu, activation: Activation, text: &str) -> Outcome {
    let direct = Conv2d { activation, ..Fields::<2>::parse(text).conv() };
    let transposed = ConvTranspose2d { activation, ..Fields::<2>::parse(text).conv_transpose() };
    if is_exact(activation) {
        check(gpu, &direct, text).await?;
        check(gpu, &transposed, text).await
    } else {
        check_reals(gpu, &direct, text).await?;
        check_reals(gpu, &transposed, text).await
    }
}

/// A NaN stays a NaN and an infinity gets the function's limit, by every recipe.
async fn non_finite(gpu: &upconv::Gpu, activation: Activation) -> Outcome {
    let samples = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -1.5, -f32::NAN, 2.0];
    let conv = Conv2d { input_size: [1, 7], activation, ..Default::default() };
    let make = |storage| {
        let tensors = [arr1(&samples).into_dyn(), arr1(&[1.0]).into_dyn()];
        let shapes = [[1, 1, 1, 7], [1, 1, 1, 1]];
        let tensors = tensors.into_iter().zip(shapes).map(|(values, shape)| {
            let tensor = values.into_shape_with_order(IxDyn(&shape)).map_err(|error| error.to_string())?;
            let f16s = || Tensor::F16(tensor.mapv(f16::from_f32));
            Ok(if storage == FloatType::F16 { f16s() } else { Tensor::F32(tensor.clone()) })
        });
        tensors.collect::<Result<Vec<_>, String>>()
    };
    check_recipes(gpu, &conv, Data::Reals, make).await
}

pub fn rows() -> Vec<Row> {
    let every = || EXACT.into_iter().chain(TRANSCENDENTAL);
    let mut rows: Vec<Row> = Vec::new();
    for text in
        ["n2_ic3_oc4_i7x6_k3x2_s2x1_p1x0_b1", "ic4_oc2_i6x5_k2x3_g2", "oc3_i30x20", "ic160_oc3_i4x3_k3x3_s2x1_b1"]
    {
        rows.extend(every().map(|activation| {
            Row::new(format!("{activation:?} [{text}]"), async move |gpu| both(gpu, activation, text).await)
        }));
    }
    rows.extend(every().map(|activation| {
        Row::new(format!("{activation:?} after a split sum"), async move |gpu| {
            let fields = || Fields::<2>::parse("ic24_oc2_i8x8_k3x3_s2x2_b1");
            split_sum(gpu, &ConvTranspose2d { activation, ..fields().conv_transpose() }, 1024).await?;
            split_sum(gpu, &Conv2d { activation, ..fields().conv() }, 1024).await
        })
    }));
    rows.extend(every().map(|activation| {
        Row::new(format!("{activation:?} of a NaN and an infinity"), async move |gpu| non_finite(gpu, activation).await)
    }));
    rows
}
