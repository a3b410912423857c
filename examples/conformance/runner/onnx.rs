//! Makes this crate's descriptors from ONNX's operators and attributes, and runs them.

use upconv::{
    AspectRatio, AvgPool, ByteType, ChannelOrder, Conv, ConvInteger, ConvTranspose, Coordinates, Filter,
    GlobalAveragePool, GlobalLpPool, GlobalMaxPool, IndexConvention, LpPool, MaxPool, MaxUnpool, Padding, Pads,
    PixelShuffle2d, Rounding, Scale, ShuffleDirection, Tensor, Upsample, UpsampleMode, ZeroPoint,
};

use super::case::{Case, Failure, Outcome, numbers, reshaped, shape, spatial, unsupported};
use super::engine::Engine;
use super::folding;
use super::ops::{Results, by_rank};

pub async fn compute(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let axes = |name: &str| Ok::<_, Failure>(shape(&case.required(name)?).len().saturating_sub(2));
    match case.op_type() {
        "Conv" => by_rank!(axes("X")?, convolution, case, engine),
        "ConvInteger" => by_rank!(axes("x")?, integers, case, engine),
        "ConvTranspose" => by_rank!(axes("X")?, transposed, case, engine),
        "MaxPool" => by_rank!(axes("X")?, maximum, case, engine),
        "AveragePool" => by_rank!(axes("X")?, average, case, engine),
        "MaxUnpool" => by_rank!(axes("X")?, unpool, case, engine),
        "Resize" | "Upsample" => by_rank!(axes("X")?, resize, case, engine),
        "GlobalAveragePool" => by_rank!(axes("X")?, global_average, case, engine),
        "GlobalMaxPool" => by_rank!(axes("X")?, global_maximum, case, engine),
        "LpPool" => by_rank!(axes("X")?, norms, case, engine),
        "GlobalLpPool" => by_rank!(axes("X")?, global_norm, case, engine),
        "Col2Im" => {
            let axes = shape(&case.required("image_shape")?).iter().product();
            by_rank!(axes, folding::col2im, case, engine)
        }
        "DepthToSpace" | "SpaceToDepth" => shuffle(case, engine).await,
        op => unsupported(format!("no op {op}")),
    }
}

fn auto_pad<const R: usize>(case: &Case) -> Outcome<Padding<R>> {
    Ok(match case.word("auto_pad") {
        "" | "NOTSET" => pads(case)?.into(),
        rule => rule.parse()?,
    })
}

/// ONNX's `pads`: the numbers before every axis, then the numbers after every axis.
pub fn pads<const R: usize>(case: &Case) -> Outcome<Pads<R>> {
    let values: Vec<i64> =
        case.attribute("pads").as_array().into_iter().flatten().filter_map(|pad| pad.as_i64()).collect();
    match values.len() {
        0 => Ok([[0; 2]; R]),
        count if count == 2 * R => Ok(std::array::from_fn(|axis| [values[axis], values[axis + R]])),
        count => Err(Failure::Failed(format!("{count} pads for {R} axes"))),
    }
}

fn group(case: &Case) -> usize {
    case.number("group").unwrap_or(1.0) as usize
}

async fn convolution<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let (input, weight, bias) = (case.required("X")?, case.required("W")?, case.input("B")?);
    let conv = Conv {
        stride: case.steps("strides")?,
        dilation: case.steps("dilations")?,
        padding: auto_pad(case)?,
        bias: bias.is_some(),
        ..Conv::<R>::from_shapes(&shape(&input), &shape(&weight), group(case))?
    };
    let inputs: Vec<_> = [&input, &weight].into_iter().chain(&bias).collect();
    Ok(vec![("Y", engine.first(&conv, &inputs).await?)])
}

/// A tensor of bytes as it is in the file; the zero point of a whole tensor has one axis.
fn bytes(case: &Case, name: &str) -> Outcome<Option<Tensor>> {
    let Some(tensor) = case.input(name)? else { return Ok(None) };
    let tensor = if shape(&tensor).is_empty() { reshaped(tensor, &[1])? } else { tensor };
    let numbers = numbers(tensor)?;
    Ok(Some(match case.data_type(name) {
        "uint8" => Tensor::U8(numbers.mapv(|number| number as u8)),
        "int8" => Tensor::I8(numbers.mapv(|number| number as i8)),
        other => return unsupported(format!("{name} of {other}")),
    }))
}

