//! The matrix product of the `gemm` crate, with its bounds checked.

use gemm::Parallelism;

/// Products that one thread makes while others would still be waking up.
const WORTH_THREADS: usize = 1 << 23;

/// A matrix in a slice: element (i, j) is at `i * rows + j * columns`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) elements: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Matrix<'_> {
    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.rows + (columns - 1) * self.columns < self.elements.len()
    }
}

/// Writes `a * b`, of `[m, n]` elements with `k` terms each, to `c`, whose rows are `pitch` apart; on one thread or
/// all.
pub(super) fn multiply(sizes: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], pitch: usize, threads: bool) {
    product(sizes, a, b, c, pitch, threads, false);
}

/// Adds it to what is there.
pub(super) fn multiply_add(sizes: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], pitch: usize, threads: bool) {
    product(sizes, a, b, c, pitch, threads, true);
}

fn product([m, n, k]: [usize; 3], a: Matrix, b: Matrix, c: &mut [f32], pitch: usize, threads: bool, add: bool) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(k > 0 && a.holds(m, k) && b.holds(k, n), "the factors of a product lie in their slices");
    assert!(pitch >= n && (m - 1) * pitch + n <= c.len(), "the product lies in its slice");
    let threads = if threads && m * n * k > WORTH_THREADS { Parallelism::Rayon(0) } else { Parallelism::None };
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
            step(a.columns),
            step(a.rows),
            b.elements.as_ptr(),
            step(b.columns),
            step(b.rows),
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}
