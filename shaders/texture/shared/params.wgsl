// Uniforms of the shaders that convert between textures and tensors.

struct Axis {
    first: u32,  // this dispatch's first row or column
    count: u32,  // and how many rows or columns it converts
    stride: u32, // elements of the tensor from one to the next, modulo 2^32 like every address here
    unused: u32, // fills the struct to a multiple of 16 bytes
}

// A channel of the tensor. From a texture, number = texel[component] * scale + offset; to a texture,
// texel[component] = number * scale + offset.
struct Channel {
    component: u32, // 0 is red, 1 green, 2 blue, 3 alpha
    scale: f32,     // the equation's factor
    offset: f32,    // the equation's summand
    unused: u32,    // fills the struct to a multiple of 16 bytes
}

struct Params {
    h: Axis,
    w: Axis,
    c0: Channel,
    c1: Channel,
    c2: Channel,
    c3: Channel,
    channel_count: u32,  // channels of the tensor
    base: u32,           // address of channel 0, sample 0 in the tensor
    channel_stride: u32, // elements from one channel to the next
    row_threads: u32,    // threads of one row of workgroups: thread = id.y * row_threads + id.x
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
