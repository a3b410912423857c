//! Recipes: how an op can be run, and what a device must offer for it. Plain data and pure functions.

use std::fmt;

use wgpu::{Backend, CooperativeMatrixProperties, Device, DeviceType, Features, Limits};

use super::shader::Shader;
use crate::error::recipe::RecipeError;
use crate::error::{Error, Result};

/// How an op is run: which shader, with which workgroup, and what a workgroup computes.
///
/// It prints as one line, which parses back to the same recipe, and which forces the same choice again through
/// [`PlanOptions::recipe`](crate::PlanOptions::recipe).
///
/// ```
/// use upconv::{Recipe, gpu::Shape};
/// let recipe: Recipe = "conv_gemm_workgroup wg64 tile64x64 merged1x2x2 splitk".parse()?;
/// assert_eq!(recipe.shape, Shape::Gemm { tile: [64, 64], merged: Some([1, 2, 2]), split_k: true });
/// assert_eq!(recipe.to_string(), "conv_gemm_workgroup wg64 tile64x64 merged1x2x2 splitk");
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Recipe {
    /// The shader's path in the crate's `shaders/` without its ending, with `_` between folder and file, such as
    /// `conv_direct`.
    pub shader: &'static str,
    /// Threads in a workgroup.
    pub workgroup_size: u32,
    /// What a thread or a workgroup computes, and in how many passes.
    pub shape: Shape,
}

/// What a thread or a workgroup of a [`Recipe`] computes, and in how many passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// A thread computes one output.
    PerOutput {
        /// Whether long sums are cut into slices: see [`Shape::split_k`].
        split_k: bool,
    },
    /// A thread computes a block of outputs.
    Blocks {
        /// Outputs of a block along depth, height and width.
        block: [u32; 3],
        /// Whether long sums are cut into slices: see [`Shape::split_k`].
        split_k: bool,
    },
    /// A workgroup computes a tile of a matrix product (an implicit GEMM).
    Gemm {
        /// Rows and columns of the product that a workgroup computes.
        tile: [u32; 2],
        /// A column of the product stands for a block of this many outputs along depth, height and width, and a row for
        /// a pair of a channel and a place in the block. `None`: a column is one output position, a row is one channel.
        merged: Option<[u32; 3]>,
        /// Whether long sums are cut into slices: see [`Shape::split_k`].
        split_k: bool,
    },
    /// One pass for each axis that is resampled, with a workspace between two passes; in each a thread computes one
    /// output. An axis with thousands of taps takes two passes, and extrapolation values take a last one.
    AxisPasses {
        /// The number of passes.
        passes: u32,
    },
    /// A thread computes all channels of a texel, from texture to texture.
    PerTexel,
    /// Max unpooling: one pass marks each output with the number of the last sample that goes there, a second pass
    /// gathers the samples by the marks.
    MarkAndGather,
    /// A workgroup reduces a slice of a plane to one number. As long as planes have several slices, another pass
    /// reduces what is left of them.
    Reduction {
        /// Channels whose planes a workgroup reduces side by side.
        channels: u32,
    },
}

impl Shape {
    /// A thread computes one output, in one pass.
    pub(crate) const PLAIN: Self = Self::PerOutput { split_k: false };

    /// Whether sums are split (split-K): a first pass writes partial sums, one for each slice of a sum, to a workspace
    /// of f32, and a second pass adds them. A short sum is one slice.
    pub fn split_k(&self) -> bool {
        match *self {
            Self::PerOutput { split_k } | Self::Blocks { split_k, .. } | Self::Gemm { split_k, .. } => split_k,
            Self::AxisPasses { .. } | Self::PerTexel | Self::MarkAndGather | Self::Reduction { .. } => false,
        }
    }

    /// The same shape with split-K; `None` for a shape that cannot have it.
    pub fn with_split_k(self) -> Option<Self> {
        match self {
            Self::PerOutput { .. } => Some(Self::PerOutput { split_k: true }),
            Self::Blocks { block, .. } => Some(Self::Blocks { block, split_k: true }),
            Self::Gemm { tile, merged, .. } => Some(Self::Gemm { tile, merged, split_k: true }),
            Self::AxisPasses { .. } | Self::PerTexel | Self::MarkAndGather | Self::Reduction { .. } => None,
        }
    }

    /// The same product with its columns for blocks of `merged` outputs, or for single outputs; other shapes stay as
    /// they are.
    pub(crate) fn with_merged(self, merged: Option<[u32; 3]>) -> Self {
        match self {
            Self::Gemm { tile, split_k, .. } => Self::Gemm { tile, merged, split_k },
            other => other,
        }
    }

