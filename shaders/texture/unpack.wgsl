// Unpacks a texture into a tensor: one thread per texel writes the tensor's channels.

override workgroup_size: u32 = 64;

@group(0) @binding(1) var x: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let thread = id.y * params.row_threads + id.x;
    let column = thread % params.w.count + params.w.first;
    let line = thread / params.w.count;
    if (line >= params.h.count) {
        return;
    }
    let row = line + params.h.first;
    let texel = value_of(textureLoad(x, vec2(column, row), 0));
    var at = params.base + row * params.h.stride + column * params.w.stride;
    for (var number = 0u; number < params.channel_count; number++) {
        let channel = channel_of(number);
        y[at] = Out(texel[channel.component] * channel.scale + channel.offset);
        at += params.channel_stride;
    }
}
