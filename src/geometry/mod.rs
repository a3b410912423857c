//! The one relation behind convolution, its transpose and their gradients, with every size formula.
//!
//! Per spatial axis a *wide* and a *narrow* index and a kernel *tap* belong together when
//!
//! ```text
//! wide = narrow * stride + tap * dilation - pad
//! ```
//!
//! A convolution reads the wide side and writes the narrow one; a transposed convolution does the reverse. What
//! frameworks call differently (output padding, output shapes, SAME, VALID) only determines the sizes and `pad`, and is
//! resolved on the host into a [`Geometry`]; shaders and references see nothing else.

pub(crate) mod color;
mod pairs;

use std::ops::Range;
use std::str::FromStr;

use crate::error::words::parse_word;
use crate::error::{Error, Result};

/// Largest coordinate (index, padded size, kernel span) that the shaders' signed 32-bit arithmetic holds with room for
/// one step of [`MAX_STEP`].
pub const MAX_COORDINATE: usize = i32::MAX as usize - MAX_STEP - 1;

/// Largest stride and largest dilation: the shaders multiply two residues modulo a stride in 32 bits. A stride on an
/// axis of one narrow sample, and a dilation of one tap, may be larger: they are never taken.
pub const MAX_STEP: usize = u16::MAX as usize;

/// Largest number of elements of a tensor: a `usize` must count its bytes, four for each element.
pub(crate) const MAX_ELEMENTS: usize = usize::MAX / 4 - 1;

/// Explicit padding: samples `[before, after]` on each spatial axis. Negative values crop a convolution's input and
/// extend a transposed convolution's output.
pub type Pads<const R: usize> = [[i64; 2]; R];

/// The padding of a convolution, a pooling or a transposed convolution, explicitly or by rule.
///
/// A convolution adds these samples around its input; a transposed convolution, which runs the other way, cuts them off
/// its output. SAME and VALID are TensorFlow's and ONNX's words: SAME makes a convolution's output
/// `ceil(input / stride)` and a transposed convolution's `input * stride`.
///
/// ```
/// use upconv::Padding;
/// assert_eq!(Padding::from([1, 2]), Padding::Explicit([[1, 1], [2, 2]]));
/// assert_eq!(Padding::from([[0, 1], [2, 2]]), Padding::Explicit([[0, 1], [2, 2]]));
/// assert_eq!(Padding::<2>::SAME, Padding::SameUpper);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Padding<const R: usize> {
    /// These numbers of samples, `[before, after]` each axis; negative numbers cut samples instead of adding them, or
    /// add samples instead of cutting them.
    Explicit(Pads<R>),
    /// No padding.
    Valid,
    /// As much as SAME needs, the odd sample after (TensorFlow's SAME, ONNX's SAME_UPPER).
    SameUpper,
    /// As much as SAME needs, the odd sample before (ONNX's SAME_LOWER).
    SameLower,
}

impl<const R: usize> Default for Padding<R> {
    fn default() -> Self {
        Self::Explicit([[0; 2]; R])
    }
}

/// ONNX's `auto_pad` and TensorFlow's `padding`: `VALID`, `SAME_UPPER`, `SAME_LOWER` and `SAME`. ONNX's `NOTSET` and
/// TensorFlow's `EXPLICIT` are refused like every other word ([`Error::UnknownWord`]): their numbers are in another
/// attribute and make a [`Padding::Explicit`].
impl<const R: usize> FromStr for Padding<R> {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = [
            ("VALID", Self::Valid),
            ("SAME_UPPER", Self::SameUpper),
            ("SAME_LOWER", Self::SameLower),
            ("SAME", Self::SAME),
        ];
        parse_word("auto_pad", word, &known)
    }
}

/// PyTorch's form: the same number of samples on both sides of an axis.
impl<const R: usize> From<[usize; R]> for Padding<R> {
    fn from(padding: [usize; R]) -> Self {
        Self::Explicit(padding.map(|pad| [i64::try_from(pad).unwrap_or(i64::MAX); 2]))
    }
}

/// ONNX's and oneDNN's form: numbers of samples before and after each axis.
impl<const R: usize> From<Pads<R>> for Padding<R> {
    fn from(padding: Pads<R>) -> Self {
        Self::Explicit(padding)
    }
}

