//! Convolution of 8-bit integers: every sum must be the same integer as the definition's.

use ndarray::{ArrayD, IxDyn};
use upconv::gpu::{Bindings, required_limits};
use upconv::{
    ByteType, Conv2d, ConvInteger, ConvInteger1d, ConvInteger2d, DataType, Error, Gpu, Op, Operand, Padding,
    PlanOptions, Tensor, TensorLayout, TensorView, ZeroPoint, wgpu,
};

use crate::Row;
use crate::harness::{Data, Outcome, Random, check_made, check_recipes, submit};
use crate::problems::Fields;
use crate::tensors::storage;

fn text(error: Error) -> String {
    error.to_string()
}

/// A tensor of an operand's type with these bits, which `byte` gives one after the other.
fn tensor(operand: &Operand, mut byte: impl FnMut() -> u8) -> Result<Tensor, String> {
    let bytes = ArrayD::from_shape_simple_fn(IxDyn(&operand.shape), &mut byte);
    match operand.data_type {
        DataType::U8 => Ok(Tensor::U8(bytes)),
        DataType::I8 => Ok(Tensor::I8(bytes.mapv(|byte| byte as i8))),
        other => Err(format!("{other:?} is no type of a byte")),
    }
}

/// Random tensors for an op, of all values that their types have.
pub fn random<O: Op>(op: &O) -> Result<Vec<Tensor>, String> {
    let mut random = Random::new(&op.problem());
    op.inputs().map_err(text)?.iter().map(|operand| tensor(operand, || random.next() as u8)).collect()
}

async fn check<const R: usize>(gpu: &Gpu, conv: &ConvInteger<R>) -> Outcome {
    check_made(gpu, conv, &|_, _| random(conv)).await
}

/// The four pairs of types.
const TYPES: [[ByteType; 2]; 4] = [
    [ByteType::U8, ByteType::U8],
    [ByteType::U8, ByteType::I8],
    [ByteType::I8, ByteType::U8],
    [ByteType::I8, ByteType::I8],
];

/// A problem with a pair of types, and with zero points that differ from pair to pair.
async fn check_types<const R: usize>(gpu: &Gpu, conv: ConvInteger<R>) -> Outcome {
    let zero_points = [
        (true, ZeroPoint::PerChannel),
        (true, ZeroPoint::PerTensor),
        (false, ZeroPoint::PerChannel),
        (true, ZeroPoint::None),
    ];
    for ([input_type, weight_type], (input_zero_point, weight_zero_point)) in TYPES.into_iter().zip(zero_points) {
        let conv = ConvInteger { input_type, weight_type, input_zero_point, weight_zero_point, ..conv.clone() };
        check(gpu, &conv).await.map_err(|error| format!("{}: {error}", conv.problem()))?;
    }
    Ok(())
}

const ONE_AXIS: &[(&str, &str)] = &[
    ("one tap", "ic2_oc3_i5"),
    ("stride past the kernel", "n2_ic2_oc3_i11_k2_s5"),
    ("padding past the kernel", "ic2_oc2_i5_k3_p6"),
    ("padding past the dilated kernel", "ic2_oc2_i5_k3_d4_p17"),
    ("negative padding crops", "ic2_oc2_i9_k3_p-2:-1"),
    ("an empty batch", "n0_ic2_oc3_i5_k3"),
    ("zero samples, only padding", "n2_ic2_oc3_i0_k3_p3"),
    ("zero channels out", "n2_ic2_oc0_i5_k3"),
    ("long", "ic1_oc1_i5000_k9_s2_p4"),
];

const TWO_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic6_oc4_i9x14_k2x5_s3x2_p2x1_d3x2_g2"),
    ("groups with several outputs", "n2_ic6_oc9_i8x7_k3x2_s2x3_p1x0_g3"),
    ("groups with blocks of outputs", "n2_ic6_oc24_i5x7_k3x2_s1x2_p1x0_g2"),
    ("depthwise", "n2_ic5_oc5_i6x9_k4x3_s2x1_p1x1_g5"),
    ("depthwise with a multiplier", "ic3_oc12_i7x5_k3x3_s2x2_p1x1_g3"),
    ("asymmetric padding", "ic3_oc2_i6x5_k4x5_s2x3_p0:2x3:1"),
    ("pointwise", "n2_ic9_oc5_i4x7"),
    ("zero channels in", "n2_ic0_oc6_i5x4_k3x3_p1x1"),
];

const THREE_AXES: &[(&str, &str)] = &[
    ("every number different", "n2_ic4_oc6_i5x6x9_k2x3x1_s2x1x3_p1x2x0_d1x2x1_g2"),
    ("asymmetric padding", "ic2_oc3_i5x4x6_k3x2x2_s2x2x2_p1:0x0:1x2:0"),
];

fn table<const R: usize>(rows: &'static [(&'static str, &'static str)]) -> impl Iterator<Item = Row> {
    rows.iter().map(|(name, text)| {
        Row::new(format!("{R}d {name} [{text}]"), async move |gpu| {
            check_types(gpu, Fields::<R>::parse(text).conv_integer()).await
        })
    })
}

