//! What can be wrong with a recipe.

/// Why a recipe cannot be used; see [`Error::Recipe`](crate::Error::Recipe).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The op has no such recipe for this problem on this device.
    #[error("{op} has no recipe \"{recipe}\" for this problem; it has {}", .offered.join(", "))]
    Unknown {
        /// The op.
        op: &'static str,
        /// The recipe asked for.
        recipe: String,
        /// The recipes that the op has, best first, each with one workgroup size.
        offered: Vec<String>,
    },
    /// A text that is no recipe.
    #[error("\"{text}\" is no recipe: {reason}")]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The device has less of a limit or a property than the recipe needs.
    #[error("recipe \"{recipe}\" is refused: it needs {what} {needed}, the device has {available}")]
    Refused {
        /// The recipe asked for.
        recipe: String,
        /// The limit or property.
        what: &'static str,
        /// How much the recipe needs.
        needed: u64,
        /// How much the device has.
        available: u64,
    },
}
