//! How the GPU runs convolutions, their transposes and their gradients.

pub(crate) mod bias_grad;
pub(crate) mod conv;
pub(crate) mod conv_integer;
pub(crate) mod conv_transpose;
pub(crate) mod cost_model;
pub(crate) mod fold;
pub(crate) mod gemm;
pub(crate) mod gemm_params;
pub(crate) mod gemm_tiles;
pub(crate) mod implicit_gemm;
pub(crate) mod integer_zero_points;
pub(crate) mod layer;
pub(crate) mod lower;
pub(crate) mod operands;
pub(crate) mod resize_conv;
pub(crate) mod row_blocks;
pub(crate) mod texture;
pub(crate) mod unfold;
pub(crate) mod weight_grad;
pub(crate) mod weight_grad_problem;
