//! Transposed convolution on the CPU. Where a group has many input channels, a matrix product gives what every input
//! position adds to the outputs, a slab of rows at a time, and each output row gathers its share; else each output row
//! gathers products itself.

use std::ops::Range;

use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::product::{Matrix, multiply};
use super::rows::{Meetings, Phase, add, add_scaled, vectorized};
use super::{CpuOp, SLAB, finish, least_rows, row_major, shaped, zeros};
use crate::geometry::Axis;
use crate::{ConvTranspose, Op, Result};

/// Input channels of a group from which on a matrix product pays.
const FEW: usize = 8;

/// Channels of all groups and images from which on each thread has its own. The same on every machine, and so are the sums.
const MANY: usize = 8;

/// Input positions that a product takes at a time.
const POSITIONS: usize = 256;

impl<const R: usize> CpuOp for ConvTranspose<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let shape = self.output()?.shape;
        let geometry = self.geometry()?;
        let tensors: Vec<_> = inputs.iter().map(row_major).collect();
        let slices: Vec<&[f32]> = tensors.iter().map(|tensor| tensor.as_slice().unwrap_or_default()).collect();
        let mut output = zeros(&shape)?;
        if output.is_empty() {
            return shaped(shape, output);
        }
        let axes = geometry.axes3();
        let problem = Problem {
            axes,
            groups: geometry.groups,
            ins: geometry.narrow_per_group(),
            outs: geometry.wide_per_group(),
            met: [Meetings::new(axes[0]), Meetings::new(axes[1])],
            phases: Phase::all(&axes[2]),
        };
        problem.run(slices[0], slices[1], &mut output)?;
        finish(&mut output, problem.wide(), shape[1], slices.get(2).copied(), self.activation);
        shaped(shape, output)
    }
}

struct Problem {
    axes: [Axis; 3],
    groups: usize,
    /// Channels of a group.
    ins: usize,
    outs: usize,
    /// Of the axes before it.
    met: [Meetings; 2],
    /// Of the last axis.
    phases: Vec<Phase>,
}

impl Problem {
    fn narrow(&self) -> usize {
        self.axes.iter().map(|axis| axis.narrow).product()
    }

    fn wide(&self) -> usize {
        self.axes.iter().map(|axis| axis.wide).product()
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }

    /// Wide rows of a plane.
    fn rows(&self) -> usize {
        self.axes[0].wide * self.axes[1].wide
    }

    /// The narrow rows that a wide row of a plane meets, each with its tap over depth and height.
    fn meetings(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let [d, h] = &self.met;
        let [_, height, _] = self.axes;
        d.of(row / height.wide).flat_map(move |(i, t)| {
            h.of(row % height.wide).map(move |(j, u)| (i * height.narrow + j, t * height.kernel + u))
        })
    }

    /// Wide rows that a range of narrow rows may meet.
    fn reach(&self, narrow: &Range<usize>) -> Range<usize> {
        let [d, h, _] = &self.axes;
        if d.narrow == 1 && d.wide == 1 { h.wide_window(narrow, &(0..h.kernel)) } else { 0..self.rows() }
    }

