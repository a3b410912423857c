//! What a plan will do, as plain data and pure functions: no GPU object is made here.

pub(crate) mod builder;
pub(crate) mod constants;
pub(crate) mod context;
pub(crate) mod convert;
#[cfg(any(test, fuzzing))]
pub mod dissect;
pub(crate) mod kernel_parts;
pub(crate) mod operand;
pub(crate) mod options;
pub(crate) mod pass;
pub(crate) mod pixel_format;
pub(crate) mod program;
pub(crate) mod recipe;
pub(crate) mod region;
pub(crate) mod rounds;
pub(crate) mod shader;
pub(crate) mod split;
pub(crate) mod split_k;
pub(crate) mod texts;
pub(crate) mod texture;
pub(crate) mod uniform;
