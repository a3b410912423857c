//! The kernel that is edited: taps and sizes of a transposed convolution, the same for every channel.

use upconv::ndarray::{Array4, ArrayD};
use upconv::{Checkerboard, ConvTranspose2d, Op, Result};

/// Largest side of a kernel that is edited number by number.
pub const MAX_SIDE: usize = 8;

/// A kernel with its layer's sizes, each as [height, width].
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [i64; 2],
    pub dilation: [usize; 2],
    pub output_padding: [usize; 2],
    /// Row by row.
    pub taps: Vec<f32>,
}

/// What a button sets the taps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Ones,
    Counting,
    Bilinear,
    BedOfNails,
}

impl Fill {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Ones, "ones"),
        (Self::Counting, "1, 2, 3 …"),
        (Self::Bilinear, "bilinear"),
        (Self::BedOfNails, "one tap"),
    ];
}

impl Default for Kernel {
    /// Caffe's bilinear upsampling by two.
    fn default() -> Self {
        let mut kernel = Self {
            size: [4, 4],
            stride: [2, 2],
            padding: [1, 1],
            dilation: [1, 1],
            output_padding: [0, 0],
            taps: vec![0.0; 16],
        };
        kernel.fill(Fill::Bilinear);
        kernel
    }
}

impl Kernel {
    /// Changes the size. Taps that both sizes have keep their values, new ones are 0.
    pub fn resize(&mut self, size: [usize; 2]) {
        let old = |row: usize, column: usize| {
            let inside = row < self.size[0] && column < self.size[1];
            if inside { self.taps[row * self.size[1] + column] } else { 0.0 }
        };
        let taps = (0..size[0] * size[1]).map(|at| old(at / size[1], at % size[1])).collect();
        (self.size, self.taps) = (size, taps);
    }

    /// Sets every tap.
    pub fn fill(&mut self, fill: Fill) {
        let count = self.taps.len();
        self.taps = match fill {
            Fill::Ones => vec![1.0; count],
            Fill::Counting => (1..=count).map(|number| number as f32).collect(),
            Fill::BedOfNails => (0..count).map(|at| f32::from(u8::from(at == 0))).collect(),
            Fill::Bilinear => {
                match (ConvTranspose2d { kernel_size: self.size, ..Default::default() }).bilinear_filler() {
                    Ok(weight) => weight.into_iter().collect(),
                    Err(_) => return,
                }
            }
        };
    }

    /// Scales the taps so that the phases' weights sum to 1 on average: a flat input stays as bright. Taps whose sum is
    /// nearly 0 are not scaled.
    pub fn normalise(&mut self) {
        let sum: f32 = self.taps.iter().sum();
        let wanted = (self.stride[0] * self.stride[1]) as f32;
        if sum.abs() > 1e-6 {
            self.taps.iter_mut().for_each(|tap| *tap *= wanted / sum);
        }
    }

    /// The layer for a picture or matrix of this size, every channel by itself.
    pub fn layer(&self, channels: usize, input_size: [usize; 2]) -> ConvTranspose2d {
        ConvTranspose2d {
            in_channels: channels,
            out_channels: channels,
            groups: channels,
            input_size,
            kernel_size: self.size,
            stride: self.stride,
            padding: self.padding.map(|pad| [pad; 2]).into(),
            dilation: self.dilation,
            output_padding: self.output_padding,
            ..Default::default()
        }
    }

    /// The layer's weight.
    pub fn weight(&self, channels: usize) -> Array4<f32> {
        Array4::from_shape_fn((channels, 1, self.size[0], self.size[1]), |(_, _, row, column)| {
            self.taps[row * self.size[1] + column]
        })
    }

    /// The output's size, or what is wrong.
    pub fn output_size(&self, input_size: [usize; 2]) -> Result<[usize; 2]> {
        let shape = self.layer(1, input_size).output()?.shape;
        Ok([shape[2], shape[3]])
    }

    /// The formula of an axis's size, with its numbers.
    pub fn formula(&self, axis: usize, input: usize) -> String {
        let [stride, kernel, dilation] = [self.stride[axis], self.size[axis], self.dilation[axis]];
        let (padding, more) = (self.padding[axis], self.output_padding[axis]);
        let size =
            (input as i64 - 1) * stride as i64 + (dilation * (kernel - 1)) as i64 + 1 - 2 * padding + more as i64;
        format!("({input} - 1)·{stride} + {dilation}·({kernel} - 1) + 1 - 2·{padding} + {more} = {size}")
    }

    /// Why the layer draws a checkerboard, if it does.
    pub fn report(&self, input_size: [usize; 2]) -> Result<Checkerboard> {
        self.layer(1, input_size).checkerboard(self.weight(1).view())
    }

    /// The output for a matrix, by the reference on the CPU.
    pub fn apply(&self, matrix: &Array4<f32>) -> Result<ArrayD<f64>> {
        let (_, _, height, width) = matrix.dim();
        let reference = self.layer(1, [height, width]).reference(&[matrix.view(), self.weight(1).view()])?;
        Ok(reference.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula's size is the library's.
    #[test]
    fn formulas_say_what_the_library_does() {
        let mut kernel = Kernel { padding: [2, 0], output_padding: [1, 0], dilation: [2, 1], ..Kernel::default() };
        kernel.resize([3, 5]);
        let size = kernel.output_size([6, 7]).unwrap();
        for (axis, input) in [(0, 6), (1, 7)] {
            assert!(
                kernel.formula(axis, input).ends_with(&format!("= {}", size[axis])),
                "{}",
                kernel.formula(axis, input)
            );
        }
    }

    #[test]
    fn normalised_kernels_keep_the_brightness() {
        let mut kernel = Kernel::default();
        kernel.fill(Fill::Ones);
        kernel.normalise();
        assert!(kernel.report([8, 8]).unwrap().weight_sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6));
        kernel.taps = vec![0.0; 16];
        kernel.normalise();
        assert_eq!(kernel.taps, [0.0; 16]);
    }

    #[test]
    fn a_new_size_keeps_the_taps_that_both_have() {
        let mut kernel = Kernel::default();
        kernel.fill(Fill::Counting);
        kernel.resize([2, 5]);
        assert_eq!(kernel.taps, [1.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0, 7.0, 8.0, 0.0]);
    }
}
