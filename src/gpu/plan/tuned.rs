//! Recipes that were measured to be the fastest on a device, kept as text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wgpu::AdapterInfo;

use crate::error::{Error, Result};
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::recipe::{Capabilities, Recipe};
use crate::gpu::program::request::GpuOp;

/// The first line of the text.
const HEADING: &str = "upconv choices 1";

/// What [`Gpu::tune`](crate::Gpu::tune) found out: for each problem on one adapter and driver, the fastest recipe.
///
/// As text, it is a heading, the adapter, and two lines for each problem: what it is, and its recipe. A text of another
/// adapter or driver is refused by [`Planner::choose_from`](crate::Planner::choose_from); a recipe that the crate no
/// longer has is passed over.
///
/// ```
/// use upconv::gpu::Choices;
/// let text = "upconv choices 1\nadapter llvmpipe | llvmpipe | Mesa 22.3.6\n";
/// let choices: Choices = text.parse()?;
/// assert_eq!(choices.to_string(), text);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    adapter: String,
    recipes: BTreeMap<String, String>,
}

impl Choices {
    /// None yet, for this adapter.
    pub fn new(info: &AdapterInfo) -> Self {
        Self { adapter: adapter(info), recipes: BTreeMap::new() }
    }

    /// The adapter and driver that they were measured on.
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// How many problems they know.
    pub fn len(&self) -> usize {
        self.recipes.len()
    }

    /// Whether they know none.
    pub fn is_empty(&self) -> bool {
        self.recipes.is_empty()
    }

    /// Refuses those of another adapter or driver.
    pub(crate) fn check(&self, info: &AdapterInfo) -> Result<()> {
        let expected = adapter(info);
        if self.adapter == expected {
            return Ok(());
        }
        Err(Error::ForeignChoices { expected, actual: self.adapter.clone() })
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn insert<O: GpuOp>(&mut self, op: &O, options: &PlanOptions, recipe: &Recipe) {
        self.recipes.insert(problem(op, options), recipe.to_string());
    }

    /// The recipe for a problem, if it is known and still one of those that there are.
    pub(crate) fn get<O: GpuOp>(&self, op: &O, options: &PlanOptions, capabilities: &Capabilities) -> Option<Recipe> {
        if self.is_empty() {
            return None;
        }
        let chosen = self.recipes.get(&problem(op, options))?;
        op.recipes(capabilities, options.storage).into_iter().find(|recipe| recipe.to_string() == *chosen)
    }
}

fn adapter(info: &AdapterInfo) -> String {
    let words = [&info.name, &info.driver, &info.driver_info].map(|word| word.replace(['\n', '|'], " "));
    words.join(" | ")
}

/// A problem in one line.
fn problem<O: GpuOp>(op: &O, options: &PlanOptions) -> String {
    let options = PlanOptions { recipe: None, ..options.clone() };
    let plain = options == PlanOptions { storage: options.storage, ..Default::default() };
    let layouts = if plain { format!("{:?}", options.storage) } else { format!("{options:?}") };
    format!("{} {op:?} {layouts}", O::NAME)
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADING}\nadapter {}", self.adapter)?;
        self.recipes.iter().try_for_each(|(problem, recipe)| writeln!(f, "{problem}\n    {recipe}"))
    }
}

impl FromStr for Choices {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut lines = text.lines().zip(1..);
        let bad = |line: usize, expected| Error::ChoicesText { line, expected };
        if lines.next().map(|(line, _)| line) != Some(HEADING) {
            return Err(bad(1, HEADING));
        }
        let adapter = lines.next().and_then(|(line, _)| line.strip_prefix("adapter "));
        let adapter = adapter.ok_or(bad(2, "adapter NAME | DRIVER | VERSION"))?.to_string();
        let mut recipes = BTreeMap::new();
        while let Some((problem, number)) = lines.next() {
            let recipe = lines.next().and_then(|(line, _)| line.strip_prefix("    "));
            recipes.insert(problem.into(), recipe.ok_or(bad(number + 1, "a recipe after four spaces"))?.to_string());
        }
        Ok(Self { adapter, recipes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_choices_name_the_line() {
        let refused = |text: &str| text.parse::<Choices>().unwrap_err();
        assert!(matches!(refused(""), Error::ChoicesText { line: 1, .. }));
        assert!(matches!(refused("upconv choices 1\nnone"), Error::ChoicesText { line: 2, .. }));
        let cut = "upconv choices 1\nadapter a | b | c\nconv Conv {}\n";
        assert!(matches!(refused(cut), Error::ChoicesText { line: 4, .. }));
    }
}
