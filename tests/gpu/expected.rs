//! What an op's outputs must be, by its definition on the CPU.

use ndarray::{ArrayD, ArrayViewD, Dimension};
use upconv::{DataType, Op, Reference, Tensor, TensorView};

use super::tensors::Data;

/// The reference of an op's outputs for some inputs.
pub struct Expected {
    /// The first output, where it holds numbers; `None` where all outputs hold integers.
    reference: Option<Reference>,
    /// The other outputs.
    integers: Vec<ArrayD<i32>>,
}

impl Expected {
    pub fn of<O: Op>(op: &O, inputs: &[Tensor]) -> Result<Self, String> {
        let views: Vec<TensorView> = inputs.iter().map(TensorView::from).collect();
        let text = |error: upconv::Error| error.to_string();
        let is_number = op.output().map_err(text)?.data_type == DataType::Float;
        let reference = is_number.then(|| op.reference(&views)).transpose().map_err(text)?;
        Ok(Self { reference, integers: op.reference_integers(&views).map_err(text)? })
    }

    /// Compares all outputs: integers with `==`, and floats with `==` for [`Data::Integers`], else within the
    /// reference's bound. Returns the largest error, 1 being as large as its bound.
    pub fn check(&self, outputs: &[Tensor], data: Data) -> Result<f64, String> {
        let numbers = usize::from(self.reference.is_some());
        if outputs.len() != numbers + self.integers.len() {
            return Err(format!("{} outputs where {} were expected", outputs.len(), numbers + self.integers.len()));
        }
        let worst = self.reference.as_ref().map_or(Ok(0.0), |reference| check_numbers(reference, &outputs[0], data))?;
        for (number, (expected, actual)) in self.integers.iter().zip(&outputs[numbers..]).enumerate() {
            if !matches!(actual, Tensor::I32(actual) if actual == expected) {
                return Err(format!("integer output {number} is {actual:?} where {expected} was expected"));
            }
        }
        Ok(worst)
    }
}

fn check_numbers(reference: &Reference, output: &Tensor, data: Data) -> Result<f64, String> {
    let worst = match (output, data) {
        (Tensor::F32(output), Data::Integers) => reference.check_exact(output.view()).map(|_| 0.0),
        (Tensor::F32(output), Data::Reals) => within_bound(reference, output.view()),
        (Tensor::F16(output), _) => within_bound(&reference.clone().stored_as_f16(), output.mapv(f32::from).view()),
        (other, _) => return Err(format!("the first output is no number: {other:?}")),
    };
    worst.map_err(|error| error.to_string())
}

/// Checks a result, and returns its largest error as a share of the bound.
fn within_bound(reference: &Reference, output: ArrayViewD<f32>) -> upconv::Result<f64> {
    reference.check(output.view())?;
    let share = |(index, &value): (ndarray::IxDyn, &f64)| {
        let (error, bound) = ((f64::from(output[index.slice()]) - value).abs(), reference.bound(index.slice()));
        if error > 0.0 && error.is_finite() { error / bound } else { 0.0 }
    };
    Ok(reference.values.indexed_iter().map(share).fold(0.0, f64::max))
}
