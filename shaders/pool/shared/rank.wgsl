// The order of numbers by their bits, in which a NaN is the largest.

const NAN_RANK = 0x7fffffff;

// An integer for the bits of an f32, ordered as the numbers are: both zeros give 0, and a NaN is the largest.
fn rank_of(bits: u32) -> i32 {
    let magnitude = i32(bits & 0x7fffffffu);
    if (magnitude > 0x7f800000) {
        return NAN_RANK;
    }
    return select(magnitude, -magnitude, (bits >> 31u) == 1u);
}
