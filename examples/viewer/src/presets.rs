//! Small matrices and kernels by which four tutorials explain transposed convolution.

/// A matrix and a kernel: sizes are [rows, columns], numbers are listed row by row.
pub struct Preset {
    pub name: &'static str,
    pub input: [usize; 2],
    pub values: &'static [f32],
    pub kernel: [usize; 2],
    pub taps: &'static [f32],
    pub stride: usize,
}

const COUNTED: &[f32] = &[1.0, 2.0, 3.0, 4.0];
const FROM_0: &[f32] = &[0.0, 1.0, 2.0, 3.0];

pub const PRESETS: [Preset; 8] = [
    Preset {
        name: "2x2 to 4x4",
        input: [2, 2],
        values: &[1.0, 3.0, 2.0, 3.0],
        kernel: [3, 3],
        taps: &[2.0, 3.0, 2.0, 1.0, 4.0, 2.0, 3.0, 4.0, 1.0],
        stride: 1,
    },
    Preset {
        name: "2x2 to 4x4, with signs",
        input: [2, 2],
        values: &[17.0, 12.0, 14.0, 17.0],
        kernel: [3, 3],
        taps: &[0.0, 1.0, 0.0, -1.0, 2.0, 2.0, 0.0, 1.0, 0.0],
        stride: 1,
    },
    Preset { name: "2x2, kernel of fives", input: [2, 2], values: COUNTED, kernel: [2, 2], taps: &[5.0; 4], stride: 1 },
    Preset { name: "0 to 3, kernel 0 to 3", input: [2, 2], values: FROM_0, kernel: [2, 2], taps: FROM_0, stride: 1 },
    Preset {
        name: "0 to 3, kernel 0 to 3, stride 2",
        input: [2, 2],
        values: FROM_0,
        kernel: [2, 2],
        taps: FROM_0,
        stride: 2,
    },
    Preset { name: "checkerboard of ones", input: [2, 2], values: COUNTED, kernel: [3, 3], taps: &[1.0; 9], stride: 2 },
    Preset {
        name: "1 to 9, stride 2",
        input: [2, 2],
        values: COUNTED,
        kernel: [3, 3],
        taps: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        stride: 2,
    },
    Preset {
        name: "4x4, kernel 2x3, stride 2",
        input: [4, 4],
        values: &[0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0, 7.0, 0.0, 8.0, 2.0, 3.0, 4.0, 4.0],
        kernel: [2, 3],
        taps: &[0.0, 2.0, 1.0, 2.0, 3.0, 3.0],
        stride: 2,
    },
];
