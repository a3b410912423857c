//! Every shader of the crate.

use std::str::FromStr;

use super::program::recipe::Recipe;
use super::program::shader::Shader;
use super::program::{convert, split_k};
use super::{conv, pixel_shuffle, pool, resample};
use crate::error::{Error, Result};

/// Every shader of the crate.
pub(crate) static SHADERS: [&Shader; 42] = [
    &conv::conv::DIRECT,
    &conv::bias_grad::DIRECT,
    &conv::conv_integer::DIRECT,
    &conv::integer_zero_points::ZERO_POINTS,
    &conv::conv_transpose::GATHER,
    &conv::unfold::COPY,
    &conv::fold::GATHER,
    &conv::weight_grad::DIRECT,
    &conv::weight_grad::SUBGROUP,
    &conv::weight_grad::WORKGROUP,
    &conv::gemm::SUBGROUP,
    &conv::gemm::WORKGROUP_128X128,
    &conv::gemm::WORKGROUP_64X128,
    &conv::gemm::WORKGROUP_64X64,
    &conv::gemm::WORKGROUP_32X128,
    &conv::gemm::WORKGROUP_16X64,
    &conv::gemm::COOPERATIVE_8,
    &conv::gemm::COOPERATIVE_16,
    &conv::row_blocks::ROW_BLOCKS,
    &split_k::SUM,
    &pool::max_pool::DIRECT,
    &pool::max_pool::GRAD,
    &pool::global_pool::SUM,
    &pool::global_pool::MAX,
    &pool::global_lp_grad::GRAD,
    &pool::lp_pool::DIRECT,
    &pool::lp_pool::GRAD,
    &pool::zero_fill::ZERO,
    &pool::unpool_mark::MARK,
    &pool::unpool_gather::GATHER,
    &pool::unpool_grad::GRAD,
    &pixel_shuffle::COPY,
    &conv::resize_conv::DIRECT,
    &resample::upsample::NEAREST,
    &resample::taps::TAPS,
    &resample::row_blocks::NEAREST_ROWS,
    &resample::row_blocks::TAPS_ROWS,
    &conv::conv::TEXTURE,
    &conv::conv_transpose::TEXTURE,
    &resample::upsample::TEXTURE,
    &convert::UNPACK,
    &convert::PACK,
];

impl FromStr for Recipe {
    type Err = Error;

    /// Reads what [`Recipe`] prints. [`RecipeError::Text`](crate::RecipeError::Text) refuses a shader that the crate
    /// does not have, and words that are no shape. Whether the recipe can run a problem is checked when the problem is
    /// planned.
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, SHADERS.iter().map(|shader| shader.name))
    }
}

/// Every WGSL text that the crate may give to a device, with a name for it: for tools that compile, count or check
/// shaders.
///
/// A shader has a text for each combination of types that it reads and writes. A name is the shader's name, the
/// shader's number and the text's number, such as `conv_direct_0_3`.
///
/// ```
/// let texts = upconv::gpu::shader_texts();
/// assert!(texts.iter().any(|(name, text)| name.starts_with("conv_direct") && text.contains("@compute")));
/// ```
pub fn shader_texts() -> Vec<(String, String)> {
    let shaders = SHADERS.iter().enumerate();
    let named = shaders.flat_map(|(number, shader)| {
        let name = move |text| format!("{}_{number}_{text}", shader.name);
        (0..shader.texts.count()).map(move |text| (name(text), shader.texts.text(text)))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::recipe::RecipeError;
    use crate::gpu::program::recipe::Shape;

    /// Shapes of every kind. A new kind does not compile until it is added here, and below.
    fn shapes() -> impl Strategy<Value = Shape> {
        let _ = |shape: Shape| match shape {
            Shape::PerOutput { .. } | Shape::Blocks { .. } | Shape::Gemm { .. } => (),
            Shape::AxisPasses { .. } | Shape::PerTexel | Shape::MarkAndGather | Shape::Reduction { .. } => (),
        };
        let (sides, split_k) = (any::<[u32; 3]>, any::<bool>);
        prop_oneof![
            split_k().prop_map(|split_k| Shape::PerOutput { split_k }),
            (sides(), split_k()).prop_map(|(block, split_k)| Shape::Blocks { block, split_k }),
            (any::<[u32; 2]>(), proptest::option::of(sides()), split_k())
                .prop_map(|(tile, merged, split_k)| Shape::Gemm { tile, merged, split_k }),
            any::<u32>().prop_map(|passes| Shape::AxisPasses { passes }),
            Just(Shape::PerTexel),
            Just(Shape::MarkAndGather),
            any::<u32>().prop_map(|channels| Shape::Reduction { channels }),
        ]
    }

    proptest! {
        #[test]
        fn recipes_print_and_parse(shader in 0..SHADERS.len(), workgroup_size: u32, shape in shapes()) {
            let recipe = Recipe { shader: SHADERS[shader].name, workgroup_size, shape };
            prop_assert_eq!(recipe.to_string().parse::<Recipe>(), Ok(recipe));
        }

        /// A text that parses prints as the same text.
        #[test]
        fn texts_parse_to_one_recipe(
            words in "conv_direct( (wg|tile|block|merged|axes|marks|reduce|splitk|[0-9x+]){1,4}){0,4}",
        ) {
            if let Ok(recipe) = words.parse::<Recipe>() {
                prop_assert_eq!(recipe.to_string(), words);
            }
        }
    }

    #[test]
    fn texts_that_are_no_recipes_say_why() {
        let reason = |text: &str| match text.parse::<Recipe>() {
            Err(Error::Recipe(RecipeError::Text { reason, .. })) => reason,
            other => panic!("{text}: {other:?}"),
        };
        assert!(reason("").contains("must begin with a shader"));
        assert!(reason("conv_fft wg64").contains("no such shader"));
        assert!(reason("conv_direct tile8x8").contains("second word"));
        assert!(reason("conv_direct wg+64").contains("leading zeros"));
        // A recipe as the previous version printed it.
        assert!(reason("conv_gemm_subgroup wg8 tile16x32 block1x2x2 passes2").contains("mergedDxHxW"));
    }
}
