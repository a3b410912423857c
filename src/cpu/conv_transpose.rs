//! Transposed convolution on the CPU. Where a group has many input channels, a matrix product computes what every input
//! position adds to the outputs, a slab of rows at a time, and each output row gathers its shares (col2im). Otherwise
//! each output row sums its products directly.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::layer::{self, Layer};
use super::simd::{Contributions, Phase, add, add_scaled, vectorized};
use super::{CpuOp, SLAB, least_rows, resize};
use crate::error::Result;
use crate::ops::conv::conv_transpose::ConvTranspose;

/// The most input channels of a group for which a matrix product does not pay.
const MAX_INPUTS_FOR_DIRECT: usize = 8;

/// From this many output channels on, counted over all groups and images, each thread has channels of its own. It does
/// not depend on the number of threads.
const MIN_CHANNELS_TO_SPLIT: usize = 8;

/// The least stride for which a sample's row of taps, whose outputs lie side by side, makes longer vectors than the
/// samples of one phase, whose outputs have to be put `stride` apart.
const WIDE_STRIDE: usize = 4;

/// Input positions that a product takes at a time.
const POSITIONS: usize = 256;

impl<const R: usize> CpuOp for ConvTranspose<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let layer = Layer::new(&self.geometry()?);
        layer::run(self, self.activation, inputs, |input, weight, output| {
            let [d, h, w] = layer.axes;
            Problem {
                outer_contributions: [Contributions::new(d), Contributions::new(h)],
                phases: Phase::all(&w),
                layer,
            }
            .run(input, weight, output)
        })
    }
}

struct Problem {
    layer: Layer,
    /// For depth and height.
    outer_contributions: [Contributions; 2],
    /// For the last axis, the width.
    phases: Vec<Phase>,
}

impl Problem {
    /// Wide rows of a plane.
    fn rows(&self) -> usize {
        self.layer.axes[0].wide * self.layer.axes[1].wide
    }

    /// The narrow rows that add to a wide row of a plane, each with its tap over depth and height.
    fn contributing_rows(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let [d, h] = &self.outer_contributions;
        let [_, height, _] = self.layer.axes;
        d.of_wide(row / height.wide).flat_map(move |(i, t)| {
            h.of_wide(row % height.wide).map(move |(j, u)| (i * height.narrow + j, t * height.kernel + u))
        })
    }

    /// The wide rows to which a range of narrow rows may add.
    fn reach(&self, narrow: &Range<usize>) -> Range<usize> {
        let [d, h, _] = &self.layer.axes;
        if d.narrow == 1 && d.wide == 1 { h.wide_window(narrow, &(0..h.kernel)) } else { 0..self.rows() }
    }

    fn run(&self, input: &[f32], weight: &[f32], output: &mut [f32]) -> Result<()> {
        let width = self.layer.axes[2].wide;
        if self.layer.narrow_per_group <= MAX_INPUTS_FOR_DIRECT {
            let work = width * self.layer.narrow_per_group * self.layer.taps();
            let rows = output.par_chunks_mut(width).enumerate().with_min_len(least_rows(work));
            rows.for_each_init(Vec::new, |phase_sums, (row, sums)| {
                vectorized(|| self.gather_products(row, input, weight, phase_sums, sums));
            });
            return Ok(());
        }
        // Each thread has channels of its own; where there are too few channels, all threads work on each product.
        let split_by_channel = output.len() / self.layer.wide() >= MIN_CHANNELS_TO_SPLIT;
        let share = self.layer.wide_per_group.div_ceil(2 * rayon::current_num_threads()).min(self.channels_at_once());
        for (number, group) in output.chunks_mut(self.layer.wide_per_group * self.layer.wide()).enumerate() {
            let samples = &input[number * self.layer.narrow_per_group * self.layer.narrow()..]
                [..self.layer.narrow_per_group * self.layer.narrow()];
            let weights = &weight[number % self.layer.groups
                * self.layer.narrow_per_group
                * self.layer.wide_per_group
                * self.layer.taps()..];
            let parts = group.par_chunks_mut(share * self.layer.wide()).enumerate();
            if split_by_channel {
                parts.try_for_each(|(part, planes)| self.multiply(part * share, samples, weights, planes, false))?;
            } else {
                self.multiply(0, samples, weights, group, true)?;
            }
        }
        Ok(())
    }

