//! A result that is not what the reference says.

/// The element that is furthest outside its bound.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{outside} elements outside their bound; at {index:?} {actual} where {expected} ± {bound:e} was expected")]
#[non_exhaustive]
pub struct Mismatch {
    /// Index of the worst element.
    pub index: Vec<usize>,
    /// Its value.
    pub actual: f32,
    /// The reference's value.
    pub expected: f64,
    /// The largest error allowed there.
    pub bound: f64,
    /// How many elements are outside their bound.
    pub outside: usize,
}
