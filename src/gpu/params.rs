//! The uniform structs of the shaders, field by field as in WGSL; a test compares them with the shaders.

/// A field of a uniform struct: its name and WGSL type. Every field takes four bytes but a vector and a nested struct.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) name: &'static str,
    #[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "read by the layout test"))]
pub(crate) enum Kind {
    U32,
    I32,
    F32,
    /// A vector of four.
    U32x4,
    I32x4,
    Struct(&'static [Field]),
}

pub(crate) trait Uniform {
    const KIND: Kind;
}

impl Uniform for u32 {
    const KIND: Kind = Kind::U32;
}

impl Uniform for i32 {
    const KIND: Kind = Kind::I32;
}

impl Uniform for f32 {
    const KIND: Kind = Kind::F32;
}

impl Uniform for [u32; 4] {
    const KIND: Kind = Kind::U32x4;
}

impl Uniform for [i32; 4] {
    const KIND: Kind = Kind::I32x4;
}

/// A struct of four-byte fields and of vectors of four, which come first; with its field table.
macro_rules! uniform {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub(crate) struct $name {
            $(pub(crate) $field: $kind),+
        }

        impl $name {
            pub(crate) const FIELDS: &'static [Field] =
                &[$(Field { name: stringify!($field), kind: <$kind as Uniform>::KIND }),+];
        }
    };
}

pub(crate) use uniform;

uniform! {
    /// One axis of [`ConvParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
    AxisParams {
        input: i32,
        kernel: i32,
        stride: i32,
        pad: i32,
        inverse: u32,
        tap_step: i32,
        index_step: i32,
        x_stride: u32,
        w_stride: u32,
        y_stride: u32,
        first: u32,
        count: u32,
    }
}

impl Uniform for AxisParams {
    const KIND: Kind = Kind::Struct(Self::FIELDS);
}

uniform! {
    /// `Params` of the convolution shaders.
    ConvParams {
        d: AxisParams,
        h: AxisParams,
        w: AxisParams,
        batch_count: u32,
        first_channel: u32,
        channel_count: u32,
        in_per_group: u32,
        out_per_group: u32,
        first_in: u32,
        count_in: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        w_base: u32,
        w_out: u32,
        w_in: u32,
        b_base: u32,
        b_stride: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
        finish: u32,
        alpha: f32,
        beta: f32,
    }
}

uniform! {
    /// One axis of [`ResizeConvParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
    ResizeAxisParams {
        input: i32,
        kernel: i32,
        stride: i32,
        pad: i32,
        dilation: i32,
        row: u32,
        table: u32,
        x_stride: u32,
        w_stride: u32,
        y_stride: u32,
        first: u32,
        count: u32,
    }
}

impl Uniform for ResizeAxisParams {
    const KIND: Kind = Kind::Struct(Self::FIELDS);
}

uniform! {
    /// `Params` of the resize-convolution's shader.
    ResizeConvParams {
        d: ResizeAxisParams,
        h: ResizeAxisParams,
        w: ResizeAxisParams,
        batch_count: u32,
        first_channel: u32,
        channel_count: u32,
        in_per_group: u32,
        out_per_group: u32,
        first_in: u32,
        count_in: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        w_base: u32,
        w_out: u32,
        w_in: u32,
        b_base: u32,
        b_stride: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
        finish: u32,
        alpha: f32,
        beta: f32,
        extrapolation: f32,
    }
}

uniform! {
    /// One axis of [`WeightGradParams`]; 48 bytes, as a struct in a uniform must be a multiple of 16.
    WeightAxisParams {
        wide: i32,
        narrow: i32,
        stride: i32,
        dilation: i32,
        pad: i32,
        wide_stride: u32,
        narrow_stride: u32,
        y_stride: u32,
        first: u32,
        count: u32,
        unused_0: u32,
        unused_1: u32,
    }
}

