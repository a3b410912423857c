//! Literals of other libraries, and taps by hand.

use ndarray::{ArrayD, IxDyn};

use super::*;
use super::{Upsample1d, Upsample2d};
use crate::error::Error;
use crate::ops::resample::frameworks::{
    AspectRatio, PillowResample, PytorchInterpolate, TensorflowResize, TensorflowV1Resize,
};

fn line(input: usize, output: usize, mode: UpsampleMode, coordinates: Coordinates<1>) -> Upsample1d {
    Upsample { input_size: [input], output_size: [output], mode, coordinates, ..Default::default() }
}

fn indices(up: &Upsample1d) -> Vec<usize> {
    up.taps(0).unwrap().entries().iter().map(|tap| tap.index).collect()
}

fn values(up: &Upsample1d, input: &[f32]) -> Vec<f64> {
    let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, input.len()]), input.to_vec()).unwrap();
    up.reference(&[x.view()]).unwrap().values.iter().copied().collect()
}

#[test]
fn nearest_picks_pytorchs_samples() {
    let nearest = |input, output, mode| {
        let base = Upsample1d { input_size: [input], output_size: [output], ..Default::default() };
        indices(&Upsample::pytorch(base, mode).unwrap())
    };
    assert_eq!(nearest(3, 7, PytorchInterpolate::Nearest), [0, 0, 0, 1, 1, 2, 2]);
    assert_eq!(nearest(3, 7, PytorchInterpolate::NearestExact), [0, 0, 1, 1, 1, 2, 2]);
    assert_eq!(nearest(7, 3, PytorchInterpolate::Nearest), [0, 2, 4]);
    assert_eq!(nearest(7, 3, PytorchInterpolate::NearestExact), [1, 3, 5]);
    // In f32, 49 * (1/49) is below 1; exact fractions avoid that.
    assert_eq!(nearest(49, 49, PytorchInterpolate::Nearest), (0..49).collect::<Vec<_>>());
}

