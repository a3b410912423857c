//! Unfold (im2col) and fold (col2im): what they are, and their definition on the CPU.

use ndarray::ArrayD;

use crate::error::{Error, Result};
use crate::geometry::{
    Axis, MAX_COORDINATE, Padding, at_most, check_elements, check_layer, conv_size, pad_to_three_axes, span,
};
use crate::ops::op::Op;
use crate::ops::problem::ProblemText;
use crate::ops::reference::{Reference, Sums};
use crate::tensor::allocate::zeros;
use crate::tensor::element::TensorView;
use crate::tensor::operand::{Operand, Role, split_shape};

/// Sliding blocks of an image as columns (im2col), over `R` spatial axes: PyTorch's `nn.Unfold`. Nothing is computed,
/// only copied.
///
/// Tensors: `input` (N, C, spatial...); output (N, C · Π kernel, L). A block is what a kernel covers at one place, and
/// L counts the places: `floor((input + before + after - span) / stride) + 1` on each axis, multiplied, the last axis
/// fastest. The output's channel `c · Π kernel + tap` has the samples of channel `c` at one tap of the kernel, whose
/// taps count row-major. A tap outside the input reads 0.
///
/// ```
/// use upconv::{Op, Unfold2d};
/// let unfold = Unfold2d { padding: [1, 1].into(), ..Unfold2d::from_shape(&[1, 3, 8, 8], [3, 3])? };
/// assert_eq!(unfold.output()?.shape, [1, 27, 64]);
/// assert_eq!(unfold.grad_input().output()?.shape, [1, 3, 8, 8]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unfold<const R: usize> {
    /// Images; 0 is legal and copies nothing.
    pub batch: usize,
    /// Channels of the input; 0 is legal and copies nothing.
    pub channels: usize,
    /// Spatial size of the input, in samples.
    pub input_size: [usize; R],
    /// Samples of a block on each axis.
    pub kernel_size: [usize; R],
    /// Input samples from one block to the next.
    pub stride: [usize; R],
    /// Zeros around the input, explicitly or by rule. Negative padding crops, as that of a [`Conv`](crate::Conv) does
    /// (PyTorch refuses it).
    pub padding: Padding<R>,
    /// Input samples from one sample of a block to the next; 1 is an ordinary block.
    pub dilation: [usize; R],
}

/// Columns of sliding blocks put back together (col2im), over `R` spatial axes: PyTorch's `nn.Fold`, ONNX's `Col2Im`.
/// Where blocks overlap, their samples are added. It is the transpose of an [`Unfold`] of the same numbers, not its
/// inverse.
///
/// Tensors: `input` (N, C · Π kernel, L), ordered as an [`Unfold`]'s output; output (N, C, spatial...). Samples of the
/// blocks that lie in the padding are left out, and a sample of the output that no block covers is 0.
///
/// ONNX's `pads` are pairs [before, after] here, its `block_shape` is the kernel's size.
///
/// ```
/// use upconv::{Fold2d, Op};
/// let fold = Fold2d { stride: [2, 2], ..Fold2d::from_shape(&[1, 12, 16], [8, 8], [2, 2])? };
/// assert_eq!(fold.inputs()?[0].shape, [1, 12, 16]);
/// assert_eq!(fold.output()?.shape, [1, 3, 8, 8]);
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fold<const R: usize> {
    /// Images; 0 is legal and computes nothing.
    pub batch: usize,
    /// Channels of the output; 0 is legal and computes nothing.
    pub channels: usize,
    /// Spatial size of the output, in samples.
    pub output_size: [usize; R],
    /// Samples of a block on each axis.
    pub kernel_size: [usize; R],
    /// Output samples from one block to the next.
    pub stride: [usize; R],
    /// What the blocks reach over the output's edges, explicitly or by rule. Negative padding keeps the blocks away
    /// from the edges (PyTorch refuses it).
    pub padding: Padding<R>,
    /// Output samples from one sample of a block to the next; 1 is an ordinary block.
    pub dilation: [usize; R],
}

/// Unfold over one spatial axis.
pub type Unfold1d = Unfold<1>;
/// Unfold over two spatial axes.
pub type Unfold2d = Unfold<2>;
/// Unfold over three spatial axes.
pub type Unfold3d = Unfold<3>;

/// Fold over one spatial axis.
pub type Fold1d = Fold<1>;
/// Fold over two spatial axes.
pub type Fold2d = Fold<2>;
/// Fold over three spatial axes.
pub type Fold3d = Fold<3>;

