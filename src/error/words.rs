//! Parsing of the words that frameworks use as values of attributes.

use super::{Error, Result};

/// The value of `word` in the table `known`, or [`Error::UnknownWord`]. `what` names the attribute.
pub(crate) fn parse_word<T: Copy>(what: &'static str, word: &str, known: &[(impl ToString, T)]) -> Result<T> {
    match known.iter().find(|(known, _)| known.to_string() == word) {
        Some((_, value)) => Ok(*value),
        None => {
            let known = known.iter().map(|(word, _)| word.to_string()).collect();
            Err(Error::UnknownWord { what, word: word.into(), known })
        }
    }
}
