//! Texts of tuned recipes that cannot be used.

/// Why a text of tuned recipes was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TunedError {
    /// Recipes that were tuned on another adapter or driver.
    #[error("the recipes were tuned on \"{actual}\", this is \"{expected}\"")]
    Elsewhere {
        /// This adapter and driver.
        expected: String,
        /// The adapter and driver that the text names.
        actual: String,
    },
    /// A text that does not hold tuned recipes of this version.
    #[error("line {line} of the tuned recipes is \"{found}\"; expected is {expected}")]
    Text {
        /// The line, counted from 1.
        line: usize,
        /// What the line says; empty if the text ends before it.
        found: String,
        /// What it should say.
        expected: String,
    },
}