async fn integers<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let missing = |name| Failure::Failed(format!("the case has no input {name}"));
    let input = bytes(case, "x")?.ok_or_else(|| missing("x"))?;
    let weight = bytes(case, "w")?.ok_or_else(|| missing("w"))?;
    let (input_zero, weight_zero) = (bytes(case, "x_zero_point")?, bytes(case, "w_zero_point")?);
    let type_of = |tensor: &Tensor| if matches!(tensor, Tensor::I8(_)) { ByteType::I8 } else { ByteType::U8 };
    let conv = ConvInteger {
        stride: case.steps("strides")?,
        dilation: case.steps("dilations")?,
        padding: auto_pad(case)?,
        input_type: type_of(&input),
        weight_type: type_of(&weight),
        input_zero_point: input_zero.is_some(),
        weight_zero_point: match weight_zero.as_ref().map(shape) {
            None => ZeroPoint::None,
            Some(shape) if shape == [1] => ZeroPoint::PerTensor,
            Some(_) => ZeroPoint::PerChannel,
        },
        ..ConvInteger::<R>::from_shapes(&shape(&input), &shape(&weight), group(case))?
    };
    let inputs: Vec<_> = [&input, &weight].into_iter().chain(&input_zero).chain(&weight_zero).collect();
    Ok(vec![("y", engine.first(&conv, &inputs).await?)])
}

async fn transposed<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let (input, weight, bias) = (case.required("X")?, case.required("W")?, case.input("B")?);
    let base = ConvTranspose {
        stride: case.steps("strides")?,
        dilation: case.steps("dilations")?,
        output_padding: case.sizes("output_padding")?.unwrap_or([0; R]),
        bias: bias.is_some(),
        ..ConvTranspose::<R>::from_shapes(&shape(&input), &shape(&weight), group(case))?
    };
    // `output_shape` has the spatial sizes, or the whole shape as some exporters write it.
    let whole = case.attribute("output_shape").as_array().is_some_and(|shape| shape.len() == R + 2);
    let output_shape = if whole { Some(spatial(&case.expected("Y")?)?) } else { case.sizes("output_shape")? };
    let up = ConvTranspose::onnx(base, auto_pad(case)?, output_shape)?;
    let inputs: Vec<_> = [&input, &weight].into_iter().chain(&bias).collect();
    Ok(vec![("Y", engine.first(&up, &inputs).await?)])
}

async fn maximum<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = Tensor::F32(numbers(case.required("X")?)?);
    let columns = case.number("storage_order") == Some(1.0);
    let indices = if columns { IndexConvention::OnnxColumnMajor } else { IndexConvention::Onnx };
    let pool = MaxPool {
        stride: case.steps("strides")?,
        dilation: case.steps("dilations")?,
        padding: auto_pad(case)?,
        ceil_mode: case.flag("ceil_mode"),
        indices: Some(indices),
        ..MaxPool::<R>::from_shape(&shape(&input), case.steps("kernel_shape")?)?
    };
    let mut outputs = engine.run(&pool, &[&input]).await?;
    let (indices, output) = (outputs.swap_remove(1), outputs.swap_remove(0));
    Ok(vec![("Y", output), ("Indices", indices)])
}

async fn average<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("X")?;
    let pool = AvgPool {
        stride: case.steps("strides")?,
        dilation: case.steps("dilations")?,
        padding: auto_pad(case)?,
        ceil_mode: case.flag("ceil_mode"),
        count_include_pad: case.flag("count_include_pad"),
        ..AvgPool::<R>::from_shape(&shape(&input), case.steps("kernel_shape")?)?
    };
    Ok(vec![("Y", engine.first(&pool, &[&input]).await?)])
}

async fn global_average<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("X")?;
    let pool = GlobalAveragePool::<R>::from_shape(&shape(&input))?;
    Ok(vec![("Y", engine.first(&pool, &[&input]).await?)])
}

async fn global_maximum<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("X")?;
    let pool = GlobalMaxPool::<R>::from_shape(&shape(&input))?;
    Ok(vec![("Y", engine.first(&pool, &[&input]).await?)])
}

/// ONNX's `p` is 2 where it is not given.
fn power(case: &Case) -> u32 {
    case.number("p").unwrap_or(2.0) as u32
}

