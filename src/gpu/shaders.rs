//! Every shader of the crate.

use super::program::shader::Shader;
use super::{conv, pixel_shuffle, pool, resample};

/// Every shader of the crate.
pub(crate) static SHADERS: [&Shader; 27] = [
    &conv::conv::DIRECT,
    &conv::bias_grad::DIRECT,
    &conv::conv_transpose::GATHER,
    &conv::weight_grad::DIRECT,
    &conv::weight_grad::SUBGROUP,
    &conv::weight_grad::WORKGROUP,
    &conv::gemm::SUBGROUP,
    &conv::gemm::WORKGROUP,
    &conv::gemm::COOPERATIVE_8,
    &conv::gemm::COOPERATIVE_16,
    &conv::row_blocks::ROWS,
    &conv::split_k::SUM,
    &pool::max_pool::DIRECT,
    &pool::max_pool::GRAD,
    &pool::max_unpool::ZERO,
    &pool::max_unpool::MARK,
    &pool::max_unpool::GATHER,
    &pool::max_unpool::GRAD,
    &pixel_shuffle::COPY,
    &conv::resize_conv::DIRECT,
    &resample::upsample::NEAREST,
    &resample::lower::TAPS,
    &resample::row_blocks::NEAREST_ROWS,
    &resample::row_blocks::TAPS_ROWS,
    &conv::conv::TEXTURE,
    &conv::conv_transpose::TEXTURE,
    &resample::upsample::TEXTURE,
];

/// Every WGSL text that the crate may give to a device, with a name for it: for tools that compile, count or check shaders.
///
/// A shader has a text for each combination of types that it reads and writes; their names end in a number.
///
/// ```
/// let texts = upconv::gpu::shader_texts();
/// assert!(texts.iter().any(|(name, text)| name.starts_with("conv_direct") && text.contains("@compute")));
/// ```
pub fn shader_texts() -> Vec<(String, &'static str)> {
    let shaders = SHADERS.iter().enumerate();
    let named = shaders.flat_map(|(number, shader)| {
        let texts = shader.texts.all().iter().enumerate();
        texts.map(move |(text, source)| (format!("{}_{number}_{text}", shader.name), *source))
    });
    named.collect()
}
