//! A test case of another library: `case.json` and one .npy file per tensor.

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};
use ndarray_npy::ReadNpyExt;
use serde_json::Value;
use upconv::Tensor;

use super::files;

/// Why a case gave no result.
#[derive(Debug)]
pub enum Failure {
    /// The crate does not compute this.
    Unsupported(String),
    /// Anything else that went wrong.
    Failed(String),
}

impl From<upconv::Error> for Failure {
    fn from(error: upconv::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

pub type Outcome<T> = Result<T, Failure>;

/// The error for something that the crate does not compute.
pub fn unsupported<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Failure::Unsupported(what.into()))
}

pub struct Case {
    folder: PathBuf,
    json: Value,
}

impl Case {
    pub fn read(file: &Path) -> Result<Self, String> {
        let json =
            serde_json::from_slice(&files::read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(Self { folder: file.parent().unwrap_or(Path::new(".")).into(), json })
    }

    fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }

    pub fn suite(&self) -> &str {
        self.text("suite")
    }

    pub fn name(&self) -> &str {
        self.text("name")
    }

    pub fn op_type(&self) -> &str {
        self.text("op_type")
    }

    /// Why the expected values are not to be trusted, if they are not.
    pub fn distrust(&self) -> Option<String> {
        let trust = self.json["trust"].as_str().filter(|trust| *trust != "ok")?;
        Some([trust, self.text("trust_note")].join(": "))
    }

    /// A field of the case itself.
    pub fn field(&self, key: &str) -> &Value {
        &self.json[key]
    }

    /// An attribute; null where there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        &self.json["attributes"][name]
    }

    pub fn word(&self, name: &str) -> &str {
        self.attribute(name).as_str().unwrap_or_default()
    }

    /// An attribute that is a boolean or 0 or 1; false where there is none.
    pub fn flag(&self, name: &str) -> bool {
        let value = self.attribute(name);
        value.as_bool().unwrap_or(value.as_i64() == Some(1))
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.attribute(name).as_f64()
    }

    /// An attribute that has one number for each axis, or one for all axes; none if it is absent.
    pub fn axes<const R: usize>(&self, name: &str) -> Outcome<Option<[i64; R]>> {
        axes(self.attribute(name), name)
    }

    /// Such an attribute as sizes, or 1 for each axis if it is absent.
    pub fn steps<const R: usize>(&self, name: &str) -> Outcome<[usize; R]> {
        Ok(self.sizes(name)?.unwrap_or([1; R]))
    }

    pub fn sizes<const R: usize>(&self, name: &str) -> Outcome<Option<[usize; R]>> {
        let Some(values) = self.axes::<R>(name)? else { return Ok(None) };
        match values.iter().find(|&&value| value < 0) {
            Some(value) => Err(Failure::Failed(format!("{name} has a negative size, {value}"))),
            None => Ok(Some(values.map(|value| value as usize))),
        }
    }

    /// A tensor that the op reads; none where it is left out.
    pub fn input(&self, name: &str) -> Outcome<Option<Tensor>> {
        self.tensor("inputs", name)
    }

    /// An input that must be there.
    pub fn required(&self, name: &str) -> Outcome<Tensor> {
        self.input(name)?.ok_or_else(|| Failure::Failed(format!("the case has no input {name}")))
    }

    /// Names of the tensors that the op writes.
    pub fn outputs(&self) -> Vec<String> {
        let present = |output: &&Value| output["present"].as_bool() != Some(false);
        let outputs = self.json["outputs"].as_array().into_iter().flatten();
        outputs.filter(present).filter_map(|output| output["name"].as_str().map(String::from)).collect()
    }

    pub fn expected(&self, name: &str) -> Outcome<Tensor> {
        self.tensor("outputs", name)?.ok_or_else(|| Failure::Failed(format!("the case has no output {name}")))
    }

    /// The element type of a tensor in its file, such as `uint8`.
    pub fn data_type(&self, name: &str) -> &str {
        let tensors = ["inputs", "outputs"].into_iter().flat_map(|key| self.json[key].as_array()).flatten();
        let found = tensors.into_iter().find(|tensor| tensor["name"] == name);
        found.and_then(|tensor| tensor["dtype"].as_str()).unwrap_or_default()
    }

    fn tensor(&self, key: &str, name: &str) -> Outcome<Option<Tensor>> {
        let found = self.json[key].as_array().into_iter().flatten().find(|tensor| tensor["name"] == name);
        let Some(tensor) = found.filter(|tensor| tensor["present"].as_bool() != Some(false)) else { return Ok(None) };
        let (file, data_type) = (tensor["file"].as_str(), tensor["dtype"].as_str());
        let path = self.folder.join(file.unwrap_or_default());
        load(&path, data_type.unwrap_or_default()).map(Some)
    }
}

