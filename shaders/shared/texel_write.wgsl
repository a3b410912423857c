// What a texel is made of: its components one by one, and the conversion of linear values, rounded as the texture's
// format stores them.

override encode_srgb: bool = false; // the texture is to hold sRGB-encoded values

// The vector with another number as one of its components. `vector[component] = number` says the same, but Direct3D's
// compiler FXC fails at an assignment to a component that is no constant.
fn with_component(vector: vec4<f32>, component: u32, number: f32) -> vec4<f32> {
    return select(vector, vec4(number), vec4<u32>(0u, 1u, 2u, 3u) == vec4(component));
}

fn texel_of(value: vec4<f32>) -> vec4<f32> {
    var texel = value;
    if (encode_srgb) {
        texel = vec4(encoded(texel.rgb), texel.a);
    }
    // Rounded to nearest here, because a device's own rounding may be a little off at midpoints, or go towards zero.
    if (LEVELS > 0.0) {
        texel = round(clamp(texel, vec4(LOWEST), vec4(1.0)) * LEVELS) / max(LEVELS, 1.0);
    } else if (HALVES) {
        texel = nearest_half(texel);
    }
    return texel;
}

// The nearest f16 number; ties go to even. Finite numbers past the largest f16 become the largest, as devices differ
// there.
fn nearest_half(number: vec4<f32>) -> vec4<f32> {
    let value = clamp(number, vec4(-65504.0), vec4(65504.0));
    let bits = bitcast<vec4<u32>>(value);
    let rounded = (bits + 0xfffu + ((bits >> vec4(13u)) & vec4(1u))) & vec4(0xffffe000u);
    // Below the smallest normal f16, 2^-14, f16 numbers are 2^-24 apart. Infinities and NaNs stay as they are.
    let even = round(value * 16777216.0) / 16777216.0;
    let small = abs(value) < vec4(6.103515625e-5);
    let finite = (bitcast<vec4<u32>>(number) & vec4(0x7f800000u)) != vec4(0x7f800000u);
    return select(number, select(bitcast<vec4<f32>>(rounded), even, small), finite);
}

// The sRGB encoding of IEC 61966-2-1, continued as an odd function below 0, since filters can make negative values.
fn encoded(light: vec3<f32>) -> vec3<f32> {
    let size = abs(light);
    let code = select(1.055 * pow(size, vec3(1.0 / 2.4)) - 0.055, size * 12.92, size <= vec3(0.0031308));
    return code * sign(light);
}
