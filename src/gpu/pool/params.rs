//! The uniform structs of the pooling shaders.

use crate::gpu::program::uniform::uniform;

uniform! {
    /// One axis of [`PoolParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
    PoolAxisParams {
        count_in: i32,
        kernel: i32,
        stride: i32,
        dilation: i32,
        pad: i32,
        x_stride: u32,
        y_stride: u32,
        i_stride: u32,
        number: u32,
        first: u32,
        count: u32,
        unused: u32,
    }
}

uniform! {
    /// `Params` of the max pooling and of its gradient.
    PoolParams {
        d: PoolAxisParams,
        h: PoolAxisParams,
        w: PoolAxisParams,
        batch_count: u32,
        first_batch: u32,
        first_channel: u32,
        channel_count: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        i_base: u32,
        i_batch: u32,
        i_channel: u32,
        number_batch: u32,
        number_channel: u32,
        row_threads: u32,
    }
}

uniform! {
    /// `Params` of the fill with zeros.
    ZeroParams {
        base: u32,
        count: u32,
        row_threads: u32,
    }
}

uniform! {
    /// `Params` of the max unpooling's first pass.
    MarkParams {
        first_d: u32,
        first_h: u32,
        first_w: u32,
        count_d: u32,
        count_h: u32,
        count_w: u32,
        size_h: u32,
        size_w: u32,
        index_d: u32,
        index_h: u32,
        index_w: u32,
        output_d: u32,
        output_h: u32,
        output_w: u32,
        i_d: u32,
        i_h: u32,
        i_w: u32,
        batch_count: u32,
        first_batch: u32,
        first_channel: u32,
        channel_count: u32,
        channels: u32,
        i_base: u32,
        i_batch: u32,
        i_channel: u32,
        number_batch: u32,
        number_channel: u32,
        unit: u32,
        first_place: u32,
        count_places: u32,
        marks_base: u32,
        invalid_base: u32,
        row_threads: u32,
    }
}

uniform! {
    /// `Params` of the max unpooling's second pass.
    UnpoolParams {
        first_d: u32,
        first_h: u32,
        first_w: u32,
        count_d: u32,
        count_h: u32,
        count_w: u32,
        size_h: u32,
        size_w: u32,
        x_d: u32,
        x_h: u32,
        x_w: u32,
        m_d: u32,
        m_h: u32,
        m_w: u32,
        y_d: u32,
        y_h: u32,
        y_w: u32,
        batch_count: u32,
        first_channel: u32,
        channel_count: u32,
        first_sample: u32,
        count_samples: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        m_base: u32,
        m_batch: u32,
        m_channel: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
    }
}

uniform! {
    /// `Params` of the max unpooling's gradient.
    UnpoolGradParams {
        first_d: u32,
        first_h: u32,
        first_w: u32,
        count_d: u32,
        count_h: u32,
        count_w: u32,
        index_d: u32,
        index_h: u32,
        index_w: u32,
        output_d: u32,
        output_h: u32,
        output_w: u32,
        x_d: u32,
        x_h: u32,
        x_w: u32,
        i_d: u32,
        i_h: u32,
        i_w: u32,
        y_d: u32,
        y_h: u32,
        y_w: u32,
        batch_count: u32,
        first_batch: u32,
        first_channel: u32,
        channel_count: u32,
        number_batch: u32,
        number_channel: u32,
        unit: u32,
        first_place: u32,
        count_places: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        i_base: u32,
        i_batch: u32,
        i_channel: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
    }
}
