//! Tensors of a safetensors file.

use ndarray::ArrayD;
use safetensors::{Dtype, SafeTensors};

/// The tensor of this name; an error if it is not stored as f32.
pub fn tensor(file: &SafeTensors, name: &str) -> Result<ArrayD<f32>, String> {
    let view = file.tensor(name).map_err(|error| format!("{name}: {error}"))?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name} is stored as {:?}; it should be F32", view.dtype()));
    }
    let values = bytemuck::pod_collect_to_vec(view.data());
    ArrayD::from_shape_vec(view.shape(), values).map_err(|error| format!("{name}: {error}"))
}
