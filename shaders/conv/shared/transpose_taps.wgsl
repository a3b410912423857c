// The taps of an output of a transposed convolution.
//
// Output q (wide) reads input i (narrow) at tap t when  q = i * stride + t * dilation - pad,
// so with a = q + pad:  t * dilation = a (mod stride).  With gcd = gcd(stride, dilation) that has no solution unless
// gcd divides a; else the taps are t = t0, t0 + stride/gcd, ... where t0 = (a/gcd) * inverse(dilation/gcd), and each
// step lowers i by dilation/gcd.

const DIRECTION = -1; // the sample's index falls from tap to tap

struct Taps {
    first: i32, // first tap that reads an input sample
    index: i32, // the sample that this tap reads; the next tap's is index_step lower
    count: i32, // taps from the first on; 0: none
}

fn taps_of(q: u32, axis: Axis) -> Taps {
    let a = i32(q) + axis.pad;
    let gcd = axis.stride / axis.tap_step;
    // a < 0 is tested first: below 0 no tap reads a sample, and the remainder of a negative number would be negative.
    if (a < 0 || a % gcd != 0) {
        return Taps(0, 0, 0);
    }
    // Both factors are residues below 2^16, so the product fits; a/gcd itself times inverse would not.
    let residue = u32((a / gcd) % axis.tap_step);
    var tap = i32((residue * axis.inverse) % u32(axis.tap_step));
    // Without this test, tap * dilation could pass 2^31 for a tap outside the kernel.
    if (tap >= axis.kernel) {
        return Taps(0, 0, 0);
    }
    // The division is exact by the choice of tap. The index may be negative; then so is that of every later tap.
    var index = (a - tap * axis.index_step * gcd) / axis.stride;
    // Skip the taps whose sample lies past the input's end: index - skip * index_step <= input - 1.
    let skip = (max(index - axis.input + 1, 0) + axis.index_step - 1) / axis.index_step;
    tap += skip * axis.tap_step;
    index -= skip * axis.index_step;
    if (tap >= axis.kernel || index < 0) {
        return Taps(0, 0, 0);
    }
    // tap + m * tap_step <= kernel - 1  and  index - m * index_step >= 0
    let in_kernel = (axis.kernel - 1 - tap) / axis.tap_step + 1;
    let in_input = index / axis.index_step + 1;
    return Taps(tap, index, min(in_kernel, in_input));
}
