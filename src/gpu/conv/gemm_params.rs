//! The uniform structs of the matrix-product shaders.

use crate::gpu::program::uniform::uniform;

uniform! {
    /// One axis of [`GemmParams`]; 80 bytes.
    GemmAxisParams {
        input: i32,
        kernel: i32,
        taps: i32,
        phases: i32,
        gcd: i32,
        inverse: u32,
        t_phase: i32,
        t_step: i32,
        m_step: i32,
        i_step: i32,
        i_base: i32,
        q_step: i32,
        q_pad: i32,
        first_block: i32,
        blocks: u32,
        first: i32,
        end: i32,
        x_stride: u32,
        w_stride: u32,
        y_stride: u32,
    }
}

uniform! {
    /// `Params` of the matrix-product shaders.
    GemmParams {
        d: GemmAxisParams,
        h: GemmAxisParams,
        w: GemmAxisParams,
        batch_count: u32,
        first_group: u32,
        group_count: u32,
        first_channel: u32,
        channel_count: u32,
        in_per_group: u32,
        out_per_group: u32,
        first_in: u32,
        count_in: u32,
        slice_in: u32,
        slices: u32,
        accumulate: u32,
        finish: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        w_base: u32,
        w_group: u32,
        w_out: u32,
        w_in: u32,
        b_base: u32,
        b_stride: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        y_slice: u32,
        row_tiles: u32,
        row_workgroups: u32,
        alpha: f32,
        beta: f32,
    }
}
