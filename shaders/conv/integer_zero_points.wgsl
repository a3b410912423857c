// The zero points of a convolution of 8-bit integers, for its other shaders: one thread per output channel writes a
// pair, the input's zero point and the weight's. A zero point that is not given is 0.

struct Params {
    first_channel: u32, // this dispatch's first output channel
    channel_count: u32, // and how many output channels it computes
    x_base: u32,        // address of the input's zero point, in bytes
    w_base: u32,        // address of channel 0's zero point of the weight, in bytes
    w_stride: u32,      // from one channel's to the next
    z_base: u32,        // address of channel 0's pair, in elements
    x_flip: u32,        // the bits of a word to flip, as in the shaders that read the pairs
    w_flip: u32,
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

override workgroup_size: u32 = 64;
override has_input_zero_point: bool = false;
override has_weight_zero_point: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read_write> z: array<i32>;

fn byte_of(word: u32, address: u32) -> u32 {
    return (word >> (8u * (address & 3u))) & 0xffu;
}

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let thread = id.y * params.row_threads + id.x;
    if (thread >= params.channel_count) {
        return;
    }
    let channel = params.first_channel + thread;
    var zeros = vec2(0u);
    if (has_input_zero_point) {
        zeros.x = byte_of(x[params.x_base >> 2u], params.x_base);
    }
    if (has_weight_zero_point) {
        let at = params.w_base + channel * params.w_stride;
        zeros.y = byte_of(w[at >> 2u], at);
    }
    zeros = (zeros ^ vec2(params.x_flip, params.w_flip)) & vec2(0xffu);
    z[params.z_base + 2u * channel] = i32(zeros.x);
    z[params.z_base + 2u * channel + 1u] = i32(zeros.y);
}
