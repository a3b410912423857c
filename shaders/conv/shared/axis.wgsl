// One spatial axis of a convolution or of its transpose. A tap connects a wide and a narrow index when
//
//     wide = narrow * stride + tap * dilation - pad
//
// A convolution reads the wide side, a transposed convolution the narrow side. Below, gcd = gcd(stride, dilation).

struct Axis {
    input: i32,      // input samples
    kernel: i32,     // taps
    stride: i32,     // wide samples from one narrow index to the next
    pad: i32,        // padding before the wide side; may be negative: cropping
    inverse: u32,    // transposed: the inverse of dilation/gcd modulo stride/gcd; else 0
    tap_step: i32,   // from one tap that an output reads at to the next; transposed: stride/gcd; else 1
    index_step: i32, // input samples from that tap to the next; transposed: dilation/gcd; else dilation
    x_stride: u32,   // elements from one sample to the next, modulo 2^32 like every address here
    w_stride: u32,   // elements from one tap to the next
    y_stride: u32,   // elements from one output to the next
    first: u32,      // this dispatch's first output index
    count: u32,      // and how many output indices it computes
}