impl<const R: usize> Default for Unfold<R> {
    fn default() -> Self {
        Self {
            batch: 1,
            channels: 1,
            input_size: [1; R],
            kernel_size: [1; R],
            stride: [1; R],
            padding: Padding::default(),
            dilation: [1; R],
        }
    }
}

impl<const R: usize> Default for Fold<R> {
    fn default() -> Self {
        Unfold::default().grad_input()
    }
}

impl<const R: usize> Unfold<R> {
    /// All blocks (stride 1, no padding) of an `input` of shape (N, C, spatial...). Refuses another number of axes
    /// ([`Error::Rank`]).
    pub fn from_shape(input: &[usize], kernel_size: [usize; R]) -> Result<Self> {
        let ([batch, channels], input_size) = split_shape("input", input)?;
        Ok(Self { batch, channels, input_size, kernel_size, ..Default::default() })
    }

    /// The gradient with respect to the input: a [`Fold`].
    pub fn grad_input(&self) -> Fold<R> {
        let &Self { batch, channels, input_size, kernel_size, stride, padding, dilation } = self;
        Fold { batch, channels, output_size: input_size, kernel_size, stride, padding, dilation }
    }

    /// The numbers, checked and resolved to axes.
    pub(crate) fn columns(&self) -> Result<Columns<R>> {
        check_layer(self.input_size, self.kernel_size, self.stride, self.dilation)?;
        let taps = self.kernel_size.iter().fold(1u128, |n, &kernel| n.saturating_mul(kernel as u128));
        let channels = taps.saturating_mul(self.channels.max(1) as u128);
        at_most("channels of the columns", channels, MAX_COORDINATE as u128)?;
        let mut axes = [Axis::UNIT; R];
        for (i, axis) in axes.iter_mut().enumerate() {
            *axis = self.axis(i)?;
        }
        let columns = Columns { batch: self.batch, channels: self.channels, axes };
        let blocks = axes.iter().fold(1u128, |n, axis| n.saturating_mul(axis.narrow as u128));
        at_most("the number of blocks", blocks, usize::MAX as u128)?;
        check_elements(&columns.image_shape())?;
        check_elements(&columns.shape())?;
        Ok(columns)
    }

    fn axis(&self, i: usize) -> Result<Axis> {
        let (wide, kernel, stride, dilation) =
            (self.input_size[i], self.kernel_size[i], self.stride[i], self.dilation[i]);
        let span = span(kernel, dilation);
        let pads = self.padding.on_axis(i, wide, span, stride)?;
        let padded = wide as i128 + i128::from(pads[0]) + i128::from(pads[1]);
        let size = conv_size(wide, pads, span, stride);
        if size < 1 {
            return Err(Error::KernelTooLarge { axis: i, span, padded });
        }
        at_most("the number of blocks", size as u128, MAX_COORDINATE as u128)?;
        let axis = Axis { wide, narrow: size as usize, kernel, stride, dilation, pad: pads[0] }.with_short_steps()?;
        axis.check()?;
        Ok(axis)
    }

    /// The problem's text, in which `size` stands before the image's size.
    fn text(&self, name: &str, size: &str) -> String {
        let text = ProblemText::new(name).count("n", self.batch, 1).count("c", self.channels, 1);
        text.sizes(size, &self.input_size)
            .axes("k", &self.kernel_size, 1)
            .axes("s", &self.stride, 1)
            .padding(&self.padding)
            .axes("d", &self.dilation, 1)
            .padding_rule(&self.padding)
            .finish()
    }
}

impl<const R: usize> Fold<R> {
    /// A fold of `columns` of shape (N, C · Π kernel, L) with stride 1 and without padding. L is not looked at, since
    /// it depends on the fields to be set. Refuses another number of axes ([`Error::Rank`]) and channels that the
    /// kernel's taps do not divide ([`Error::NotDivisible`]).
    pub fn from_shape(columns: &[usize], output_size: [usize; R], kernel_size: [usize; R]) -> Result<Self> {
        let ([batch, value], _) = split_shape::<1>("input", columns)?;
        let by = kernel_size.iter().fold(1usize, |n, &kernel| n.saturating_mul(kernel));
        if by == 0 || value % by != 0 {
            return Err(Error::NotDivisible { what: "channels of the columns", value, by });
        }
        Ok(Self { batch, channels: value / by, output_size, kernel_size, ..Default::default() })
    }

