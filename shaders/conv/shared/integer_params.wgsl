// Uniforms and bindings of the shaders that convolve 8-bit integers. Four of them lie in a word; addresses in x and w
// count bytes.

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first output channel
    channel_count: u32, // and how many output channels it computes
    in_per_group: u32,  // input channels of a group
    out_per_group: u32, // output channels of a group
    first_in: u32,      // in each group, the first input channel that this dispatch sums
    count_in: u32,      // and how many input channels it sums
    accumulate: u32,    // 1: go on from the sum that an earlier dispatch left in y
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    w_base: u32,        // address of the first weight
    w_out: u32,         // from one output channel to the next
    w_in: u32,          // from one input channel to the next
    z_base: u32,        // address of channel 0's pair of zero points
    y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    x_flip: u32,        // bits of a word of x to flip; see byte_of
    w_flip: u32,        // bits of a word of w to flip
}

override has_zero_points: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> w: array<u32>;
@group(0) @binding(3) var<storage, read> z: array<i32>; // for each output channel: the zero points of x and of w
@group(0) @binding(4) var<storage, read_write> y: array<u32>; // sums: of u32, as they wrap in every language

// The byte at this address, which lies in this word, as a number from 0 to 255. The sign bit of a signed integer is
// flipped, so that the number is 128 too large; so is its zero point, and the difference of the two is right.
fn byte_of(word: u32, address: u32, flip: u32) -> i32 {
    return i32(((word ^ flip) >> (8u * (address & 3u))) & 0xffu);
}

// The zero points of x and of w for an output channel, as byte_of gives them.
fn zero_points(channel: u32) -> vec2<i32> {
    if (has_zero_points) {
        let at = params.z_base + 2u * channel;
        return vec2(z[at], z[at + 1u]);
    }
    return vec2(i32(params.x_flip & 0xffu), i32(params.w_flip & 0xffu));
}
