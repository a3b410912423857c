//! Resampling against an oracle: along one axis, every mode of every framework is a matrix. The oracle computes it in
//! f64 as the framework's source or definition does, and the reference must give the same one, for many sizes.
//!
//! Where an exact coordinate lies on the boundary between two samples, the oracle decides exactly, as the crate does.
//! Libraries that add or multiply rounded steps may decide otherwise there; `Upsample`'s constructors say which ones.

mod images;
mod kernels;
mod onnx;
mod pytorch;
mod tensorflow;

use kernels::{Matrix, Row, snapped};
use ndarray::Array3;
use upconv::{AspectRatio, Op, OpencvInterpolation, Result, Separable, Upsample, Upsample1d, Upsample2d, UpsampleMode};

/// Every pair of sizes up to 24, and some of large or nearly equal sizes, or of large ratios.
fn sizes() -> Vec<[usize; 2]> {
    let large = [[29, 31], [37, 5], [97, 3], [101, 1], [64, 63], [128, 7], [200, 199], [61, 60], [300, 2]];
    let small = (1..=24).flat_map(|input| (1..=24).map(move |output| [input, output]));
    small.chain(large.into_iter().flat_map(|[one, other]| [[one, other], [other, one]])).collect()
}

fn base([input, output]: [usize; 2]) -> Upsample1d {
    Upsample { input_size: [input], output_size: [output], ..Default::default() }
}

/// Resizes the unit vectors, one an image, and compares each output's weights with the oracle's.
#[track_caller]
fn check(up: Result<Upsample1d>, oracle: &Matrix) {
    let up = up.unwrap();
    let ([input], [output]) = (up.input_size, up.output_size);
    let units = Array3::from_shape_fn((input, 1, input), |(image, _, i)| f32::from(u8::from(image == i))).into_dyn();
    let values = Upsample { batch: input, ..up.clone() }.reference(&[units.view()]).unwrap().values;
    let row = |q| (0..input).map(|i| values[[i, 0, q]]).collect();
    compare(&(0..output).map(row).collect::<Vec<Row>>(), oracle, &up.problem());
}

/// Outputs of which the framework makes nothing are left out.
#[track_caller]
fn compare(ours: &[Row], oracle: &Matrix, problem: &str) {
    assert_eq!(ours.len(), oracle.len(), "{problem}");
    for (q, (ours, theirs)) in ours.iter().zip(oracle).enumerate() {
        let Some(theirs) = theirs else { continue };
        let allowed = 1e-11 * theirs.iter().fold(1.0, |most: f64, weight| most.max(weight.abs()));
        let wrong = ours.iter().zip(theirs).any(|(ours, theirs)| (ours - theirs).abs() > allowed);
        assert!(!wrong, "{problem}, output {q}:\n{ours:?} where\n{theirs:?} was expected");
    }
}

#[test]
fn pytorch_by_sizes() {
    for size in sizes() {
        for mode in pytorch::MODES {
            check(Upsample::pytorch(base(size), mode), &pytorch::matrix(mode, size[0], size[1], None));
        }
    }
}

#[test]
fn pytorch_by_factors() {
    for input in 1..=24 {
        for factor in [0.5, 0.75, 1.0, 1.25, 2.5, 3.0, 0.3, 0.6, 1.1, 2.6] {
            let Ok(scaled) = base([input, 1]).with_scales([factor]) else { continue };
            assert_eq!(scaled.output_size, [snapped(input as f64 * factor).floor() as usize]);
            for mode in pytorch::MODES {
                let oracle = pytorch::matrix(mode, input, scaled.output_size[0], Some(factor));
                check(Upsample::pytorch(scaled.clone(), mode), &oracle);
            }
        }
    }
}

#[test]
fn tensorflow() {
    for size in sizes() {
        for antialias in [false, true] {
            for method in tensorflow::METHODS {
                let oracle = tensorflow::matrix(method, antialias, size[0], size[1]);
                check(Upsample::tensorflow(base(size), method, antialias), &oracle);
            }
        }
        for align_corners in [false, true] {
            for method in tensorflow::V1_METHODS {
                let oracle = tensorflow::v1_matrix(method, align_corners, size[0], size[1]);
                check(Upsample::tensorflow_v1(base(size), method, align_corners), &oracle);
            }
        }
    }
}