impl Uniform for WeightAxisParams {
    const KIND: Kind = Kind::Struct(Self::FIELDS);
}

uniform! {
    /// `Params` of the weight gradient's shader.
    WeightGradParams {
        d: WeightAxisParams,
        h: WeightAxisParams,
        w: WeightAxisParams,
        first_narrow: u32,
        count_narrow: u32,
        first_wide: u32,
        count_wide: u32,
        narrow_per_group: u32,
        wide_per_group: u32,
        first: u32,
        count: u32,
        chunk: u32,
        chunks: u32,
        lead: u32,
        accumulate: u32,
        narrow_base: u32,
        narrow_batch: u32,
        narrow_channel: u32,
        wide_base: u32,
        wide_batch: u32,
        wide_channel: u32,
        y_base: u32,
        y_narrow: u32,
        y_wide: u32,
        y_chunk: u32,
        row_threads: u32,
    }
}

uniform! {
    /// `Params` of the bias gradient's shader.
    BiasGradParams {
        size_d: u32,
        size_h: u32,
        size_w: u32,
        x_d: u32,
        x_h: u32,
        x_w: u32,
        first_channel: u32,
        channel_count: u32,
        first: u32,
        count: u32,
        chunk: u32,
        chunks: u32,
        lead: u32,
        accumulate: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        y_base: u32,
        y_channel: u32,
        y_chunk: u32,
        row_threads: u32,
    }
}

uniform! {
    /// `Params` of the second pass of a sum.
    PartialsParams {
        first_0: u32,
        first_1: u32,
        first_2: u32,
        first_3: u32,
        first_4: u32,
        count_0: u32,
        count_1: u32,
        count_2: u32,
        count_3: u32,
        count_4: u32,
        x_0: u32,
        x_1: u32,
        x_2: u32,
        x_3: u32,
        x_4: u32,
        y_0: u32,
        y_1: u32,
        y_2: u32,
        y_3: u32,
        y_4: u32,
        x_base: u32,
        y_base: u32,
        parts: u32,
        row_threads: u32,
        b_base: u32,
        b_stride: u32,
        alpha: f32,
        beta: f32,
    }
}

uniform! {
    /// `Params` of the upsampling shaders.
    UpsampleParams {
        first_d: u32,
        first_h: u32,
        first_w: u32,
        count_d: u32,
        count_h: u32,
        count_w: u32,
        taps_d: u32,
        taps_h: u32,
        taps_w: u32,
        table_d: u32,
        table_h: u32,
        table_w: u32,
        x_d: u32,
        x_h: u32,
        x_w: u32,
        y_d: u32,
        y_h: u32,
        y_w: u32,
        batch_count: u32,
        channel_count: u32,
        x_base: u32,
        x_batch: u32,
        x_channel: u32,
        y_base: u32,
        y_batch: u32,
        y_channel: u32,
        row_threads: u32,
        extrapolation: f32,
    }
}

uniform! {
    /// `Params` of the pixel shuffle's shader.
    ShuffleParams {
        first_d: u32,
        first_h: u32,
        first_w: u32,
        count_d: u32,
        count_h: u32,
        count_w: u32,
        factor_d: u32,
        factor_h: u32,
        factor_w: u32,
        spacious_d: u32,
        spacious_h: u32,
        spacious_w: u32,
        deep_d: u32,
        deep_h: u32,
        deep_w: u32,
        batch_count: u32,
        first_channel: u32,
        channel_count: u32,
        spacious_base: u32,
        spacious_batch: u32,
        spacious_channel: u32,
        deep_base: u32,
        deep_batch: u32,
        deep_channel: u32,
        deep_phase: u32,
        row_threads: u32,
    }
}

/// An address or stride modulo 2³². Shaders compute addresses modulo 2³² too, and the result is right as long as it
/// lies inside a window of fewer than 2³² elements, even where a base or a stride by itself does not fit.
pub(crate) fn wrap(elements: usize) -> u32 {
    elements as u32
}