    /// The shape in the words that [`Recipe`] prints. No word for [`Shape::PLAIN`].
    fn words(&self) -> Vec<String> {
        let block = |name: &str, [d, h, w]: [u32; 3]| format!("{name}{d}x{h}x{w}");
        let mut words = match *self {
            Self::PerOutput { .. } => vec![],
            Self::Blocks { block: outputs, .. } => vec![block("block", outputs)],
            Self::Gemm { tile: [rows, columns], merged, .. } => {
                let tile = format!("tile{rows}x{columns}");
                std::iter::once(tile).chain(merged.map(|outputs| block("merged", outputs))).collect()
            }
            Self::AxisPasses { passes } => vec![format!("axes{passes}")],
            Self::PerTexel => vec!["texels".into()],
            Self::MarkAndGather => vec!["marks".into()],
            Self::Reduction { channels } => vec![format!("reduce{channels}")],
        };
        words.extend(self.split_k().then(|| "splitk".into()));
        words
    }

    /// The shape that prints as these words, if there is one.
    fn from_words(words: &[&str]) -> Option<Self> {
        let (words, split_k) = match words {
            [first @ .., "splitk"] => (first, true),
            _ => (words, false),
        };
        let shape = match words {
            [] => Self::PerOutput { split_k },
            ["texels"] if !split_k => Self::PerTexel,
            ["marks"] if !split_k => Self::MarkAndGather,
            [word] if word.starts_with("axes") && !split_k => {
                Self::AxisPasses { passes: numbers::<1>(word, "axes")?[0] }
            }
            [word] if word.starts_with("reduce") && !split_k => {
                Self::Reduction { channels: numbers::<1>(word, "reduce")?[0] }
            }
            [word] if word.starts_with("block") => Self::Blocks { block: numbers(word, "block")?, split_k },
            [tile] => Self::Gemm { tile: numbers(tile, "tile")?, merged: None, split_k },
            [tile, merged] => {
                Self::Gemm { tile: numbers(tile, "tile")?, merged: Some(numbers(merged, "merged")?), split_k }
            }
            _ => return None,
        };
        Some(shape)
    }
}

/// The numbers of a word such as `tile64x128`: its name, then numbers with an `x` between them.
fn numbers<const N: usize>(word: &str, name: &str) -> Option<[u32; N]> {
    let all: Option<Vec<u32>> = word.strip_prefix(name)?.split('x').map(|number| number.parse().ok()).collect();
    all?.try_into().ok()
}

impl Recipe {
    /// A recipe of one pass in which a thread computes one output. `shader` is as in [`Recipe::shader`].
    pub fn plain(shader: &'static str, workgroup_size: u32) -> Self {
        Self { shader, workgroup_size, shape: Shape::PLAIN }
    }

    /// The recipe that prints as this text; `shaders` are the names of all shaders.
    pub(crate) fn parse(text: &str, shaders: impl IntoIterator<Item = &'static str>) -> Result<Self> {
        let refused = |reason: &str| Error::Recipe(RecipeError::Text { text: text.into(), reason: reason.into() });
        let words: Vec<&str> = text.split(' ').collect();
        let [shader, workgroup, shape @ ..] = &words[..] else {
            return Err(refused("it must begin with a shader and a workgroup size, as in \"conv_direct wg64\""));
        };
        let known = shaders.into_iter().find(|name| name == shader);
        let known = known.ok_or_else(|| refused("the crate has no such shader"))?;
        let [workgroup_size] =
            numbers(workgroup, "wg").ok_or_else(|| refused("the second word must be as \"wg64\""))?;
        let shape = Shape::from_words(shape).ok_or_else(|| {
            refused(
                "what follows must be nothing, blockDxHxW, tileRxC, tileRxC mergedDxHxW, axesN, texels, marks or \
                 reduceN; then splitk",
            )
        })?;
        let recipe = Self { shader: known, workgroup_size, shape };
        // Numbers have one spelling.
        if recipe.to_string() == text { Ok(recipe) } else { Err(refused("a number has a sign or leading zeros")) }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wg{}", self.shader, self.workgroup_size)?;
        self.shape.words().iter().try_for_each(|word| write!(f, " {word}"))
    }
}

/// What a device offers, as far as the choice of a recipe depends on it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The device's limits, or smaller ones that a planner keeps to.
    pub limits: Limits,
    /// The features that it was requested with.
    pub features: Features,
    /// Threads in the smallest and in the largest subgroup that it may run.
    pub subgroup_sizes: [u32; 2],
    /// What kind of adapter it is of: a software driver wants other recipes than a GPU.
    pub device_type: DeviceType,
    /// The back end, such as Vulkan or OpenGL.
    pub backend: Backend,
    /// The cooperative matrices that shaders may use. A device does not list them, since they belong to the adapter, so
    /// the caller gives them to the planner.
    pub matrices: Vec<CooperativeMatrixProperties>,
}

