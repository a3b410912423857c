//! Gradients of the convolutions with respect to weight and bias.

use upconv::ConvBiasGrad;

use crate::Row;
use crate::harness::{Outcome, check};
use crate::problems::Fields;

const ONE_AXIS: &[(&str, &str)] = &[
    ("one tap", "ic2_oc3_i5"),
    ("stride past the kernel", "n2_ic2_oc3_i11_k2_s5"),
    ("padding past the kernel", "ic2_oc2_i5_k3_p6"),
    ("negative padding crops", "ic2_oc2_i9_k3_p-2:-1"),
    ("dilation larger than the input", "ic1_oc2_i3_k2_d5_p4"),
    ("an empty batch", "n0_ic2_oc3_i5_k3"),
    ("zero samples in a convolution", "n2_ic2_oc3_i0_k3_p3"),
    ("zero samples out of a transposed convolution", "n2_ic2_oc3_i6_p3"),
    ("a stride that is never taken", "ic2_oc3_i1_k3_s70000_p1:1"),
    ("a split-K sum", "ic1_oc1_i5000_k9_s2_p4"),
];

const TWO_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic6_oc4_i9x14_k2x5_s3x2_p2x1_d3x2_g2"),
    ("groups with several outputs", "n2_ic6_oc9_i8x7_k3x2_s2x3_p1x0_g3"),
    ("depthwise", "n2_ic5_oc5_i6x9_k4x3_s2x1_p1x1_g5"),
    ("depthwise with a multiplier", "ic3_oc12_i7x5_k3x3_s2x2_p1x1_g3"),
    ("asymmetric padding", "ic3_oc2_i6x5_k4x5_s2x3_p0:2x3:1"),
    ("slices that end within a row", "n3_ic2_oc3_i19x23_k3x3_p1x1"),
    ("pointwise", "n2_ic9_oc5_i4x7"),
    ("several tiles of a product", "ic9_oc70_i5x6_k3x3_p1x1"),
    ("several tiles of a product in groups", "n2_ic18_oc76_i6x5_k3x3_s2x1_p1x1_g2"),
    ("an empty batch", "n0_ic2_oc3_i5x4_k3x3"),
    ("zero channels in", "n2_ic0_oc6_i5x4_k3x3_g3"),
    ("zero channels out", "n2_ic6_oc0_i5x4_k3x3_g2"),
];

const THREE_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic4_oc6_i5x6x9_k2x3x1_s2x1x3_p1x2x0_d1x2x1_g2"),
    ("depthwise", "ic3_oc3_i4x5x6_k2x2x3_s2x3x1_p1x0x1_g3"),
    ("slices over several planes", "n2_ic1_oc2_i7x9x8_k2x2x2_s1x2x1"),
];

/// Checks both gradients of the convolution and of the transposed convolution that the text describes.
async fn both<const R: usize>(gpu: &upconv::Gpu, text: &str) -> Outcome {
    let message = |error: upconv::Error| error.to_string();
    let fields = || Fields::<R>::parse(text);
    check(gpu, &fields().conv().grad_weight().map_err(message)?, text)
        .await
        .map_err(|error| format!("conv: {error}"))?;
    let bias: ConvBiasGrad<R> = fields().conv().grad_bias().map_err(message)?;
    check(gpu, &bias, text).await.map_err(|error| format!("bias: {error}"))?;
    let transposed = fields().conv_transpose();
    if transposed.geometry().is_err() {
        return Ok(()); // the padding leaves no output
    }
    check(gpu, &transposed.grad_weight().map_err(message)?, text)
        .await
        .map_err(|error| format!("conv_transpose: {error}"))?;
    check(gpu, &transposed.grad_bias().map_err(message)?, text)
        .await
        .map_err(|error| format!("bias, transposed: {error}"))
}

fn table<const R: usize>(rows: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = Row> {
    rows.iter()
        .map(|(name, text)| Row::new(format!("{R}d {name} [{text}]"), async move |gpu| both::<R>(gpu, text).await))
}

pub fn rows() -> Vec<Row> {
    table::<1>(ONE_AXIS).chain(table::<2>(TWO_AXES)).chain(table::<3>(THREE_AXES)).collect()
}
