//! Convolution on the CPU: a matrix product of the weights and the samples that each output meets, a slab of rows at a
//! time; or, where a group has few output channels, each output row sums products itself.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rayon::prelude::*;

use super::product::{Matrix, multiply};
use super::rows::{add_scaled, vectorized};
use super::{CpuOp, SLAB, finish, least_rows, row_major, zeros};
use crate::geometry::Axis;
use crate::{Conv, Error, Op, Result};

/// Output channels of a group from which on a matrix product pays.
const FEW: usize = 4;

impl<const R: usize> CpuOp for Conv<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let shape = self.output()?.shape;
        let geometry = self.geometry()?;
        let tensors: Vec<_> = inputs.iter().map(row_major).collect();
        let slices: Vec<&[f32]> = tensors.iter().map(|tensor| tensor.as_slice().unwrap_or_default()).collect();
        let mut output = zeros(&shape)?;
        let problem =
            Problem::new(geometry.axes3(), geometry.groups, geometry.wide_per_group(), geometry.narrow_per_group());
        if !output.is_empty() {
            if problem.outs < FEW {
                problem.sum_rows(slices[0], slices[1], &mut output);
            } else {
                problem.multiply(slices[0], slices[1], &mut output)?;
            }
        }
        finish(&mut output, problem.narrow(), shape[1], slices.get(2).copied(), self.activation);
        let actual = shape.clone();
        ArrayD::from_shape_vec(IxDyn(&shape), output).map_err(|_| Error::Shape {
            operand: "output",
            expected: shape,
            actual,
        })
    }
}

struct Problem {
    axes: [Axis; 3],
    groups: usize,
    /// Channels of a group.
    ins: usize,
    outs: usize,
    /// For each narrow (depth, height): the wide row at each tap over depth and height, if it is not in the padding.
    rows: Vec<Vec<Option<usize>>>,
    /// For each tap of the last axis: the narrow samples that meet a wide one, and the first of those.
    taps: Vec<(Range<usize>, usize)>,
}

impl Problem {
    fn new(axes: [Axis; 3], groups: usize, ins: usize, outs: usize) -> Self {
        let [d, h, w] = &axes;
        let mut rows = vec![vec![None; d.kernel * h.kernel]; d.narrow * h.narrow];
        for (t, u) in (0..d.kernel).flat_map(|t| (0..h.kernel).map(move |u| (t, u))) {
            for (i, j) in d.narrow_range(t).flat_map(|i| h.narrow_range(u).map(move |j| (i, j))) {
                rows[i * h.narrow + j][t * h.kernel + u] = Some(d.wide_index(i, t) * h.wide + h.wide_index(j, u));
            }
        }
        let tap = |tap| {
            let range = w.narrow_range(tap);
            let first = if range.is_empty() { 0 } else { w.wide_index(range.start, tap) };
            (range, first)
        };
        let taps = (0..w.kernel).map(tap).collect();
        Self { axes, groups, ins, outs, rows, taps }
    }

    fn narrow(&self) -> usize {
        self.axes.iter().map(|axis| axis.narrow).product()
    }

    fn wide(&self) -> usize {
        self.axes.iter().map(|axis| axis.wide).product()
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }

    /// Every output row by itself.
    fn sum_rows(&self, input: &[f32], weight: &[f32], output: &mut [f32]) {
        let width = self.axes[2].narrow;
        let rows = output.par_chunks_mut(width).enumerate().with_min_len(least_rows(width * self.ins * self.taps()));
        rows.for_each(|(row, sums)| vectorized(|| self.sum_row(row, input, weight, sums)));
    }

