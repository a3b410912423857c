//! The weight's gradient on the CPU: for each group a matrix product of the narrow samples and the im2col matrix of the
//! wide ones, some positions at a time.

use crate::ops::op::Op;
use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::conv::Problem;
use super::gemm::{Matrix, multiply_add};
use super::layer::Layer;
use super::{CpuOp, SLAB, least_rows, resize, row_major, shaped, zeros};
use crate::error::Result;
use crate::ops::conv::weight_grad::{ConvWeightGrad, ForwardInput};

/// From this many groups on, each thread has groups of its own. It does not depend on the number of threads, so that
/// this number changes no sum.
const MIN_GROUPS_TO_SPLIT: usize = 8;

impl<const R: usize> CpuOp for ConvWeightGrad<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let shape = self.output()?.shape;
        let mut output = zeros(&shape)?;
        if inputs.iter().any(|input| input.is_empty()) {
            return shaped(shape, output);
        }
        let tensors = [row_major(&inputs[0]), row_major(&inputs[1])];
        let [input, gradient] = tensors.each_ref().map(|tensor| tensor.as_slice().unwrap_or_default());
        let (narrow, wide) =
            if self.forward_input() == ForwardInput::Wide { (gradient, input) } else { (input, gradient) };
        let problem = Problem::new(Layer::new(self.geometry()));
        let layer = &problem.layer;
        let together = layer.groups < MIN_GROUPS_TO_SPLIT;
        let group = |(group, output): (usize, &mut [f32])| -> Result<()> {
            let narrow_per_group =
                narrow.chunks(layer.narrow_per_group * layer.narrow()).skip(group).step_by(layer.groups);
            let wide_per_group = wide.chunks(layer.wide_per_group * layer.wide()).skip(group).step_by(layer.groups);
            let mut im2col = Vec::new();
            narrow_per_group
                .zip(wide_per_group)
                .try_for_each(|(narrow, wide)| add_image(&problem, narrow, wide, &mut im2col, output, together))
        };
        let size = layer.narrow_per_group * layer.wide_per_group * layer.taps();
        if together {
            output.chunks_mut(size).enumerate().try_for_each(group)?;
        } else {
            output.par_chunks_mut(size).enumerate().try_for_each(group)?;
        }
        shaped(shape, output)
    }
}

/// Adds one image's share to the gradient of a group's weights.
fn add_image(
    problem: &Problem,
    narrow: &[f32],
    wide: &[f32],
    im2col: &mut Vec<f32>,
    output: &mut [f32],
    together: bool,
) -> Result<()> {
    let layer = &problem.layer;
    let (plane, width, terms) = (layer.narrow(), layer.axes[2].narrow, layer.wide_per_group * layer.taps());
    let most = (SLAB / 4 / terms).max(1);
    let mut first = 0;
    while first < plane {
        // The positions of one step are whole rows, or a part of one.
        let rest = if most < width { width - first % width } else { plane - first };
        let positions = if most < width { most.min(rest) } else { (most / width * width).min(rest) };
        resize(im2col, terms * positions)?;
        let fill_row = |(term, line): (usize, &mut [f32])| problem.im2col_row(term, first, wide, line);
        if together {
            im2col.par_chunks_mut(positions).enumerate().with_min_len(least_rows(positions)).for_each(fill_row);
        } else {
            im2col.chunks_mut(positions).enumerate().for_each(fill_row);
        }
        let samples = Matrix { elements: &narrow[first..], row_stride: plane, column_stride: 1 };
        let im2col = Matrix { elements: im2col, row_stride: 1, column_stride: positions };
        multiply_add([layer.narrow_per_group, terms, positions], samples, im2col, output, terms, together);
        first += positions;
    }
    Ok(())
}
