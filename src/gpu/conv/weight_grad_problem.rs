//! The weight's gradient without its tensors: what its candidates and the cost model look at.

use std::time::Duration;

use super::cost_model::{Rates, nanoseconds};
use super::gemm_tiles::{self, StagedTile};
use crate::dtype::FloatType;
use crate::gpu::program::recipe::{Candidate, Capabilities, Shape};
use crate::gpu::program::shader::Shader;
use crate::gpu::program::split_k::Slices;
use crate::ops::conv::weight_grad::ConvWeightGrad;

/// For each group, a matrix of narrow channels by wide channels and taps, each element a sum over images and narrow
/// positions.
pub(crate) struct WeightGradProblem {
    groups: usize,
    rows: usize,
    columns: usize,
    /// Images, and the narrow side's sizes on three axes.
    pub(crate) positions: [usize; 4],
}

impl WeightGradProblem {
    pub(crate) fn new<const R: usize>(op: &ConvWeightGrad<R>) -> Self {
        let geometry = op.geometry();
        let [d, h, w] = geometry.axes3().map(|axis| axis.narrow);
        let taps: usize = geometry.axes.iter().map(|axis| axis.kernel).product();
        let (rows, columns) = (geometry.narrow_per_group(), geometry.wide_per_group() * taps);
        Self { groups: geometry.groups, rows, columns, positions: [geometry.batch, d, h, w] }
    }

    /// Terms of each sum.
    pub(crate) fn terms(&self) -> usize {
        self.positions.iter().product()
    }

    fn outputs(&self) -> usize {
        self.groups * self.rows * self.columns
    }

    /// How a shape with split-K cuts the sums.
    fn cut(&self, shape: Shape) -> Slices {
        let slices = if matches!(shape, Shape::Gemm { .. }) { Slices::of_tiles } else { Slices::new };
        slices(self.outputs(), self.terms())
    }

    /// The slices of a candidate: one where it has no split-K.
    pub(crate) fn slices(&self, candidate: &Candidate) -> Slices {
        if candidate.shape.split_k() { self.cut(candidate.shape) } else { Slices::whole(self.terms()) }
    }

    /// The candidates on such a device, best first. `direct` accepts every problem. The products need outputs:
    /// `subgroup` shares within subgroups, `staged` within workgroups.
    pub(crate) fn candidates(
        &self,
        direct: &'static Shader,
        subgroup: &'static Shader,
        staged: &[StagedTile],
        capabilities: &Capabilities,
        storage: FloatType,
    ) -> Vec<Candidate> {
        let mut whole = Vec::new();
        if self.outputs() > 0 {
            whole = gemm_tiles::candidates(subgroup, staged, self.rows, capabilities);
        }
        whole.push(Candidate::new(direct));
        let with_slices = |whole: Candidate| self.cut(whole.shape).candidates(whole, storage);
        let mut candidates: Vec<_> = whole.into_iter().flat_map(with_slices).collect();
        candidates.sort_by_cached_key(|candidate| self.predict(candidate, capabilities));
        candidates
    }

    /// How long a candidate will take.
    pub(crate) fn predict(&self, candidate: &Candidate, capabilities: &Capabilities) -> Duration {
        let rates = Rates::of(capabilities.device_type);
        let [rows, columns] = [self.rows, self.columns].map(|side| side as f64);
        let slices = self.slices(candidate).count as f64;
        let terms = self.terms() as f64 / slices;
        let outputs = self.groups as f64 * rows * columns;
        let first = if let Shape::Gemm { tile, .. } = candidate.shape {
            let [tile_rows, tile_columns] = tile.map(f64::from);
            let tiles = self.groups as f64 * (rows / tile_rows).ceil() * (columns / tile_columns).ceil();
            let lines = terms / self.positions[3].max(1) as f64;
            rates.tiles(candidate, tile, tiles * slices, lines, terms)
        } else {
            rates.sums(outputs * slices, terms)
        };
        let second = if candidate.shape.split_k() { rates.sums(outputs, slices) } else { 0.0 };
        nanoseconds(first + second)
    }
}