/// The relation `wide = narrow * stride + tap * dilation - pad` on one spatial axis. All numbers but `wide` and `pad`
/// are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Samples on the wide side: a convolution's input, a transposed convolution's output.
    pub wide: usize,
    /// Samples on the narrow side: a convolution's output, a transposed convolution's input.
    pub narrow: usize,
    /// Kernel taps.
    pub kernel: usize,
    /// Wide samples from one narrow index to the next, at most [`MAX_STEP`]. With one narrow sample it has no effect,
    /// and a descriptor's larger stride is [`MAX_STEP`] here.
    pub stride: usize,
    /// Wide samples from one tap to the next, at most [`MAX_STEP`]; 1 is an ordinary kernel. With one tap it has no
    /// effect, and a descriptor's larger dilation is [`MAX_STEP`] here.
    pub dilation: usize,
    /// Samples of padding before the wide side; negative crops.
    pub pad: i64,
}

impl Axis {
    /// An axis of one sample and one tap, which stands for each of the three axes that a 1-D or 2-D problem lacks.
    pub(crate) const UNIT: Self = Self { wide: 1, narrow: 1, kernel: 1, stride: 1, dilation: 1, pad: 0 };

    /// Wide samples that the kernel spans: `dilation * (kernel - 1) + 1`.
    pub fn span(&self) -> usize {
        span(self.kernel, self.dilation)
    }

    /// Distance between the taps that belong to one wide index: `stride / gcd(stride, dilation)`.
    pub fn tap_step(&self) -> usize {
        self.stride / gcd(self.stride, self.dilation)
    }

    /// The narrow indices whose wide index by `tap` is inside the wide side. Their wide indices are `stride` apart.
    pub fn narrow_range(&self, tap: usize) -> Range<usize> {
        let shift = self.pad - (tap * self.dilation) as i64;
        self.clip_narrow(div_ceil(shift, self.stride), (self.wide as i64 - 1 + shift).div_euclid(self.stride as i64))
    }

    /// The wide index of `narrow` and `tap` by the relation; `narrow` must be in [`Self::narrow_range`] of `tap`.
    pub fn wide_index(&self, narrow: usize, tap: usize) -> usize {
        (self.relation(narrow, tap)) as usize
    }

    fn relation(&self, narrow: usize, tap: usize) -> i64 {
        (narrow * self.stride + tap * self.dilation) as i64 - self.pad
    }

    /// A range that holds all wide indices of these narrow indices by these taps; neither range may be empty. The
    /// result is empty if all of them are in the padding.
    pub fn wide_window(&self, narrow: &Range<usize>, taps: &Range<usize>) -> Range<usize> {
        let first = self.relation(narrow.start, taps.start).max(0);
        let last = self.relation(narrow.end - 1, taps.end - 1).min(self.wide as i64 - 1);
        if last < first { 0..0 } else { first as usize..last as usize + 1 }
    }

    /// A range that holds all narrow indices that belong to these wide indices by any tap; `wide` must not be empty.
    pub fn narrow_window(&self, wide: &Range<usize>) -> Range<usize> {
        let reach = (self.span() - 1) as i64;
        let first = div_ceil(wide.start as i64 + self.pad - reach, self.stride);
        self.clip_narrow(first, (wide.end as i64 - 1 + self.pad).div_euclid(self.stride as i64))
    }

    /// `first..=last` without the indices outside the narrow side.
    fn clip_narrow(&self, first: i64, last: i64) -> Range<usize> {
        let (first, last) = (first.max(0), last.min(self.narrow as i64 - 1));
        if last < first { 0..0 } else { first as usize..last as usize + 1 }
    }

    /// The axis with a stride and a dilation of at most [`MAX_STEP`]. Refuses a larger one that is taken, from one
    /// narrow sample or tap to the next.
    pub(crate) fn with_short_steps(self) -> Result<Self> {
        let short = |what, step: usize, indices: usize| {
            if indices > 1 {
                at_most(what, step as u128, MAX_STEP as u128)?;
            }
            Ok(step.min(MAX_STEP))
        };
        let (stride, dilation) =
            (short("stride", self.stride, self.narrow)?, short("dilation", self.dilation, self.kernel)?);
        Ok(Self { stride, dilation, ..self })
    }

