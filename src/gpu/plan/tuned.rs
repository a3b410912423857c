//! Recipes that were measured to be the fastest on a device, kept as text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use wgpu::AdapterInfo;

use crate::dtype::FloatType;
use crate::error::tuned::TunedError;
use crate::error::{Error, Result};
use crate::gpu::program::context::GpuOp;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::recipe::{Capabilities, Recipe};
use crate::tensor::layout::TensorLayout;
use crate::tensor::operand::Role;

/// The first line of the text: its last word is the version.
const HEADING: &str = "upconv tuned recipes 2";

/// The form of a text's second line.
const ADAPTER: &str = "adapter NAME | DRIVER | VERSION";

/// What [`Gpu::tune`](crate::Gpu::tune) found out: for each problem on one adapter and driver, the fastest recipe.
///
/// As text, it is a heading with a version, the adapter, and two lines for each problem:
/// [`Op::problem`](crate::Op::problem) with the storage type and the layouts, and the recipe. A text of another
/// version, or with a recipe that the crate does not have, is refused when it is parsed; a text of another adapter or
/// driver is refused by [`Planner::use_tuned`](crate::Planner::use_tuned). Both errors are
/// [`Error::Tuned`](crate::Error::Tuned).
///
/// ```
/// use upconv::gpu::TunedRecipes;
/// let text = "upconv tuned recipes 2
/// adapter llvmpipe | llvmpipe | Mesa 22.3.6
/// conv_transpose:ic64_oc32_i28x28_k4x4_s2x2_p1x1 f32
///     conv_gemm_subgroup wg8 tile16x32 merged1x2x2
/// ";
/// let tuned: TunedRecipes = text.parse()?;
/// assert_eq!((tuned.len(), tuned.to_string().as_str()), (1, text));
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunedRecipes {
    adapter: String,
    recipes: BTreeMap<String, Recipe>,
}

impl TunedRecipes {
    /// No recipes yet, for this adapter.
    pub fn new(info: &AdapterInfo) -> Self {
        Self { adapter: adapter(info), recipes: BTreeMap::new() }
    }

    /// The adapter and driver that the recipes were measured on.
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// The number of problems that have a recipe.
    pub fn len(&self) -> usize {
        self.recipes.len()
    }

    /// Whether no problem has a recipe.
    pub fn is_empty(&self) -> bool {
        self.recipes.is_empty()
    }

    /// Refuses recipes of another adapter or driver.
    pub(crate) fn check(&self, info: &AdapterInfo) -> Result<()> {
        let expected = adapter(info);
        if self.adapter == expected {
            return Ok(());
        }
        Err(Error::Tuned(TunedError::Elsewhere { expected, actual: self.adapter.clone() }))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn insert<O: GpuOp>(&mut self, op: &O, options: &PlanOptions, recipe: &Recipe) {
        self.recipes.insert(key(op, options), recipe.clone());
    }

    /// The tuned recipe for a problem, if there is one and the op offers it on such a device.
    pub(crate) fn get<O: GpuOp>(&self, op: &O, options: &PlanOptions, capabilities: &Capabilities) -> Option<Recipe> {
        if self.is_empty() {
            return None;
        }
        let tuned = self.recipes.get(&key(op, options))?;
        op.recipes(capabilities, options).contains(tuned).then(|| tuned.clone())
    }
}

fn adapter(info: &AdapterInfo) -> String {
    let words = [&info.name, &info.driver, &info.driver_info].map(|word| word.replace(['\n', '|'], " "));
    words.join(" | ")
}

/// A problem, its storage type and its layouts, in one line.
fn key<O: GpuOp>(op: &O, options: &PlanOptions) -> String {
    let storage = match options.storage {
        FloatType::F32 => "f32",
        FloatType::F16 => "f16",
    };
    let layout = |(role, layout): (Role, &TensorLayout)| {
        let strides: Vec<_> = layout.strides().iter().map(usize::to_string).collect();
        format!(" {role}({}+{})", strides.join(","), layout.offset())
    };
    let layouts: String = options.layouts().map(layout).collect();
    let textures = [("input", options.input_texture), ("output", options.output_texture)];
    let textures = textures.into_iter().filter_map(|(end, pixels)| Some(format!(" {end}({})", pixels?)));
    format!("{} {storage}{layouts}{}", op.problem(), textures.collect::<String>())
}

impl fmt::Display for TunedRecipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADING}\nadapter {}", self.adapter)?;
        self.recipes.iter().try_for_each(|(problem, recipe)| writeln!(f, "{problem}\n    {recipe}"))
    }
}

impl FromStr for TunedRecipes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |line: usize, found: Option<&str>, expected: &str| {
            Err(Error::Tuned(TunedError::Text {
                line,
                found: found.unwrap_or_default().into(),
                expected: expected.into(),
            }))
        };
        let mut lines = text.lines();
        let heading = lines.next();
        if heading != Some(HEADING) {
            return refused(1, heading, HEADING);
        }
        let second = lines.next();
        let Some(adapter) = second.and_then(|line| line.strip_prefix("adapter ")) else {
            return refused(2, second, ADAPTER);
        };
        let mut recipes = BTreeMap::new();
        let mut number = 3;
        while let Some(problem) = lines.next() {
            let line = lines.next();
            let Some(recipe) = line.and_then(|line| line.strip_prefix("    ")) else {
                return refused(number + 1, line, "a recipe after four spaces");
            };
            match recipe.parse() {
                Ok(recipe) => recipes.insert(problem.into(), recipe),
                Err(error) => return refused(number + 1, line, &format!("a recipe: {error}")),
            };
            number += 2;
        }
        Ok(Self { adapter: adapter.into(), recipes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conv::conv::Conv2d;

    #[test]
    fn other_texts_are_refused_with_the_line() {
        let refused = |text: &str| match text.parse::<TunedRecipes>() {
            Err(Error::Tuned(TunedError::Text { line, found, .. })) => (line, found),
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(""), (1, String::new()));
        // A text as the previous version wrote it.
        assert_eq!(refused("upconv choices 1\nadapter a | b | c\n"), (1, "upconv choices 1".into()));
        assert_eq!(refused("upconv tuned recipes 2\nnone"), (2, "none".into()));
        let start = "upconv tuned recipes 2\nadapter a | b | c\nconv:i5x5 f32\n";
        assert_eq!(refused(start), (4, String::new()));
        assert_eq!(refused(&format!("{start}    conv_fft wg64\n")), (4, "    conv_fft wg64".into()));
    }

    #[test]
    fn keys_say_problem_storage_and_layouts() {
        let conv = Conv2d { in_channels: 3, input_size: [4, 5], ..Default::default() };
        assert_eq!(key(&conv, &PlanOptions::default()), "conv:ic3_i4x5 f32");
        let input = TensorLayout::channels_last(&[1, 3, 4, 5]).with_offset(7);
        let options = PlanOptions { input: Some(input), storage: FloatType::F16, ..Default::default() };
        assert_eq!(key(&conv, &options), "conv:ic3_i4x5 f16 input(60,1,15,3+7)");
    }
}
