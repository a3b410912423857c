//! Convolution on the CPU: a matrix product of the weights and the samples that each output meets, a slab of rows at a
//! time; or, where a group has few output channels, each output row sums products itself.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::layer::{self, Layer};
use super::simd::{add_scaled, vectorized};
use super::{CpuOp, SLAB, least_rows, resize};
use crate::error::Result;
use crate::geometry::Axis;
use crate::ops::conv::conv::Conv;

/// Output channels of a group from which on a matrix product pays.
const FEW: usize = 4;

/// Positions that a product should have, if there are as many.
const LEAST: usize = 64;

impl<const R: usize> CpuOp for Conv<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let layer = Layer::new(&self.geometry()?);
        layer::run(self, self.activation, inputs, |input, weight, output| {
            let problem = Problem::new(layer);
            if problem.layer.narrows < FEW {
                problem.sum_rows(input, weight, output);
                return Ok(());
            }
            problem.multiply(input, weight, output)
        })
    }
}

pub(super) struct Problem {
    pub(super) layer: Layer,
    /// For each tap of the last axis: the narrow samples that meet a wide one, and the first of those.
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

    /// Every output row by itself.
    fn sum_rows(&self, input: &[f32], weight: &[f32], output: &mut [f32]) {
        let width = self.layer.axes[2].narrow;
        let rows = output
            .par_chunks_mut(width)
            .enumerate()
            .with_min_len(least_rows(width * self.layer.wides * self.layer.taps()));
        rows.for_each(|(row, sums)| vectorized(|| self.sum_row(row, input, weight, sums)));
    }

    #[inline(always)]
    fn sum_row(&self, row: usize, input: &[f32], weight: &[f32], sums: &mut [f32]) {
        let w = &self.layer.axes[2];
        let (plane, place) = (row / self.rows(), self.place(row % self.rows()));
        let (group, channel) = (plane / self.layer.narrows, plane % (self.layer.narrows * self.layer.groups));
        for c in 0..self.layer.wides {
            let weights = &weight[(channel * self.layer.wides + c) * self.layer.taps()..][..self.layer.taps()];
            let plane = &input[(group * self.layer.wides + c) * self.layer.wide()..][..self.layer.wide()];
            for (outer, weights) in weights.chunks(w.kernel).enumerate() {
                let Some(from) = self.wide_row(place, outer) else { continue };
                let samples = &plane[from * w.wide..][..w.wide];
                for ((range, first), &weight) in self.taps.iter().zip(weights) {
                    if range.is_empty() {
                        continue;
                    }
                    if w.stride == 1 {
                        add_scaled(&mut sums[range.clone()], &samples[*first..], weight);
                    } else {
                        let samples = samples[*first..].iter().step_by(w.stride);
                        sums[range.clone()].iter_mut().zip(samples).for_each(|(sum, sample)| *sum += weight * sample);
                    }
                }
            }
        }
    }

    fn multiply(&self, input: &[f32], weight: &[f32], output: &mut [f32]) -> Result<()> {
        let (narrow, terms, width) =
            (self.layer.narrow(), self.layer.wides * self.layer.taps(), self.layer.axes[2].narrow);
        let same = |axis: &Axis| (axis.kernel, axis.stride, axis.pad, axis.wide) == (1, 1, 0, axis.narrow);
        let as_it_is = self.layer.axes.iter().all(same);
        // Whole rows, or parts of one.
        let slab = (SLAB / 4 / (terms * width)).min(self.rows()) * width;
        let slab = if slab > 0 { slab } else { (SLAB / 4 / terms).clamp(LEAST.min(width), width) };
        let parts =
            output.chunks_mut(self.layer.narrows * narrow).zip(input.chunks(self.layer.wides * self.layer.wide()));
        for (number, (output, input)) in parts.enumerate() {
            let weights = &weight[number % self.layer.groups * self.layer.narrows * terms..];
            let weights = Matrix { elements: weights, rows: terms, columns: 1 };
            if as_it_is {
                let samples = Matrix { elements: input, rows: narrow, columns: 1 };
                multiply([self.layer.narrows, narrow, terms], weights, samples, output, narrow, true);
            } else {
                self.by_slabs(slab, weights, input, output)?;
            }
        }
        Ok(())
    }

    /// Some positions after the others: by all threads together, or where there are many, each by one.
    fn by_slabs(&self, slab: usize, weights: Matrix, input: &[f32], output: &mut [f32]) -> Result<()> {
        let (terms, width) = (self.layer.wides * self.layer.taps(), self.layer.axes[2].narrow);
        // For each slab: where it begins, and its part of every channel. One that is shorter than a row ends with it.
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
        let run = |met: &mut Vec<f32>, sums: &mut Vec<f32>, first: usize, mut target: Vec<&mut [f32]>| {
            let positions = target[0].len();
            resize(met, terms * positions)?;
            resize(sums, self.layer.narrows * positions)?;
            let collect = |(term, line): (usize, &mut [f32])| self.collect(term, first, input, line);
            if together {
                met.par_chunks_mut(positions).enumerate().with_min_len(least_rows(positions)).for_each(collect);
            } else {
                met.chunks_mut(positions).enumerate().for_each(collect);
            }
            let samples = Matrix { elements: met, rows: positions, columns: 1 };
            multiply([self.layer.narrows, positions, terms], weights, samples, sums, positions, together);
            target.iter_mut().zip(sums.chunks(positions)).for_each(|(to, sums)| to.copy_from_slice(sums));
            Ok(())
        };
        if together {
            let (mut met, mut sums) = (Vec::new(), Vec::new());
            return targets.into_iter().try_for_each(|(first, target)| run(&mut met, &mut sums, first, target));
        }
        let buffers = || (Vec::new(), Vec::new());
        targets
            .into_par_iter()
            .map_init(buffers, |(met, sums), (first, target)| run(met, sums, first, target))
            .collect::<Result<()>>()
    }

    /// The samples of one channel that positions from `first` on meet at one tap; zeros in the padding.
    pub(super) fn collect(&self, term: usize, first: usize, input: &[f32], line: &mut [f32]) {
        let w = &self.layer.axes[2];
        let (channel, tap) = (term / self.layer.taps(), term % self.layer.taps());
        let (range, start) = &self.taps[tap % w.kernel];
        let plane = &input[channel * self.layer.wide()..][..self.layer.wide()];
        let (row, skipped) = (first / w.narrow, first % w.narrow);
        let length = line.len().min(w.narrow);
        // Of these columns, those that are met.
        let columns = skipped..skipped + length;
        let met = range.start.clamp(columns.start, columns.end)..range.end.clamp(columns.start, columns.end);
        for (number, line) in line.chunks_mut(length).enumerate() {
            let from = self.wide_row(self.place(row + number), tap / w.kernel).filter(|_| !met.is_empty());
            let Some(from) = from else {
                line.fill(0.0);
                continue;
            };
            line[..met.start - skipped].fill(0.0);
            line[met.end - skipped..].fill(0.0);
            let samples = &plane[from * w.wide + start + (met.start - range.start) * w.stride..];
            let line = &mut line[met.start - skipped..met.end - skipped];
            if w.stride == 1 {
                line.copy_from_slice(&samples[..met.len()]);
            } else {
                line.iter_mut().zip(samples.iter().step_by(w.stride)).for_each(|(to, sample)| *to = *sample);
            }
        }
    }
}
