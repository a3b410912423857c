
// The activation, which is applied to finished sums. This file is appended to shaders whose `params` have the fields
// alpha and beta.

override activation: u32 = 0u; // as numbered below; 0: none

// The function of each value; a NaN stays as it is. WGSL lets a compiler assume that there is none, and min and max may
// drop it, so it is found by its bits.
fn activate(value: vec4<f32>) -> vec4<f32> {
    let is_nan = (bitcast<vec4<u32>>(value) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
    return select(function_of(value), value, is_nan);
}

fn function_of(value: vec4<f32>) -> vec4<f32> {
    switch (activation) {
        case 1u: { // ReLU
            return max(value, vec4(0.0));
        }
        case 2u: { // leaky ReLU
            return select(value, params.alpha * value, value < vec4(0.0));
        }
        case 3u: { // sigmoid; clamped because exp overflows past 88; 1 / exp(80) is below 2e-35
            return 1.0 / (1.0 + exp(min(-value, vec4(80.0))));
        }
        case 4u: { // tanh; 1 to the last bit past 10
            return 1.0 - 2.0 / (exp(2.0 * clamp(value, vec4(-10.0), vec4(10.0))) + 1.0);
        }
        case 5u: { // clip
            return clamp(value, vec4(params.alpha), vec4(params.beta));
        }
        default: {
            return value;
        }
    }
}
