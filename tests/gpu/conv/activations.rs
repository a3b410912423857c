//! Activations in the epilogue of a convolution's own dispatch: with and without a bias, and applied once where a sum
//! is split.

use upconv::{Activation, Conv2d, ConvTranspose2d};

use crate::Row;
use crate::harness::{Outcome, check, check_reals};
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
    rows
}