    /// Narrow rows of a slab.
    fn rows_at_once(&self) -> usize {
        let [d, h, w] = self.layer.axes.each_ref().map(|axis| axis.narrow);
        POSITIONS.div_ceil(w).min(d * h)
    }

    /// Output channels whose shares of a slab stay in a core's cache.
    fn channels_at_once(&self) -> usize {
        (SLAB / 4 / (self.layer.taps() * self.rows_at_once() * self.layer.axes[2].narrow)).max(1)
    }

    /// Computes some channels of one group and image: those of `planes`, from channel `first` of the group on.
    fn multiply(&self, first: usize, input: &[f32], weight: &[f32], planes: &mut [f32], threads: bool) -> Result<()> {
        let (width, terms, taps) = (self.layer.axes[2].wide, self.layer.axes[2].narrow, self.layer.taps());
        let (columns, rows) = (planes.len() / self.layer.wide() * taps, self.layer.narrow() / terms);
        // A slab on which all threads work is larger, to be worth waking them.
        let slab = if threads { (4 * SLAB / 4 / (columns * terms)).clamp(1, rows) } else { self.rows_at_once() };
        let mut shares = Vec::new();
        resize(&mut shares, columns * slab * terms)?;
        let mut phase_sums = Vec::new();
        for start in (0..rows).step_by(slab) {
            let count = slab.min(rows - start);
            let samples =
                Matrix { elements: &input[start * terms..], row_stride: self.layer.narrow(), column_stride: 1 };
            let weights = Matrix {
                elements: &weight[first * taps..],
                row_stride: 1,
                column_stride: self.layer.wide_per_group * taps,
            };
            multiply(
                [columns, count * terms, self.layer.narrow_per_group],
                weights,
                samples,
                &mut shares,
                count * terms,
                threads,
            );
            let slab = Slab { rows: start..start + count, shares: &shares[..columns * count * terms] };
            let reach = self.reach(&slab.rows);
            if threads {
                // All planes in one parallel loop: waking the threads costs as much as some rows.
                let all = planes.par_chunks_mut(self.layer.wide()).enumerate();
                let all = all.with_min_len(least_rows(reach.len() * width));
                let reached = all.flat_map(|(channel, plane)| {
                    let rows = plane[reach.start * width..reach.end * width].par_chunks_mut(width).enumerate();
                    rows.with_min_len(least_rows(width)).map(move |(row, sums)| (channel, row, sums))
                });
                reached.for_each_init(Vec::new, |phase_sums, (channel, row, sums)| {
                    vectorized(|| self.gather_shares(channel, reach.start + row, &slab, phase_sums, sums));
                });
                continue;
            }
            for (channel, plane) in planes.chunks_mut(self.layer.wide()).enumerate() {
                let rows = plane[reach.start * width..reach.end * width].chunks_mut(width).enumerate();
                vectorized(|| {
                    rows.for_each(|(row, sums)| {
                        self.gather_shares(channel, reach.start + row, &slab, &mut phase_sums, sums)
                    });
                });
            }
        }
        Ok(())
    }