    fn run(&self, input: &[f32], weight: &[f32], output: &mut [f32]) -> Result<()> {
        let width = self.axes[2].wide;
        if self.ins <= FEW {
            let work = width * self.ins * self.taps();
            let rows = output.par_chunks_mut(width).enumerate().with_min_len(least_rows(work));
            rows.for_each_init(Vec::new, |one, (row, sums)| {
                vectorized(|| self.gather_products(row, input, weight, one, sums));
            });
            return Ok(());
        }
        // Each thread has channels of its own; where there are too few, the threads share in each.
        let apart = output.len() / self.wide() >= MANY;
        let share = self.outs.div_ceil(2 * rayon::current_num_threads()).min(self.channels_at_once());
        for (number, group) in output.chunks_mut(self.outs * self.wide()).enumerate() {
            let samples = &input[number * self.ins * self.narrow()..][..self.ins * self.narrow()];
            let weights = &weight[number % self.groups * self.ins * self.outs * self.taps()..];
            let parts = group.par_chunks_mut(share * self.wide()).enumerate();
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
        let [d, h, w] = self.axes.each_ref().map(|axis| axis.narrow);
        POSITIONS.div_ceil(w).min(d * h)
    }

    fn channels_at_once(&self) -> usize {
        (SLAB / 4 / (self.taps() * self.rows_at_once() * self.axes[2].narrow)).max(1)
    }

    /// Some channels of one group of one image.
    fn multiply(&self, first: usize, input: &[f32], weight: &[f32], planes: &mut [f32], threads: bool) -> Result<()> {
        let (width, terms, taps) = (self.axes[2].wide, self.axes[2].narrow, self.taps());
        let (columns, rows) = (planes.len() / self.wide() * taps, self.narrow() / terms);
        // Where all threads work on one slab, it should be worth calling them together.
        let slab = if threads { (4 * SLAB / 4 / (columns * terms)).clamp(1, rows) } else { self.rows_at_once() };
        let mut shares = zeros(&[columns, slab * terms])?;
        let mut one = Vec::new();
        for start in (0..rows).step_by(slab) {
            let count = slab.min(rows - start);
            let samples = Matrix { elements: &input[start * terms..], rows: self.narrow(), columns: 1 };
            let weights = Matrix { elements: &weight[first * taps..], rows: 1, columns: self.outs * taps };
            multiply([columns, count * terms, self.ins], weights, samples, &mut shares, count * terms, threads);
            let slab = Slab { rows: start..start + count, shares: &shares[..columns * count * terms] };
            let reach = self.reach(&slab.rows);
            for (channel, plane) in planes.chunks_mut(self.wide()).enumerate() {
                let plane = &mut plane[reach.start * width..reach.end * width];
                if threads {
                    let rows = plane.par_chunks_mut(width).enumerate().with_min_len(least_rows(width));
                    rows.for_each_init(Vec::new, |one, (row, sums)| {
                        vectorized(|| self.gather_shares(channel, reach.start + row, &slab, one, sums));
                    });
                } else {
                    let rows = plane.chunks_mut(width).enumerate();
                    vectorized(|| {
                        rows.for_each(|(row, sums)| {
                            self.gather_shares(channel, reach.start + row, &slab, &mut one, sums)
                        });
                    });
                }
            }
        }
        Ok(())
    }

    /// What the products with the samples of a few channels add to an output row.
    #[inline(always)]
    fn gather_products(&self, row: usize, input: &[f32], weight: &[f32], one: &mut Vec<f32>, sums: &mut [f32]) {
        let (taps, width, terms) = (self.taps(), self.axes[2].kernel, self.axes[2].narrow);
        let (plane, row) = (row / self.rows(), row % self.rows());
        let (group, channel) = (plane / self.outs, plane % self.outs);
        let first = group % self.groups * self.ins;
        self.by_phases(one, sums, |phase, sums| {
            for (from, outer) in self.meetings(row) {
                for c in 0..self.ins {
                    let samples = &input[(group * self.ins + c) * self.narrow() + from * terms..][..terms];
                    let weights = &weight[((first + c) * self.outs + channel) * taps + outer * width..][..width];
                    for tap in &phase.taps {
                        add_scaled(&mut sums[tap.range.clone()], &samples[tap.narrow..], weights[tap.tap]);
                    }
                }
            }
        });
    }

    /// What a slab adds to an output row.
    #[inline(always)]
    fn gather_shares(&self, channel: usize, row: usize, slab: &Slab, one: &mut Vec<f32>, sums: &mut [f32]) {
        let (taps, width, terms) = (self.taps(), self.axes[2].kernel, self.axes[2].narrow);
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
        let stride = self.axes[2].stride;
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