#[test]
fn onnx_by_sizes() {
    let modes: Vec<UpsampleMode> = onnx::NEAREST.into_iter().chain(onnx::continuous()).collect();
    for size in sizes() {
        for coordinates in onnx::COORDINATES {
            for &mode in &modes {
                let up = Upsample { mode, coordinates, extrapolation_value: 77.0, ..base(size) };
                check(Ok(up), &onnx::matrix(mode, coordinates, size, None, 77.0));
            }
        }
    }
}

#[test]
fn onnx_by_scales() {
    for input in 1..=24 {
        for scale in [0.5, 0.75, 1.0, 1.25, 2.5, 3.0, 0.3, 0.6, 1.1, 2.6] {
            let Ok(scaled) = base([input, 1]).with_scales([scale]) else { continue };
            for mode in onnx::NEAREST.into_iter().chain(onnx::continuous()) {
                for coordinates in onnx::COORDINATES {
                    let up = Upsample { mode, coordinates, extrapolation_value: 77.0, ..scaled.clone() };
                    let oracle = onnx::matrix(mode, coordinates, [input, up.output_size[0]], Some(scale), 77.0);
                    check(Ok(up), &oracle);
                }
            }
        }
    }
}

/// One scale for both axes; sizes rounded, halves up.
#[test]
fn onnx_by_aspect_ratios() {
    for [height, width] in sizes() {
        for sizes in [[5, 9], [12, 7], [24, 24], [1, 30]] {
            for policy in [AspectRatio::NotLarger, AspectRatio::NotSmaller] {
                let wanted = [sizes[0] as f64 / height as f64, sizes[1] as f64 / width as f64];
                let scale = match policy {
                    AspectRatio::NotLarger => wanted[0].min(wanted[1]),
                    _ => wanted[0].max(wanted[1]),
                };
                let rounded = [height, width].map(|size| (snapped(size as f64 * scale) + 0.5).floor() as usize);
                let image = Upsample2d { input_size: [height, width], ..Default::default() };
                match image.keep_aspect_ratio(sizes, policy) {
                    Ok(kept) => {
                        assert_eq!(kept.output_size, rounded, "{height}x{width} to {sizes:?}, {policy:?}");
                        assert_eq!(kept.scales, Some([scale.into(); 2]));
                    }
                    Err(error) => assert!(rounded.contains(&0), "{error}"),
                }
            }
        }
    }
}

#[test]
fn opencv() {
    for size in sizes() {
        for interpolation in images::OPENCV {
            let oracle = images::opencv(interpolation, size[1] <= size[0], size[0], size[1]);
            check(Upsample::opencv(base(size), interpolation), &oracle);
        }
    }
}

/// `INTER_AREA` looks at both axes: where one grows, neither is averaged.
#[test]
fn opencv_area_where_one_axis_grows() {
    for [input_size, output_size] in [[[7, 9], [5, 12]], [[4, 20], [9, 3]], [[6, 6], [6, 7]], [[6, 5], [6, 2]]] {
        let image = Upsample2d { input_size, output_size, ..Default::default() };
        let up = Upsample::opencv(image, OpencvInterpolation::Area).unwrap();
        let shrinks = output_size[0] <= input_size[0] && output_size[1] <= input_size[1];
        for axis in 0..2 {
            let table = up.taps(axis).unwrap();
            let dense =
                |q| kernels::row(input_size[axis], table.at(q).iter().map(|tap| (tap.index as f64, tap.weight)));
            let ours: Vec<Row> = (0..table.len()).map(dense).collect();
            let oracle = images::opencv(OpencvInterpolation::Area, shrinks, input_size[axis], output_size[axis]);
            compare(&ours, &oracle, &format!("axis {axis} of {}", up.problem()));
        }
    }
}

#[test]
fn pillow() {
    for size in sizes() {
        for resample in images::PILLOW {
            check(Upsample::pillow(base(size), resample), &images::pillow(resample, size[0], size[1]));
        }
    }
}

#[test]
fn scikit_image() {
    for size in sizes() {
        for order in images::SCIKIT {
            check(Upsample::scikit_image(base(size), order), &images::scikit_image(order, size[0], size[1]));
        }
        for sigma in [0.1, 0.5, 0.7, 1.0, 2.3, 5.0] {
            check(Upsample::blur(base(size), sigma), &images::blur(sigma, size[0]));
        }
    }
}
