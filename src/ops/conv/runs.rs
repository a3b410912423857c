//! Every product of a convolution, visited as runs along the innermost axis.

use crate::geometry::Geometry;

/// `len` products that share one weight, of consecutive narrow elements and of wide elements `step` apart. `weight`,
/// `narrow` and `wide` are the offsets of the first elements in row-major tensors.
pub(crate) struct Run {
    pub(crate) weight: usize,
    pub(crate) narrow: usize,
    pub(crate) wide: usize,
    pub(crate) step: usize,
    pub(crate) len: usize,
}

/// Visits every combination of a weight, a narrow and a wide element whose product is summed, once, as runs along the
/// innermost axis; taps that fall into the padding have none.
pub(crate) fn for_each_run<const R: usize>(geometry: &Geometry<R>, mut visit: impl FnMut(Run)) {
    let [depth, height, width] = geometry.axes3();
    let (wide_group, narrow_group) = (geometry.wide_per_group(), geometry.narrow_per_group());
    let flat = |outer: usize, sizes: [usize; 3], at: [usize; 3]| {
        ((outer * sizes[0] + at[0]) * sizes[1] + at[1]) * sizes[2] + at[2]
    };
    let taps = [depth.kernel, height.kernel, width.kernel];
    for (n, narrow_c, i) in nested(geometry.batch, geometry.narrow_channels, wide_group) {
        let wide_c = narrow_c / narrow_group * wide_group + i;
        let narrow_plane = n * geometry.narrow_channels + narrow_c;
        let wide_plane = n * geometry.wide_channels + wide_c;
        for (td, th, tw) in nested(taps[0], taps[1], taps[2]) {
            let columns = width.narrow_range(tw);
            if columns.is_empty() {
                continue;
            }
            let weight = flat(narrow_c * wide_group + i, taps, [td, th, tw]);
            for d in depth.narrow_range(td) {
                for h in height.narrow_range(th) {
                    let wide_at =
                        [depth.wide_index(d, td), height.wide_index(h, th), width.wide_index(columns.start, tw)];
                    visit(Run {
                        weight,
                        narrow: flat(narrow_plane, [depth.narrow, height.narrow, width.narrow], [d, h, columns.start]),
                        wide: flat(wide_plane, [depth.wide, height.wide, width.wide], wide_at),
                        step: width.stride,
                        len: columns.len(),
                    });
                }
            }
        }
    }
}

/// The nested ranges `0..a`, `0..b`, `0..c`, last fastest.
fn nested(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}
