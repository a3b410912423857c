//! Convolution and its transpose as a matrix product per group: rows are output channels, or pairs of a channel and a
//! phase; columns are blocks of output positions.

use wgpu::{CooperativeMatrixProperties, CooperativeScalarType};

use super::gemm_params::GemmParams;
use super::gemm_tiles::{self, STAGED, StagedTile};
use super::layer::{Direction, Layer};
use crate::dtype::FloatType;
use crate::geometry::Axis;
use crate::gpu::program::operand::Stored;
use crate::gpu::program::recipe::{Candidate, Capabilities, Shape};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::Slices;
use crate::gpu::program::texts::{Texts, files};
use crate::gpu::program::uniform::to_u32;

/// An implicit GEMM in which the threads of a subgroup share weights.
pub(crate) static SUBGROUP: Shader = Shader {
    name: "conv_gemm_subgroup",
    texts: Texts::Tensors(files!(
        "conv/gemm_subgroup.wgsl",
        "conv/shared/implicit_gemm.wgsl",
        "conv/shared/gemm_tensors.wgsl",
        "conv/shared/outer_product.wgsl",
        "shared/activation.wgsl"
    )),
    reads: 3,
    writes: 1,
    uniform: GemmParams::LAYOUT,
    subgroups: true,
    overrides: &["workgroup_size", "quads", "split", "merged", "has_bias", "activation"],
};

/// An implicit GEMM in which the threads of a workgroup share weights and samples; the texts' first file has the tile.
const fn workgroup(texts: Texts) -> Shader {
    Shader {
        name: "conv_gemm_workgroup",
        texts,
        reads: 3,
        writes: 1,
        uniform: GemmParams::LAYOUT,
        subgroups: false,
        overrides: &["workgroup_size", "split", "has_tail", "merged", "has_bias", "activation"],
    }
}

/// The texts of [`workgroup`] with this tile.
macro_rules! with_tile {
    ($tile:literal) => {
        Texts::Tensors(files!(
            $tile,
            "conv/gemm_workgroup.wgsl",
            "conv/shared/implicit_gemm.wgsl",
            "conv/shared/gemm_tensors.wgsl",
            "conv/shared/outer_product.wgsl",
            "shared/activation.wgsl"
        ))
    };
}

pub(crate) static WORKGROUP_128X128: Shader = workgroup(with_tile!("conv/shared/tile_128x128.wgsl"));
pub(crate) static WORKGROUP_64X128: Shader = workgroup(with_tile!("conv/shared/tile_64x128.wgsl"));
pub(crate) static WORKGROUP_64X64: Shader = workgroup(with_tile!("conv/shared/tile_64x64.wgsl"));
pub(crate) static WORKGROUP_32X128: Shader = workgroup(with_tile!("conv/shared/tile_32x128.wgsl"));
pub(crate) static WORKGROUP_16X64: Shader = workgroup(with_tile!("conv/shared/tile_16x64.wgsl"));

/// The tiles of [`workgroup`], the highest first.
const WORKGROUP_TILES: [StagedTile; 5] = {
    const fn tile(shader: &'static Shader, tile: [u32; 2], threads: u32) -> StagedTile {
        StagedTile { shader, tile, threads, staged: STAGED }
    }
    [
        tile(&WORKGROUP_128X128, [128, 128], 256),
        tile(&WORKGROUP_64X128, [64, 128], 128),
        tile(&WORKGROUP_64X64, [64, 64], 64),
        tile(&WORKGROUP_32X128, [32, 128], 128),
        tile(&WORKGROUP_16X64, [16, 64], 64),
    ]
};

/// An implicit GEMM by cooperative matrices of 8 by 8.
pub(crate) static COOPERATIVE_8: Shader = Shader {
    name: "conv_gemm_cooperative",
    texts: Texts::Cooperative {
        matrices: files!("prelude/cooperative_8.wgsl")[0],
        files: files!(
            "conv/gemm_cooperative.wgsl",
            "conv/shared/implicit_gemm.wgsl",
            "conv/shared/gemm_tensors.wgsl",
            "conv/shared/outer_product.wgsl",
            "shared/activation.wgsl"
        ),
    },
    overrides: &["workgroup_size", "merged", "has_bias", "activation"],
    ..SUBGROUP
};

/// An implicit GEMM by cooperative matrices of 16 by 16.
pub(crate) static COOPERATIVE_16: Shader = Shader {
    texts: Texts::Cooperative {
        matrices: files!("prelude/cooperative_16.wgsl")[0],
        files: files!(
            "conv/gemm_cooperative.wgsl",
            "conv/shared/implicit_gemm.wgsl",
            "conv/shared/gemm_tensors.wgsl",
            "conv/shared/outer_product.wgsl",
            "shared/activation.wgsl"
        ),
    },
    ..COOPERATIVE_8
};

/// Input channels that the shaders sum for one tap before the next tap. A sum may only be split at multiples of it.
pub(crate) const CHANNELS: usize = 32;

/// Most taps of a part of a kernel for which a slice has several steps of [`CHANNELS`]. So many terms make fewer than
/// [`MAX_ROUNDS`](crate::gpu::program::rounds::MAX_ROUNDS), in every shader.
const MOST_TAPS: usize = (1 << 13) / CHANNELS;

