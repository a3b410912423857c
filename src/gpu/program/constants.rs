//! The values of the shaders' `override` constants.

use crate::ops::activation::Activation;

/// An `override` constant: its name and its value. A bool is 0 or 1.
pub(crate) type Constant = (&'static str, f64);

/// A constant that is true or false.
pub(crate) fn flag(name: &'static str, value: bool) -> Constant {
    (name, f64::from(u8::from(value)))
}

/// The value of the shaders' constant `activation`, and of the uniform fields `alpha` and `beta`.
pub(crate) fn activation_constants(activation: Activation) -> (f64, [f32; 2]) {
    match activation {
        Activation::None => (0.0, [0.0; 2]),
        Activation::Relu => (1.0, [0.0; 2]),
        Activation::LeakyRelu { slope } => (2.0, [slope, 0.0]),
        Activation::Sigmoid => (3.0, [0.0; 2]),
        Activation::Tanh => (4.0, [0.0; 2]),
        Activation::Clip { min, max } => (5.0, [min, max]),
    }
}
