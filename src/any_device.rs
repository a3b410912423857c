//! A GPU if there is one, or else the CPU.

use ndarray::{Array, ArrayView, Dimension};

use crate::cpu::{self, CpuOp};
use crate::error::{Error, Result};
use crate::gpu::host::gpu::Gpu;
use crate::gpu::program::context::GpuOp;
use crate::tensor::element::{Tensor, TensorView};

/// Runs ops on a [`Gpu`], or on the CPU of a machine without a usable GPU.
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
    /// A GPU.
    Gpu(Box<Gpu>),
    /// This crate's engine on the CPU.
    Cpu,
}

impl AnyDevice {
    /// Takes the adapter that [`Gpu::new`] finds, or the CPU if there is no adapter, if the adapter gives no device
    /// with wgpu's default limits, or if it is a software driver: [`cpu::run`](crate::cpu::run) is faster than shaders
    /// on the same CPU. To run shaders on a software driver, use [`Gpu`] itself. Returns any error of [`Gpu::new`] but
    /// [`Error::NoAdapter`] and [`Error::NoDevice`].
    pub fn new() -> Result<Self> {
        Self::preferred(Gpu::new(), Gpu::is_software)
    }

    fn preferred(gpu: Result<Gpu>, is_software: impl FnOnce(&Gpu) -> bool) -> Result<Self> {
        match gpu {
            Ok(gpu) if is_software(&gpu) => Ok(Self::Cpu),
            Ok(gpu) => Ok(Self::Gpu(Box::new(gpu))),
            Err(Error::NoAdapter(_) | Error::NoDevice(_)) => Ok(Self::Cpu),
            Err(error) => Err(error),
        }
    }

    /// Runs an op by [`Gpu::run`] or [`cpu::run`](crate::cpu::run), with the same errors. `inputs` are those of
    /// [`Op::inputs`](crate::Op::inputs), of any strides; the (first) output is row-major.
    pub fn run<O: GpuOp + CpuOp, D: Dimension>(&self, op: &O, inputs: &[ArrayView<f32, D>]) -> Result<Array<f32, D>> {
        match self {
            Self::Gpu(gpu) => gpu.run(op, inputs),
            Self::Cpu => cpu::run(op, inputs),
        }
    }

    /// [`AnyDevice::run`] for inputs of several types, and with every output: [`Gpu::run_tensors`] or
    /// [`cpu::run_tensors`](crate::cpu::run_tensors), with the same errors.
    pub fn run_tensors<O: GpuOp + CpuOp>(&self, op: &O, inputs: &[TensorView]) -> Result<Vec<Tensor>> {
        match self {
            Self::Gpu(gpu) => gpu.run_tensors(op, inputs),
            Self::Cpu => cpu::run_tensors(op, inputs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_stands_in_where_there_is_no_gpu() {
        for error in [Error::NoAdapter("none".into()), Error::NoDevice("too small".into())] {
            assert!(matches!(AnyDevice::preferred(Err(error), Gpu::is_software), Ok(AnyDevice::Cpu)));
        }
        let lost = Error::DeviceLost("unplugged".into());
        assert_eq!(AnyDevice::preferred(Err(lost.clone()), Gpu::is_software).err(), Some(lost));
    }

    #[test]
    fn a_software_driver_is_no_gpu() {
        let Ok(gpu) = Gpu::new() else { return };
        assert_eq!(matches!(AnyDevice::new(), Ok(AnyDevice::Cpu)), gpu.is_software());
        assert!(matches!(AnyDevice::preferred(Ok(gpu), |_| false), Ok(AnyDevice::Gpu(_))));
    }
}