    /// The gradient with respect to the input: an [`Unfold`].
    pub fn grad_input(&self) -> Unfold<R> {
        let &Self { batch, channels, output_size, kernel_size, stride, padding, dilation } = self;
        Unfold { batch, channels, input_size: output_size, kernel_size, stride, padding, dilation }
    }
}

/// The numbers of both ops. The image is the wide side of the axes, the blocks are the narrow side.
pub(crate) struct Columns<const R: usize> {
    pub(crate) batch: usize,
    pub(crate) channels: usize,
    axes: [Axis; R],
}

impl<const R: usize> Columns<R> {
    /// Three axes, as the shaders and the reference loop over them.
    pub(crate) fn axes3(&self) -> [Axis; 3] {
        pad_to_three_axes(Axis::UNIT, &self.axes)
    }

    fn image_shape(&self) -> Vec<usize> {
        [self.batch, self.channels].into_iter().chain(self.axes.iter().map(|axis| axis.wide)).collect()
    }

    fn shape(&self) -> Vec<usize> {
        let product = |pick: fn(&Axis) -> usize| self.axes.iter().map(pick).product::<usize>();
        vec![self.batch, self.channels * product(|axis| axis.kernel), product(|axis| axis.narrow)]
    }

    /// Visits each sample of the image with each element of the columns that stands for it, by their places in
    /// row-major tensors.
    fn for_each_pair(&self, mut visit: impl FnMut(usize, usize)) {
        let [depth, rows, columns] = self.axes3();
        let mut first = 0; // the first element of this channel of the columns
        for plane in 0..self.batch * self.channels {
            for tap in 0..depth.kernel * rows.kernel * columns.kernel {
                let [d, h, w] =
                    [tap / columns.kernel / rows.kernel, tap / columns.kernel % rows.kernel, tap % columns.kernel];
                for z in depth.narrow_range(d) {
                    for y in rows.narrow_range(h) {
                        let line = (plane * depth.wide + depth.wide_index(z, d)) * rows.wide + rows.wide_index(y, h);
                        for x in columns.narrow_range(w) {
                            let block = (z * rows.narrow + y) * columns.narrow + x;
                            visit(line * columns.wide + columns.wide_index(x, w), first + block);
                        }
                    }
                }
                first += depth.narrow * rows.narrow * columns.narrow;
            }
        }
    }
}

impl<const R: usize> Op for Unfold<R> {
    const NAME: &'static str = "unfold";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.columns()?.image_shape())])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.columns()?.shape()))
    }

    fn problem(&self) -> String {
        self.text(Self::NAME, "i")
    }

    /// 0: samples are only copied.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// Scatters each sample, whereas the shader looks up the sample of each element.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let columns = self.columns()?;
        let (input, shape) = (inputs[0].widen(), columns.shape());
        let mut values = zeros("the reference", shape.iter().product())?;
        columns.for_each_pair(|sample, element| values[element] = input[sample]);
        let values = ArrayD::from_shape_vec(shape, values).expect("as many as the shape has");
        let magnitudes = values.mapv(f64::abs);
        Ok(Reference::new(values, magnitudes, 0))
    }
}

impl<const R: usize> Op for Fold<R> {
    const NAME: &'static str = "fold";

    fn inputs(&self) -> Result<Vec<Operand>> {
        Ok(vec![Operand::new(Role::Input, self.grad_input().output()?.shape)])
    }

    fn output(&self) -> Result<Operand> {
        Ok(Operand::new(Role::Output, self.grad_input().columns()?.image_shape()))
    }

    fn problem(&self) -> String {
        self.grad_input().text(Self::NAME, "o")
    }

    /// 0: samples are only added.
    fn multiply_adds(&self) -> Result<u128> {
        Ok(0)
    }

