//! Whether a result is the expected one, by what the case's file says.

use upconv::Tensor;

use super::case::Case;

/// How far a result is from the expected one.
pub struct Verdict {
    pub max_error: f64,
    /// The element that exceeds its allowed error most, if any does, or a wrong shape.
    pub complaint: Option<String>,
}

/// What the file allows for an output.
struct Allowed {
    absolute: f64,
    relative: f64,
}

impl Allowed {
    fn new(case: &Case, output: &str, largest: f64) -> Self {
        let own = |key: &str| case.field(key)[output].as_f64().or_else(|| case.field(key).as_f64());
        let exact = Self { absolute: 0.0, relative: 0.0 };
        let op = case.op_type();
        if case.field("values") == "int" && op.contains("conv") {
            return exact;
        }
        if let Some(bound) = own("f32_error_bound") {
            return Self { absolute: bound, relative: 0.0 };
        }
        let tolerance = case.field("tolerance");
        if let (Some(absolute), Some(relative)) = (tolerance["atol"].as_f64(), tolerance["rtol"].as_f64()) {
            return Self { absolute, relative };
        }
        // Libraries compute images of integers in fixed point, with a rounding on the way: their results are one of the
        // two values around the exact one.
        if matches!(case.data_type(output), "uint8" | "uint16" | "int16") {
            return Self { absolute: 1.0, relative: 0.0 };
        }
        // The file says nothing: allow 2^-20 of the largest value, and 4 times the error that the library had in f32.
        let makers = own("torch_f32_max_abs_diff").or(own("max_abs_diff_to_float64_numpy_model")).unwrap_or(0.0);
        Self { absolute: 4.0 * makers + largest / f64::from(1 << 20), relative: 0.0 }
    }
}

/// The distance of two numbers. A NaN and an infinity agree only with their like, of the same sign; from anything else
/// they are infinitely far.
fn error(got: f64, wanted: f64) -> f64 {
    if got == wanted || (got.is_nan() && wanted.is_nan()) {
        return 0.0;
    }
    let error = (got - wanted).abs();
    if error.is_nan() { f64::INFINITY } else { error }
}

pub fn judge(case: &Case, output: &str, actual: &Tensor, expected: &Tensor) -> Verdict {
    let integers = matches!(expected, Tensor::I32(_));
    let (actual, expected) = (actual.to_f64(), expected.to_f64());
    if actual.shape() != expected.shape() {
        let complaint = format!("{output}: shape {:?} where {:?} was expected", actual.shape(), expected.shape());
        return Verdict { max_error: f64::INFINITY, complaint: Some(complaint) };
    }
    let finite = expected.iter().filter(|value| value.is_finite());
    let largest = finite.fold(0.0f64, |most, value| most.max(value.abs()));
    let allowed = if integers { Allowed { absolute: 0.0, relative: 0.0 } } else { Allowed::new(case, output, largest) };
    let mut verdict = Verdict { max_error: 0.0, complaint: None };
    let mut worst = 0.0;
    for ((index, &wanted), &got) in expected.indexed_iter().zip(&actual) {
        let error = error(got, wanted);
        // No tolerance covers an infinite error, and none is infinite.
        let excess =
            if error.is_finite() { error - allowed.absolute - allowed.relative * wanted.abs() } else { f64::INFINITY };
        verdict.max_error = verdict.max_error.max(error);
        if excess > worst {
            worst = excess;
            let at = ndarray::Dimension::slice(&index);
            verdict.complaint = Some(format!("{output}: at {at:?} {got} where {wanted} was expected"));
        }
    }
    verdict
}
