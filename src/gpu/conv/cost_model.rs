//! Which of the recipes of a convolution or its transpose is the fastest: a pure function of the problem and the kind
//! of adapter, from a table of what a recipe's parts cost there.

use std::time::Duration;

use wgpu::DeviceType;

use super::gemm;
use super::implicit_gemm::ImplicitGemm;
use super::layer::{Direction, Layer};
use super::operands::block_threads;
use super::row_blocks;
use crate::geometry::Axis;
use crate::gpu::program::recipe::{Candidate, Shape};
use crate::gpu::program::shader::Shader;

/// What the parts of a recipe cost on a kind of adapter, in nanoseconds of one workgroup.
pub(crate) struct Rates {
    /// Workgroups that run at once.
    parallel: f64,
    /// 64 outputs of the direct shader: as such, and for each product.
    direct: [f64; 2],
    /// 64 threads of two rows of eight outputs: as such, for each row of samples, and for each of its taps.
    rows: [f64; 3],
    /// A tile of a subgroup, by 32 columns: as such, for 4 rows, for each tap, for each term of the sum, and for each
    /// term and 4 rows.
    subgroup: [f64; 5],
    /// A tile of a workgroup: as such, for each tap, for each term, and for each product of a term.
    workgroup: [f64; 4],
    /// The same of cooperative matrices.
    cooperative: [f64; 4],
}

/// Measured on llvmpipe (Mesa 22.3.6 on 2 cores of an AVX-512 Xeon, 2026-11-22) on the benchmark's problems.
/// SwiftShader takes some four times as long for each part, so that the order is the same. Cooperative matrices are
/// those of Mesa 26.2.6.
const SOFTWARE: Rates = Rates {
    parallel: 2.0,
    direct: [1000.0, 272.0],
    rows: [3000.0, 2450.0, 283.0],
    subgroup: [400.0, 600.0, 150.0, 86.0, 11.2],
    workgroup: [40_000.0, 6_000.0, 60.0, 0.48],
    cooperative: [0.0, 0.0, 0.0, 0.8],
};

/// Not measured: from what a GPU is known to do with loads and products, on one with room for some 500 workgroups.
const HARDWARE: Rates = Rates {
    parallel: 500.0,
    direct: [500.0, 24.0],
    rows: [500.0, 100.0, 60.0],
    subgroup: [1000.0, 100.0, 40.0, 16.0, 16.0],
    workgroup: [4000.0, 200.0, 20.0, 0.02],
    cooperative: [4000.0, 200.0, 20.0, 0.005],
};

/// Taps from which on those in the padding are not looked for.
const LONG: usize = 4096;

/// Sorts the candidates, the one predicted to be the fastest first.
pub(crate) fn rank(layer: &Layer, candidates: &mut [Candidate], device_type: DeviceType) {
    candidates.sort_by_cached_key(|candidate| predict(layer, candidate, device_type));
}

/// How long a candidate will take.
pub(crate) fn predict(layer: &Layer, candidate: &Candidate, device_type: DeviceType) -> Duration {
    Duration::from_nanos(cost(layer, candidate, Rates::of(device_type)) as u64)
}

/// The predicted time in nanoseconds.
fn cost(layer: &Layer, candidate: &Candidate, rates: &Rates) -> f64 {
    match candidate.shape {
        Shape::PerOutput { .. } | Shape::PerTexel => rates.per_output(layer),
        Shape::Blocks { block, .. } => rates.row_blocks(layer, block),
        Shape::Gemm { tile, merged, split_k } => rates.gemm(layer, candidate.shader, tile, merged, split_k),
        // No convolution is run so.
        Shape::AxisPasses { .. } | Shape::MarkAndGather => f64::INFINITY,
    }
}

impl Rates {
    /// Those of a kind of adapter.
    pub(crate) fn of(device_type: DeviceType) -> &'static Self {
        if device_type == DeviceType::Cpu { &SOFTWARE } else { &HARDWARE }
    }

    /// A thread for each output, which skips taps in the padding.
    fn per_output(&self, layer: &Layer) -> f64 {
        // Pairs of a narrow position and a tap that meet a sample.
        let pairs = |axis: &Axis| {
            if axis.kernel > LONG {
                axis.narrow as f64 * axis.kernel as f64
            } else {
                (0..axis.kernel).map(|tap| axis.narrow_range(tap).len() as f64).sum::<f64>()
            }
        };
        let outputs_of = |axis: &Axis| match layer.direction {
            Direction::WideToNarrow => axis.narrow as f64,
            Direction::NarrowToWide => axis.wide as f64,
        };
        let taps = layer.axes.iter().map(|axis| pairs(axis) / outputs_of(axis)).product::<f64>();
        let [fixed, product] = self.direct;
        // In a plane smaller than a workgroup, neighbouring threads read weights of their own.
        let plane: f64 = layer.axes.iter().map(outputs_of).product();
        let product = if plane < 64.0 { 3.0 * product } else { product };
        let workgroups = layer.region().outputs() as f64 / 64.0;
        self.at_once(workgroups, fixed + product * taps * layer.channels.ins as f64)
    }

    fn row_blocks(&self, layer: &Layer, block: [u32; 3]) -> f64 {
        let [fixed, row, tap] = self.rows;
        let [d, h, w] = layer.axes.map(|axis| axis.kernel as f64);
        let each = fixed + layer.channels.ins as f64 * d * (h + 1.0) * (row + w * tap);
        let threads = block_threads(&layer.region(), block);
        self.at_once(threads.div_ceil(row_blocks::THREADS.into()) as f64, each)
    }

    fn gemm(&self, layer: &Layer, shader: &Shader, tile: [u32; 2], merged: Option<[u32; 3]>, split_k: bool) -> f64 {
        let ins = layer.channels.ins as f64;
        let product = ImplicitGemm::new(layer, tile, merged, split_k);
        let slices = product.slice().map_or(1.0, |slice| (ins / slice as f64).ceil());
        let taps = product.taps() * (ins / slices / gemm::CHANNELS as f64).ceil();
        let each = self.tile(shader, tile, taps, product.taps() * ins / slices);
        let first = self.at_once(product.workgroups(&layer.region()) as f64, each);
        let second = if slices > 1.0 { self.sums(layer.region().outputs() as f64, slices) } else { 0.0 };
        first + second
    }

    /// A tile's time: `taps` times the shader turns to other addresses, and sums `terms` in all.
    pub(crate) fn tile(&self, shader: &Shader, tile: [u32; 2], taps: f64, terms: f64) -> f64 {
        let [rows, columns] = tile.map(f64::from);
        let cooperative = shader.cooperative();
        if shader.subgroups && !cooperative {
            let [fixed, row, tap, term, quad] = self.subgroup;
            return (fixed + taps * tap + terms * term + rows / 4.0 * (row + terms * quad)) * columns / 32.0;
        }
        let [fixed, tap, term, product] = if cooperative { self.cooperative } else { self.workgroup };
        fixed + taps * tap + terms * (term + product * rows * columns)
    }

    /// A thread for each of some sums, of so many terms.
    pub(crate) fn sums(&self, sums: f64, terms: f64) -> f64 {
        let [fixed, product] = self.direct;
        self.at_once(sums / 64.0, fixed + product * terms)
    }

    pub(crate) fn at_once(&self, workgroups: f64, each: f64) -> f64 {
        (workgroups / self.parallel).max(1.0) * each
    }
}
