//! Convolution on the CPU by im2col: a matrix product of the weights and the samples that each output reads, a slab of
//! rows at a time. Where a group has few output channels, each output row sums its products directly.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::layer::{self, Layer};
use super::simd::vectorized;
use super::{CpuOp, SLAB, least_rows, resize};
use crate::error::Result;
use crate::geometry::Axis;
use crate::ops::conv::conv::Conv;

/// The fewest output channels of a group for which a matrix product pays.
const MIN_OUTPUTS_FOR_GEMM: usize = 4;

/// The fewest positions that a product should have, if a row has as many.
const MIN_POSITIONS: usize = 64;

impl<const R: usize> CpuOp for Conv<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let layer = Layer::new(&self.geometry()?);
        layer::run(self, self.activation, inputs, |input, weight, output| {
            let problem = Problem::new(layer);
            if problem.layer.narrow_per_group < MIN_OUTPUTS_FOR_GEMM {
                problem.sum_rows(input, weight, output, |sum, weight, sample| *sum += weight * sample);
                return Ok(());
            }
            problem.multiply(input, weight, output)
        })
    }
}

pub(super) struct Problem {
    pub(super) layer: Layer,
    /// For each tap of the last axis: the narrow samples for which it reads a wide sample, and the first sample read.
    taps: Vec<(Range<usize>, usize)>,
}

impl Problem {
    pub(super) fn new(layer: Layer) -> Self {
        let w = layer.axes[2];
        let tap = |tap| {
            let range = w.narrow_range(tap);
            let first = if range.is_empty() { 0 } else { w.wide_index(range.start, tap) };
            (range, first)
        };
        let taps = (0..w.kernel).map(tap).collect();
        Self { layer, taps }
    }

    /// Narrow rows of a plane.
    fn rows(&self) -> usize {
        self.layer.axes[0].narrow * self.layer.axes[1].narrow
    }

    /// The wide row that a narrow row reads at a tap over depth and height, if it is not in the padding.
    #[inline(always)]
    fn wide_row(&self, [slice, row]: [usize; 2], tap: usize) -> Option<usize> {
        let [d, h, _] = &self.layer.axes;
        let at = |axis: &Axis, narrow: usize, tap: usize| {
            let wide = (narrow * axis.stride + tap * axis.dilation) as i64 - axis.pad;
            (0..axis.wide as i64).contains(&wide).then_some(wide as usize)
        };
        Some(at(d, slice, tap / h.kernel)? * h.wide + at(h, row, tap % h.kernel)?)
    }

    /// A narrow row's place in depth and height.
    fn place(&self, row: usize) -> [usize; 2] {
        [row / self.layer.axes[1].narrow, row % self.layer.axes[1].narrow]
    }

    /// Computes every output row by itself. `add` adds the product of a weight and a sample to a sum.
    pub(super) fn sum_rows<T: Copy + Sync, S: Send>(
        &self,
        input: &[T],
        weight: &[T],
        output: &mut [S],
        add: impl Fn(&mut S, T, T) + Copy + Sync,
    ) {
        let width = self.layer.axes[2].narrow;
        let rows = output
            .par_chunks_mut(width)
            .enumerate()
            .with_min_len(least_rows(width * self.layer.wide_per_group * self.layer.taps()));
        rows.for_each(|(row, sums)| vectorized(|| self.sum_row(row, input, weight, sums, add)));
    }

    #[inline(always)]
    fn sum_row<T: Copy, S>(
        &self,
        row: usize,
        input: &[T],
        weight: &[T],
        sums: &mut [S],
        add: impl Fn(&mut S, T, T) + Copy,
    ) {
        let w = &self.layer.axes[2];
        let (plane, place) = (row / self.rows(), self.place(row % self.rows()));
        let (group, channel) =
            (plane / self.layer.narrow_per_group, plane % (self.layer.narrow_per_group * self.layer.groups));
        for c in 0..self.layer.wide_per_group {
            let weights = &weight[(channel * self.layer.wide_per_group + c) * self.layer.taps()..][..self.layer.taps()];
            let plane = &input[(group * self.layer.wide_per_group + c) * self.layer.wide()..][..self.layer.wide()];
            for (outer, weights) in weights.chunks(w.kernel).enumerate() {
                let Some(from) = self.wide_row(place, outer) else { continue };
                let samples = &plane[from * w.wide..][..w.wide];
                for ((range, first), &weight) in self.taps.iter().zip(weights) {
                    if range.is_empty() {
                        continue;
                    }
                    let (sums, samples) = (sums[range.clone()].iter_mut(), samples[*first..].iter());
                    if w.stride == 1 {
                        sums.zip(samples).for_each(|(sum, &sample)| add(sum, weight, sample));
                    } else {
                        sums.zip(samples.step_by(w.stride)).for_each(|(sum, &sample)| add(sum, weight, sample));
                    }
                }
            }
        }
    }

