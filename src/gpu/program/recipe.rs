//! How an op can be run, and the choice among the ways: plain data, and pure functions.

use std::fmt;

use wgpu::{Backend, CooperativeMatrixProperties, Device, DeviceType, Features, Limits};

use super::shader::Shader;
use crate::error::{Error, Result};

/// How an op is run: which shader, with which workgroup. Printable, comparable, and enough to force the same choice
/// again through [`PlanOptions::recipe`](crate::PlanOptions::recipe).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// The shader's file name without its ending, such as `conv_transpose_gather`.
    pub shader: &'static str,
    /// Threads in a workgroup.
    pub workgroup_size: u32,
    /// Steps, of which each but the last leaves its result in a workspace for the next.
    pub passes: u32,
    /// Rows and columns that a workgroup computes, where the op is run as a matrix product; else zeros.
    pub tile: [u32; 2],
    /// Outputs of each axis (depth, height, width) that a column of the product stands for, whose rows are pairs of a
    /// channel and a place in the block then; or that a thread computes. Ones where there are no blocks.
    pub block: [u32; 3],
}

impl Recipe {
    /// One pass with a thread for each output.
    pub fn plain(shader: &'static str, workgroup_size: u32) -> Self {
        Self { shader, workgroup_size, passes: 1, tile: [0; 2], block: [1; 3] }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wg{}", self.shader, self.workgroup_size)?;
        let [rows, columns] = self.tile;
        if rows > 0 {
            write!(f, " tile{rows}x{columns}")?;
        }
        if self.block != [1; 3] {
            let [d, h, w] = self.block;
            write!(f, " block{d}x{h}x{w}")?;
        }
        if self.passes > 1 { write!(f, " passes{}", self.passes) } else { Ok(()) }
    }
}

/// What a device offers, as far as the choice of a recipe depends on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    /// Its limits, or smaller ones to keep to.
    pub limits: Limits,
    /// The features that it was requested with.
    pub features: Features,
    /// Threads in the smallest and in the largest subgroup that it may run.
    pub subgroup_sizes: [u32; 2],
    /// What kind of adapter it is of: a software driver wants other recipes than a GPU.
    pub device_type: DeviceType,
    /// What runs it.
    pub backend: Backend,
    /// The cooperative matrices that it may use. They are a property of the adapter, and experimental, so that a planner
    /// has to be told of them.
    pub matrices: Vec<CooperativeMatrixProperties>,
}

impl Capabilities {
    /// Those of a device.
    pub fn of(device: &Device) -> Self {
        let info = device.adapter_info();
        // In a browser a shader has to say that it uses subgroups, in words that naga does not know.
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

    /// No feature but these, on a device of no particular kind.
    pub(crate) fn plain(limits: Limits, features: Features) -> Self {
        let (device_type, backend) = (DeviceType::Other, Backend::Noop);
        Self { limits, features, subgroup_sizes: [0; 2], device_type, backend, matrices: Vec::new() }
    }
}

/// A way to run an op.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) shader: &'static Shader,
    pub(crate) passes: u32,
    pub(crate) tile: [u32; 2],
    pub(crate) block: [u32; 3],
    /// The only size that will do, if not any.
    pub(crate) workgroup_size: Option<u32>,
    /// Threads that a subgroup must have; 0 where there are none.
    pub(crate) subgroup_size: u32,
}

impl From<&'static Shader> for Candidate {
    fn from(shader: &'static Shader) -> Self {
        Self::new(shader)
    }
}

impl Candidate {
    /// In one pass, with a thread for each output and any workgroup.
    pub(crate) const fn new(shader: &'static Shader) -> Self {
        Self { shader, passes: 1, tile: [0; 2], block: [1; 3], workgroup_size: None, subgroup_size: 0 }
    }

    pub(crate) fn recipe(&self, workgroup_size: u32) -> Recipe {
        let Self { shader, passes, tile, block, .. } = *self;
        Recipe { shader: shader.name, workgroup_size, passes, tile, block }
    }

    /// Refuses a device on which it does not run.
    pub(crate) fn check(&self, capabilities: &Capabilities) -> Result<()> {
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
    let able = |candidate: &&Candidate| candidate.check(capabilities).is_ok();
    let sizes = |candidate: &Candidate| match candidate.workgroup_size {
        Some(size) => vec![size],
        None => WORKGROUP_SIZES.to_vec(),
    };
    let fitting = |candidate: &Candidate| sizes(candidate).into_iter().filter(move |&size| size <= largest);
    let all = candidates.iter().filter(able);
    all.flat_map(|candidate| fitting(candidate).map(|size| candidate.recipe(size))).collect()
}

pub(crate) fn largest_workgroup(limits: &Limits) -> u32 {
    limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x)
}

pub(crate) fn refused(recipe: &str, what: &'static str, wanted: u64, available: u64) -> Error {
    Error::RecipeRefused { recipe: recipe.into(), what, wanted, available }
}
