//! The weight's gradient on the CPU: for each group a matrix product of the narrow samples and the wide ones that they
//! meet, some positions after the others.

use crate::ops::op::Op;
use ndarray::{ArrayD, ArrayViewD};
use rayon::prelude::*;

use super::conv::Problem;
use super::gemm::{Matrix, multiply_add};
use super::layer::Layer;
use super::{CpuOp, SLAB, least_rows, resize, row_major, shaped, zeros};
use crate::error::Result;
use crate::ops::conv::weight_grad::{ConvWeightGrad, ForwardInput};

/// Groups from which on each thread has its own. It is no number of threads, so that those change no sum.
const MANY: usize = 8;

impl<const R: usize> CpuOp for ConvWeightGrad<R> {
    fn compute(&self, inputs: &[ArrayViewD<f32>]) -> Result<ArrayD<f32>> {
        let shape = self.output()?.shape;
        let mut output = zeros(&shape)?;
        let tensors = [row_major(&inputs[0]), row_major(&inputs[1])];
        let [input, gradient] = tensors.each_ref().map(|tensor| tensor.as_slice().unwrap_or_default());
        let (narrow, wide) =
            if self.forward_input() == ForwardInput::Wide { (gradient, input) } else { (input, gradient) };
        let problem = Problem::new(Layer::new(self.geometry()));
        let layer = &problem.layer;
        let together = layer.groups < MANY;
        let group = |(group, output): (usize, &mut [f32])| -> Result<()> {
            let narrows = narrow.chunks(layer.narrows * layer.narrow()).skip(group).step_by(layer.groups);
            let wides = wide.chunks(layer.wides * layer.wide()).skip(group).step_by(layer.groups);
            let mut met = Vec::new();
            narrows
                .zip(wides)
                .try_for_each(|(narrow, wide)| add_image(&problem, narrow, wide, &mut met, output, together))
        };
        let size = layer.narrows * layer.wides * layer.taps();
        if together {
            output.chunks_mut(size).enumerate().try_for_each(group)?;
        } else {
            output.par_chunks_mut(size).enumerate().try_for_each(group)?;
        }
        shaped(shape, output)
    }
}

/// Adds what one image gives to a group's weights.
fn add_image(
    problem: &Problem,
    narrow: &[f32],
    wide: &[f32],
    met: &mut Vec<f32>,
    output: &mut [f32],
    together: bool,
) -> Result<()> {
    let layer = &problem.layer;
    let (plane, width, terms) = (layer.narrow(), layer.axes[2].narrow, layer.wides * layer.taps());
    let most = (SLAB / 4 / terms).max(1);
    let mut first = 0;
    while first < plane {
        // Whole rows, or a part of one.
        let rest = if most < width { width - first % width } else { plane - first };
        let positions = if most < width { most.min(rest) } else { (most / width * width).min(rest) };
        resize(met, terms * positions)?;
        let collect = |(term, line): (usize, &mut [f32])| problem.collect(term, first, wide, line);
        if together {
            met.par_chunks_mut(positions).enumerate().with_min_len(least_rows(positions)).for_each(collect);
        } else {
            met.chunks_mut(positions).enumerate().for_each(collect);
        }
        let samples = Matrix { elements: &narrow[first..], rows: plane, columns: 1 };
        let met = Matrix { elements: met, rows: 1, columns: positions };
        multiply_add([layer.narrows, terms, positions], samples, met, output, terms, together);
        first += positions;
    }
    Ok(())
}
