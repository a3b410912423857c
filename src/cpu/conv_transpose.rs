//! Transposed convolution on the CPU. Where a group has many input channels, a matrix product gives what every input
//! position adds to the outputs, a slab of rows at a time, and each output row gathers its share; else each output row
//! gathers products itself.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::layer::{self, Layer};
use super::simd::{Meetings, Phase, add, add_scaled, vectorized};
use super::{CpuOp, SLAB, least_rows, resize};
use crate::error::Result;
use crate::ops::conv::conv_transpose::ConvTranspose;

/// Input channels of a group from which on a matrix product pays.
const FEW: usize = 8;

/// Channels of all groups and images from which on each thread has its own. It is no number of threads, so that those
/// change no sum.
const MANY: usize = 8;

/// Strides from which on a row of taps makes longer vectors than the samples of one phase, as these have to be put
/// apart.
const WIDE_STRIDE: usize = 4;

/// Input positions that a product takes at a time.
const POSITIONS: usize = 256;

impl<const R: usize> CpuOp for ConvTranspose<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let layer = Layer::new(&self.geometry()?);
        layer::run(self, self.activation, inputs, |input, weight, output| {
            let [d, h, w] = layer.axes;
            Problem { met: [Meetings::new(d), Meetings::new(h)], phases: Phase::all(&w), layer }
                .run(input, weight, output)
        })
    }
}

struct Problem {
    layer: Layer,
    /// Of the axes before it.
    met: [Meetings; 2],
    /// Of the last axis.
    phases: Vec<Phase>,
}

impl Problem {
    /// Wide rows of a plane.
    fn rows(&self) -> usize {
        self.layer.axes[0].wide * self.layer.axes[1].wide
    }

    /// The narrow rows that a wide row of a plane meets, each with its tap over depth and height.
    fn meetings(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let [d, h] = &self.met;
        let [_, height, _] = self.layer.axes;
        d.of(row / height.wide).flat_map(move |(i, t)| {
            h.of(row % height.wide).map(move |(j, u)| (i * height.narrow + j, t * height.kernel + u))
        })
    }

    /// Wide rows that a range of narrow rows may meet.
    fn reach(&self, narrow: &Range<usize>) -> Range<usize> {
        let [d, h, _] = &self.layer.axes;
        if d.narrow == 1 && d.wide == 1 { h.wide_window(narrow, &(0..h.kernel)) } else { 0..self.rows() }
    }

    fn run(&self, input: &[f32], weight: &[f32], output: &mut [f32]) -> Result<()> {
        let width = self.layer.axes[2].wide;
        if self.layer.narrows <= FEW {
            let work = width * self.layer.narrows * self.layer.taps();
            let rows = output.par_chunks_mut(width).enumerate().with_min_len(least_rows(work));
            rows.for_each_init(Vec::new, |one, (row, sums)| {
                vectorized(|| self.gather_products(row, input, weight, one, sums));
            });
            return Ok(());
        }
        // Each thread has channels of its own; where there are too few, the threads share in each.
        let apart = output.len() / self.layer.wide() >= MANY;
        let share = self.layer.wides.div_ceil(2 * rayon::current_num_threads()).min(self.channels_at_once());
        for (number, group) in output.chunks_mut(self.layer.wides * self.layer.wide()).enumerate() {
            let samples =
                &input[number * self.layer.narrows * self.layer.narrow()..][..self.layer.narrows * self.layer.narrow()];
            let weights =
                &weight[number % self.layer.groups * self.layer.narrows * self.layer.wides * self.layer.taps()..];
            let parts = group.par_chunks_mut(share * self.layer.wide()).enumerate();
            if apart {
                parts.try_for_each(|(part, planes)| self.multiply(part * share, samples, weights, planes, false))?;
            } else {
                self.multiply(0, samples, weights, group, true)?;
            }
        }
        Ok(())
    }

    /// Narrow rows of a slab, and output channels whose shares of it stay in a core's cache.
    fn rows_at_once(&self) -> usize {
        let [d, h, w] = self.layer.axes.each_ref().map(|axis| axis.narrow);
        POSITIONS.div_ceil(w).min(d * h)
    }

    fn channels_at_once(&self) -> usize {
        (SLAB / 4 / (self.layer.taps() * self.rows_at_once() * self.layer.axes[2].narrow)).max(1)
    }

