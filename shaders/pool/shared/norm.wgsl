// Sums of powers whose samples are scaled so that the largest is from 1 to 2: none overflows, and none that matters
// vanishes. This file is appended to shaders whose `params` have the field `power`.

// Stands for sum * 2^(exponent * power). Without a sample but 0, the exponent is that of 0.
struct Powers {
    sum: f32,
    exponent: i32, // of the largest sample
}

const EXPONENT_OF_ZERO = -127;
const EXPONENT_OF_INFINITY = 128;
const EXPONENT_OF_NAN = 129;

// 2^exponent, or 0 where that is not a normal number.
fn power_of_two(exponent: i32) -> f32 {
    return bitcast<f32>(u32(clamp(exponent + 127, 0, 254)) << 23u);
}

// x * 2^exponent in two steps, as the power alone may be past the normal numbers.
fn scaled(x: f32, exponent: i32) -> f32 {
    let half = exponent / 2;
    return x * power_of_two(half) * power_of_two(exponent - half);
}

// The exponent of a number by its bits, of which the sign was taken.
fn exponent_of(bits: u32) -> i32 {
    return i32(bits >> 23u) - 127 + select(0, 1, bits > 0x7f800000u);
}

// x to a power from 0 to 64, by its squares.
fn to_power(x: f32, power: i32) -> f32 {
    let bits = u32(power);
    let x2 = x * x;
    let x4 = x2 * x2;
    let x8 = x4 * x4;
    let x16 = x8 * x8;
    let x32 = x16 * x16;
    let low = select(1.0, x, (bits & 1u) != 0u) * select(1.0, x2, (bits & 2u) != 0u)
        * select(1.0, x4, (bits & 4u) != 0u) * select(1.0, x8, (bits & 8u) != 0u);
    let high = select(1.0, x16, (bits & 16u) != 0u) * select(1.0, x32, (bits & 32u) != 0u);
    return low * high * select(1.0, x32 * x32, (bits & 64u) != 0u);
}

fn with_sample(powers: Powers, x: f32) -> Powers {
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    let exponent = max(powers.exponent, exponent_of(bits));
    var sum = powers.sum * power_of_two((powers.exponent - exponent) * params.power);
    // An infinity and a NaN are known by the exponent.
    if (exponent < EXPONENT_OF_INFINITY) {
        sum += to_power(scaled(bitcast<f32>(bits), -exponent), params.power);
    }
    return Powers(sum, exponent);
}

fn together(a: Powers, b: Powers) -> Powers {
    let exponent = max(a.exponent, b.exponent);
    let sum = a.sum * power_of_two((a.exponent - exponent) * params.power)
        + b.sum * power_of_two((b.exponent - exponent) * params.power);
    return Powers(sum, exponent);
}

// The root of the sum alone: of the norm scaled by 2^-exponent.
fn root_of(sum: f32) -> f32 {
    if (params.power == 1 || sum == 0.0) {
        return sum;
    }
    if (params.power == 2) {
        return sqrt(sum);
    }
    return exp2(log2(sum) / f32(params.power));
}

// A number made of its bits, of which a compiler does not know that they are those of an infinity or a NaN.
fn of_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn norm_of(powers: Powers) -> f32 {
    if (powers.exponent >= EXPONENT_OF_INFINITY) {
        return of_bits(select(0x7f800000u, 0x7fc00000u, powers.exponent == EXPONENT_OF_NAN));
    }
    return scaled(root_of(powers.sum), powers.exponent);
}
