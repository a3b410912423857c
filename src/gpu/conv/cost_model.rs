//! The cost model: how long each recipe of a convolution or its transpose takes, as a pure function of the problem and
//! the kind of adapter, from a table of what a recipe's parts cost there.

use std::time::Duration;

use wgpu::DeviceType;

use super::gemm;
use super::implicit_gemm::ImplicitGemm;
use super::layer::{Direction, Layer};
use super::row_blocks;
use crate::geometry::Axis;
use crate::gpu::program::recipe::{Candidate, Shape};

/// What the parts of a recipe cost on a kind of adapter, in nanoseconds of one workgroup. "Fixed" is a cost that does
/// not grow with the length of the sums.
pub(crate) struct Rates {
    /// Workgroups that run at once.
    parallel: f64,
    /// Threads of such a workgroup: one of twice as many threads takes the place of two, and works twice as fast. 0
    /// where a core runs one workgroup after the other, whatever its threads.
    threads: f64,
    /// 64 outputs of the direct shader: fixed, and for each term of the sum.
    direct: [f64; 2],
    /// 64 threads of two rows of eight outputs: fixed, for each row of samples, and for each tap along a row.
    rows: [f64; 3],
    /// A tile of a subgroup, for every 32 columns: fixed, for 4 rows, for each tap, for each term of the sum, and for
    /// each term and 4 rows.
    subgroup: [f64; 5],
    /// A tile of a workgroup: fixed, for each tap, for each term of the sum, and for each term and element of the tile.
    workgroup: [f64; 4],
    /// The same four costs of a tile by cooperative matrices.
    cooperative: [f64; 4],
}

/// Measured on llvmpipe (Mesa 22.3.6 on 2 cores of an AVX-512 Xeon, 2026-11-22) on the benchmark's problems.
/// SwiftShader takes some four times as long for each part, so that the order is the same. The cooperative matrices
/// were measured with Mesa 26.2.6.
const SOFTWARE: Rates = Rates {
    parallel: 2.0,
    threads: 0.0,
    direct: [1000.0, 272.0],
    rows: [3000.0, 2450.0, 283.0],
    subgroup: [400.0, 600.0, 150.0, 86.0, 11.2],
    workgroup: [40_000.0, 6_000.0, 60.0, 0.48],
    cooperative: [0.0, 0.0, 0.0, 0.8],
};

/// Estimates, not measured: usual costs of loads and products on a GPU that runs some 500 workgroups at once.
const HARDWARE: Rates = Rates {
    parallel: 500.0,
    threads: 64.0,
    direct: [500.0, 24.0],
    rows: [500.0, 100.0, 60.0],
    subgroup: [1000.0, 100.0, 40.0, 16.0, 16.0],
    workgroup: [4000.0, 200.0, 20.0, 0.02],
    cooperative: [4000.0, 200.0, 20.0, 0.005],
};

/// Sorts the candidates, the one predicted to be the fastest first.
pub(crate) fn rank(layer: &Layer, candidates: &mut [Candidate], device_type: DeviceType) {
    candidates.sort_by_cached_key(|candidate| predict(layer, candidate, device_type));
}

/// How long a candidate will take.
pub(crate) fn predict(layer: &Layer, candidate: &Candidate, device_type: DeviceType) -> Duration {
    nanoseconds(cost(layer, candidate, Rates::of(device_type)))
}

#[allow(clippy::cast_possible_truncation, reason = "a prediction past 584 years is cut to that")]
pub(crate) fn nanoseconds(count: f64) -> Duration {
    Duration::from_nanos(count as u64)
}

/// The predicted time in nanoseconds.
fn cost(layer: &Layer, candidate: &Candidate, rates: &Rates) -> f64 {
    match candidate.shape {
        Shape::PerOutput { .. } | Shape::PerTexel => rates.per_output(layer),
        Shape::Blocks { block, .. } => rates.row_blocks(layer, block),
        Shape::Gemm { tile, merged, split_k } => rates.gemm(layer, candidate, tile, merged, split_k),
        // No recipe of a convolution has these shapes.
        Shape::AxisPasses { .. } | Shape::MarkAndGather | Shape::Reduction { .. } => f64::INFINITY,
    }
}

