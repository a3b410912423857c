//! No shader makes more rounds of its loops than [`MAX_ROUNDS`]: programs of random, large problems by every recipe.

use proptest::prelude::*;
use wgpu::{Features, Limits};

use super::*;
use crate::dtype::FloatType;
use crate::error::Error;
use crate::geometry::{Padding, Pads};
use crate::gpu::program::context::LowerContext;
use crate::gpu::program::rounds::{MAX_ROUNDS, ROUNDS};
use crate::ops::conv::conv::Conv;
use crate::ops::conv::conv_integer::ConvInteger;
use crate::ops::conv::conv_transpose::ConvTranspose;
use crate::ops::conv::fold::Unfold;
use crate::ops::conv::resize_conv::ResizeConv;
use crate::ops::op::Op;
use crate::ops::pool::avg_pool::AvgPool;
use crate::ops::pool::global_average_pool::GlobalAveragePool;
use crate::ops::pool::global_lp_pool::GlobalLpPool;
use crate::ops::pool::global_max_pool::GlobalMaxPool;
use crate::ops::pool::lp_pool::LpPool;
use crate::ops::pool::max_pool::MaxPool;
use crate::ops::resample::coordinates::Coordinates;
use crate::ops::resample::filters::Filter;
use crate::ops::resample::mode::{Border, UpsampleMode};
use crate::ops::resample::upsample::Upsample;

/// Lowers an op by every recipe, for tensors of f32 and f16, and checks every dispatch.
fn check<O: GpuOp>(op: &O) -> std::result::Result<(), TestCaseError> {
    // No tensor is cut because of its size, so that the rounds alone decide.
    let binding = u64::MAX >> 8;
    let limits = Limits { max_storage_buffer_binding_size: binding, max_buffer_size: binding, ..Limits::default() };
    let number = wgpu::CooperativeScalarType::F32;
    let matrix = wgpu::CooperativeMatrixProperties {
        m_size: 8,
        n_size: 8,
        k_size: 8,
        ab_type: number,
        cr_type: number,
        saturating_accumulation: false,
    };
    let capabilities = Capabilities {
        features: Features::SUBGROUP | Features::SHADER_F16,
        subgroup_sizes: [8; 2],
        matrices: vec![matrix],
        ..Capabilities::plain(limits, Features::empty())
    };
    for storage in [FloatType::F32, FloatType::F16] {
        let options = PlanOptions { storage, ..Default::default() };
        let mut recipes = op.recipes(&capabilities, &options);
        recipes.dedup_by_key(|recipe| (recipe.shader, recipe.shape));
        prop_assert!(!recipes.is_empty());
        for recipe in recipes {
            let name = recipe.to_string();
            let options = PlanOptions { recipe: Some(recipe), ..options.clone() };
            let program = match op.lower(&LowerContext::new(&capabilities, &options)) {
                // A binding, a grid, a plan and a number of 32 bits have an end; a loop must not reach its own.
                Err(Error::BindingTooSmall { .. } | Error::TooManyDispatches { .. }) => continue,
                Err(Error::TooLarge { what, .. }) if what != ROUNDS => continue,
                outcome => outcome.map_err(|error| TestCaseError::fail(format!("{name}: {error}")))?,
            };
            for step in &program.steps {
                for dispatch in &step.dispatches {
                    let rounds = dispatch.rounds;
                    prop_assert!(rounds <= MAX_ROUNDS, "{name}: {} makes {rounds} rounds", step.shader.name);
                }
            }
        }
    }
    Ok(())
}

/// A size that is often small, sometimes past the bound.
fn size(most: usize) -> impl Strategy<Value = usize> {
    (0.0..1.0f64).prop_map(move |place| (most as f64).powf(place * place) as usize)
}

