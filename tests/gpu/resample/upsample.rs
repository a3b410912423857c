//! Upsampling: every mode with every coordinate convention, up and down, in one to three dimensions.

use upconv::gpu::GpuOp;
use upconv::{
    Border, Coordinates, Filter, PlanOptions, PytorchInterpolate, Rounding, Scale, Upsample, Upsample1d, Upsample2d,
    Upsample3d, UpsampleMode,
};

use crate::Row;
use crate::harness::{Data, check_reals, compare, inputs, run_plan};

const MODES: [(&str, UpsampleMode); 14] = [
    ("nearest floor", UpsampleMode::Nearest(Rounding::Floor)),
    ("nearest ceil", UpsampleMode::Nearest(Rounding::Ceil)),
    ("nearest prefer floor", UpsampleMode::Nearest(Rounding::PreferFloor)),
    ("nearest prefer ceil", UpsampleMode::Nearest(Rounding::PreferCeil)),
    ("linear", UpsampleMode::Linear),
    ("cubic -0.75", UpsampleMode::Cubic { a: -0.75, exclude_outside: false }),
    ("cubic -0.5", UpsampleMode::Cubic { a: -0.5, exclude_outside: false }),
    ("cubic -0.5 exclude outside", UpsampleMode::Cubic { a: -0.5, exclude_outside: true }),
    (
        "triangle antialiased",
        UpsampleMode::Filtered { filter: Filter::Triangle, antialias: true, border: Border::Renormalise },
    ),
    (
        "lanczos 3",
        UpsampleMode::Filtered { filter: Filter::Lanczos { lobes: 3 }, antialias: false, border: Border::Renormalise },
    ),
    (
        "gaussian antialiased",
        UpsampleMode::Filtered { filter: Filter::Gaussian, antialias: true, border: Border::Renormalise },
    ),
    ("onnx antialias", UpsampleMode::OnnxAntialias { filter: Filter::Cubic { a: -0.75 }, exclude_outside: true }),
    ("area", UpsampleMode::Area),
    ("adaptive area", UpsampleMode::AdaptiveArea),
];

const fn filtered(filter: Filter, antialias: bool, border: Border) -> UpsampleMode {
    UpsampleMode::Filtered { filter, antialias, border }
}

/// Modes that are not checked with every coordinate convention.
const OTHER_MODES: [(&str, UpsampleMode); 10] = [
    ("box", filtered(Filter::Box, true, Border::Renormalise)),
    ("hamming", filtered(Filter::Hamming, true, Border::Renormalise)),
    ("mitchell", filtered(Filter::Mitchell, false, Border::Renormalise)),
    ("mitchell antialiased", filtered(Filter::Mitchell, true, Border::Renormalise)),
    ("cubic edge repeated", filtered(Filter::Cubic { a: -0.5 }, false, Border::Repeat)),
    ("lanczos edge repeated antialiased", filtered(Filter::Lanczos { lobes: 4 }, true, Border::Repeat)),
    ("cubic spline", filtered(Filter::CubicSpline, false, Border::Repeat)),
    ("blur", filtered(Filter::Blur { sigma: 1.3 }, false, Border::Repeat)),
    ("tensorflow 1 cubic", UpsampleMode::CubicTable { a: -0.75, exclude_outside: false }),
    ("tensorflow 2 cubic", UpsampleMode::CubicTable { a: -0.5, exclude_outside: true }),
];

fn coordinates<const R: usize>() -> [Coordinates<R>; 8] {
    [
        Coordinates::HalfPixel,
        Coordinates::AlignCorners,
        Coordinates::Asymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::TfHalfPixelForNn,
        Coordinates::HalfPixelSymmetric,
        Coordinates::TfCropAndResize { roi: [[-0.3, 1.2]; R] },
        Coordinates::TfCropAndResize { roi: [[0.9, 0.2]; R] },
    ]
}

/// On one pair of sizes, a row for each coordinate convention, which checks every mode.
fn every_mode<const R: usize>(base: Upsample<R>) -> impl Iterator<Item = Row> {
    coordinates::<R>().into_iter().map(move |coordinates| {
        let base = Upsample { coordinates, extrapolation_value: -7.5, ..base.clone() };
        let name = format!("{R}d {:?} to {:?} {coordinates:?}", base.input_size, base.output_size);
        Row::new(name.clone(), async move |gpu| {
            for (mode_name, mode) in MODES {
                let named = |error| format!("{mode_name}: {error}");
                let up = Upsample { mode, ..base.clone() };
                check_reals(gpu, &up, &name).await.map_err(named)?;
                let gradient = check_reals(gpu, &up.grad_input(), &name).await;
                gradient.map_err(|error| format!("gradient: {error}")).map_err(named)?;
            }
            Ok(())
        })
    })
}

