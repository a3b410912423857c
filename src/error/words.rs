//! Words of the frameworks' attributes, read.

use super::{Error, Result};

/// The value that this word stands for among those known.
pub(crate) fn one_of<T: Copy>(what: &'static str, word: &str, known: &[(impl ToString, T)]) -> Result<T> {
    match known.iter().find(|(known, _)| known.to_string() == word) {
        Some((_, value)) => Ok(*value),
        None => {
            let known = known.iter().map(|(word, _)| word.to_string()).collect();
            Err(Error::UnknownWord { what, word: word.into(), known })
        }
    }
}