    #[inline(always)]
    fn sum_row(&self, row: usize, input: &[f32], weight: &[f32], sums: &mut [f32]) {
        let w = &self.axes[2];
        let (plane, row) = (row / self.rows.len(), row % self.rows.len());
        let (group, channel) = (plane / self.outs, plane % (self.outs * self.groups));
        for c in 0..self.ins {
            let weights = &weight[(channel * self.ins + c) * self.taps()..][..self.taps()];
            let plane = &input[(group * self.ins + c) * self.wide()..][..self.wide()];
            for (from, weights) in self.rows[row].iter().zip(weights.chunks(w.kernel)) {
                let Some(from) = from else { continue };
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
        let (narrow, terms, width) = (self.narrow(), self.ins * self.taps(), self.axes[2].narrow);
        let same = |axis: &Axis| (axis.kernel, axis.stride, axis.pad, axis.wide) == (1, 1, 0, axis.narrow);
        let as_it_is = self.axes.iter().all(same);
        let slab = (SLAB / 4 / (terms * width)).clamp(1, self.rows.len());
        let parts = output.chunks_mut(self.outs * narrow).zip(input.chunks(self.ins * self.wide()));
        for (number, (output, input)) in parts.enumerate() {
            let weights = &weight[number % self.groups * self.outs * terms..];
            let weights = Matrix { elements: weights, rows: terms, columns: 1 };
            if as_it_is {
                let samples = Matrix { elements: input, rows: narrow, columns: 1 };
                multiply([self.outs, narrow, terms], weights, samples, output, narrow, true);
            } else if self.rows.len() / slab < 2 * rayon::current_num_threads() {
                self.slabs_together(slab, weights, input, output)?;
            } else {
                self.slabs_apart(slab, weights, input, output)?;
            }
        }
        Ok(())
    }

    /// A slab after the other, each by all threads.
    fn slabs_together(&self, slab: usize, weights: Matrix, input: &[f32], output: &mut [f32]) -> Result<()> {
        let (terms, width) = (self.ins * self.taps(), self.axes[2].narrow);
        let mut met = zeros(&[terms, slab * width])?;
        for first in (0..self.rows.len()).step_by(slab) {
            let positions = slab.min(self.rows.len() - first) * width;
            let lines = met[..terms * positions].par_chunks_mut(positions).enumerate();
            lines.with_min_len(least_rows(positions)).for_each(|(term, line)| self.collect(term, first, input, line));
            let samples = Matrix { elements: &met[..terms * positions], rows: positions, columns: 1 };
            let target = &mut output[first * width..];
            multiply([self.outs, positions, terms], weights, samples, target, self.narrow(), true);
        }
        Ok(())
    }

    /// Each slab by one thread.
    fn slabs_apart(&self, slab: usize, weights: Matrix, input: &[f32], output: &mut [f32]) -> Result<()> {
        let (terms, width) = (self.ins * self.taps(), self.axes[2].narrow);
        // For each slab, its part of every channel.
        let mut targets: Vec<Vec<&mut [f32]>> = Vec::new();
        for plane in output.chunks_mut(self.narrow()) {
            for (number, part) in plane.chunks_mut(slab * width).enumerate() {
                targets.resize_with(targets.len().max(number + 1), Vec::new);
                targets[number].push(part);
            }
        }
        let buffers = || (Vec::new(), Vec::new());
        targets.into_par_iter().enumerate().for_each_init(buffers, |(met, sums), (number, mut target)| {
            let positions = target[0].len();
            met.resize(terms * positions, 0.0);
            sums.resize(self.outs * positions, 0.0);
            let lines = met.chunks_mut(positions).enumerate();
            lines.for_each(|(term, line)| self.collect(term, number * slab, input, line));
            let samples = Matrix { elements: met, rows: positions, columns: 1 };
            multiply([self.outs, positions, terms], weights, samples, sums, positions, false);
            let parts = target.iter_mut().zip(sums.chunks(positions));
            parts.for_each(|(to, sums)| to.copy_from_slice(sums));
        });
        Ok(())
    }

    /// The samples of one channel that some rows of outputs meet at one tap; zeros in the padding.
    fn collect(&self, term: usize, first: usize, input: &[f32], line: &mut [f32]) {
        let w = &self.axes[2];
        let (channel, tap) = (term / self.taps(), term % self.taps());
        let (range, start) = &self.taps[tap % w.kernel];
        let plane = &input[channel * self.wide()..][..self.wide()];
        for (line, rows) in line.chunks_mut(w.narrow).zip(&self.rows[first..]) {
            let from = rows[tap / w.kernel].filter(|_| !range.is_empty());
            let Some(from) = from else {
                line.fill(0.0);
                continue;
            };
            line[..range.start].fill(0.0);
            line[range.end..].fill(0.0);
            let samples = &plane[from * w.wide + start..];
            if w.stride == 1 {
                line[range.clone()].copy_from_slice(&samples[..range.len()]);
            } else {
                let samples = samples.iter().step_by(w.stride);
                line[range.clone()].iter_mut().zip(samples).for_each(|(to, sample)| *to = *sample);
            }
        }
    }
}