/// Most rows that 32 bits count with room for a tile.
const MOST_ROWS: usize = 1 << 31;

/// Most phases of a transposed convolution (all axes together) for which a product is offered.
const MAX_PHASES: usize = 256;

/// The implicit GEMMs that can run this problem on such a device.
pub(crate) fn candidates(layer: &Layer, capabilities: &Capabilities, storage: FloatType) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for block in blocks(layer) {
        let places = block.iter().flatten();
        let rows = places.fold(layer.channels.out_per_group, |rows, &places| rows.saturating_mul(places as usize));
        if rows > MOST_ROWS {
            continue;
        }
        let tiles = gemm_tiles::candidates(&SUBGROUP, &WORKGROUP_TILES, rows, capabilities);
        for tile in tiles.into_iter().chain(cooperative(capabilities, storage)) {
            let whole = Candidate { shape: tile.shape.with_merged(block), ..tile };
            candidates.push(whole);
            candidates.extend(layer.slice().and_then(|_| whole.with_split_k()));
        }
    }
    candidates
}

/// The candidate of the largest cooperative matrices that multiply numbers of this type and sum in f32; `None` unless
/// all subgroups have the same size.
fn cooperative(capabilities: &Capabilities, storage: FloatType) -> Option<Candidate> {
    let number = if storage == FloatType::F16 { CooperativeScalarType::F16 } else { CooperativeScalarType::F32 };
    let fits = |matrix: &&CooperativeMatrixProperties| {
        let types = (matrix.ab_type, matrix.cr_type) == (number, CooperativeScalarType::F32);
        types && matrix.m_size == matrix.n_size && matrix.n_size == matrix.k_size
    };
    let sides = capabilities.matrices.iter().filter(fits).map(|matrix| matrix.m_size);
    let side = sides.filter(|side| [8, 16].contains(side)).max()?;
    let [smallest, threads] = capabilities.subgroup_sizes;
    let shader = if side == 16 { &COOPERATIVE_16 } else { &COOPERATIVE_8 };
    let tile = [4 * side; 2];
    // Four subgroups. The side divides their number of threads, so that a thread always stages the same rows and
    // columns.
    let even = smallest == threads && (4 * threads).is_multiple_of(side);
    let workgroup_size = Some(4 * threads);
    even.then(|| Candidate {
        shape: Shape::Gemm { tile, merged: None, split_k: false },
        workgroup_size,
        subgroup_size: threads,
        // Two stages of numbers, and one matrix of sums for each subgroup.
        workgroup_bytes: 4 * side * side * (2 * to_u32(Stored::Float(storage).bytes()) + 4),
        ..Candidate::new(shader)
    })
}

/// The blocks of outputs that the rows of one product can hold; `None` is a product without blocks. A block of a
/// transposed convolution has one output of each phase; with a dilation of 1 they all read the same samples. A block of
/// a convolution has neighbouring outputs, whose samples overlap. That pays for few channels, although some products
/// have no weight.
fn blocks(layer: &Layer) -> Vec<Option<[u32; 3]>> {
    let (axes, out_per_group) = (&layer.axes, layer.channels.out_per_group);
    let strides: usize = axes.iter().map(|axis| axis.stride).fold(1, usize::saturating_mul);
    if layer.direction == Direction::NarrowToWide {
        let shared = axes.iter().all(|axis| axis.stride == 1 || axis.dilation == 1);
        let merged = axes.each_ref().map(|axis| to_u32(axis.stride));
        return match (strides <= MAX_PHASES, shared && strides > 1) {
            (false, _) => vec![],
            (true, false) => vec![None],
            (true, true) => vec![Some(merged), None],
        };
    }
    let side = if out_per_group <= 2 { 4 } else { 2 };
    let fits = |axis: &Axis| axis.dilation == 1 && axis.stride < axis.kernel && axis.narrow >= side;
    let block = axes.each_ref().map(|axis| if fits(axis) { to_u32(side) } else { 1 });
    let several = block.iter().any(|&places| places > 1);
    if out_per_group <= 8 && several { vec![Some(block), None] } else { vec![None] }
}

impl Layer {
    /// Input channels of a split-K slice, if there are so few outputs that several workgroups should share each sum.
    pub(crate) fn slice(&self) -> Option<usize> {
        let outputs = usize::try_from(self.region().outputs()).ok()?;
        let in_per_group = self.channels.in_per_group;
        let taps = self.axes.iter().map(|axis| axis.kernel.div_ceil(self.tap_subsets(axis)));
        let terms = taps.fold(in_per_group, usize::saturating_mul);
        let slices = Slices::of_tiles(outputs, terms);
        // A workgroup sums a slice for as many taps as a part of the kernel has.
        let taps = self.axes.iter().map(|axis| axis.kernel.div_ceil(self.tap_subsets(axis)));
        let taps = taps.fold(1, usize::saturating_mul).min(MOST_TAPS);
        let most = (MOST_TAPS * CHANNELS / taps / CHANNELS * CHANNELS).max(CHANNELS);
        let slice = in_per_group.div_ceil(slices.count).next_multiple_of(CHANNELS).min(most);
        (slices.count > 1 && slice < in_per_group).then_some(slice)
    }
}
