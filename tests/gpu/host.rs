//! The host `Gpu`: uploads of any strides, errors as values, and a new device after a lost one.

use ndarray::{Array4, ArrayD, Ix4, IxDyn, s};
use upconv::{Conv2d, ConvTranspose2d, Error, Gpu};

use crate::Row;
use crate::embedding::Fresh;
use crate::harness::{Data, Outcome, Random, compare};

fn text(error: Error) -> String {
    error.to_string()
}

pub async fn sample(gpu: &Gpu) -> Result<Array4<f32>, Error> {
    let (x, w) = (Array4::<f32>::ones((1, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d { stride: [2, 2], ..ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1)? };
    gpu.run_async(&up, &[x.view(), w.view()]).await
}

async fn non_contiguous(gpu: &Gpu) -> Outcome {
    let base = Random::new("strides").tensor(&[9, 8, 2, 3], Data::Integers);
    let base = base.into_dimensionality::<Ix4>().map_err(|error| error.to_string())?;
    // Axes exchanged, every second row, columns backwards.
    let view = base.view().permuted_axes([2, 3, 0, 1]).slice_move(s![.., .., ..;2, ..;-1]);
    let weight = Random::new("w").tensor(&[2, 3, 2, 2], Data::Integers);
    let weight = weight.into_dimensionality::<Ix4>().map_err(|error| error.to_string())?;
    let conv = Conv2d::from_shapes(view.shape(), weight.shape(), 1).map_err(text)?;
    let strided = gpu.run_async(&conv, &[view, weight.view()]).await.map_err(text)?;
    let copied = view.to_owned();
    compare(&conv, &[copied.into_dyn(), weight.into_dyn()], &strided.into_dyn(), Data::Integers)
}

async fn shapes(gpu: &Gpu) -> Outcome {
    let (x, w) = (Array4::<f32>::ones((1, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1).map_err(text)?;
    let swapped = gpu.run_async(&up, &[w.view(), x.view()]).await;
    if !matches!(swapped, Err(Error::Shape { operand: "input", .. })) {
        return Err(format!("{swapped:?}"));
    }
    let biased = ConvTranspose2d { bias: true, ..up };
    let wrong = ArrayD::<f32>::ones(IxDyn(&[4]));
    let outcome = gpu.run_async(&biased, &[x.view().into_dyn(), w.view().into_dyn(), wrong.view()]).await;
    let expected = Error::Shape { operand: "bias", expected: vec![3], actual: vec![4] };
    if outcome == Err(expected) { Ok(()) } else { Err(format!("{outcome:?}")) }
}

async fn empty_batch(gpu: &Gpu) -> Outcome {
    let (x, w) = (Array4::<f32>::ones((0, 2, 3, 4)), Array4::<f32>::ones((2, 3, 2, 2)));
    let up = ConvTranspose2d::from_shapes(x.shape(), w.shape(), 1).map_err(text)?;
    let y = gpu.run_async(&up, &[x.view(), w.view()]).await.map_err(text)?;
    if y.dim() == (0, 3, 4, 5) { Ok(()) } else { Err(format!("{:?}", y.dim())) }
}

async fn lost_device(gpu: &Gpu) -> Outcome {
    let own = Fresh::new(gpu).await?.0;
    sample(&own).await.map_err(text)?;
    own.device().destroy();
    for _ in 0..2 {
        match sample(&own).await {
            Err(Error::DeviceLost(_)) => {}
            other => return Err(format!("{other:?} from a lost device")),
        }
    }
    #[cfg(not(target_arch = "wasm32"))]
    match own.buffer("blocking", 4).and_then(|buffer| own.download::<f32>(&buffer, 0, 4)) {
        Err(Error::DeviceLost(_)) => {}
        other => return Err(format!("{other:?} from a lost device")),
    }
    // A new device works.
    sample(&Fresh::new(gpu).await?.0).await.map(|_| ()).map_err(text)
}

pub fn rows() -> Vec<Row> {
    let rows = vec![
        Row::new("a view of any strides is uploaded", non_contiguous),
        Row::new("wrong shapes are refused", shapes),
        Row::new("an empty batch gives an empty tensor", empty_batch),
        Row::new("a lost device is an error and the next one works", lost_device),
    ];
    #[cfg(not(target_arch = "wasm32"))]
    let rows = rows.into_iter().chain(crate::blocking::rows()).chain(crate::faults::rows()).collect();
    rows
}