    /// Scatters the elements of the columns, whereas the shader gathers those that a sample is the sum of.
    fn define(&self, inputs: &[TensorView]) -> Result<Reference> {
        let columns = self.grad_input().columns()?;
        let (input, shape) = (inputs[0].widen(), columns.image_shape());
        let mut sums = Sums::zeros(&shape, inputs)?;
        columns.for_each_pair(|sample, element| sums.add(sample, input[element], 1.0));
        // On an axis, a sample meets one tap of `tap_step`, and no more than there are blocks.
        let terms = columns.axes.iter().map(|axis| axis.kernel.div_ceil(axis.tap_step()).min(axis.narrow));
        Ok(sums.into_reference(&shape, terms.product()))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::IxDyn;

    use super::*;

    fn run<O: Op>(op: &O, values: &[f32]) -> Vec<f64> {
        let shape = op.inputs().unwrap().swap_remove(0).shape;
        let input = ArrayD::from_shape_vec(IxDyn(&shape), values.to_vec()).unwrap();
        op.reference(&[input.view()]).unwrap().values.iter().copied().collect()
    }

    fn numbered(count: usize) -> Vec<f32> {
        (0..count).map(|at| at as f32).collect()
    }

    /// `F.unfold` and `F.fold` of `torch.arange`.
    #[test]
    fn blocks_by_hand() {
        let unfold = Unfold2d::from_shape(&[1, 1, 3, 3], [2, 2]).unwrap();
        let columns = [0., 1., 3., 4., 1., 2., 4., 5., 3., 4., 6., 7., 4., 5., 7., 8.];
        assert_eq!(run(&unfold, &numbered(9)), columns);
        let folded = run(&unfold.grad_input(), &columns.map(|value| value as f32));
        assert_eq!(folded, [0., 2., 2., 6., 16., 10., 6., 14., 8.]);
        // Stride 2, one sample of padding on both sides, taps two apart.
        let apart = Unfold1d { stride: [2], padding: [1].into(), dilation: [2], ..unfold_line(5, 2) };
        assert_eq!(run(&apart, &[1., 2., 3., 4., 5.]), [0., 2., 4., 2., 4., 0.]);
        let uneven = Unfold1d { padding: [[0, 2]].into(), stride: [3], ..unfold_line(5, 3) };
        assert_eq!(run(&uneven, &[1., 2., 3., 4., 5.]), [1., 4., 2., 5., 3., 0.]);
        assert_eq!(run(&uneven.grad_input(), &numbered(6)), [0., 2., 4., 1., 3.]);
        let cropped = Unfold1d { padding: [[-1, -1]].into(), ..unfold_line(5, 2) };
        assert_eq!(run(&cropped, &[1., 2., 3., 4., 5.]), [2., 3., 3., 4.]);
        assert_eq!(run(&cropped.grad_input(), &[1., 2., 3., 4.]), [0., 1., 5., 4., 0.]);
    }

    fn unfold_line(samples: usize, kernel: usize) -> Unfold1d {
        Unfold1d::from_shape(&[1, 1, samples], [kernel]).unwrap()
    }

    #[test]
    fn channels_come_before_taps() {
        let unfold = Unfold1d { stride: [2], ..Unfold1d::from_shape(&[2, 2, 4], [2]).unwrap() };
        let columns = run(&unfold, &numbered(16));
        assert_eq!(columns, [0., 2., 1., 3., 4., 6., 5., 7., 8., 10., 9., 11., 12., 14., 13., 15.]);
        let back = run(&unfold.grad_input(), &columns.iter().map(|&value| value as f32).collect::<Vec<_>>());
        assert_eq!(back, (0..16).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn bad_numbers_are_refused() {
        let wide = Unfold1d { padding: [1].into(), ..unfold_line(3, 6) };
        assert_eq!(wide.output(), Err(Error::KernelTooLarge { axis: 0, span: 6, padded: 5 }));
        assert_eq!(wide.grad_input().output(), Err(Error::KernelTooLarge { axis: 0, span: 6, padded: 5 }));
        let odd = Fold2d::from_shape(&[1, 7, 4], [3, 3], [2, 2]);
        assert_eq!(odd, Err(Error::NotDivisible { what: "channels of the columns", value: 7, by: 4 }));
        assert!(matches!(Fold2d::from_shape(&[1, 8, 2, 2], [3, 3], [2, 2]), Err(Error::Rank { .. })));
        let none = Fold1d { output_size: [0], ..Default::default() };
        assert!(matches!(none.output(), Err(Error::ZeroOnAxis { axis: 0, .. })));
        let many = Unfold2d { channels: 1 << 20, input_size: [99, 99], kernel_size: [99, 99], ..Default::default() };
        assert!(matches!(many.output(), Err(Error::TooLarge { what: "channels of the columns", .. })));
        let columns = Fold2d { output_size: [3, 3], kernel_size: [2, 2], ..Default::default() };
        let wrong = columns.reference(&[ArrayD::<f32>::zeros(IxDyn(&[1, 4, 5])).view()]);
        assert!(matches!(wrong, Err(Error::Shape { .. })), "{wrong:?}");
    }
}
