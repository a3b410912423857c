//! What computes a case: the CPU reference or a GPU.

use upconv::gpu::GpuOp;
use upconv::{Error, Gpu, Tensor, TensorView};

pub enum Engine<'a> {
    Reference,
    Gpu(&'a Gpu),
}

impl Engine<'_> {
    pub fn name(&self) -> String {
        match self {
            Self::Reference => "reference".into(),
            Self::Gpu(gpu) => format!("{} ({:?})", gpu.info().name, gpu.info().backend),
        }
    }

    /// Every output of an op.
    pub async fn run<O: GpuOp>(&self, op: &O, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Error> {
        let views: Vec<TensorView> = inputs.iter().map(|&tensor| tensor.into()).collect();
        match self {
            Self::Gpu(gpu) => gpu.run_tensors_async(op, &views).await,
            Self::Reference => op.reference_tensors(&views),
        }
    }

    /// The first output.
    pub async fn first<O: GpuOp>(&self, op: &O, inputs: &[&Tensor]) -> Result<Tensor, Error> {
        Ok(self.run(op, inputs).await?.swap_remove(0))
    }
}
