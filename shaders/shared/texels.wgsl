// The input and output textures of an op that reads texels and writes texels in one dispatch.

override channels: u32 = 4u; // channels that the op computes: 1 to 4

@group(0) @binding(1) var x: texture_2d<f32>;
@group(0) @binding(4) var y: Output;

fn load_texel(column: u32, row: u32) -> vec4<f32> {
    return value_of(textureLoad(x, vec2(column, row), 0));
}

fn store_texel(column: u32, row: u32, value: vec4<f32>) {
    // A component without a channel of the op becomes 0, alpha 1.
    let whole = select(vec4(0.0, 0.0, 0.0, 1.0), value, vec4(0u, 1u, 2u, 3u) < vec4(channels));
    textureStore(y, vec2(column, row), texel_of(whole));
}