    /// Some channels of one group of one image.
    fn multiply(&self, first: usize, input: &[f32], weight: &[f32], planes: &mut [f32], threads: bool) -> Result<()> {
        let (width, terms, taps) = (self.layer.axes[2].wide, self.layer.axes[2].narrow, self.layer.taps());
        let (columns, rows) = (planes.len() / self.layer.wide() * taps, self.layer.narrow() / terms);
        // Where all threads work on one slab, it should be worth calling them together.
        let slab = if threads { (4 * SLAB / 4 / (columns * terms)).clamp(1, rows) } else { self.rows_at_once() };
        let mut shares = Vec::new();
        resize(&mut shares, columns * slab * terms)?;
        let mut one = Vec::new();
        for start in (0..rows).step_by(slab) {
            let count = slab.min(rows - start);
            let samples = Matrix { elements: &input[start * terms..], rows: self.layer.narrow(), columns: 1 };
            let weights = Matrix { elements: &weight[first * taps..], rows: 1, columns: self.layer.wides * taps };
            multiply(
                [columns, count * terms, self.layer.narrows],
                weights,
                samples,
                &mut shares,
                count * terms,
                threads,
            );
            let slab = Slab { rows: start..start + count, shares: &shares[..columns * count * terms] };
            let reach = self.reach(&slab.rows);
            if threads {
                // All planes at once: calling the threads together costs as much as some rows.
                let all = planes.par_chunks_mut(self.layer.wide()).enumerate();
                let all = all.with_min_len(least_rows(reach.len() * width));
                let reached = all.flat_map(|(channel, plane)| {
                    let rows = plane[reach.start * width..reach.end * width].par_chunks_mut(width).enumerate();
                    rows.with_min_len(least_rows(width)).map(move |(row, sums)| (channel, row, sums))
                });
                reached.for_each_init(Vec::new, |one, (channel, row, sums)| {
                    vectorized(|| self.gather_shares(channel, reach.start + row, &slab, one, sums));
                });
                continue;
            }
            for (channel, plane) in planes.chunks_mut(self.layer.wide()).enumerate() {
                let rows = plane[reach.start * width..reach.end * width].chunks_mut(width).enumerate();
                vectorized(|| {
                    rows.for_each(|(row, sums)| self.gather_shares(channel, reach.start + row, &slab, &mut one, sums));
                });
            }
        }
        Ok(())
    }

    /// What the products with the samples of a few channels add to an output row.
    #[inline(always)]
    fn gather_products(&self, row: usize, input: &[f32], weight: &[f32], one: &mut Vec<f32>, sums: &mut [f32]) {
        let (taps, width, terms) = (self.layer.taps(), self.layer.axes[2].kernel, self.layer.axes[2].narrow);
        let (plane, row) = (row / self.rows(), row % self.rows());
        let (group, channel) = (plane / self.layer.wides, plane % self.layer.wides);
        let first = group % self.layer.groups * self.layer.narrows;
        if self.layer.axes[2].dilation == 1 && self.layer.axes[2].stride >= WIDE_STRIDE {
            for (from, outer) in self.meetings(row) {
                for c in 0..self.layer.narrows {
                    let samples =
                        &input[(group * self.layer.narrows + c) * self.layer.narrow() + from * terms..][..terms];
                    let weights = &weight[((first + c) * self.layer.wides + channel) * taps + outer * width..][..width];
                    self.scatter(samples, weights, sums);
                }
            }
            return;
        }
        self.by_phases(one, sums, |phase, sums| {
            for (from, outer) in self.meetings(row) {
                for c in 0..self.layer.narrows {
                    let samples =
                        &input[(group * self.layer.narrows + c) * self.layer.narrow() + from * terms..][..terms];
                    let weights = &weight[((first + c) * self.layer.wides + channel) * taps + outer * width..][..width];
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

    /// What a slab adds to an output row.
    #[inline(always)]
    fn gather_shares(&self, channel: usize, row: usize, slab: &Slab, one: &mut Vec<f32>, sums: &mut [f32]) {
        let (taps, width, terms) = (self.layer.taps(), self.layer.axes[2].kernel, self.layer.axes[2].narrow);
        let mine = |(from, _): &(usize, usize)| slab.rows.contains(from);
        let pitch = slab.rows.len() * terms;
        self.by_phases(one, sums, |phase, sums| {
            for (from, outer) in self.meetings(row).filter(mine) {
                for tap in &phase.taps {
                    let line = (channel * taps + outer * width + tap.tap) * pitch + (from - slab.rows.start) * terms;
                    add(&mut sums[tap.range.clone()], &slab.shares[line + tap.narrow..]);
                }
            }
        });
    }

    /// Adds to a row what `sum` adds to each of its phases.
    #[inline(always)]
    fn by_phases(&self, one: &mut Vec<f32>, sums: &mut [f32], sum: impl Fn(&Phase, &mut [f32])) {
        let stride = self.layer.axes[2].stride;
        if stride == 1 {
            return sum(&self.phases[0], sums);
        }
        for phase in self.phases.iter().filter(|phase| !phase.taps.is_empty()) {
            one.clear();
            one.resize(phase.count, 0.0);
            sum(phase, one);
            sums[phase.first..].iter_mut().step_by(stride).zip(&*one).for_each(|(sum, one)| *sum += *one);
        }
    }
}

/// What a range of narrow rows adds to the outputs: a line for each channel and tap.
struct Slab<'a> {
    rows: Range<usize>,
    shares: &'a [f32],
}