    /// Refuses what 32-bit coordinates cannot hold.
    pub(crate) fn check(&self) -> Result<()> {
        let limit = MAX_COORDINATE as u128;
        let steps = |n: usize, step: usize| (n.max(1) as u128 - 1) * step as u128;
        at_most("the kernel's span", steps(self.kernel, self.dilation) + 1, limit)?;
        at_most("a padded size", self.wide as u128 + u128::from(self.pad.unsigned_abs()), limit)?;
        let reach = steps(self.narrow, self.stride) + steps(self.kernel, self.dilation);
        at_most("a padded size", reach + u128::from(self.pad.unsigned_abs()), limit)
    }
}

/// The canonical form that every framework's parameters resolve to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Geometry<const R: usize> {
    /// Images.
    pub batch: usize,
    /// Groups of channels: each output channel reads the input channels of its own group.
    pub groups: usize,
    /// Channels on the wide side.
    pub wide_channels: usize,
    /// Channels on the narrow side.
    pub narrow_channels: usize,
    /// The spatial axes, outermost first.
    pub axes: [Axis; R],
}

impl<const R: usize> Geometry<R> {
    /// Shape of the wide tensor: (N, C, spatial...).
    pub fn wide_shape(&self) -> Vec<usize> {
        [self.batch, self.wide_channels].into_iter().chain(self.axes.iter().map(|axis| axis.wide)).collect()
    }

    /// Shape of the narrow tensor: (N, C, spatial...).
    pub fn narrow_shape(&self) -> Vec<usize> {
        [self.batch, self.narrow_channels].into_iter().chain(self.axes.iter().map(|axis| axis.narrow)).collect()
    }

    /// Shape of the weight: (narrow channels, wide channels / groups, kernel...). That is PyTorch's (Cout, Cin/g, k...)
    /// for a convolution and its (Cin, Cout/g, k...) for a transposed one.
    pub fn weight_shape(&self) -> Vec<usize> {
        let channels = [self.narrow_channels, self.wide_per_group()];
        channels.into_iter().chain(self.axes.iter().map(|axis| axis.kernel)).collect()
    }

    /// Wide channels in one group.
    pub fn wide_per_group(&self) -> usize {
        self.wide_channels / self.groups
    }

    /// Narrow channels in one group.
    pub fn narrow_per_group(&self) -> usize {
        self.narrow_channels / self.groups
    }

    /// Products of an input sample and a weight that are summed, not counting taps that fall into the padding.
    pub fn multiply_adds(&self) -> u128 {
        let channels = self.batch as u128 * self.narrow_channels as u128 * self.wide_per_group() as u128;
        self.axes.iter().fold(channels, |n, axis| n.saturating_mul(axis.pairs()))
    }

    /// Refuses channel counts that groups do not divide and sizes past a limit.
    pub(crate) fn check(&self, wide_name: &'static str, narrow_name: &'static str) -> Result<()> {
        if self.groups == 0 {
            return Err(Error::ZeroCount { what: "groups" });
        }
        let counts = [("groups", self.groups), (wide_name, self.wide_channels), (narrow_name, self.narrow_channels)];
        for (what, channels) in counts {
            at_most(what, channels as u128, MAX_COORDINATE as u128)?;
            if channels % self.groups != 0 {
                return Err(Error::Groups { groups: self.groups, what, channels });
            }
        }
        self.axes.iter().try_for_each(Axis::check)?;
        for shape in [self.wide_shape(), self.narrow_shape(), self.weight_shape()] {
            check_elements(&shape)?;
        }
        Ok(())
    }

    /// Three axes, as the shaders and references loop over them: before the problem's own, [`Axis::UNIT`] for each that
    /// it lacks.
    pub(crate) fn axes3(&self) -> [Axis; 3] {
        pad_to_three_axes(Axis::UNIT, &self.axes)
    }
}

/// Extends the values of one to three axes to three: `fill` comes first, for each axis that the problem lacks.
pub(crate) fn pad_to_three_axes<T: Copy>(fill: T, axes: &[T]) -> [T; 3] {
    std::array::from_fn(|i| (i + axes.len()).checked_sub(3).map_or(fill, |axis| axes[axis]))
}