/// From 1 to 9 input channels, and from 9 to 1 output channels.
fn channels() -> impl Iterator<Item = Row> {
    (1..=9).map(|count| {
        let text = format!("ic{count}_oc{}_i5x6_k3x2_s2x1_p1x0", 10 - count);
        Row::new(format!("2d {count} channels to {} [{text}]", 10 - count), async move |gpu| {
            let conv = Fields::<2>::parse(&text).conv_integer();
            check(gpu, &ConvInteger { input_zero_point: true, ..conv }).await
        })
    })
}

/// The padding rules: SAME_UPPER, SAME_LOWER and VALID.
fn rules() -> impl Iterator<Item = Row> {
    [Padding::SameUpper, Padding::SameLower, Padding::Valid].into_iter().map(|padding| {
        let fields = Fields::<2>::parse("ic2_oc3_i10x8_k4x3_s3x2_d1x2");
        let conv = ConvInteger2d { padding, input_zero_point: true, ..fields.conv_integer() };
        Row::new(format!("2d {padding:?}"), async move |gpu| check(gpu, &conv).await)
    })
}

/// The values at both ends of the types, with zero points at both ends: all terms of one sum are 255² in magnitude.
/// With 33,026 terms the sums wrap; with more, they take several dispatches.
async fn ends(gpu: &Gpu, terms: usize) -> Outcome {
    for [input_type, weight_type] in TYPES {
        let conv = ConvInteger1d {
            in_channels: terms,
            input_size: [2],
            input_type,
            weight_type,
            input_zero_point: true,
            weight_zero_point: ZeroPoint::PerTensor,
            ..Default::default()
        };
        let operands = conv.inputs().map_err(text)?;
        for ends in 0..4u8 {
            // The bits of the type's largest or smallest value.
            let end = |number: usize, is_high: bool| {
                let bits = match (operands[number].data_type, is_high) {
                    (DataType::I8, true) => 0x7f,
                    (DataType::I8, false) => 0x80,
                    (_, true) => 0xff,
                    (_, false) => 0x00,
                };
                tensor(&operands[number], || bits)
            };
            let [x_high, w_high] = [ends & 1 == 1, ends & 2 == 2];
            let tensors = vec![end(0, x_high)?, end(1, w_high)?, end(2, !x_high)?, end(3, !w_high)?];
            let make = |_| Ok(tensors.clone());
            check_recipes(gpu, &conv, Data::Integers, make).await.map_err(|error| format!("{ends}: {error}"))?;
        }
    }
    Ok(())
}

/// Sums of several dispatches, over channels and over taps.
async fn long(gpu: &Gpu, conv: &ConvInteger1d) -> Outcome {
    let conv = ConvInteger { input_zero_point: true, weight_zero_point: ZeroPoint::PerChannel, ..conv.clone() };
    check_recipes(gpu, &conv, Data::Integers, |_| random(&conv)).await
}

/// A plan reads zero points each time it runs: other zero points in the buffers need no new plan. The tensors lie at
/// odd bytes of one buffer.
async fn zero_points_are_read_anew(gpu: &Gpu) -> Outcome {
    let (x, w) = ([1u8, 2, 3, 255], [-1i8, 7]);
    let conv = ConvInteger1d {
        input_size: [4],
        kernel_size: [2],
        weight_type: ByteType::I8,
        input_zero_point: true,
        weight_zero_point: ZeroPoint::PerTensor,
        ..Default::default()
    };
    let (all, y) = (storage(gpu, 64), storage(gpu, 12));
    let planner = gpu.planner();
    let at = |byte, shape: &[usize]| planner.slice_at(&all, byte, TensorLayout::contiguous(shape), 1).map_err(text);
    let (x_slice, input) = at(3, &[1, 1, 4])?;
    let (w_slice, weight) = at(9, &[1, 1, 2])?;
    let (x_zero, input_zero_point) = at(13, &[1])?;
    let (w_zero, weight_zero_point) = at(62, &[1])?;
    let options = PlanOptions {
        input: Some(input),
        weight: Some(weight),
        input_zero_point: Some(input_zero_point),
        weight_zero_point: Some(weight_zero_point),
        ..Default::default()
    };
    let bindings = Bindings::new().input(x_slice).weight(w_slice).output(y.slice(..));
    let bindings = bindings.input_zero_point(x_zero).weight_zero_point(w_zero);
    let bound = planner.plan_with(&conv, &options).map_err(text)?.bind(&bindings).map_err(text)?;
    for zeros in [(0u8, 0i8), (255, -128), (7, 127)] {
        let mut bytes = [0x5au8; 64];
        bytes[3..7].copy_from_slice(&x);
        bytes[9..11].copy_from_slice(&w.map(|byte| byte as u8));
        (bytes[13], bytes[62]) = (zeros.0, zeros.1 as u8);
        gpu.queue().write_buffer(&all, 0, &bytes);
        submit(gpu, &bound);
        let actual: Vec<i32> = gpu.download_async(&y, 0, 12).await.map_err(text)?;
        let [x, w] = [&x.map(i32::from)[..], &w.map(i32::from)[..]];
        let term = |at: usize, tap: usize| (x[at + tap] - i32::from(zeros.0)) * (w[tap] - i32::from(zeros.1));
        let expected: Vec<i32> = (0..3).map(|at| term(at, 0) + term(at, 1)).collect();
        if actual != expected {
            return Err(format!("{zeros:?}: {actual:?} where {expected:?} was expected"));
        }
    }
    Ok(())
}