    fn multiply(&self, input: &[f32], weight: &[f32], output: &mut [f32]) -> Result<()> {
        let (narrow, terms, width) =
            (self.layer.narrow(), self.layer.wide_per_group * self.layer.taps(), self.layer.axes[2].narrow);
        let same = |axis: &Axis| (axis.kernel, axis.stride, axis.pad, axis.wide) == (1, 1, 0, axis.narrow);
        let is_pointwise = self.layer.axes.iter().all(same);
        // A slab is whole rows, or a part of one.
        let slab = (SLAB / 4 / (terms * width)).min(self.rows()) * width;
        let slab = if slab > 0 { slab } else { (SLAB / 4 / terms).clamp(MIN_POSITIONS.min(width), width) };
        let parts = output
            .chunks_mut(self.layer.narrow_per_group * narrow)
            .zip(input.chunks(self.layer.wide_per_group * self.layer.wide()));
        for (number, (output, input)) in parts.enumerate() {
            let weights = &weight[number % self.layer.groups * self.layer.narrow_per_group * terms..];
            let weights = Matrix { elements: weights, row_stride: terms, column_stride: 1 };
            if is_pointwise {
                let samples = Matrix { elements: input, row_stride: narrow, column_stride: 1 };
                multiply([self.layer.narrow_per_group, narrow, terms], weights, samples, output, narrow, true);
            } else {
                self.by_slabs(slab, weights, input, output)?;
            }
        }
        Ok(())
    }

    /// Multiplies slab by slab: all threads work on one slab together, or, if there are many slabs, each on its own.
    fn by_slabs(&self, slab: usize, weights: Matrix, input: &[f32], output: &mut [f32]) -> Result<()> {
        let (terms, width) = (self.layer.wide_per_group * self.layer.taps(), self.layer.axes[2].narrow);
        // For each slab: its first position, and its part of every channel. A slab shorter than a row ends with it.
        let lines = if slab < width { width } else { self.layer.narrow() };
        let mut targets: Vec<(usize, Vec<&mut [f32]>)> = Vec::new();
        for plane in output.chunks_mut(self.layer.narrow()) {
            let parts = plane.chunks_mut(lines).enumerate().flat_map(|(number, line)| {
                line.chunks_mut(slab).enumerate().map(move |(part, target)| (number * lines + part * slab, target))
            });
            for (number, (first, target)) in parts.enumerate() {
                if number == targets.len() {
                    targets.push((first, Vec::new()));
                }
                targets[number].1.push(target);
            }
        }
        let together = targets.len() < 2 * rayon::current_num_threads();
        let run = |im2col: &mut Vec<f32>, sums: &mut Vec<f32>, first: usize, mut target: Vec<&mut [f32]>| {
            let positions = target[0].len();
            resize(im2col, terms * positions)?;
            resize(sums, self.layer.narrow_per_group * positions)?;
            let fill_row = |(term, line): (usize, &mut [f32])| self.im2col_row(term, first, input, line);
            if together {
                im2col.par_chunks_mut(positions).enumerate().with_min_len(least_rows(positions)).for_each(fill_row);
            } else {
                im2col.chunks_mut(positions).enumerate().for_each(fill_row);
            }
            let samples = Matrix { elements: im2col, row_stride: positions, column_stride: 1 };
            multiply([self.layer.narrow_per_group, positions, terms], weights, samples, sums, positions, together);
            target.iter_mut().zip(sums.chunks(positions)).for_each(|(to, sums)| to.copy_from_slice(sums));
            Ok(())
        };
        if together {
            let (mut im2col, mut sums) = (Vec::new(), Vec::new());
            return targets.into_iter().try_for_each(|(first, target)| run(&mut im2col, &mut sums, first, target));
        }
        let buffers = || (Vec::new(), Vec::new());
        targets
            .into_par_iter()
            .map_init(buffers, |(im2col, sums), (first, target)| run(im2col, sums, first, target))
            .collect::<Result<()>>()
    }

    /// One row of the im2col matrix, `term = channel * taps + tap`: the samples of that channel that the positions from
    /// `first` on read at that tap; zeros in the padding.
    pub(super) fn im2col_row(&self, term: usize, first: usize, input: &[f32], line: &mut [f32]) {
        let w = &self.layer.axes[2];
        let (channel, tap) = (term / self.layer.taps(), term % self.layer.taps());
        let (range, start) = &self.taps[tap % w.kernel];
        let plane = &input[channel * self.layer.wide()..][..self.layer.wide()];
        let (row, skipped) = (first / w.narrow, first % w.narrow);
        let length = line.len().min(w.narrow);
        // The columns that are wanted, and those of them that read a sample and not padding.
        let columns = skipped..skipped + length;
        let inside = range.start.clamp(columns.start, columns.end)..range.end.clamp(columns.start, columns.end);
        for (number, line) in line.chunks_mut(length).enumerate() {
            let from = self.wide_row(self.place(row + number), tap / w.kernel).filter(|_| !inside.is_empty());
            let Some(from) = from else {
                line.fill(0.0);
                continue;
            };
            line[..inside.start - skipped].fill(0.0);
            line[inside.end - skipped..].fill(0.0);
            let samples = &plane[from * w.wide + start + (inside.start - range.start) * w.stride..];
            let line = &mut line[inside.start - skipped..inside.end - skipped];
            if w.stride == 1 {
                line.copy_from_slice(&samples[..inside.len()]);
            } else {
                line.iter_mut().zip(samples.iter().step_by(w.stride)).for_each(|(to, sample)| *to = *sample);
            }
        }
    }
}
