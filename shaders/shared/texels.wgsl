// The textures at both ends of an op that goes from texel to texel.

override channels: u32 = 4u; // that the op computes

@group(0) @binding(1) var x: texture_2d<f32>;
@group(0) @binding(4) var y: Output;

fn load_texel(column: u32, row: u32) -> vec4<f32> {
    return value_of(textureLoad(x, vec2(column, row), 0));
}

fn store_texel(column: u32, row: u32, value: vec4<f32>) {
    // Components that the op has no channel for: 0, and alpha 1.
    let whole = select(vec4(0.0, 0.0, 0.0, 1.0), value, vec4(0u, 1u, 2u, 3u) < vec4(channels));
    textureStore(y, vec2(column, row), texel_of(whole));
}
