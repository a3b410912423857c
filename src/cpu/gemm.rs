//! The matrix product of the `gemm` crate, with its bounds checked.

use gemm::Parallelism;

/// Multiply-adds that one thread makes in the time that others take to wake up: only more are worth several threads.
const MIN_PARALLEL_MULTIPLY_ADDS: usize = 1 << 23;

/// A matrix in a slice. Element (i, j) is at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) elements: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl Matrix<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.elements.len()
    }
}

/// Writes `a * b`, of `[m, n]` elements with `k` terms each, to `c`, whose rows are `pitch` apart. It runs on one
/// thread, or with `threads` on all if the product is large enough.
pub(super) fn multiply(sizes: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], pitch: usize, threads: bool) {
    product(sizes, a, b, c, pitch, threads, false);
}

/// Adds `a * b` to what `c` holds; otherwise as [`multiply`].
pub(super) fn multiply_add(sizes: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], pitch: usize, threads: bool) {
    product(sizes, a, b, c, pitch, threads, true);
}

fn product([m, n, k]: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], pitch: usize, threads: bool, add: bool) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(k > 0 && a.holds(m, k) && b.holds(k, n), "the factors of a product lie in their slices");
    assert!(pitch >= n && (m - 1) * pitch + n <= c.len(), "the product lies in its slice");
    let threads =
        if threads && m * n * k > MIN_PARALLEL_MULTIPLY_ADDS { Parallelism::Rayon(0) } else { Parallelism::None };
    let step = |step: usize| step as isize;
    // SAFETY: the assertions above keep every element that is read or written inside its slice, and no two elements of
    // the result share an address, as a row is no longer than the pitch.
    #[allow(unsafe_code, reason = "the product's only interface is of pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            step(pitch),
            add,
            a.elements.as_ptr(),
            step(a.column_stride),
            step(a.row_stride),
            b.elements.as_ptr(),
            step(b.column_stride),
            step(b.row_stride),
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}
