// Packs a tensor into a texture: one thread per texel reads the tensor's channels. A component that no channel stands
// for becomes 0, alpha 1.

override workgroup_size: u32 = 64;

@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var y: Output;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let thread = id.y * params.row_threads + id.x;
    let column = thread % params.w.count + params.w.first;
    let line = thread / params.w.count;
    if (line >= params.h.count) {
        return;
    }
    let row = line + params.h.first;
    var at = params.base + row * params.h.stride + column * params.w.stride;
    var value = vec4(0.0, 0.0, 0.0, 1.0);
    for (var number = 0u; number < params.channel_count; number++) {
        let channel = channel_of(number);
        value = with_component(value, channel.component, f32(x[at]) * channel.scale + channel.offset);
        at += params.channel_stride;
    }
    textureStore(y, vec2(column, row), texel_of(value));
}
