// The conversion of a texel that is read to linear values.

override decode_srgb: bool = false; // the texture holds sRGB-encoded values in a format that does not say so

fn value_of(texel: vec4<f32>) -> vec4<f32> {
    if (decode_srgb) {
        return vec4(decoded(texel.rgb), texel.a);
    }
    return texel;
}

// The sRGB decoding of IEC 61966-2-1, continued as an odd function below 0, since filters can make negative values.
fn decoded(code: vec3<f32>) -> vec3<f32> {
    let size = abs(code);
    let light = select(pow((size + 0.055) / 1.055, vec3(2.4)), size / 12.92, size <= vec3(0.04045));
    return light * sign(code);
}