async fn norms<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("X")?;
    let pool = LpPool {
        stride: case.steps("strides")?,
        dilation: case.steps("dilations")?,
        padding: auto_pad(case)?,
        ceil_mode: case.flag("ceil_mode"),
        p: power(case),
        ..LpPool::<R>::from_shape(&shape(&input), case.steps("kernel_shape")?)?
    };
    Ok(vec![("Y", engine.first(&pool, &[&input]).await?)])
}

async fn global_norm<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("X")?;
    let pool = GlobalLpPool::<R>::from_shape(&shape(&input), power(case))?;
    Ok(vec![("Y", engine.first(&pool, &[&input]).await?)])
}

async fn unpool<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let (input, indices) = (case.required("X")?, case.required("I")?);
    let name = if case.outputs().iter().any(|name| name == "output") { "output" } else { "Y" };
    let output_size = match case.input("output_shape")? {
        Some(_) => Some(spatial(&case.expected(name)?)?),
        None => None,
    };
    let unpool = MaxUnpool::<R>::onnx(
        MaxUnpool::from_shape(&shape(&input), [1; R])?,
        case.steps("kernel_shape")?,
        case.steps("strides")?,
        pads(case)?,
        output_size,
    )?;
    Ok(vec![(name, engine.first(&unpool, &[&input, &indices]).await?)])
}

async fn shuffle(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = case.required("input")?;
    let factor = case.steps("blocksize")?;
    let order = if case.word("mode") == "CRD" { ChannelOrder::ColumnRowDepth } else { ChannelOrder::DepthColumnRow };
    let shuffles = case.op_type() == "DepthToSpace";
    let direction = if shuffles { ShuffleDirection::ToSpace } else { ShuffleDirection::ToDepth };
    let op = PixelShuffle2d { order, ..PixelShuffle2d::from_shape(&shape(&input), factor, direction)? };
    Ok(vec![("output", engine.first(&op, &[&input]).await?)])
}

/// What a case says about one axis of the tensor. An axis without a size and a scale keeps its length.
#[derive(Clone, Copy)]
struct Axis {
    size: Option<usize>,
    scale: Option<f32>,
    roi: [f64; 2],
}

async fn resize<const R: usize>(case: &Case, engine: &Engine<'_>) -> Outcome<Results> {
    let input = Tensor::F32(numbers(case.required("X")?)?);
    let axes = axis_settings(case, &shape(&input))?;
    // In ONNX batch and channels may be resized too.
    let touched = |axis: &Axis, length: usize| {
        axis.size.is_some_and(|size| size != length) || axis.scale.is_some_and(|scale| scale != 1.0)
    };
    if axes[..2].iter().zip(shape(&input)).any(|(axis, length)| touched(axis, length)) {
        return unsupported("resizing the batch or the channels");
    }
    let mut spatial_axes = [axes[0]; R];
    spatial_axes.copy_from_slice(&axes[2..]);
    let up = upsample(case, &shape(&input), spatial_axes)?;
    Ok(vec![("Y", engine.first(&up, &[&input]).await?)])
}

/// Sizes, scales and regions, axis by axis.
fn axis_settings(case: &Case, shape: &[usize]) -> Outcome<Vec<Axis>> {
    let list = |tensor: Option<Tensor>| -> Outcome<Option<Vec<f32>>> {
        let Some(tensor) = tensor else { return Ok(None) };
        // An empty list means that the input is absent.
        Ok(Some(numbers(tensor)?.into_iter().collect::<Vec<_>>()).filter(|v| !v.is_empty()))
    };
    let attribute = case.attribute("scales").as_array();
    let scales = match attribute {
        Some(values) => Some(values.iter().filter_map(|value| value.as_f64()).map(|value| value as f32).collect()),
        None => list(case.input("scales")?)?,
    };
    let (sizes, roi) = (list(case.input("sizes")?)?, list(case.input("roi")?)?);
    let chosen: Vec<usize> = match case.attribute("axes").as_array() {
        Some(axes) => {
            let rank = shape.len() as i64;
            axes.iter().filter_map(|axis| axis.as_i64()).map(|axis| (axis + rank) as usize % rank as usize).collect()
        }
        None => (0..shape.len()).collect(),
    };
    let mut axes = vec![Axis { size: None, scale: None, roi: [0.0, 1.0] }; shape.len()];
    for (number, &axis) in chosen.iter().enumerate() {
        let at =
            |values: &Option<Vec<f32>>, index: usize| values.as_ref().and_then(|values| values.get(index)).copied();
        axes[axis].size = at(&sizes, number).map(|size| size as usize);
        axes[axis].scale = at(&scales, number);
        if let (Some(start), Some(end)) = (at(&roi, number), at(&roi, number + chosen.len())) {
            axes[axis].roi = [start.into(), end.into()];
        }
    }
    Ok(axes)
}