/// Kernel, stride, dilation, and an input that is a little larger than the kernel's span.
fn axis() -> impl Strategy<Value = [usize; 4]> {
    (size(70_000), 1..5usize, 1..4usize, 0..40usize)
        .prop_map(|(kernel, stride, dilation, more)| [kernel, stride, dilation, (kernel - 1) * dilation + 1 + more])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn convolutions(
        axes in [axis(), axis()],
        (inputs, outputs, groups) in (size(100_000), size(600), 1..3usize),
        same in any::<bool>(),
    ) {
        let pick = |number: usize| axes.map(|axis| axis[number]);
        let conv = Conv::<2> {
            in_channels: inputs * groups,
            out_channels: outputs * groups,
            groups,
            input_size: pick(3),
            kernel_size: pick(0),
            stride: pick(1),
            dilation: pick(2),
            padding: if same { Padding::SAME } else { Padding::Explicit(Pads::from([[0; 2]; 2])) },
            bias: true,
            ..Default::default()
        };
        check(&conv)?;
        check(&conv.grad_weight().unwrap())?;
        check(&ConvInteger::<2> {
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            groups,
            input_size: conv.input_size,
            kernel_size: conv.kernel_size,
            stride: conv.stride,
            dilation: conv.dilation,
            padding: conv.padding,
            input_zero_point: true,
            ..Default::default()
        })?;
        let up = ConvTranspose::<2> {
            in_channels: inputs * groups,
            out_channels: outputs * groups,
            groups,
            input_size: axes.map(|axis| axis[3] % 50 + 1),
            kernel_size: pick(0),
            stride: pick(1),
            dilation: pick(2),
            ..Default::default()
        };
        check(&up)?;
        check(&up.grad_weight().unwrap())?;
        check(&up.grad_bias().unwrap())?;
    }

    #[test]
    fn folding(axes in [axis(), axis()], channels in 1..4usize) {
        let pick = |number: usize| axes.map(|axis| axis[number]);
        let unfold = Unfold::<2> {
            channels,
            input_size: pick(3),
            kernel_size: pick(0),
            stride: pick(1),
            dilation: pick(2),
            ..Default::default()
        };
        // So many taps are refused.
        if unfold.output().is_ok() {
            check(&unfold)?;
            check(&unfold.grad_input())?;
        }
    }

    #[test]
    fn resampling(
        sizes in [(size(70_000), 1..40usize), (size(300), 1..40usize)],
        lanczos in any::<bool>(),
        crop in any::<bool>(),
    ) {
        let filter = if lanczos { Filter::Lanczos { lobes: 3 } } else { Filter::Triangle };
        let roi = [[-0.25, 0.75]; 2];
        let up = Upsample::<2> {
            input_size: sizes.map(|size| size.0),
            output_size: sizes.map(|size| size.1),
            mode: UpsampleMode::Filtered { filter, antialias: true, border: Border::Renormalise },
            coordinates: if crop { Coordinates::TfCropAndResize { roi } } else { Coordinates::HalfPixel },
            ..Default::default()
        };
        check(&up)?;
        check(&up.grad_input())?;
        let conv = Conv::<2> { kernel_size: [3, 2], in_channels: 5, input_size: up.output_size, ..Default::default() };
        if up.output_size[0] > 2 && up.output_size[1] > 1 {
            check(&ResizeConv { upsample: Upsample { channels: 5, ..up }, conv })?;
        }
    }

    #[test]
    fn global_pooling(input_size in [size(300_000), size(6000)], channels in size(100), p in 1..=64u32) {
        check(&GlobalAveragePool::<2> { batch: 1, channels, input_size })?;
        let norm = GlobalLpPool::<2> { batch: 1, channels, input_size, p };
        check(&norm)?;
        check(&norm.grad_input())?;
        check(&GlobalMaxPool::<2> { batch: 1, channels, input_size, indices: None })?;
    }

    #[test]
    fn pooling(axes in [axis(), axis()], indices in any::<bool>()) {
        let pick = |number: usize| axes.map(|axis| axis[number]);
        let pool = MaxPool::<2> {
            input_size: pick(3),
            kernel_size: pick(0),
            stride: pick(1),
            dilation: pick(2),
            indices: indices.then_some(Default::default()),
            ..Default::default()
        };
        // Windows whose indices an i32 does not count are refused.
        if pool.input_size[0] * pool.input_size[1] < 1 << 31 {
            check(&pool)?;
            check(&MaxPool { indices: Some(Default::default()), ..pool }.grad_input())?;
        }
        let norms = LpPool::<2> {
            input_size: pick(3),
            kernel_size: pick(0),
            stride: pick(1),
            dilation: pick(2),
            ..Default::default()
        };
        check(&norms)?;
        check(&norms.grad_input())?;
        // Without a dilation the input would have very many windows.
        let average = AvgPool::<2> {
            input_size: axes.map(|axis| axis[0] + axis[3] % 40),
            kernel_size: pick(0),
            stride: pick(1),
            ..Default::default()
        };
        check(&average)?;
        check(&average.grad_input())?;
    }
}
