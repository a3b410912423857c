//! A result that is not what the reference says.

/// The element that is furthest outside its bound.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{outside} elements outside their bound; at {index:?} {actual} where {expected} ± {bound:e} was expected")]
#[non_exhaustive]
pub struct Mismatch {
    /// Index of that element, in the order of the output's axes.
    pub index: Vec<usize>,
    /// The result's value there.
    pub actual: f32,
    /// The reference's value there.
    pub expected: f64,
    /// The largest absolute error allowed there.
    pub bound: f64,
    /// How many elements are outside their bound.
    pub outside: usize,
}