fn upsample<const R: usize>(case: &Case, shape: &[usize], axes: [Axis; R]) -> Outcome<Upsample<R>> {
    let mut base = Upsample::from_shape(shape, [1; R])?;
    base.coordinates = match case.word("coordinate_transformation_mode") {
        "tf_crop_and_resize" => Coordinates::TfCropAndResize { roi: axes.map(|axis| axis.roi) },
        // Upsample, and Resize before version 11, have no such attribute.
        "" => Coordinates::Asymmetric,
        word => word.parse()?,
    };
    base.mode = mode(case)?;
    base.extrapolation_value = case.number("extrapolation_value").unwrap_or(0.0) as f32;
    let input_size = base.input_size;
    if axes.iter().any(|axis| axis.size.is_some()) {
        return with_sizes(case, base, axes, input_size);
    }
    // The scales of a crop multiply the size of its region.
    if let Coordinates::TfCropAndResize { roi } = base.coordinates {
        let size = |axis: usize| {
            let region = input_size[axis] as f64 * (roi[axis][1] - roi[axis][0]);
            (region as f32 * axes[axis].scale.unwrap_or(1.0)).floor() as usize
        };
        return Ok(Upsample { output_size: std::array::from_fn(size), ..base });
    }
    Ok(base.with_scales(axes.map(|axis| axis.scale.unwrap_or(1.0)))?)
}

fn with_sizes<const R: usize>(
    case: &Case,
    base: Upsample<R>,
    axes: [Axis; R],
    input_size: [usize; R],
) -> Outcome<Upsample<R>> {
    let output_size = std::array::from_fn(|axis| axes[axis].size.unwrap_or(input_size[axis]));
    let policy = match case.word("keep_aspect_ratio_policy") {
        "" | "stretch" => return Ok(Upsample { output_size, ..base }),
        policy => policy.parse()?,
    };
    // The policy applies to the axes that have a size; the others keep their length.
    let wanted: Vec<f64> = (0..R)
        .filter(|&axis| axes[axis].size.is_some())
        .map(|axis| output_size[axis] as f64 / input_size[axis] as f64)
        .collect();
    if wanted.len() == R {
        return Ok(base.keep_aspect_ratio(output_size, policy)?);
    }
    let scale = match policy {
        AspectRatio::NotLarger => wanted.into_iter().fold(f64::INFINITY, f64::min),
        AspectRatio::NotSmaller => wanted.into_iter().fold(0.0, f64::max),
        other => return unsupported(format!("policy {other:?}")),
    };
    let scales = std::array::from_fn(|axis| if axes[axis].size.is_some() { scale } else { 1.0 });
    let size = |axis: usize| (input_size[axis] as f64 * scales[axis] + 0.5).floor() as usize;
    Ok(Upsample { output_size: std::array::from_fn(size), scales: Some(scales.map(Scale::F64)), ..base })
}

fn mode(case: &Case) -> Outcome<UpsampleMode> {
    let (antialias, exclude_outside) = (case.flag("antialias"), case.flag("exclude_outside"));
    let a = case.number("cubic_coeff_a").unwrap_or(-0.75);
    let nearest = match case.word("nearest_mode") {
        "" => Rounding::Floor,
        word => word.parse()?,
    };
    Ok(match (case.word("mode"), antialias) {
        ("" | "nearest", _) => UpsampleMode::Nearest(nearest),
        ("linear" | "bilinear", false) => UpsampleMode::Linear,
        ("linear" | "bilinear", true) => UpsampleMode::OnnxAntialias { filter: Filter::Triangle, exclude_outside },
        ("cubic", false) => UpsampleMode::Cubic { a, exclude_outside },
        ("cubic", true) => UpsampleMode::OnnxAntialias { filter: Filter::Cubic { a }, exclude_outside },
        (other, _) => return unsupported(format!("mode {other}")),
    })
}
