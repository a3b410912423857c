//! Upsampling on the CPU: one axis after the other, the axis that grows least first.

use crate::ops::op::Op;
use crate::ops::resample::separable::Separable;
use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::simd::{add_scaled, vectorized};
use super::{CpuOp, by_reference, least_rows, row_major, shaped, zeros};
use crate::error::Result;
use crate::ops::resample::tap_table::TapTable;
use crate::ops::resample::upsample::Upsample;

impl<const R: usize> CpuOp for Upsample<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let expected = self.output()?.shape;
        if expected.contains(&0) {
            return shaped(expected, Vec::new());
        }
        let tables = (0..R).map(|axis| self.taps(axis)).collect::<Result<Vec<_>>>()?;
        if tables.iter().any(TapTable::has_outside) {
            return by_reference(self, inputs);
        }
        let tensor = row_major(&inputs[0]);
        let mut shape = tensor.shape().to_vec();
        let mut values = std::borrow::Cow::Borrowed(tensor.as_slice().unwrap_or_default());
        // Axes that shrink come first, so that the intermediate tensors are as small as possible.
        let mut axes: Vec<usize> = (0..R).rev().collect();
        let growth = |&axis: &usize| (tables[axis].len() << 20) / tensor.shape()[axis + 2].max(1);
        axes.sort_by_key(growth);
        for axis in axes.into_iter().filter(|&axis| !tables[axis].is_identity(tensor.shape()[axis + 2])) {
            let inner = shape[axis + 3..].iter().product();
            let mut next = shape.clone();
            next[axis + 2] = tables[axis].len();
            let mut resampled = zeros(&next)?;
            if inner == 1 {
                resample_rows(&values, shape[axis + 2], &mut resampled, &tables[axis]);
            } else {
                resample_outer_axis(&values, shape[axis + 2], inner, &mut resampled, &tables[axis]);
            }
            (values, shape) = (resampled.into(), next);
        }
        shaped(expected, values.into_owned())
    }
}

/// Resamples the innermost axis: each row by itself.
fn resample_rows(input: &[f32], samples: usize, output: &mut [f32], table: &TapTable) {
    let taps: Vec<(usize, f32)> = table.entries().iter().map(|tap| (tap.index, tap.weight as f32)).collect();
    let starts: Vec<usize> = (0..=table.len()).map(|q| table.start(q)).collect();
    let rows = output.par_chunks_mut(table.len()).zip(input.par_chunks(samples));
    rows.with_min_len(least_rows(taps.len())).for_each(|(sums, samples)| {
        for (sum, ends) in sums.iter_mut().zip(starts.windows(2)) {
            *sum = taps[ends[0]..ends[1]].iter().map(|&(index, weight)| weight * samples[index]).sum();
        }
    });
}

/// Resamples another axis: sums whole rows of `inner` numbers.
fn resample_outer_axis(input: &[f32], samples: usize, inner: usize, output: &mut [f32], table: &TapTable) {
    let rows = output.par_chunks_mut(inner).enumerate();
    rows.with_min_len(least_rows(inner * table.longest())).for_each(|(row, sums)| {
        let plane = &input[row / table.len() * samples * inner..][..samples * inner];
        vectorized(|| {
            for tap in table.at(row % table.len()) {
                add_scaled(sums, &plane[tap.index * inner..][..inner], tap.weight as f32);
            }
        });
    });
}