/// Whatever does not fit is refused with its numbers; the limits that are asked for count bytes.
async fn refusals(gpu: &Gpu) -> Outcome {
    let conv = ConvInteger2d { input_size: [20_000, 20_000], input_zero_point: true, ..Default::default() };
    let limits = required_limits(&conv, &PlanOptions::default()).map_err(text)?;
    let expected = wgpu::Limits { max_buffer_size: 4 * 20_000 * 20_000, ..Default::default() };
    if limits != expected || conv.cost().map_err(text)?.bytes != 5 * 20_000 * 20_000 + 2 {
        return Err(format!("{limits:?}"));
    }
    let conv = ConvInteger2d { input_size: [3, 3], ..Default::default() };
    let (x, w) = (ArrayD::from_elem(IxDyn(&[1, 1, 3, 3]), 1u8), ArrayD::from_elem(IxDyn(&[1, 1, 1, 1]), 1u8));
    let signed = w.mapv(|byte| byte as i8);
    let plan = |options: PlanOptions| gpu.planner().plan_with(&conv, &options).map(drop);
    let texture = PlanOptions { input_texture: Some(wgpu::TextureFormat::R8Unorm.into()), ..Default::default() };
    let bias = PlanOptions { bias: Some(TensorLayout::contiguous(&[1])), ..Default::default() };
    let absent = TensorLayout::contiguous(&[1]);
    let absent = PlanOptions { input_zero_point: Some(absent), ..Default::default() };
    let outcomes = [
        gpu.run_async(&conv, &[x.view(), w.view()]).await.map(drop),
        gpu.run_tensors_async(&conv, &[(&x).into(), (&signed).into()]).await.map(drop),
        gpu.run_tensors_async(&Conv2d { input_size: [3, 3], ..Default::default() }, &[(&x).into(), (&w).into()])
            .await
            .map(drop),
        plan(texture),
        plan(bias),
        plan(absent),
    ];
    match outcomes {
        [
            Err(Error::DataType { operand: "output", expected: DataType::I32, actual: DataType::U8 }),
            Err(Error::DataType { operand: "weight", expected: DataType::U8, actual: DataType::I8 }),
            Err(Error::DataType { operand: "input", expected: DataType::Float, actual: DataType::U8 }),
            Err(Error::Texture { operand: "input", .. }),
            Err(Error::UnknownOperand { operand: "bias", .. }),
            Err(Error::UnknownOperand { operand: "input_zero_point", .. }),
        ] => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// The host takes views of any strides, and counts of bytes that fill no word.
async fn host(gpu: &Gpu) -> Outcome {
    for side in 1..5 {
        let x = ArrayD::from_shape_fn(IxDyn(&[1, side, 1, 3]), |at| (100 * at[1] + 7 * at[3]) as u8);
        let w = ArrayD::from_elem(IxDyn(&[1, side, 1, 1]), -3i8);
        let conv = ConvInteger2d {
            weight_type: ByteType::I8,
            ..ConvInteger::from_shapes(x.shape(), w.shape(), 1).map_err(text)?
        };
        let reversed = x.t().as_standard_layout().into_owned();
        let inputs: [TensorView; 2] = [reversed.t().into(), w.view().into()];
        let outputs = gpu.run_tensors_async(&conv, &inputs).await.map_err(text)?;
        if outputs != conv.reference_tensors(&inputs).map_err(text)? {
            return Err(format!("{side}: {outputs:?}"));
        }
    }
    Ok(())
}

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = table::<1>(ONE_AXIS).chain(table::<2>(TWO_AXES)).chain(table::<3>(THREE_AXES)).collect();
    rows.extend(channels().chain(rules()));
    for terms in [1, 33_025, 33_026, 70_000] {
        rows.push(Row::new(format!("1d ends of the types, {terms} terms"), async move |gpu| ends(gpu, terms).await));
    }
    for text in ["ic6800_oc2_i1", "ic40000_oc4_i3", "ic1_oc2_i70003_k70000", "ic4_oc8_i40009_k40000_g2"] {
        rows.push(Row::new(format!("1d a sum of several dispatches [{text}]"), async move |gpu| {
            long(gpu, &Fields::<1>::parse(text).conv_integer()).await
        }));
    }
    rows.push(Row::new("1d zero points are read anew, at any byte", zero_points_are_read_anew));
    rows.push(Row::new("2d what cannot be is refused", refusals));
    rows.push(Row::new("2d arrays of the host", host));
    rows
}
