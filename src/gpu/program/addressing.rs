//! Addresses, strides and constants as the shaders take them.

use std::ops::Range;

use super::operand::Placed;
use crate::ops::activation::Activation;
use crate::tensor::layout::TensorLayout;

/// A constant that is true or false.
pub(crate) fn flag(name: &'static str, value: bool) -> (&'static str, f64) {
    (name, f64::from(u8::from(value)))
}

/// The shaders' number of an activation, and its parameters `alpha` and `beta`.
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

/// The stride of the `i`-th of three spatial axes, modulo 2³²; 0 for one that the tensor lacks.
pub(crate) fn spatial_stride(placed: &Placed, i: usize) -> u32 {
    let rank = placed.layout.shape().len();
    (i + rank).checked_sub(3).filter(|&axis| axis >= 2).map_or(0, |axis| placed.stride(axis))
}

/// The addresses of a box; a spatial range that is empty, as where only padding is met, counts as its first sample,
/// since a binding cannot be empty.
pub(crate) fn span(layout: &TensorLayout, outer: [Range<usize>; 2], spatial: [Range<usize>; 3]) -> Range<usize> {
    let rank = layout.shape().len() - 2;
    let spatial = spatial.into_iter().skip(3 - rank).map(|range| if range.is_empty() { 0..1 } else { range });
    let at: Vec<_> = outer.into_iter().chain(spatial).collect();
    layout.span(&at)
}
