//! TensorFlow's layouts without a copy: activations NHWC, filters with the taps outermost.

use upconv::gpu::GpuOp;
use upconv::{
    FloatType, Gpu, IndexConvention, MaxPool2d, PlanOptions, PytorchInterpolate, Tensor, TensorLayout, Upsample2d,
};

use crate::Row;
use crate::harness::{Data, Outcome, inputs, run_and_compare};
use crate::problems::Fields;

fn text(error: upconv::Error) -> String {
    error.to_string()
}

async fn nhwc<O: GpuOp>(gpu: &Gpu, op: &O) -> Outcome {
    let options = PlanOptions::nhwc(op).map_err(text)?;
    let tensors: Vec<_> = inputs(op, "nhwc", Data::Integers)?.into_iter().map(Tensor::F32).collect();
    run_and_compare(gpu, op, &options, &tensors, Data::Integers).await
}

async fn layers(gpu: &Gpu) -> Outcome {
    for text_of in ["n2_ic6_oc4_i9x14_k2x5_s3x2_p2x1_d3x2_g2_b1", "n2_ic3_oc5_i6x5_k3x2_s1x2", "ic4_oc4_i5x7_k3x3_g4"] {
        let fields = || Fields::<2>::parse(text_of);
        let (conv, up) = (fields().conv(), fields().conv_transpose());
        nhwc(gpu, &conv).await?;
        nhwc(gpu, &up).await?;
        nhwc(gpu, &conv.grad_weight().map_err(text)?).await?;
        nhwc(gpu, &up.grad_weight().map_err(text)?).await?;
        nhwc(gpu, &up.grad_bias().map_err(text)?).await?;
    }
    Ok(())
}

async fn others(gpu: &Gpu) -> Outcome {
    let pool = MaxPool2d::from_shape(&[2, 3, 7, 6], [3, 2]).map_err(text)?;
    nhwc(gpu, &MaxPool2d { indices: Some(IndexConvention::TensorFlow), ..pool }).await?;
    let base = Upsample2d::from_shape(&[2, 3, 4, 5], [9, 7]).map_err(text)?;
    nhwc(gpu, &Upsample2d::pytorch(base, PytorchInterpolate::Nearest).map_err(text)?).await
}

/// The strides are TensorFlow's: an input (N, H, W, C), a filter (kh, kw, Cin, Cout), transposed (kh, kw, Cout, Cin).
async fn strides(_: &Gpu) -> Outcome {
    let fields = || Fields::<2>::parse("n2_ic6_oc4_i9x14_k2x5_b1");
    let conv = PlanOptions::nhwc(&fields().conv()).map_err(text)?;
    let up = PlanOptions::nhwc(&fields().conv_transpose()).map_err(text)?;
    let strides = |layout: &Option<TensorLayout>| layout.as_ref().map(|layout| layout.strides().to_vec());
    let expected = [
        (strides(&conv.input), [9 * 14 * 6, 1, 14 * 6, 6]),
        (strides(&conv.weight), [1, 4, 5 * 6 * 4, 6 * 4]),
        (strides(&up.weight), [1, 6, 5 * 4 * 6, 4 * 6]),
    ];
    for (actual, expected) in expected {
        if actual.as_deref() != Some(&expected) {
            return Err(format!("{actual:?} where {expected:?} was expected"));
        }
    }
    if conv.bias.is_none() && conv.storage == FloatType::F32 { Ok(()) } else { Err("more than layouts".into()) }
}

pub fn rows() -> Vec<Row> {
    vec![
        Row::new("layers and their gradients in TensorFlow's order", layers),
        Row::new("what has channels only, in TensorFlow's order", others),
        Row::new("strides", strides),
    ]
}
