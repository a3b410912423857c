// One spatial axis of a convolution or of its transpose, as its taps are found.

struct Axis {
    input: i32,      // input samples
    kernel: i32,     // taps
    stride: i32,
    pad: i32,        // may be negative: cropping
    inverse: u32,    // of dilation/gcd modulo stride/gcd, in the transposed one
    tap_step: i32,   // stride/gcd there, else 1
    index_step: i32, // dilation/gcd there, else dilation
    x_stride: u32,   // elements, modulo 2^32 like every address here
    w_stride: u32,
    y_stride: u32,
    first: u32,      // this dispatch's first output index
    count: u32,      // and how many it computes
}
