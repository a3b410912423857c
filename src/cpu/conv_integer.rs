//! Convolution of 8-bit integers on the CPU: each output row sums its products directly.

use rayon::prelude::*;

use super::conv::Problem;
use super::layer::Layer;
use super::{CpuOp, LEAST_WORK};
use crate::error::Result;
use crate::ops::conv::conv_integer::ConvInteger;
use crate::ops::op::Op;
use crate::tensor::allocate::{reserve, zeros};
use crate::tensor::element::{Element, Tensor, TensorView};

impl<const R: usize> CpuOp for ConvInteger<R> {
    fn compute_tensors(&self, inputs: &[TensorView]) -> Result<Vec<Tensor>> {
        let shape = self.output()?.shape;
        let mut sums: Vec<i32> = zeros(OUTPUT, shape.iter().product())?;
        if !sums.is_empty() {
            let (input_zero, weight_zeros) = self.zero_points(inputs);
            let input = centred(&inputs[0], &[input_zero])?;
            let weight = centred(&inputs[1], &weight_zeros)?;
            let add = |sum: &mut i32, weight, sample| *sum = sum.wrapping_add(i32::from(weight) * i32::from(sample));
            if !input.is_empty() && !weight.is_empty() {
                Problem::new(Layer::new(&self.geometry()?)).sum_rows(&input, &weight, &mut sums, add);
            }
        }
        Ok(vec![Tensor::I32(ndarray::ArrayD::from_shape_vec(shape, sums).expect("as many sums as the shape has"))])
    }
}

const OUTPUT: &str = "a tensor of the CPU engine";

/// The tensor, row-major, without its zero points: one, or one for each index of its first axis.
fn centred(tensor: &TensorView, zero_points: &[i32]) -> Result<Vec<i16>> {
    fn of<T: Element + Into<i16> + Sync>(view: &ndarray::ArrayViewD<T>, zero_points: &[i32]) -> Result<Vec<i16>> {
        let row_major = view.as_standard_layout();
        let values = row_major.as_slice().unwrap_or_default();
        let mut differences = reserve(OUTPUT, values.len())?;
        let each = values.len() / zero_points.len().max(1);
        // A difference of two 8-bit integers of one type lies between -255 and 255.
        let difference = |(at, &value): (usize, &T)| value.into() - zero_points[at / each] as i16;
        differences.par_extend(values.par_iter().enumerate().with_min_len(LEAST_WORK).map(difference));
        Ok(differences)
    }
    match tensor {
        TensorView::U8(view) => of(view, zero_points),
        TensorView::I8(view) => of(view, zero_points),
        // `Op::check_inputs` refused every other type.
        _ => Ok(Vec::new()),
    }
}
