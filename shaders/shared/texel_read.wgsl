// What a texel stands for, as linear values.

override decode_srgb: bool = false; // the texture holds sRGB-encoded values in a format that does not say so

fn value_of(texel: vec4<f32>) -> vec4<f32> {
    if (decode_srgb) {
        return vec4(decoded(texel.rgb), texel.a);
    }
    return texel;
}

// IEC 61966-2-1, odd about 0 for what a filter puts below it.
fn decoded(code: vec3<f32>) -> vec3<f32> {
    let size = abs(code);
    let light = select(pow((size + 0.055) / 1.055, vec3(2.4)), size / 12.92, size <= vec3(0.04045));
    return light * sign(code);
}
