//! Transposed convolution: each row has a geometry in which one kind of mistake would show.

use crate::Row;
use crate::harness::check;
use crate::problems::Fields;

const ONE_AXIS: &[(&str, &str)] = &[
    ("one tap", "ic2_oc3_i5"),
    ("stride past the kernel leaves gaps", "n2_ic2_oc3_i5_k2_s5_op3_b1"),
    ("gaps hold the bias alone", "ic1_oc2_i4_k1_s3_op2_b1"),
    ("output padding past the stride, under the dilation", "ic2_oc2_i6_k3_s2_d4_op3"),
    ("stride and dilation share a factor", "ic2_oc3_i9_k4_s4_d6_p5"),
    ("stride and dilation share none", "ic2_oc3_i9_k5_s3_d2_p4"),
    ("stride divides the dilation", "ic1_oc1_i7_k3_s2_d4_p1"),
    ("dilation divides the stride", "ic1_oc1_i7_k3_s4_d2_p1"),
    ("padding past the kernel", "ic2_oc2_i9_k3_s2_p6"),
    ("negative padding adds samples", "ic2_oc2_i4_k3_s2_p-3:-2"),
    ("a large stride", "ic1_oc1_i3_k2_s65535_op65534"),
    ("stride and dilation whose products pass 32 bits", "ic1_oc1_i2_k2_s65535_d65534_p60000"),
    ("one sample", "ic3_oc2_i1_k7_s3"),
    ("an empty batch", "n0_ic2_oc3_i5_k3"),
    ("zero samples out", "n2_ic2_oc3_i6_p3_b1"),
    ("a stride that is never taken", "ic3_oc2_i1_k7_s70000_op3_p1_b1"),
    ("long", "ic1_oc1_i3000_k5_s2_p2"),
];

const TWO_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic6_oc4_i5x7_k2x5_s3x2_p2x1_d1x2_op1x0_b1"),
    ("groups with several outputs", "n2_ic6_oc9_i5x4_k3x2_s2x3_p1x0_op1x2_g3_b1"),
    ("depthwise", "n2_ic5_oc5_i6x3_k4x3_s2x1_p1x1_g5"),
    ("depthwise with a multiplier", "n1_ic3_oc12_i4x5_k3x3_s2x2_p1x1_op1x1_g3_b1"),
    ("asymmetric padding", "n1_ic3_oc2_i6x5_k4x5_s2x3_p0:2x3:1"),
    ("padding past the kernel on one side", "ic2_oc2_i8x9_k3x3_s2x2_p5:0x0:6"),
    ("kernel not a multiple of the stride", "ic2_oc2_i4x5_k5x7_s2x3_p1x2"),
    ("stride past the span", "n2_ic3_oc2_i4x3_k2x1_s3x4_op2x1_b1"),
    ("an ordinary layer", "ic8_oc4_i8x8_k4x4_s2x2_p1x1_b1"),
    ("seven channels to one", "ic7_oc1_i5x5_k3x3_s2x2"),
    ("one channel to nine", "ic1_oc9_i5x4_k3x3_s1x2"),
    ("a split-K sum", "n2_ic140_oc5_i3x4_k4x4_s2x2_p1x1_b1"),
    ("split-K sums of groups", "ic280_oc4_i3x2_k4x3_s2x1_g2_b1"),
    ("outputs that no sample reaches", "ic1_oc1_i2x2_k1x1_s9x9_op8x8_b1"),
    ("an empty batch", "n0_ic2_oc3_i5x4_k3x3_b1"),
    ("zero channels in", "n2_ic0_oc6_i5x4_k3x3_s2x3_p1x1_b1"),
    ("zero channels in, without a bias", "n2_ic0_oc6_i5x4_k3x3_s2x1_g3"),
    ("zero channels out", "n2_ic3_oc0_i4x4_k3x3"),
    ("zero channels out of groups", "n2_ic6_oc0_i4x4_k3x3_s2x2_g2_b1"),
    ("zero channels in and out", "n2_ic0_oc0_i5x4_k3x3"),
    ("zero samples out of one axis", "n2_ic2_oc3_i6x5_p3x0_b1"),
];

const THREE_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic4_oc2_i3x4x5_k2x3x1_s2x1x3_p0x1x0_d1x2x1_op1x0x2_g2_b1"),
    ("depthwise", "ic3_oc3_i2x3x4_k2x2x3_s2x3x1_p1x0x1_g3"),
    ("asymmetric padding", "ic2_oc3_i3x2x4_k3x2x2_s2x2x2_p1:0x0:1x2:0"),
    ("zero channels in", "n2_ic0_oc3_i3x4x5_k2x2x2_b1"),
];

fn table<const R: usize>(rows: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = Row> {
    rows.iter().map(|(name, text)| {
        Row::new(format!("{R}d {name} [{text}]"), async move |gpu| {
            check(gpu, &Fields::<R>::parse(text).conv_transpose(), text).await
        })
    })
}

/// From 1 to 9 input channels, and from 9 to 1 output channels.
fn channels() -> impl Iterator<Item = Row> {
    (1..=9).map(|count| {
        let text = format!("ic{count}_oc{}_i3x4_k3x2_s2x1_p1x0_b1", 10 - count);
        Row::new(format!("2d {count} channels to {} [{text}]", 10 - count), async move |gpu| {
            check(gpu, &Fields::<2>::parse(&text).conv_transpose(), &text).await
        })
    })
}

pub fn rows() -> Vec<Row> {
    table::<1>(ONE_AXIS).chain(table::<2>(TWO_AXES)).chain(table::<3>(THREE_AXES)).chain(channels()).collect()
}
