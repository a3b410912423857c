//! The uniform structs of the matrix-product shaders.

use crate::gpu::program::uniform::uniform;

uniform! {
    /// One spatial axis of [`GemmParams`]; 80 bytes. Step m = 0, 1, ... of the loop over taps multiplies sample i by
    /// tap t for output q; `shaders/conv/shared/implicit_gemm.wgsl` derives the equations.
    GemmAxisParams {
        input: i32,       // samples of the input: 0 <= i < input
        kernel: i32,      // taps of the kernel: 0 <= t < kernel
        taps: i32,        // values of m that the loop visits if merged: m = 0 .. taps - 1
        phases: i32,      // phases of an output index: 0 <= phase < phases
        gcd: i32,         // gcd(stride, dilation) of a transposed convolution; 1 in a convolution
        inverse: u32,     // of dilation / gcd modulo stride / gcd, in a transposed convolution; else 0
        t_phase: i32,     // first(phase) = phase / gcd * inverse mod (phases / gcd) + phase * t_phase
        t_step: i32,      // t = first(phase) + m * t_step
        m_step: i32,      // i = block * i_step + shift(phase) + m * m_step
        i_step: i32,      // i = block * i_step + shift(phase) + m * m_step
        i_base: i32,      // shift(phase) = i_base + (phase + first(phase) * m_step * gcd) / phases; merged: i_base
        q_step: i32,      // q = block * q_step + phase - q_pad
        q_pad: i32,       // q = block * q_step + phase - q_pad
        first_block: i32, // this dispatch's first block
        blocks: u32,      // blocks of this dispatch
        first: i32,       // this dispatch's first output index: first <= q < end
        end: i32,         // one past this dispatch's last output index
        x_stride: u32,    // elements from one sample to the next, modulo 2^32
        w_stride: u32,    // elements from one tap to the next
        y_stride: u32,    // elements from one output to the next
    }
}

uniform! {
    /// `Params` of the matrix-product shaders. Addresses and strides count elements, modulo 2³².
    GemmParams {
        d: GemmAxisParams,    // depth
        h: GemmAxisParams,    // height
        w: GemmAxisParams,    // width
        batch_count: u32,     // images of this dispatch
        first_group: u32,     // this dispatch's first group
        group_count: u32,     // groups of this dispatch
        first_channel: u32,   // in each group, this dispatch's first output channel
        channel_count: u32,   // output channels of each group in this dispatch
        in_per_group: u32,    // input channels of a group
        out_per_group: u32,   // output channels of a group
        first_in: u32,        // in each group, the first input channel that this dispatch sums
        count_in: u32,        // input channels of each group that this dispatch sums
        slice_in: u32,        // input channels that one workgroup sums: a slice
        slices: u32,          // slices that this dispatch sums
        accumulate: u32,      // 1: go on from the sum that an earlier dispatch left in y
        sum_is_complete: u32, // 1: this dispatch ends the sums, and applies bias and activation
        x_base: u32,          // address of channel 0, sample 0 in this dispatch's first image
        x_batch: u32,         // from one image to the next
        x_channel: u32,       // from one channel to the next
        w_base: u32,          // address of the first weight
        w_group: u32,         // from one group's weights to the next group's
        w_out: u32,           // from one output channel of a group to the next
        w_in: u32,            // from one input channel of a group to the next
        b_base: u32,          // address of channel 0's bias
        b_stride: u32,        // from one channel's bias to the next
        y_base: u32,          // address of channel 0, output 0 in this dispatch's first image and first slice
        y_batch: u32,         // from one image to the next
        y_channel: u32,       // from one channel to the next
        y_slice: u32,         // from one slice's partial sum to the next: 1 with split-K, else 0
        row_tiles: u32,       // tiles that the rows of a group fill
        row_workgroups: u32,  // workgroups in one row of the grid: number = id.y * row_workgroups + id.x
        alpha: f32,           // the leaky ReLU's slope, or the clip's lower bound
        beta: f32,            // the clip's upper bound
    }
}
