// What the shaders between textures and tensors take.

struct Axis {
    first: u32,  // this dispatch's first row or column
    count: u32,  // rows or columns of this dispatch
    stride: u32, // elements of the tensor, modulo 2^32 like every address here
    unused: u32,
}

// A channel of the tensor: number = texel[component] * scale + offset, or texel[component] = number * scale + offset.
struct Channel {
    component: u32, // 0 is red, 1 green, 2 blue, 3 alpha
    scale: f32,
    offset: f32,
    unused: u32,
}

struct Params {
    h: Axis,
    w: Axis,
    c0: Channel,
    c1: Channel,
    c2: Channel,
    c3: Channel,
    channel_count: u32,
    base: u32,
    channel_stride: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
}

@group(0) @binding(0) var<uniform> params: Params;

fn channel_of(number: u32) -> Channel {
    switch number {
        case 0u: { return params.c0; }
        case 1u: { return params.c1; }
        case 2u: { return params.c2; }
        default: { return params.c3; }
    }
}