impl Capabilities {
    /// The capabilities of a device, without cooperative matrices, and in a browser without `SUBGROUP`.
    pub fn of(device: &Device) -> Self {
        let info = device.adapter_info();
        // In a browser a shader that uses subgroups needs `enable subgroups;`, which naga does not accept.
        let without = if info.backend == Backend::BrowserWebGpu { Features::SUBGROUP } else { Features::empty() };
        Self {
            limits: device.limits(),
            features: device.features() - without,
            subgroup_sizes: [info.subgroup_min_size, info.subgroup_max_size],
            device_type: info.device_type,
            backend: info.backend,
            matrices: Vec::new(),
        }
    }

    /// A device of no particular kind with these limits and these features alone.
    pub(crate) fn plain(limits: Limits, features: Features) -> Self {
        let (device_type, backend) = (DeviceType::Other, Backend::Noop);
        Self { limits, features, subgroup_sizes: [0; 2], device_type, backend, matrices: Vec::new() }
    }
}

/// A way to run an op.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) shader: &'static Shader,
    pub(crate) shape: Shape,
    /// The only workgroup size that the shader runs with; `None`: any.
    pub(crate) workgroup_size: Option<u32>,
    /// The fewest threads that a subgroup must have; 0 for a shader without subgroups.
    pub(crate) subgroup_size: u32,
    /// Bytes of workgroup memory.
    pub(crate) workgroup_bytes: u32,
}

impl From<&'static Shader> for Candidate {
    fn from(shader: &'static Shader) -> Self {
        Self::new(shader)
    }
}

impl Candidate {
    /// A candidate of one pass, with a thread for each output and any workgroup size.
    pub(crate) const fn new(shader: &'static Shader) -> Self {
        Self { shader, shape: Shape::PLAIN, workgroup_size: None, subgroup_size: 0, workgroup_bytes: 0 }
    }

    pub(crate) fn recipe(&self, workgroup_size: u32) -> Recipe {
        Recipe { shader: self.shader.name, workgroup_size, shape: self.shape }
    }

    /// The same candidate with split-K; `None` if it has it already, or cannot.
    pub(crate) fn with_split_k(&self) -> Option<Self> {
        let shape = self.shape.with_split_k().filter(|shape| *shape != self.shape)?;
        Some(Self { shape, ..*self })
    }

    /// Refuses a device on which the candidate does not run.
    pub(crate) fn check(&self, capabilities: &Capabilities) -> Result<()> {
        let limits = &capabilities.limits;
        self.shader.check_limits(limits)?;
        let (needed, available) = (self.workgroup_bytes.into(), limits.max_compute_workgroup_storage_size.into());
        if needed > available {
            let limit = "max_compute_workgroup_storage_size";
            return Err(Error::LimitTooLow { what: self.shader.name, limit, needed, available });
        }
        let (wanted, available) = (u64::from(self.subgroup_size), u64::from(capabilities.subgroup_sizes[0]));
        if wanted == 0 {
            return Ok(());
        }
        if !capabilities.features.contains(Features::SUBGROUP) {
            return Err(Error::MissingFeature { what: self.shader.name, feature: "SUBGROUP" });
        }
        if available < wanted { Err(refused(self.shader.name, "subgroup_min_size", wanted, available)) } else { Ok(()) }
    }

    /// Whether a recipe is this candidate's.
    pub(crate) fn has(&self, recipe: &Recipe) -> bool {
        *recipe == self.recipe(self.workgroup_size.unwrap_or(recipe.workgroup_size))
    }
}

/// Workgroup sizes in order of preference; the last runs everywhere.
const WORKGROUP_SIZES: [u32; 5] = [64, 128, 256, 32, 1];

/// The recipes of these candidates that such a device runs, best first.
pub(crate) fn recipes(candidates: &[Candidate], capabilities: &Capabilities) -> Vec<Recipe> {
    let largest = largest_workgroup(&capabilities.limits);
    let supported = |candidate: &&Candidate| candidate.check(capabilities).is_ok();
    let sizes = |candidate: &Candidate| match candidate.workgroup_size {
        Some(size) => vec![size],
        None => WORKGROUP_SIZES.to_vec(),
    };
    let fitting = |candidate: &Candidate| sizes(candidate).into_iter().filter(move |&size| size <= largest);
    let all = candidates.iter().filter(supported);
    all.flat_map(|candidate| fitting(candidate).map(|size| candidate.recipe(size))).collect()
}

pub(crate) fn largest_workgroup(limits: &Limits) -> u32 {
    limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
}

pub(crate) fn refused(recipe: &str, what: &'static str, needed: u64, available: u64) -> Error {
    Error::Recipe(RecipeError::Refused { recipe: recipe.into(), what, needed, available })
}
