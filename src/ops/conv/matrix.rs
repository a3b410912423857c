//! Convolution written out as a matrix `W`, whose transpose is the transposed convolution: an oracle, and the reason
//! for the name.

use ndarray::{Array2, ArrayView, Dimension};

use super::conv::Conv;
use super::conv_transpose::ConvTranspose;
use super::runs::for_each_run;
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::tensor::allocate::zeros;
use crate::tensor::operand::{Operand, Role, check_shape};

/// A sparse matrix in compressed rows (CSR).
#[derive(Clone, Debug, PartialEq)]
pub struct CsrMatrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Where each row begins in `indices` and `values`, and the end of the last: `rows + 1` entries.
    pub row_starts: Vec<usize>,
    /// Column of each stored entry.
    pub indices: Vec<usize>,
    /// Value of each stored entry; a weight of 0 is stored too.
    pub values: Vec<f32>,
}

impl CsrMatrix {
    /// A matrix of (row, column, value) triples in any order, no two of the same row and column.
    fn from_triples(rows: usize, columns: usize, mut triples: Vec<(usize, usize, f32)>) -> Self {
        triples.sort_unstable_by_key(|&(row, column, _)| (row, column));
        let mut row_starts = vec![0; rows + 1];
        for &(row, _, _) in &triples {
            row_starts[row + 1] += 1;
        }
        for row in 0..rows {
            row_starts[row + 1] += row_starts[row];
        }
        let indices = triples.iter().map(|&(_, column, _)| column).collect();
        Self { rows, columns, row_starts, indices, values: triples.into_iter().map(|(_, _, value)| value).collect() }
    }

    /// The stored entries as (row, column, value), row by row.
    pub fn triples(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        (0..self.rows).flat_map(move |row| {
            (self.row_starts[row]..self.row_starts[row + 1]).map(move |at| (row, self.indices[at], self.values[at]))
        })
    }

    /// The same matrix with rows and columns exchanged.
    pub fn transpose(&self) -> Self {
        let triples = self.triples().map(|(row, column, value)| (column, row, value)).collect();
        Self::from_triples(self.columns, self.rows, triples)
    }

    /// The dense matrix, of shape (rows, columns). Refuses a size that this machine has no memory for
    /// ([`Error::NoMemory`]).
    pub fn to_dense(&self) -> Result<Array2<f32>> {
        let zeros = zeros("the dense matrix", self.rows.saturating_mul(self.columns))?;
        let mut dense =
            Array2::from_shape_vec((self.rows, self.columns), zeros).expect("as many zeros as it has places");
        self.triples().for_each(|(row, column, value)| dense[(row, column)] = value);
        Ok(dense)
    }

    /// The product with a column vector, in f64. Refuses a vector of another length than [`Self::columns`]
    /// ([`Error::Shape`]).
    pub fn multiply(&self, vector: &[f64]) -> Result<Vec<f64>> {
        if vector.len() != self.columns {
            let (expected, actual) = (vec![self.columns], vec![vector.len()]);
            return Err(Error::Shape { operand: "vector", expected, actual });
        }
        let mut product = vec![0.0; self.rows];
        self.triples().for_each(|(row, column, value)| product[row] += f64::from(value) * vector[column]);
        Ok(product)
    }
}

impl<const R: usize> Conv<R> {
    /// The matrix `W` with `output = W · input` for one image, both tensors flattened row-major (bias and activation
    /// aside): a row for each output element, and a column for each input element. `weight` is (Cout, Cin/groups,
    /// kernel...); another shape is refused ([`Error::Shape`]).
    pub fn matrix<D: Dimension>(&self, weight: ArrayView<f32, D>) -> Result<CsrMatrix> {
        matrix(&self.geometry()?, weight)
    }
}

impl<const R: usize> ConvTranspose<R> {
    /// The matrix `Wᵀ` with `output = Wᵀ · input` for one image, both tensors flattened row-major (bias and activation
    /// aside). `weight` is (Cin, Cout/groups, kernel...); another shape is refused ([`Error::Shape`]). `Wᵀ` is the
    /// transpose of the [`Conv::matrix`] of the convolution with the same geometry and weight.
    pub fn matrix<D: Dimension>(&self, weight: ArrayView<f32, D>) -> Result<CsrMatrix> {
        Ok(matrix(&self.geometry()?, weight)?.transpose())
    }
}

fn matrix<const R: usize, D: Dimension>(geometry: &Geometry<R>, weight: ArrayView<f32, D>) -> Result<CsrMatrix> {
    check_shape(Operand::weight(Role::Weight, geometry.weight_shape()), weight.shape())?;
    let weight: Vec<f32> = weight.iter().copied().collect();
    let one = Geometry { batch: 1, ..geometry.clone() };
    let mut triples = Vec::new();
    for_each_run(&one, |run| {
        triples.extend((0..run.len).map(|i| (run.narrow + i, run.wide + i * run.step, weight[run.weight])));
    });
    let [rows, columns] = [one.narrow_shape(), one.wide_shape()].map(|shape| shape.iter().product());
    Ok(CsrMatrix::from_triples(rows, columns, triples))
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;
    use ndarray::IxDyn;
    use ndarray::array;

    use super::*;
    use crate::ops::conv::conv::Conv2d;
    use crate::ops::conv::conv_transpose::ConvTranspose2d;

    #[test]
    fn a_3x3_kernel_on_4x4_is_the_textbook_matrix() {
        let conv = Conv2d { input_size: [4, 4], kernel_size: [3, 3], ..Default::default() };
        let weight = ArrayD::from_shape_fn(IxDyn(&[1, 1, 3, 3]), |at| (at[2] * 3 + at[3] + 1) as f32);
        let dense = conv.matrix(weight.view()).unwrap().to_dense().unwrap();
        let expected = array![
            [1., 2., 3., 0., 4., 5., 6., 0., 7., 8., 9., 0., 0., 0., 0., 0.],
            [0., 1., 2., 3., 0., 4., 5., 6., 0., 7., 8., 9., 0., 0., 0., 0.],
            [0., 0., 0., 0., 1., 2., 3., 0., 4., 5., 6., 0., 7., 8., 9., 0.],
            [0., 0., 0., 0., 0., 1., 2., 3., 0., 4., 5., 6., 0., 7., 8., 9.],
        ];
        assert_eq!(dense, expected);
        let up = ConvTranspose2d { input_size: [2, 2], kernel_size: [3, 3], ..Default::default() };
        assert_eq!(up.matrix(weight.view()).unwrap().to_dense().unwrap(), expected.t());
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let conv = Conv2d { input_size: [4, 4], kernel_size: [3, 3], ..Default::default() };
        assert!(matches!(conv.matrix(array![[1.0f32]].view()), Err(Error::Shape { .. })));
        let matrix = conv.matrix(ArrayD::zeros(IxDyn(&[1, 1, 3, 3])).view()).unwrap();
        assert!(matches!(matrix.multiply(&[1.0]), Err(Error::Shape { .. })));
    }
}
