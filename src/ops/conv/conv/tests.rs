//! Sizes in every convention by hand, and the reference against literals.

use ndarray::{ArrayD, IxDyn};

use super::*;
use super::{Conv1d, Conv2d};

fn layer(input: usize, kernel: usize, stride: usize, dilation: usize) -> Conv1d {
    Conv { input_size: [input], kernel_size: [kernel], stride: [stride], dilation: [dilation], ..Default::default() }
}

#[test]
fn sizes_of_every_padding() {
    for (conv, padding, size, pads) in [
        (layer(7, 3, 1, 1), Padding::default(), 5, [0, 0]),
        (layer(7, 3, 2, 2), Padding::from([2]), 4, [2, 2]),
        (layer(7, 3, 2, 1), Padding::Explicit([[1, 2]]), 4, [1, 2]),
        (layer(7, 3, 1, 1), Padding::Explicit([[-1, -2]]), 2, [-1, -2]),
        (layer(7, 3, 2, 1), Padding::Valid, 3, [0, 0]),
        (layer(7, 3, 2, 1), Padding::SameUpper, 4, [1, 1]),
        (layer(8, 3, 2, 1), Padding::SameUpper, 4, [0, 1]),
        (layer(8, 3, 2, 1), Padding::SameLower, 4, [1, 0]),
        (layer(8, 4, 1, 3), Padding::SameUpper, 8, [4, 5]),
        (layer(8, 1, 3, 1), Padding::SameUpper, 3, [0, 0]),
    ] {
        let conv = Conv { padding, ..conv };
        assert_eq!((conv.output().unwrap().shape[2], conv.pads().unwrap()), (size, [pads]), "{padding:?}");
    }
}

#[test]
fn broken_descriptors_are_refused_with_their_numbers() {
    let error = |conv: Conv1d| conv.geometry().unwrap_err();
    assert_eq!(error(Conv { stride: [0], ..layer(5, 3, 1, 1) }), Error::ZeroOnAxis { what: "stride", axis: 0 });
    assert_eq!(error(layer(5, 0, 1, 1)), Error::ZeroOnAxis { what: "kernel_size", axis: 0 });
    assert_eq!(error(layer(5, 3, 1, 3)), Error::KernelTooLarge { axis: 0, span: 7, padded: 5 });
    let cropped = Conv { padding: Padding::Explicit([[-4, -4]]), ..layer(5, 1, 1, 1) };
    assert_eq!(error(cropped), Error::KernelTooLarge { axis: 0, span: 1, padded: -3 });
    let grouped = Conv { groups: 3, in_channels: 4, out_channels: 3, ..layer(5, 3, 1, 1) };
    assert_eq!(error(grouped), Error::Groups { groups: 3, what: "in_channels", channels: 4 });
    for huge in [
        layer(usize::MAX, 3, 1, 1),
        layer(1 << 32, 3, 1, 1),
        Conv { padding: Padding::Explicit([[i64::MAX, i64::MAX]]), ..layer(5, 3, 1, 1) },
        Conv { stride: [usize::MAX], ..layer(5, 3, 1, 1) },
        Conv { batch: usize::MAX, ..layer(5, 3, 1, 1) },
        Conv { padding: Padding::SameUpper, ..layer(5, usize::MAX, 1, 7) },
    ] {
        assert!(matches!(error(huge.clone()), Error::TooLarge { .. }), "{huge:?}");
    }
    assert!(matches!(Conv2d::from_shapes(&[1, 4, 5, 5], &[2, 3, 3, 3], 1), Err(Error::Shape { .. })));
    assert!(Conv2d::from_shapes(&[1, 6, 5, 5], &[2, 3, 3, 3], 2).is_ok());
}

#[test]
fn a_small_case_by_hand() {
    let conv = Conv { bias: true, padding: Padding::Explicit([[1, 0]]), ..layer(4, 2, 2, 2) };
    let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, 4]), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    let w = ArrayD::from_shape_vec(IxDyn(&[1, 1, 2]), vec![10.0, 100.0]).unwrap();
    let bias = ArrayD::from_elem(IxDyn(&[1]), 0.5);
    // The windows begin at -1 and 1: 0*10 + 2*100, 2*10 + 4*100.
    let reference = conv.reference(&[x.view(), w.view(), bias.view()]).unwrap();
    assert_eq!(reference.values.iter().copied().collect::<Vec<_>>(), [200.5, 420.5]);
    assert_eq!(reference.roundings, 2 + 2 + 1);
}

#[test]
fn costs_count_taps_that_meet_samples() {
    let conv = Conv2d { in_channels: 256, out_channels: 64, input_size: [56, 56], ..Default::default() };
    let cost = conv.cost().unwrap();
    assert_eq!(cost.flops, 2 * 256 * 64 * 56 * 56);
    assert_eq!(cost.bytes, 4 * (256 * 56 * 56 + 256 * 64 + 64 * 56 * 56));
}
