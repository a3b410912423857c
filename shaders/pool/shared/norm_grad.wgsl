// The gradient of a norm with respect to a sample x, where the norm's gradient is g and the norm is root * 2^exponent.

// The product with g of sign(x) * (|x| / norm)^(p - 1). Infinities and NaN are known by the exponent.
fn gradient_of(x: f32, g: f32, root: f32, exponent: i32) -> f32 {
    let bits = bitcast<u32>(x);
    let magnitude = bits & 0x7fffffffu;
    let is_nan = magnitude > 0x7f800000u;
    var slope = 1.0;
    if (params.power > 1) {
        if (root == 0.0 && exponent < EXPONENT_OF_INFINITY) {
            return 0.0; // of a norm that is 0
        }
        if (is_nan || exponent == EXPONENT_OF_NAN || magnitude == 0x7f800000u) {
            return of_bits(0x7fc00000u); // infinity divided by infinity, or a NaN
        }
        slope = 0.0;
        if (exponent < EXPONENT_OF_INFINITY) {
            slope = to_power(scaled(bitcast<f32>(magnitude), -exponent) / root, params.power - 1);
        }
    } else if (is_nan) {
        return x;
    } else if (magnitude == 0u) {
        slope = 0.0;
    }
    return g * select(slope, -slope, (bits >> 31u) == 1u);
}
