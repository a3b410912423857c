// Uniforms of the Lp pooling and of its gradient.

struct Axis {
    count_in: i32, // samples of the pooling's input, or, in its gradient, windows
    kernel: i32,   // samples of a window
    stride: i32,   // samples from one window to the next
    dilation: i32, // samples from one sample of a window to the next
    pad: i32,      // padding before the input
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    g_stride: u32, // elements from one window's gradient to the next
    n_stride: u32, // elements from one window's norm to the next
    y_stride: u32, // elements from one element of y to the next: a window, or, in the gradient, a sample
    first: u32,    // this dispatch's first index in y
    count: u32,    // and how many indices it computes
    unused: u32,   // fills the struct to a multiple of 16 bytes
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    g_base: u32,        // address of channel 0, window 0 in this dispatch's first image, in the gradient of the norms
    g_batch: u32,       // from one image to the next
    g_channel: u32,     // from one channel to the next
    n_base: u32,        // the same address in the norms: a sum or a root, followed by the exponent of its scale
    n_batch: u32,       // from one image to the next
    n_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, element 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    power: i32,         // p
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
    accumulate: u32,    // 1: go on from what an earlier dispatch left, of another part of each window
    is_complete: u32,   // 1: no dispatch goes on from what this one leaves
}
