//! Resize-convolution: an upsampling and a convolution without the tensor between them.

use upconv::{
    Activation, Conv, Coordinates, Error, Op, Padding, PytorchInterpolate, ResizeConv, Rounding, Upsample, UpsampleMode,
};

use crate::Row;
use crate::harness::{check, check_reals};
use crate::problems::Fields;

/// The convolution that the text describes, on an image of `input_size` upsampled to the convolution's input size.
fn layer<const R: usize>(text: &str, input_size: [usize; R], mode: PytorchInterpolate) -> Result<ResizeConv<R>, Error> {
    let conv = Fields::<R>::parse(text).conv();
    let base = Upsample {
        batch: conv.batch,
        channels: conv.in_channels,
        input_size,
        output_size: conv.input_size,
        ..Default::default()
    };
    Ok(ResizeConv { upsample: Upsample::pytorch(base, mode)?, conv })
}

fn rows_of<const R: usize>(name: &str, text: &'static str, input_size: [usize; R]) -> Vec<Row> {
    let row = |mode: PytorchInterpolate| {
        Row::new(format!("{R}d {name}, {mode:?} [{text}]"), async move |gpu| {
            let op = layer(text, input_size, mode).map_err(|error| error.to_string())?;
            match mode {
                // Nearest copies samples, so that sums of integers stay exact.
                PytorchInterpolate::Nearest => check(gpu, &op, text).await,
                _ => check_reals(gpu, &op, text).await,
            }
        })
    };
    [
        PytorchInterpolate::Nearest,
        PytorchInterpolate::Linear { align_corners: false },
        PytorchInterpolate::Cubic { align_corners: true },
    ]
    .into_iter()
    .map(row)
    .collect()
}

pub fn rows() -> Vec<Row> {
    let mut rows = rows_of("a layer of a generator", "n2_ic4_oc3_i8x10_k3x3_p1x1_b1", [4, 5]);
    rows.extend(rows_of("every number different", "n2_ic6_oc4_i9x14_k2x5_s3x2_p2x1_d3x2_g2_b1", [4, 9]));
    rows.extend(rows_of("downwards", "ic3_oc2_i4x3_k2x2", [7, 8]));
    rows.extend(rows_of("padding past the kernel", "ic2_oc2_i5_k3_p6_b1", [3]));
    rows.extend(rows_of("an empty batch", "n0_ic2_oc3_i6x6_k3x3", [3, 3]));
    rows.extend(rows_of("zero channels in", "n2_ic0_oc3_i6x6_k3x3_b1", [3, 3]));
    rows.extend(rows_of("zero channels out", "n2_ic2_oc0_i6x6_k3x3_b1", [3, 3]));
    rows.extend(rows_of("a volume", "ic2_oc3_i4x6x5_k2x3x2_s1x2x1_p1x0x1", [2, 3, 4]));
    rows.push(Row::new("2d a crop with an extrapolation value and an activation", async move |gpu| {
        let conv = Conv {
            in_channels: 2,
            out_channels: 3,
            input_size: [6, 7],
            kernel_size: [3, 2],
            padding: Padding::SameUpper,
            activation: Activation::LeakyRelu { slope: 0.5 },
            ..Default::default()
        };
        let upsample = Upsample {
            channels: 2,
            input_size: [4, 5],
            output_size: [6, 7],
            coordinates: Coordinates::TfCropAndResize { roi: [[-0.4, 0.9], [0.1, 1.3]] },
            mode: UpsampleMode::Linear,
            extrapolation_value: 3.5,
            ..Default::default()
        };
        check_reals(gpu, &ResizeConv { upsample: upsample.clone(), conv: conv.clone() }, "crop").await?;
        let nearest = Upsample { mode: UpsampleMode::Nearest(Rounding::PreferCeil), ..upsample };
        check_reals(gpu, &ResizeConv { upsample: nearest, conv }, "crop").await
    }));
    rows.push(Row::new("what does not fit together is refused", async move |_| {
        let refused = ResizeConv::<2>::default();
        let conv = Conv { in_channels: 2, ..refused.conv.clone() };
        match (ResizeConv { conv, ..refused }).output() {
            Err(Error::Shape { operand: "upsampled input", .. }) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }));
    rows
}
