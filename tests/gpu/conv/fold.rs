//! Unfold and fold: the first copies samples, and the second adds integers, so that results are exact.

use upconv::{Fold, Gpu, Padding, Unfold};

use crate::Row;
use crate::harness::{Outcome, check};

async fn both<const R: usize>(gpu: &Gpu, unfold: &Unfold<R>) -> Outcome {
    check(gpu, unfold, "unfold").await.map_err(|error| format!("unfold: {error}"))?;
    check(gpu, &unfold.grad_input(), "fold").await.map_err(|error| format!("fold: {error}"))
}

fn row<const R: usize>(name: &str, unfold: Unfold<R>) -> Row {
    Row::new(format!("{R}d {name}"), async move |gpu| both(gpu, &unfold).await)
}

/// A fold whose blocks lie wholly in the padding, so that every sample is 0.
async fn nothing_reached(gpu: &Gpu) -> Outcome {
    let padding = Padding::Explicit([[7, 0]]);
    let fold = Fold { channels: 2, output_size: [3], kernel_size: [2], stride: [9], padding, ..Default::default() };
    both(gpu, &fold.grad_input()).await
}

pub fn rows() -> Vec<Row> {
    let line = Unfold::<1> { batch: 2, channels: 3, input_size: [13], kernel_size: [4], ..Default::default() };
    let plane = Unfold::<2> { batch: 2, channels: 3, input_size: [7, 9], kernel_size: [3, 2], ..Default::default() };
    let block =
        Unfold::<3> { batch: 2, channels: 2, input_size: [4, 5, 6], kernel_size: [2, 3, 2], ..Default::default() };
    let padding = [16, 18].into();
    let uneven = Padding::Explicit([[1, 0], [1, 2]]);
    let mut rows = vec![
        row("every block", line.clone()),
        row("apart, padded", Unfold { stride: [3], padding: Padding::Explicit([[2, 1]]), ..line.clone() }),
        row("taps and blocks apart", Unfold { stride: [4], dilation: [3], padding: [5].into(), ..line.clone() }),
        row("gaps between blocks", Unfold { kernel_size: [2], stride: [5], ..line.clone() }),
        row("cropped", Unfold { padding: Padding::Explicit([[-2, -1]]), ..line.clone() }),
        row(
            "300 taps for each sample",
            Unfold { input_size: [2], kernel_size: [300], padding: [299].into(), ..line.clone() },
        ),
        row("a block as long as the axis", Unfold { kernel_size: [13], stride: [70_000], ..line.clone() }),
        row("every block", plane.clone()),
        row("side by side", Unfold { stride: [3, 2], ..plane.clone() }),
        row("uneven padding, ragged", Unfold { stride: [2, 3], padding: uneven, ..plane.clone() }),
        row("dilated", Unfold { dilation: [2, 3], padding: uneven, ..plane.clone() }),
        row("dilated, apart", Unfold { stride: [2, 4], dilation: [2, 6], padding: [3, 6].into(), ..plane.clone() }),
        row("SAME", Unfold { stride: [3, 2], dilation: [1, 2], padding: Padding::SameLower, ..plane.clone() }),
        row("cropped above, padded below", Unfold { padding: [[-1, 2], [3, -2]].into(), ..plane.clone() }),
        // A sample is in every block, so that its sum is cut between dispatches where bindings are small. Past 2^15
        // taps for one sample the columns would take gigabytes; `src/gpu/rounds_tests.rs` counts their rounds.
        row(
            "every sample in every block",
            Unfold { input_size: [17, 2], kernel_size: [17, 19], padding, ..plane.clone() },
        ),
        row("an empty batch", Unfold { batch: 0, ..plane.clone() }),
        row("zero channels", Unfold { channels: 0, ..plane }),
        row("every block", block.clone()),
        row(
            "uneven padding, dilated",
            Unfold { stride: [2, 1, 3], dilation: [1, 2, 2], padding: [[1, 0], [0, 1], [1, 1]].into(), ..block },
        ),
    ];
    rows.push(Row::new("1d blocks of padding alone", nothing_reached));
    rows
}