impl Rates {
    /// The costs on a kind of adapter.
    pub(crate) fn of(device_type: DeviceType) -> &'static Self {
        if device_type == DeviceType::Cpu { &SOFTWARE } else { &HARDWARE }
    }

    /// The time of a unit of [work](crate::gpu::program::rounds::work) in a dispatch that fills the device: for an op
    /// that has no model.
    pub(crate) fn unit_of_work(&self) -> f64 {
        self.direct[1] / 64.0 / self.parallel
    }

    /// The time of a thread for each output, which skips taps in the padding.
    fn per_output(&self, layer: &Layer) -> f64 {
        let outputs_of = |axis: &Axis| match layer.direction {
            Direction::WideToNarrow => axis.narrow as f64,
            Direction::NarrowToWide => axis.wide as f64,
        };
        let taps = layer.axes.iter().map(|axis| axis.pairs() as f64 / outputs_of(axis)).product::<f64>();
        let [fixed, product] = self.direct;
        // If a plane is smaller than a workgroup, the workgroup's threads read the weights of several channels.
        let plane: f64 = layer.axes.iter().map(outputs_of).product();
        let product = if plane < 64.0 { 3.0 * product } else { product };
        let workgroups = layer.region().outputs() as f64 / 64.0;
        self.at_once(workgroups, fixed + product * taps * layer.channels.in_per_group as f64)
    }

    fn row_blocks(&self, layer: &Layer, block: [u32; 3]) -> f64 {
        let [fixed, row, tap] = self.rows;
        let [d, h, w] = layer.axes.map(|axis| axis.kernel as f64);
        let each = fixed + layer.channels.in_per_group as f64 * d * (h + 1.0) * (row + w * tap);
        let threads = layer.region().blocks(block);
        self.at_once(threads.div_ceil(row_blocks::THREADS.into()) as f64, each)
    }

    fn gemm(
        &self,
        layer: &Layer,
        candidate: &Candidate,
        tile: [u32; 2],
        merged: Option<[u32; 3]>,
        split_k: bool,
    ) -> f64 {
        let in_per_group = layer.channels.in_per_group as f64;
        let product = ImplicitGemm::new(layer, tile, merged, if split_k { layer.slice() } else { None });
        let slices = product.slice().map_or(1.0, |slice| (in_per_group / slice as f64).ceil());
        let taps = product.taps() * (in_per_group / slices / gemm::CHANNELS as f64).ceil();
        let tiles = product.workgroups(&layer.region()) as f64;
        let first = self.tiles(candidate, tile, tiles, taps, product.taps() * in_per_group / slices);
        let second = if slices > 1.0 { self.sums(layer.region().outputs() as f64, slices) } else { 0.0 };
        first + second
    }

    /// The time of so many tiles: the shader computes new addresses `taps` times, and sums `terms` terms in all.
    pub(crate) fn tiles(&self, candidate: &Candidate, tile: [u32; 2], tiles: f64, taps: f64, terms: f64) -> f64 {
        let [rows, columns] = tile.map(f64::from);
        let cooperative = candidate.shader.cooperative();
        if candidate.shader.subgroups && !cooperative {
            let [fixed, row, tap, term, quad] = self.subgroup;
            let each = (fixed + taps * tap + terms * term + rows / 4.0 * (row + terms * quad)) * columns / 32.0;
            return self.at_once(tiles, each);
        }
        let [fixed, tap, term, product] = if cooperative { self.cooperative } else { self.workgroup };
        if self.threads == 0.0 {
            return self.at_once(tiles, fixed + taps * tap + terms * (term + product * rows * columns));
        }
        // A term's cost is that of a tile of 64 by 64: what is staged for a larger one is shared by more threads.
        let places = (f64::from(candidate.workgroup_size.unwrap_or(64)) / self.threads).max(1.0);
        let term = term * (rows + columns) / 128.0;
        self.at_once(tiles * places, fixed + taps * tap + terms * (term + product * rows * columns) / places)
    }

    /// The time of `sums` threads, each of which sums `terms` terms.
    pub(crate) fn sums(&self, sums: f64, terms: f64) -> f64 {
        let [fixed, product] = self.direct;
        self.at_once(sums / 64.0, fixed + product * terms)
    }

    pub(crate) fn at_once(&self, workgroups: f64, each: f64) -> f64 {
        (workgroups / self.parallel).max(1.0) * each
    }
}