#[test]
fn onnx_roundings_differ_at_ties() {
    let pick = |rounding| indices(&line(2, 8, UpsampleMode::Nearest(rounding), Coordinates::Asymmetric));
    assert_eq!(pick(Rounding::PreferFloor), [0, 0, 0, 1, 1, 1, 1, 1]);
    assert_eq!(pick(Rounding::PreferCeil), [0, 0, 1, 1, 1, 1, 1, 1]);
    assert_eq!(pick(Rounding::Floor), [0, 0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(pick(Rounding::Ceil), [0, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn coordinate_conventions_by_hand() {
    let linear = |coordinates| values(&line(3, 6, UpsampleMode::Linear, coordinates), &[0.0, 10.0, 20.0]);
    assert_eq!(linear(Coordinates::HalfPixel), [0.0, 2.5, 7.5, 12.5, 17.5, 20.0]);
    assert_eq!(linear(Coordinates::AlignCorners), [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
    assert_eq!(linear(Coordinates::Asymmetric), [0.0, 5.0, 10.0, 15.0, 20.0, 20.0]);
    let one = |coordinates| values(&line(3, 1, UpsampleMode::Linear, coordinates), &[0.0, 10.0, 20.0])[0];
    assert_eq!(one(Coordinates::HalfPixel), 10.0);
    assert_eq!(one(Coordinates::PytorchHalfPixel), 0.0);
    assert_eq!(one(Coordinates::AlignCorners), 0.0);
    assert_eq!(one(Coordinates::TfCropAndResize { roi: [[0.5, 1.0]] }), 15.0);
}

#[test]
fn crops_extrapolate_outside() {
    let crop = Upsample {
        extrapolation_value: -1.0,
        ..line(3, 5, UpsampleMode::Linear, Coordinates::TfCropAndResize { roi: [[-0.5, 1.5]] })
    };
    // x = -1, 0, 1, 2, 3
    assert_eq!(values(&crop, &[1.0, 2.0, 3.0]), [-1.0, 1.0, 2.0, 3.0, -1.0]);
}

#[test]
fn scales_shift_the_symmetric_convention() {
    // 5 samples by 0.5 are 2.5, taken as 2: the centre stays the centre.
    let base = line(5, 2, UpsampleMode::Linear, Coordinates::HalfPixelSymmetric);
    let scaled = Upsample { scales: Some([Scale::F64(0.5)]), ..base };
    assert_eq!(values(&scaled, &[0.0, 1.0, 2.0, 3.0, 4.0]), [1.0, 3.0]);
    let half_pixel = Upsample { coordinates: Coordinates::HalfPixel, ..scaled };
    assert_eq!(values(&half_pixel, &[0.0, 1.0, 2.0, 3.0, 4.0]), [0.5, 2.5]);
}

#[test]
fn cubic_weights_are_keys() {
    let quarter = line(4, 8, UpsampleMode::Cubic { a: -0.75, exclude_outside: false }, Coordinates::HalfPixel);
    let table = quarter.taps(0).unwrap();
    let weights: Vec<f64> = table.at(3).iter().map(|tap| tap.weight).collect();
    assert_eq!(weights, [-0.10546875, 0.87890625, 0.26171875, -0.03515625]);
    let excluding = Upsample { mode: UpsampleMode::Cubic { a: -0.75, exclude_outside: true }, ..quarter };
    let edge = excluding.taps(0).unwrap();
    // Output 0 lies at -0.25: of its samples -2, -1, 0 and 1, two are left.
    assert_eq!(edge.at(0).iter().map(|tap| tap.index).collect::<Vec<_>>(), [0, 1]);
    for q in 0..8 {
        assert!((edge.at(q).iter().map(|tap| tap.weight).sum::<f64>() - 1.0).abs() < 1e-15);
    }
}

/// TensorFlow 2.21's own numbers: the fractions, sevenths, are rounded to multiples of 1/1024.
#[test]
fn tensorflows_cubic_is_looked_up_in_a_table() {
    let base = Upsample1d { input_size: [4], output_size: [7], ..Default::default() };
    let current = Upsample::tensorflow(base.clone(), TensorflowResize::Bicubic, false).unwrap();
    let legacy = |corners| Upsample::tensorflow_v1(base.clone(), TensorflowV1Resize::Bicubic, corners).unwrap();
    let far = |up: &Upsample1d, expected: [f64; 7]| {
        let ours = values(up, &[1.0, 5.0, -2.0, 3.0]);
        ours.iter().zip(expected).map(|(ours, expected)| (ours - expected).abs()).fold(0.0, f64::max)
    };
    let expected = [0.683_134_4, 2.477_025_5, 5.034_063_3, 1.4375, -1.988_904_2, 1.220_610_4, 3.396_081_7];
    assert!(far(&current, expected) < 1e-6);
    let exact = UpsampleMode::Cubic { a: -0.5, exclude_outside: true };
    assert!(far(&Upsample { mode: exact, ..current }, expected) > 1e-3);
    let expected = [1.0, 4.054_650_3, 4.403_979_8, -0.521_436_2, -1.444_076_9, 2.304_837_9, 3.524_695_9];
    assert!(far(&legacy(false), expected) < 1e-6);
    assert!(far(&legacy(true), [1.0, 3.656_25, 5.0, 1.406_25, -2.0, -0.156_25, 3.0]) < 1e-6);
}

/// From 17 to 6, sample 8 is where two boxes meet. Pillow 13 counts it to the first.
#[test]
fn pillows_box_ends_where_pillow_rounds() {
    let base = Upsample1d { input_size: [17], output_size: [6], ..Default::default() };
    let up = Upsample::pillow(base, PillowResample::Box).unwrap();
    assert_eq!(indices(&up), (0..17).collect::<Vec<_>>());
    let table = up.taps(0).unwrap();
    assert_eq!(std::array::from_fn(|q| table.at(q).len()), [3, 3, 3, 2, 3, 3]);
}

/// From 11 to 10, output 3 is at 3.85: sample 5, whose centre is 1.65 = 1.5 * 1.1 away, is at the filter's end.
#[test]
fn a_gaussian_has_no_weight_at_its_end() {
    let base = Upsample1d { input_size: [11], output_size: [10], ..Default::default() };
    let up = Upsample::tensorflow(base, TensorflowResize::Gaussian, true).unwrap();
    assert_eq!(up.taps(0).unwrap().at(3).iter().map(|tap| tap.index).collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_sample_of_weight_0_takes_no_part() {
    for mode in [UpsampleMode::Linear, UpsampleMode::Cubic { a: -0.75, exclude_outside: false }] {
        let same = values(&line(3, 3, mode, Coordinates::AlignCorners), &[1.0, f32::NAN, 3.0]);
        assert_eq!((same[0], same[2]), (1.0, 3.0));
        assert!(same[1].is_nan());
    }
}

/// Bilinear from 5 to 2 with antialiasing, with the weights of PyTorch's `antialias=True`: centres at 1.25 and 3.75,
/// reach 2.5.
#[test]
fn antialiasing_widens_the_filter() {
    let base = Upsample1d { input_size: [5], output_size: [2], ..Default::default() };
    let filter = Filter::Triangle;
    let up = Upsample::pytorch(base.clone(), PytorchInterpolate::Antialias { filter, align_corners: false }).unwrap();
    let table = up.taps(0).unwrap();
    // Distances -0.75, 0.25, 1.25 and 2.25 over 2.5: 0.7, 0.9, 0.5 and 0.1, which sum to 2.2.
    for (q, expected) in [(0, [7.0, 9.0, 5.0, 1.0]), (1, [1.0, 5.0, 9.0, 7.0])] {
        let weights = table.at(q).iter().map(|tap| tap.weight * 22.0);
        assert!(weights.zip(expected).all(|(weight, expected): (f64, f64)| (weight - expected).abs() < 1e-12), "{q}");
        assert_eq!(table.at(q).len(), 4);
    }
    // A filter is not widened where the output is larger.
    let larger = Upsample1d { output_size: [11], ..base };
    let widened = Upsample::tensorflow(larger.clone(), TensorflowResize::Lanczos3, true).unwrap();
    let plain = Upsample::tensorflow(larger, TensorflowResize::Lanczos3, false).unwrap();
    assert_eq!(widened.taps(0), plain.taps(0));
    for lobes in [0, 17] {
        let mode =
            UpsampleMode::Filtered { filter: Filter::Lanczos { lobes }, antialias: true, border: Border::Renormalise };
        assert!(matches!(Upsample { mode, ..plain.clone() }.output(), Err(Error::InvalidParameter { .. })));
    }
}

#[test]
fn onnx_counts_as_many_samples_on_either_side() {
    // Four samples at scale 0.6, half-pixel: x = 1/3; reach floor(1/0.6) = 1; samples -1 to 2 at 0.6 times 4/3, 1/3,
    // 2/3, 5/3.
    let mode = |exclude_outside| UpsampleMode::OnnxAntialias { filter: Filter::Triangle, exclude_outside };
    let base = line(4, 2, mode(false), Coordinates::HalfPixel);
    let repeated = Upsample { scales: Some([Scale::F64(0.6)]), ..base };
    let total = 0.2 + 0.8 + 0.6;
    // The repeated edge is one tap.
    let expected = [(0, 1.0 / total), (1, 0.6 / total)];
    let check = |up: &Upsample1d, expected: &[(usize, f64)]| {
        let table = up.taps(0).unwrap();
        let heavy: Vec<_> = table.at(0).iter().filter(|tap| tap.weight > 1e-12).collect();
        assert_eq!(heavy.len(), expected.len(), "{heavy:?}");
        for (tap, (index, weight)) in heavy.iter().zip(expected) {
            assert!(tap.index == *index && (tap.weight - weight).abs() < 1e-12, "{tap:?}");
        }
    };
    check(&repeated, &expected);
    check(&Upsample { mode: mode(true), ..repeated }, &[(0, 0.8 / 1.4), (1, 0.6 / 1.4)]);
    // Where the output is larger, it is plain linear interpolation.
    let plain = line(4, 8, UpsampleMode::Linear, Coordinates::HalfPixel);
    let data = [1.0, 5.0, -2.0, 3.0];
    assert_eq!(values(&line(4, 8, mode(false), Coordinates::HalfPixel), &data), values(&plain, &data));
}

/// The outputs that an infinity takes part in, and no others, are infinite, and must be.
#[test]
fn an_infinity_stays_where_it_is() {
    let up = line(5, 10, UpsampleMode::Linear, Coordinates::HalfPixel);
    let gradient = Upsample { input_size: [10], output_size: [5], ..up.clone() }.grad_input();
    let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, 5]), vec![1.0, 2.0, 3.0, 4.0, f32::INFINITY]).unwrap();
    for reference in [up.reference(&[x.view()]).unwrap(), gradient.reference(&[x.view()]).unwrap()] {
        let at = [0, 4, 9].map(|q| reference.values[[0, 0, q]]);
        assert_eq!(at.map(f64::is_finite), [true, true, false]);
        assert_eq!(reference.bound(&[0, 0, 9]), 0.0);
    }
}

#[test]
fn a_window_without_end_is_refused() {
    let mode = UpsampleMode::OnnxAntialias { filter: Filter::Triangle, exclude_outside: false };
    let narrow = Upsample { scales: Some([Scale::F64(1e-8)]), ..line(5, 1, mode, Coordinates::HalfPixel) };
    assert!(matches!(narrow.taps(0), Err(Error::TooLarge { value: 200_000_000, .. })), "{:?}", narrow.taps(0).err());
}

#[test]
fn sizes_from_scales_and_aspect_ratios() {
    let base = Upsample2d { input_size: [4, 10], ..Default::default() };
    let scaled = base.clone().with_scales([0.6, 1.55]).unwrap();
    assert_eq!((scaled.output_size, scaled.scales), ([2, 15], Some([Scale::F64(0.6), Scale::F64(1.55)])));
    let fit = |policy| base.clone().keep_aspect_ratio([7, 8], policy).unwrap().output_size;
    assert_eq!(fit(AspectRatio::NotLarger), [3, 8]);
    assert_eq!(fit(AspectRatio::NotSmaller), [7, 18]);
    assert!(matches!(base.clone().with_scales([0.1, 1.0]), Err(Error::ZeroOnAxis { what: "output_size", axis: 0 })));
    assert!(matches!(base.with_scales([f64::NAN, 1.0]), Err(Error::InvalidParameter { .. })));
}

/// Where `q / F` is a whole number, the sample of that index is taken.
#[test]
fn a_scale_is_a_fraction() {
    let nearest = |input, scale: Scale| {
        let base = Upsample1d { input_size: [input], ..Default::default() }.with_scales([scale]).unwrap();
        indices(&Upsample::pytorch(base, PytorchInterpolate::Nearest).unwrap())
    };
    // PyTorch's samples; in f64, 11 / 1.1 is below 10.
    let eleven_tenths = nearest(24, Scale::F64(1.1));
    assert_eq!((eleven_tenths.len(), &eleven_tenths[9..13]), (26, &[8, 9, 10, 10][..]));
    assert_eq!(eleven_tenths, nearest(24, Scale::F32(1.1)));
    assert_eq!(nearest(12, Scale::F32(1.0 / 3.0)), [0, 3, 6, 9]);
    assert_eq!(nearest(12, Scale::F64(1.0 / 3.0)), [0, 3, 6, 9]);
    assert_eq!(nearest(10, Scale::F32(0.7)), [0, 1, 2, 4, 5, 7, 8]);
}

/// ONNX's reference computes in f64 with the value of the f32, not with 112/353, which is 0.00003 samples away.
#[test]
fn weights_use_the_floats_own_value() {
    let scale = Scale::F32(224.0 / 706.0);
    let base = Upsample1d { input_size: [706], ..Default::default() }.with_scales([scale]).unwrap();
    let up = Upsample::pytorch(base, PytorchInterpolate::Linear { align_corners: false }).unwrap();
    let x: f64 = up.taps(0).unwrap().at(222).iter().map(|tap| tap.index as f64 * tap.weight).sum();
    assert_eq!(up.output_size, [223]);
    assert!((x - (222.5 / f64::from(224.0f32 / 706.0) - 0.5)).abs() < 1e-12, "{x}");
    assert!((x - (222.5 * 353.0 / 112.0 - 0.5)).abs() > 2e-5, "{x}");
}

#[test]
fn an_aspect_ratio_is_a_fraction() {
    // 45 samples by 7/10 are 31.5, rounded up to 32; in f64, 45 * 0.7 is below 31.5.
    let base = Upsample2d { input_size: [10, 45], ..Default::default() };
    assert_eq!(base.keep_aspect_ratio([7, 45], AspectRatio::NotLarger).unwrap().output_size, [7, 32]);
}

#[test]
fn nothing_is_promised_where_a_row_may_overflow() {
    let up = line(4, 8, UpsampleMode::Cubic { a: -0.75, exclude_outside: false }, Coordinates::HalfPixel);
    let x = ArrayD::from_elem(IxDyn(&[1, 1, 4]), 1.6e38f32);
    assert_eq!(up.reference(&[x.view()]).unwrap().bound(&[0, 0, 3]), f64::INFINITY);
}

#[test]
fn the_tutorials_bilinear_is_half_pixel_rounded_down() {
    let base = Upsample2d { input_size: [2, 2], output_size: [4, 4], ..Default::default() };
    let up = Upsample::pytorch(base, PytorchInterpolate::Linear { align_corners: false }).unwrap();
    let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, 2, 2]), vec![10.0, 20.0, 30.0, 40.0]).unwrap();
    let floor: Vec<f64> = up.reference(&[x.view()]).unwrap().values.iter().map(|value| value.floor()).collect();
    assert_eq!(floor[..8], [10.0, 12.0, 17.0, 20.0, 15.0, 17.0, 22.0, 25.0]);
}

#[test]
fn broken_descriptors_are_refused_with_their_numbers() {
    let fine = line(3, 5, UpsampleMode::Linear, Coordinates::HalfPixel);
    assert_eq!(
        Upsample { output_size: [0], ..fine.clone() }.output(),
        Err(Error::ZeroOnAxis { what: "output_size", axis: 0 })
    );
    // PyTorch's adaptive pooling of no outputs, which has no gradient there.
    let none = Upsample { output_size: [0], mode: UpsampleMode::AdaptiveArea, ..fine.clone() };
    assert_eq!(none.output().unwrap().shape, [1, 1, 0]);
    assert_eq!(none.taps(0).unwrap().len(), 0);
    let gradient = none.grad_input();
    let refused = Error::ZeroOnAxis { what: "output_size", axis: 0 };
    assert_eq!([gradient.inputs().err(), gradient.output().err()], [Some(refused.clone()), Some(refused)]);
    assert_eq!(Upsample { channels: 0, ..fine.clone() }.output().unwrap().shape, [1, 0, 5]);
    let huge = Upsample { output_size: [1 << 31], ..fine.clone() };
    assert!(matches!(huge.output(), Err(Error::TooLarge { .. })));
    for broken in [
        Upsample { scales: Some([Scale::F64(f64::NAN)]), ..fine.clone() },
        Upsample { scales: Some([Scale::F32(0.0)]), ..fine.clone() },
        Upsample { coordinates: Coordinates::TfCropAndResize { roi: [[0.0, f64::INFINITY]] }, ..fine.clone() },
        Upsample { mode: UpsampleMode::Cubic { a: f64::NAN, exclude_outside: false }, ..fine },
    ] {
        assert!(matches!(broken.output(), Err(Error::InvalidParameter { .. })), "{broken:?}");
    }
}

#[test]
fn a_filter_widened_over_a_repeated_edge_is_onnxs() {
    let base = Upsample2d {
        input_size: [7, 9],
        output_size: [3, 4],
        coordinates: Coordinates::HalfPixel,
        ..Default::default()
    };
    let filter = Filter::Cubic { a: -0.75 };
    let ours = UpsampleMode::Filtered { filter, antialias: true, border: Border::Repeat };
    let onnx = UpsampleMode::OnnxAntialias { filter, exclude_outside: false };
    for axis in 0..2 {
        let table = |mode| Upsample2d { mode, ..base.clone() }.taps(axis).unwrap();
        assert_eq!(table(ours), table(onnx));
    }
    assert_eq!([ours.to_string(), onnx.to_string()], ["cubic(-0.75) antialias edge", "cubic(-0.75) onnx_antialias"]);
}