    /// Adds to an output row the products of samples and weights of all input channels of its group.
    #[inline(always)]
    fn gather_products(&self, row: usize, input: &[f32], weight: &[f32], phase_sums: &mut Vec<f32>, sums: &mut [f32]) {
        let (taps, width, terms) = (self.layer.taps(), self.layer.axes[2].kernel, self.layer.axes[2].narrow);
        let (plane, row) = (row / self.rows(), row % self.rows());
        let (group, channel) = (plane / self.layer.wide_per_group, plane % self.layer.wide_per_group);
        let first = group % self.layer.groups * self.layer.narrow_per_group;
        if self.layer.axes[2].dilation == 1 && self.layer.axes[2].stride >= WIDE_STRIDE {
            for (from, outer) in self.contributing_rows(row) {
                for c in 0..self.layer.narrow_per_group {
                    let samples = &input
                        [(group * self.layer.narrow_per_group + c) * self.layer.narrow() + from * terms..][..terms];
                    let weights =
                        &weight[((first + c) * self.layer.wide_per_group + channel) * taps + outer * width..][..width];
                    self.scatter(samples, weights, sums);
                }
            }
            return;
        }
        self.by_phases(phase_sums, sums, |phase, sums| {
            for (from, outer) in self.contributing_rows(row) {
                for c in 0..self.layer.narrow_per_group {
                    let samples = &input
                        [(group * self.layer.narrow_per_group + c) * self.layer.narrow() + from * terms..][..terms];
                    let weights =
                        &weight[((first + c) * self.layer.wide_per_group + channel) * taps + outer * width..][..width];
                    for tap in &phase.taps {
                        add_scaled(&mut sums[tap.range.clone()], &samples[tap.narrow..], weights[tap.tap]);
                    }
                }
            }
        });
    }

    /// Adds each sample's products with a row of taps, which lie side by side in the output.
    #[inline(always)]
    fn scatter(&self, samples: &[f32], weights: &[f32], sums: &mut [f32]) {
        let axis = &self.layer.axes[2];
        // Samples whose outputs do not overlap come one after the other, so that none waits for what the last has
        // written.
        let apart = weights.len().div_ceil(axis.stride);
        for first in 0..apart {
            for (j, sample) in samples.iter().enumerate().skip(first).step_by(apart) {
                let start = (j * axis.stride) as i64 - axis.pad;
                let inside =
                    start.clamp(0, sums.len() as i64)..(start + weights.len() as i64).clamp(0, sums.len() as i64);
                if !inside.is_empty() {
                    let weights = &weights[(inside.start - start) as usize..];
                    add_scaled(&mut sums[inside.start as usize..inside.end as usize], weights, *sample);
                }
            }
        }
    }

    /// Adds a slab's shares to an output row.
    #[inline(always)]
    fn gather_shares(&self, channel: usize, row: usize, slab: &Slab, phase_sums: &mut Vec<f32>, sums: &mut [f32]) {
        let (taps, width, terms) = (self.layer.taps(), self.layer.axes[2].kernel, self.layer.axes[2].narrow);
        let mine = |(from, _): &(usize, usize)| slab.rows.contains(from);
        let pitch = slab.rows.len() * terms;
        self.by_phases(phase_sums, sums, |phase, sums| {
            for (from, outer) in self.contributing_rows(row).filter(mine) {
                for tap in &phase.taps {
                    let line = (channel * taps + outer * width + tap.tap) * pitch + (from - slab.rows.start) * terms;
                    add(&mut sums[tap.range.clone()], &slab.shares[line + tap.narrow..]);
                }
            }
        });
    }

    /// Lets `sum` add to each phase of a row by itself, and adds the phases to the row.
    #[inline(always)]
    fn by_phases(&self, phase_sums: &mut Vec<f32>, sums: &mut [f32], sum: impl Fn(&Phase, &mut [f32])) {
        let stride = self.layer.axes[2].stride;
        if stride == 1 {
            return sum(&self.phases[0], sums);
        }
        for phase in self.phases.iter().filter(|phase| !phase.taps.is_empty()) {
            phase_sums.clear();
            phase_sums.resize(phase.count, 0.0);
            sum(phase, phase_sums);
            sums[phase.first..]
                .iter_mut()
                .step_by(stride)
                .zip(&*phase_sums)
                .for_each(|(sum, phase_sum)| *sum += phase_sum);
        }
    }
}

/// What a range of narrow rows adds to the outputs: a line for each channel and tap.
struct Slab<'a> {
    rows: Range<usize>,
    shares: &'a [f32],
}
