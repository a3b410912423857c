//! Convolution: each row has a geometry in which one kind of mistake would show.

use upconv::{Conv2d, Padding};

use crate::Row;
use crate::harness::check;
use crate::problems::Fields;

const ONE_AXIS: &[(&str, &str)] = &[
    ("one tap", "ic2_oc3_i5"),
    ("stride past the kernel", "n2_ic2_oc3_i11_k2_s5_b1"),
    ("padding past the kernel", "ic2_oc2_i5_k3_p6_b1"),
    ("padding past the dilated kernel", "ic2_oc2_i5_k3_d4_p17"),
    ("negative padding crops", "ic2_oc2_i9_k3_p-2:-1"),
    ("dilation larger than the input", "ic1_oc2_i3_k2_d5_p4"),
    ("one output", "ic3_oc2_i7_k7"),
    ("an empty batch", "n0_ic2_oc3_i5_k3"),
    ("zero samples, only padding", "n2_ic2_oc3_i0_k3_p3_b1"),
    ("a stride that is never taken", "ic2_oc3_i5_k3_s70000_p0:1_b1"),
    ("long", "ic1_oc1_i5000_k9_s2_p4"),
];

const TWO_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic6_oc4_i9x14_k2x5_s3x2_p2x1_d3x2_g2_b1"),
    ("groups with several outputs", "n2_ic6_oc9_i8x7_k3x2_s2x3_p1x0_g3_b1"),
    ("depthwise", "n2_ic5_oc5_i6x9_k4x3_s2x1_p1x1_g5"),
    ("depthwise with a multiplier", "ic3_oc12_i7x5_k3x3_s2x2_p1x1_g3_b1"),
    ("asymmetric padding", "ic3_oc2_i6x5_k4x5_s2x3_p0:2x3:1"),
    ("an ordinary layer", "ic8_oc4_i9x9_k3x3_p1x1_b1"),
    ("seven channels to one", "ic7_oc1_i5x5_k3x3_s2x2"),
    ("pointwise", "n2_ic9_oc5_i4x7_b1"),
    ("a split-K sum", "n2_ic70_oc5_i4x3_k3x3_p1x1_b1"),
    ("split-K sums of groups", "ic140_oc6_i4x3_k3x3_s2x1_g2_b1"),
    ("an empty batch", "n0_ic2_oc3_i5x4_k3x3_b1"),
    ("zero channels in", "n2_ic0_oc6_i5x4_k3x3_p1x1_b1"),
    ("zero channels in, without a bias", "n2_ic0_oc6_i5x4_k3x3_s2x1_g3"),
    ("zero channels out", "n2_ic6_oc0_i5x4_k3x3_p1x1_g2_b1"),
    ("zero channels in and out", "n2_ic0_oc0_i5x4_k3x3"),
];

const THREE_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic4_oc6_i5x6x9_k2x3x1_s2x1x3_p1x2x0_d1x2x1_g2_b1"),
    ("depthwise", "ic3_oc3_i4x5x6_k2x2x3_s2x3x1_p1x0x1_g3"),
    ("asymmetric padding", "ic2_oc3_i5x4x6_k3x2x2_s2x2x2_p1:0x0:1x2:0"),
    ("zero channels in", "n2_ic0_oc3_i3x4x5_k2x2x2_b1"),
];

fn table<const R: usize>(rows: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = Row> {
    rows.iter().map(|(name, text)| {
        Row::new(format!("{R}d {name} [{text}]"), async move |gpu| {
            check(gpu, &Fields::<R>::parse(text).conv(), text).await
        })
    })
}

/// From 1 to 9 input channels, and from 9 to 1 output channels.
fn channels() -> impl Iterator<Item = Row> {
    (1..=9).map(|count| {
        let text = format!("ic{count}_oc{}_i5x6_k3x2_s2x1_p1x0_b1", 10 - count);
        Row::new(format!("2d {count} channels to {} [{text}]", 10 - count), async move |gpu| {
            check(gpu, &Fields::<2>::parse(&text).conv(), &text).await
        })
    })
}

/// The padding rules: SAME_UPPER, SAME_LOWER and VALID.
fn rules() -> impl Iterator<Item = Row> {
    [Padding::SameUpper, Padding::SameLower, Padding::Valid].into_iter().map(|padding| {
        let fields = Fields::<2>::parse("ic2_oc3_i10x8_k4x3_s3x2_d1x2");
        let conv = Conv2d { padding, ..fields.conv() };
        Row::new(format!("2d {padding:?}"), async move |gpu| check(gpu, &conv, "rules").await)
    })
}

pub fn rows() -> Vec<Row> {
    let tables = table::<1>(ONE_AXIS).chain(table::<2>(TWO_AXES)).chain(table::<3>(THREE_AXES));
    tables.chain(channels()).chain(rules()).collect()
}