/// The modes that [`MODES`] lacks, up, down, both, and at the same size.
fn other_modes() -> impl Iterator<Item = Row> {
    let sizes = [([5, 7], [13, 9]), ([9, 17], [4, 6]), ([4, 9], [9, 4]), ([6, 5], [6, 5])];
    let planes = Upsample2d { batch: 2, channels: 3, coordinates: Coordinates::HalfPixel, ..Default::default() };
    let area = ("opencv area", UpsampleMode::Linear, Coordinates::OpenCvArea);
    let modes = OTHER_MODES.into_iter().map(|(name, mode)| (name, mode, Coordinates::HalfPixel)).chain([area]);
    modes.map(move |(name, mode, coordinates)| {
        let planes = Upsample2d { mode, coordinates, ..planes.clone() };
        Row::new(format!("2d {name}"), async move |gpu| {
            for (input_size, output_size) in sizes {
                let up = Upsample2d { input_size, output_size, ..planes.clone() };
                let named = |error| format!("{input_size:?} to {output_size:?}: {error}");
                check_reals(gpu, &up, name).await.map_err(named)?;
                check_reals(gpu, &up.grad_input(), name).await.map_err(named)?;
            }
            Ok(())
        })
    })
}

pub fn rows() -> Vec<Row> {
    let planes = Upsample2d { batch: 2, channels: 3, ..Default::default() };
    let mut rows: Vec<Row> = Vec::new();
    for (input_size, output_size) in [([5, 7], [13, 9]), ([9, 6], [4, 5]), ([3, 4], [1, 4])] {
        rows.extend(every_mode(Upsample2d { input_size, output_size, ..planes.clone() }));
    }
    let scaled = Upsample2d {
        input_size: [5, 4],
        output_size: [13, 10],
        scales: Some([2.7, 2.5].map(Scale::F64)),
        ..planes.clone()
    };
    rows.extend(every_mode(scaled).map(|row| Row { name: format!("{} by scales", row.name), ..row }));
    rows.extend(every_mode(Upsample1d { channels: 2, input_size: [7], output_size: [16], ..Default::default() }));
    rows.extend(every_mode(Upsample3d { input_size: [2, 3, 4], output_size: [3, 5, 2], ..Default::default() }));
    rows.extend(other_modes());
    let none = Upsample2d { channels: 0, input_size: [3, 4], output_size: [5, 2], ..planes.clone() };
    rows.extend(every_mode(none).map(|row| Row { name: format!("{} without channels", row.name), ..row }));
    let adaptive = Upsample2d { input_size: [3, 4], mode: UpsampleMode::AdaptiveArea, ..planes.clone() };
    rows.push(Row::new("2d adaptive area to zero samples", async move |gpu| {
        for output_size in [[0, 2], [3, 0], [0, 0]] {
            check_reals(gpu, &Upsample2d { output_size, ..adaptive.clone() }, "none").await?;
        }
        Ok(())
    }));
    rows.push(Row::new("1d a side past 2048", async move |gpu| {
        let base = Upsample1d { input_size: [2500], output_size: [5003], ..Default::default() };
        check_reals(
            gpu,
            &Upsample1d::pytorch(base, PytorchInterpolate::NearestExact).map_err(|e| e.to_string())?,
            "long",
        )
        .await
    }));
    rows.push(Row::new("2d nearest by the general shader", async move |gpu| {
        let up = Upsample2d { channels: 3, input_size: [4, 7], output_size: [9, 5], ..Default::default() };
        for recipe in up.recipes(gpu.planner().capabilities(), &PlanOptions::default()) {
            let options = PlanOptions { recipe: Some(recipe), ..Default::default() };
            let plan = gpu.planner().plan_with(&up, &options).map_err(|e| e.to_string())?;
            let inputs = inputs(&up, "recipes", Data::Reals)?;
            compare(&up, &inputs, &run_plan(gpu, &up, &plan, &options, &inputs).await?, Data::Integers)?;
        }
        Ok(())
    }));
    // A thread computes several channels; the last block may have fewer.
    for channels in [5, 13] {
        rows.push(Row::new(format!("2d {channels} channels"), async move |gpu| {
            let up = Upsample2d { batch: 2, channels, input_size: [5, 4], output_size: [9, 7], ..Default::default() };
            for (name, mode) in &MODES[3..6] {
                let up = Upsample { mode: *mode, ..up.clone() };
                check_reals(gpu, &up, name).await.map_err(|error| format!("{name}: {error}"))?;
            }
            Ok(())
        }));
    }
    rows.push(Row::new("2d an empty batch", async move |gpu| {
        check_reals(gpu, &Upsample2d { batch: 0, input_size: [3, 4], output_size: [6, 8], ..planes.clone() }, "empty")
            .await
    }));
    rows
}
