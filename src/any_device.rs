//! A GPU if there is one, else the CPU.

use ndarray::{Array, ArrayView, Dimension};

use crate::cpu::{CpuOp, run};
use crate::error::{Error, Result};
use crate::gpu::host::gpu::Gpu;
use crate::gpu::program::context::GpuOp;

/// Runs the ops on a [`Gpu`], or where there is no adapter on the CPU.
///
/// ```
/// use upconv::{Upsample2d, AnyDevice, ndarray::Array4};
/// let up = Upsample2d { input_size: [2, 2], output_size: [4, 4], ..Default::default() };
/// let y = AnyDevice::new()?.run(&up, &[Array4::<f32>::ones((1, 1, 2, 2)).view()])?;
/// assert_eq!(y.sum(), 16.0);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AnyDevice {
    /// An adapter was found.
    Gpu(Box<Gpu>),
    /// None was.
    Cpu,
}

impl AnyDevice {
    /// The adapter that [`Gpu::new`] finds, or the CPU. An adapter that gives no device is an error all the same.
    pub fn new() -> Result<Self> {
        match Gpu::new() {
            Ok(gpu) => Ok(Self::Gpu(Box::new(gpu))),
            Err(Error::NoAdapter(_)) => Ok(Self::Cpu),
            Err(error) => Err(error),
        }
    }

    /// [`Gpu::run`] or [`cpu::run`](crate::cpu::run).
    pub fn run<O: GpuOp + CpuOp, D: Dimension>(&self, op: &O, inputs: &[ArrayView<f32, D>]) -> Result<Array<f32, D>> {
        match self {
            Self::Gpu(gpu) => gpu.run(op, inputs),
            Self::Cpu => run(op, inputs),
        }
    }
}