fn axes<const R: usize>(value: &Value, name: &str) -> Outcome<Option<[i64; R]>> {
    if let Some(number) = value.as_i64() {
        return Ok(Some([number; R]));
    }
    let Some(values) = value.as_array() else { return Ok(None) };
    let numbers: Vec<i64> = values.iter().filter_map(Value::as_i64).collect();
    let wrong = || Failure::Failed(format!("{name} has {} numbers for {R} axes", numbers.len()));
    numbers[..].try_into().map(Some).map_err(|_| wrong())
}

/// Reads a tensor: floats and integers of 8 and 16 bits as f32, int32 and int64 (indices and shapes) as i32.
fn load(path: &Path, data_type: &str) -> Outcome<Tensor> {
    fn read<T: ndarray_npy::ReadableElement>(path: &Path) -> Outcome<ArrayD<T>> {
        let bytes = files::read(path).map_err(Failure::Failed)?;
        ArrayD::read_npy(&bytes[..]).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    }
    let large = |value: i64| Failure::Failed(format!("{}: {value} does not fit an i32", path.display()));
    Ok(match data_type {
        "float32" => Tensor::F32(read(path)?),
        "float64" => Tensor::F32(read::<f64>(path)?.mapv(|value| value as f32)),
        "uint8" => Tensor::F32(read::<u8>(path)?.mapv(f32::from)),
        "int8" => Tensor::F32(read::<i8>(path)?.mapv(f32::from)),
        "uint16" => Tensor::F32(read::<u16>(path)?.mapv(f32::from)),
        "int16" => Tensor::F32(read::<i16>(path)?.mapv(f32::from)),
        "int32" => Tensor::I32(read(path)?),
        "int64" => {
            let wide = read::<i64>(path)?;
            let narrow = wide.iter().map(|&value| i32::try_from(value).map_err(|_| large(value)));
            let narrow = narrow.collect::<Outcome<Vec<i32>>>()?;
            Tensor::I32(ArrayD::from_shape_vec(wide.shape(), narrow).expect("as many as there were"))
        }
        other => return unsupported(format!("tensors of {other}")),
    })
}

/// The lengths of a tensor's axes.
pub fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// A tensor's axes in another order.
pub fn permuted(tensor: &Tensor, order: &[usize]) -> Outcome<Tensor> {
    Ok(match tensor {
        Tensor::F32(array) => Tensor::F32(array.view().permuted_axes(order).as_standard_layout().into_owned()),
        Tensor::F16(array) => Tensor::F16(array.view().permuted_axes(order).as_standard_layout().into_owned()),
        Tensor::I32(array) => Tensor::I32(array.view().permuted_axes(order).as_standard_layout().into_owned()),
        other => return unsupported(format!("elements of {other:?}")),
    })
}

/// A tensor's elements in another shape.
pub fn reshaped(tensor: Tensor, shape: &[usize]) -> Outcome<Tensor> {
    let wrong = |error: ndarray::ShapeError| Failure::Failed(error.to_string());
    Ok(match tensor {
        Tensor::F32(array) => Tensor::F32(array.into_shape_with_order(IxDyn(shape)).map_err(wrong)?),
        Tensor::F16(array) => Tensor::F16(array.into_shape_with_order(IxDyn(shape)).map_err(wrong)?),
        Tensor::I32(array) => Tensor::I32(array.into_shape_with_order(IxDyn(shape)).map_err(wrong)?),
        other => return unsupported(format!("elements of {other:?}")),
    })
}

/// A tensor's elements as f32.
pub fn numbers(tensor: Tensor) -> Outcome<ArrayD<f32>> {
    match tensor {
        Tensor::F32(array) => Ok(array),
        other => Ok(other.to_f64().mapv(|value| value as f32)),
    }
}

/// The spatial part of a shape (N, C, spatial...).
pub fn spatial<const R: usize>(tensor: &Tensor) -> Outcome<[usize; R]> {
    let shape = shape(tensor);
    let wrong = || Failure::Failed(format!("a tensor of shape {shape:?} where {R} spatial axes were expected"));
    shape.get(2..).unwrap_or_default().try_into().map_err(|_| wrong())
}