impl<const R: usize> Padding<R> {
    /// TensorFlow's SAME: [`Padding::SameUpper`].
    pub const SAME: Self = Self::SameUpper;

    /// The padding in samples before and after the spatial axis of this number, which has `input` samples.
    pub(crate) fn on_axis(&self, axis: usize, input: usize, span: usize, stride: usize) -> Result<[i64; 2]> {
        match self {
            Self::Explicit(pads) => Ok(pads[axis]),
            Self::Valid => Ok([0; 2]),
            Self::SameUpper => split_padding(same_total(input, span, stride), true),
            Self::SameLower => split_padding(same_total(input, span, stride), false),
        }
    }
}

/// Refuses a field that is 0 or past its limit on any axis, before any formula multiplies it.
pub(crate) fn check_fields<const R: usize>(fields: &[(&'static str, [usize; R], usize)]) -> Result<()> {
    const { assert!(R >= 1 && R <= 3, "there are ops of one, two and three spatial axes") };
    for &(what, values, limit) in fields {
        if let Some(axis) = values.iter().position(|&value| value == 0) {
            return Err(Error::ZeroOnAxis { what, axis });
        }
        values.iter().try_for_each(|&value| at_most(what, value as u128, limit as u128))?;
    }
    Ok(())
}

/// Refuses a size past its limit on any axis; 0 is legal.
pub(crate) fn check_sizes(what: &'static str, sizes: &[usize]) -> Result<()> {
    sizes.iter().try_for_each(|&size| at_most(what, size as u128, MAX_COORDINATE as u128))
}

/// Checks the fields that a transposed convolution and the poolings share. Strides and dilations are also limited by
/// [`Axis::with_short_steps`].
pub(crate) fn check_layer<const R: usize>(
    input_size: [usize; R],
    kernel_size: [usize; R],
    stride: [usize; R],
    dilation: [usize; R],
) -> Result<()> {
    check_fields(&[("input_size", input_size, MAX_COORDINATE)])?;
    check_kernel(kernel_size, stride, dilation)
}

/// [`check_layer`] without the input's size.
pub(crate) fn check_kernel<const R: usize>(
    kernel_size: [usize; R],
    stride: [usize; R],
    dilation: [usize; R],
) -> Result<()> {
    check_fields(&[
        ("kernel_size", kernel_size, MAX_COORDINATE),
        ("stride", stride, MAX_COORDINATE),
        ("dilation", dilation, MAX_COORDINATE),
    ])
}

/// Refuses a tensor whose bytes this machine cannot count. An axis of size 0, such as an empty batch, counts as 1.
pub(crate) fn check_elements(shape: &[usize]) -> Result<()> {
    let elements = shape.iter().try_fold(1u128, |n, &axis| n.checked_mul(axis.max(1) as u128));
    at_most("a tensor's element count", elements.unwrap_or(u128::MAX), MAX_ELEMENTS as u128)
}

pub(crate) fn at_most(what: &'static str, value: u128, limit: u128) -> Result<()> {
    if value <= limit { Ok(()) } else { Err(Error::TooLarge { what, value, limit }) }
}

/// Wide samples that a kernel spans: `dilation * (kernel - 1) + 1`. Saturates.
pub(crate) fn span(kernel: usize, dilation: usize) -> usize {
    dilation.saturating_mul(kernel.saturating_sub(1)).saturating_add(1)
}

/// A convolution's output size: `floor((wide + before + after - span) / stride) + 1`.
pub(crate) fn conv_size(wide: usize, pads: [i64; 2], span: usize, stride: usize) -> i128 {
    (wide as i128 + i128::from(pads[0]) + i128::from(pads[1]) - span as i128).div_euclid(stride as i128) + 1
}

/// A transposed convolution's output size without output padding: `(narrow - 1) * stride + span - before - after`.
pub(crate) fn conv_transpose_size(narrow: usize, pads: [i64; 2], span: usize, stride: usize) -> i128 {
    (narrow as i128 - 1) * stride as i128 + span as i128 - i128::from(pads[0]) - i128::from(pads[1])
}

/// A convolution's SAME padding, before and after together: `max(0, (ceil(wide / stride) - 1) * stride + span - wide)`.
pub(crate) fn same_total(wide: usize, span: usize, stride: usize) -> i128 {
    ((wide.div_ceil(stride) as i128 - 1) * stride as i128 + span as i128 - wide as i128).max(0)
}

/// Splits `total` samples of padding into before and after. If it is odd, the larger number is the one after (`upper`)
/// or before. A negative total crops.
pub(crate) fn split_padding(total: i128, upper: bool) -> Result<[i64; 2]> {
    let limit = MAX_COORDINATE as i128;
    if total.abs() > limit {
        return Err(Error::TooLarge { what: "padding", value: total.unsigned_abs(), limit: limit as u128 });
    }
    let (smaller, larger) = (total.div_euclid(2) as i64, (total - total.div_euclid(2)) as i64);
    Ok(if upper { [smaller, larger] } else { [larger, smaller] })
}

/// Greatest common divisor.
pub(crate) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn div_ceil(a: i64, b: usize) -> i64 {
    -(-a).div_euclid(b as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every axis with small numbers, some of them absurd.
    fn axes() -> impl Iterator<Item = Axis> {
        let sizes = [1usize, 2, 5, 8];
        sizes.into_iter().flat_map(move |wide| {
            sizes.into_iter().flat_map(move |narrow| {
                (1..=4).flat_map(move |kernel| {
                    (1..=4).flat_map(move |stride| {
                        (1..=3).flat_map(move |dilation| {
                            (-3..=6).map(move |pad| Axis { wide, narrow, kernel, stride, dilation, pad })
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn ranges_and_windows_match_the_relation_by_brute_force() {
        for axis in axes() {
            let meets = |n: usize, t: usize| (0..axis.wide as i64).contains(&axis.relation(n, t));
            for t in 0..axis.kernel {
                let brute: Vec<usize> = (0..axis.narrow).filter(|&n| meets(n, t)).collect();
                assert_eq!(axis.narrow_range(t).collect::<Vec<_>>(), brute, "{axis:?} tap {t}");
            }
            for n in 0..axis.narrow {
                let window = axis.wide_window(&(n..n + 1), &(0..axis.kernel));
                let inside = |t: &usize| meets(n, *t);
                assert!(
                    (0..axis.kernel).filter(inside).all(|t| window.contains(&axis.wide_index(n, t))),
                    "{axis:?} {n}"
                );
            }
            for q in 0..axis.wide {
                let window = axis.narrow_window(&(q..q + 1));
                let met = (0..axis.narrow).filter(|&n| (0..axis.kernel).any(|t| axis.relation(n, t) == q as i64));
                assert!(met.into_iter().all(|n| window.contains(&n)), "{axis:?} {q}");
            }
        }
    }

    #[test]
    fn multiply_adds_count_what_is_summed() {
        let axis = Axis { wide: 4, narrow: 4, kernel: 3, stride: 1, dilation: 1, pad: 1 };
        let geometry = Geometry { batch: 2, groups: 3, wide_channels: 6, narrow_channels: 3, axes: [axis] };
        assert_eq!(geometry.multiply_adds(), 2 * 3 * 2 * (3 + 4 + 3));
        assert_eq!(geometry.weight_shape(), [3, 2, 3]);
    }

    #[test]
    fn padding_splits_round_as_named() {
        assert_eq!(split_padding(3, true), Ok([1, 2]));
        assert_eq!(split_padding(3, false), Ok([2, 1]));
        assert_eq!(split_padding(-1, true), Ok([-1, 0]));
        assert_eq!(same_total(5, 3, 2), 2);
        assert_eq!(same_total(4, 1, 3), 0);
    }

    #[test]
    fn coordinates_past_32_bits_are_refused() {
        let fine = Axis { wide: 8, narrow: 8, kernel: 3, stride: 1, dilation: 1, pad: 1 };
        fine.check().unwrap();
        for broken in
            [Axis { wide: usize::MAX, ..fine }, Axis { kernel: usize::MAX, ..fine }, Axis { pad: i64::MIN, ..fine }]
        {
            assert!(matches!(broken.check(), Err(Error::TooLarge { .. })), "{broken:?}");
        }
    }
}
