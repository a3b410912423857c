// The taps of an output of a convolution: output o and tap t read input  base + t * dilation  with
// base = o * stride - pad.

const DIRECTION = 1; // the sample's index rises from tap to tap

struct Taps {
    first: i32, // first tap that lands in the input
    index: i32, // the sample that this tap reads; the next tap's is index_step higher
    count: i32, // taps from the first on; 0 or less: none
}

fn taps_of(o: u32, axis: Axis) -> Taps {
    let base = i32(o) * axis.stride - axis.pad;
    // base + t * dilation >= 0, rounding up: a plain division of a negative number would round towards zero.
    let first = (max(-base, 0) + axis.index_step - 1) / axis.index_step;
    // base + t * dilation <= input - 1; a negative room has no tap, and its quotient would round up to 0.
    let room = axis.input - 1 - base;
    if (room < 0 || first >= axis.kernel) {
        return Taps(0, 0, 0);
    }
    let last = min(room / axis.index_step, axis.kernel - 1);
    // A negative count means no tap, as 0 does.
    return Taps(first, base + first * axis.index_step, last - first + 1);
}
