//! Cutting a pass into dispatches whose bindings the device can hold.

use std::ops::Range;

use wgpu::Limits;

use super::operand::{LaidOutTensor, Stored};
use super::pass::{Part, Pass, SplitAlignment, Work};
use super::region::{AXES, REDUCTION, Region};
use super::rounds::{self, MAX_ROUNDS, ROUNDS, check_rounds};
use super::uniform::to_u32;
use crate::dtype::FloatType;
use crate::error::{Error, Result};
use crate::geometry::at_most;

/// Most dispatches that one pass may be cut into, and that a plan may have.
pub(crate) const MAX_DISPATCHES: usize = 4096;

/// Elements that one dispatch may address or compute. It keeps indices below 2³², and also thread numbers, of which the
/// grid has up to a row of workgroups more than there is work.
const MAX_ELEMENTS: u64 = 1 << 31;

pub(crate) const BINDING: &str = "max_storage_buffer_binding_size";
/// The name of the bound on a dispatch's work in an error.
pub(crate) const WORK: &str = "work of a dispatch (PlanOptions::max_dispatch_time)";

const WORKGROUPS: &str = "max_compute_workgroups_per_dimension";

/// A binding's size and offset are multiples of this many bytes.
const WORD: u64 = 4;

/// What a device's limits allow one dispatch of a pass.
struct Bounds {
    binding: u64,
    alignment: u64,
    workgroups: u32,
    workgroup_size: u32,
    work: u64,
    /// Axes of a region that may be cut, counted from the first. The reduction, the last, is not cut if the output is
    /// a sum in f16: partial sums in the output would be rounded.
    axes: usize,
    split_alignment: SplitAlignment,
}

impl Bounds {
    /// The bytes to bind for a span of elements: from an aligned byte to the word in which the span ends.
    fn window(&self, tensor: &LaidOutTensor, span: &Range<usize>) -> Range<u64> {
        let [start, end] = [span.start, span.end].map(|element| element as u64 * tensor.stored.bytes());
        start - start % self.alignment..end.next_multiple_of(WORD)
    }

    fn bytes(&self, tensor: &LaidOutTensor, span: &Range<usize>) -> u64 {
        let window = self.window(tensor, span);
        window.end - window.start
    }

    /// The most bytes of a tensor that may be bound.
    fn limit(&self, tensor: &LaidOutTensor) -> u64 {
        self.binding.min(MAX_ELEMENTS * tensor.stored.bytes())
    }

    /// Units of the work that one workgroup does: its threads, or 1 if workgroups are counted.
    fn work_per_workgroup(&self, work: Work) -> u32 {
        if matches!(work, Work::Threads(_)) { self.workgroup_size } else { 1 }
    }

    /// Whether the largest grid of one dispatch holds this much work.
    fn holds(&self, work: Work) -> bool {
        let groups = u64::from(self.workgroups).pow(2);
        work.count() <= groups.saturating_mul(self.work_per_workgroup(work).into()).min(MAX_ELEMENTS).into()
    }

    /// The work of a part of a pass.
    fn work<P: Pass>(&self, pass: &P, region: &Region) -> u64 {
        let invocations = match pass.work(region) {
            Work::Threads(count) => count,
            Work::Workgroups(count) => count * u128::from(self.workgroup_size),
        };
        rounds::work(invocations, pass.rounds(region))
    }

    /// The output axis to halve for less work in a dispatch: one whose halves have the least work together (a tile that
    /// is not full works as long as a full one), and of those the longest. `None` if the work is little enough, or no
    /// half has less.
    fn shortening_axis<P: Pass>(&self, pass: &P, region: &Region) -> Option<usize> {
        let whole = self.work(pass, region);
        if whole <= self.work {
            return None;
        }
        let rank = |axis: usize| {
            let [first, second] = self.halves(region, axis).each_ref().map(|half| self.work(pass, half));
            let together = first.saturating_add(second);
            (first.max(second) < whole).then_some((together, std::cmp::Reverse(region[axis].len()), axis))
        };
        let axes = (0..REDUCTION).rev().filter(|&axis| region[axis].len() > 1);
        axes.filter_map(rank).min().map(|(_, _, axis)| axis)
    }

    fn halves(&self, region: &Region, axis: usize) -> [Region; 2] {
        let length = region[axis].len();
        let alignment = if length > self.split_alignment[axis] { self.split_alignment[axis] } else { 1 };
        region.cut(axis, region[axis].start + (length / 2).next_multiple_of(alignment))
    }

    /// The axis whose halving shrinks a tensor's binding most. What counts is the larger half's binding, then the
    /// smaller half's (of a crop's outputs one half may read all samples and the other none), then the axis's length.
    /// `None` if no axis can be cut.
    fn narrowing_axis(&self, region: &Region, size: &impl Fn(&Region) -> u64) -> Option<usize> {
        let rank = |axis: usize| {
            let [first, second] = self.halves(region, axis).each_ref().map(size);
            (first.max(second), first.min(second), std::cmp::Reverse(region[axis].len()))
        };
        let shortest = |axis: usize| if axis == REDUCTION { self.split_alignment[axis] } else { 1 };
        (0..self.axes).filter(|&axis| region[axis].len() > shortest(axis)).min_by_key(|&axis| rank(axis))
    }

    /// The axis to halve for fewer threads: the longest output axis, or, for a single output, the reduction, whose
    /// slices have a thread each. `None` if nothing can be halved.
    fn longest_axis(&self, region: &Region) -> Option<usize> {
        let axes = (0..REDUCTION).rev().filter(|&axis| region[axis].len() > 1);
        let cut = self.axes > REDUCTION && region.reduction.len() > self.split_alignment[REDUCTION];
        axes.max_by_key(|&axis| region[axis].len()).or(cut.then_some(REDUCTION))
    }

    fn part(&self, region: Region, tensors: &[&LaidOutTensor], spans: &[Range<usize>], work: Work) -> Part {
        let work_per_workgroup = self.work_per_workgroup(work);
        let workgroups = fold(work.count(), work_per_workgroup, self.workgroups);
        let bytes = tensors.iter().zip(spans).map(|(tensor, span)| self.window(tensor, span));
        Part { bytes: bytes.collect(), row: workgroups[0] * work_per_workgroup, workgroups, region }
    }
}

/// The parts of a pass: its region is halved until every tensor's part fits into a binding, the work into a grid, an
/// invocation makes no more than [`MAX_ROUNDS`], and a part has no more than `max_work`, unless a workgroup alone has
/// more. An empty region has no parts.
///
/// Cutting the reduction leaves the order of a sum as it is: for each output, the parts come with ascending terms.
pub(crate) fn split<P: Pass>(pass: &P, limits: &Limits, workgroup_size: u32, max_work: u64) -> Result<Vec<Part>> {
    let tensors = pass.tensors();
    let in_f16 = tensors.last().is_some_and(|output| output.stored == Stored::Float(FloatType::F16));
    let bounds = Bounds {
        binding: limits.max_storage_buffer_binding_size / WORD * WORD,
        alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(WORD),
        workgroups: limits.max_compute_workgroups_per_dimension,
        workgroup_size,
        work: max_work,
        axes: if in_f16 && pass.sums() { REDUCTION } else { AXES },
        split_alignment: pass.split_alignment(),
    };
    let mut parts = Vec::new();
    let mut open = vec![pass.region()];
    open.retain(|region| !region.is_empty());
    while let Some(region) = open.pop() {
        let spans = pass.spans(&region);
        let mut bound = tensors.iter().zip(&spans);
        let over = bound.position(|(tensor, span)| bounds.bytes(tensor, span) > bounds.limit(tensor));
        let work = pass.work(&region);
        let (axis, limit) = match over {
            Some(number) => {
                let tensor = tensors[number];
                let size = |region: &Region| bounds.bytes(tensor, &pass.spans(region)[number]);
                let axis = bounds.narrowing_axis(&region, &size).ok_or_else(|| Error::BindingTooSmall {
                    operand: tensor.name(),
                    needed: size(&region),
                    limit: bounds.limit(tensor),
                    limit_name: BINDING,
                })?;
                (axis, (BINDING, bounds.binding))
            }
            None if region.reduction.len() as u64 > MAX_ELEMENTS => {
                if bounds.axes <= REDUCTION {
                    let terms = region.reduction.len() as u128;
                    at_most("the terms of a sum that must not be split", terms, MAX_ELEMENTS.into())?;
                }
                (REDUCTION, (BINDING, bounds.binding))
            }
            None if pass.rounds(&region) > MAX_ROUNDS => {
                if bounds.axes <= REDUCTION || region.reduction.len() <= bounds.split_alignment[REDUCTION] {
                    check_rounds(pass.rounds(&region))?;
                }
                (REDUCTION, (ROUNDS, MAX_ROUNDS))
            }
            None if !bounds.holds(work) => {
                let limit = (WORKGROUPS, bounds.workgroups.into());
                (bounds.longest_axis(&region).ok_or_else(|| too_many(limit))?, limit)
            }
            None => match bounds.shortening_axis(pass, &region) {
                Some(axis) => (axis, (WORK, bounds.work)),
                None => {
                    parts.push(bounds.part(region, &tensors, &spans, work));
                    continue;
                }
            },
        };
        if parts.len() + open.len() + 2 > MAX_DISPATCHES {
            return Err(too_many(limit));
        }
        let [first, second] = bounds.halves(&region, axis);
        open.extend([second, first]);
    }
    Ok(parts)
}

pub(crate) fn too_many((limit_name, limit): (&'static str, u64)) -> Error {
    Error::TooManyDispatches { limit_name, limit, max: MAX_DISPATCHES }
}

/// Workgroups for `threads` threads, folded into two dimensions of at most `limit` each.
fn fold(threads: u128, workgroup_size: u32, limit: u32) -> [u32; 2] {
    let groups = threads.div_ceil(workgroup_size.into());
    let rows = groups.div_ceil(limit.into());
    [to_u32(groups.div_ceil(rows)), to_u32(rows)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::program::operand::Source;
    use crate::tensor::layout::TensorLayout;
    use crate::tensor::operand::Role;

    /// A pass over one operand.
    struct Copy {
        region: Region,
        tensor: LaidOutTensor,
    }

    impl Copy {
        fn new(region: Region, shape: &[usize]) -> Self {
            let (layout, stored) = (TensorLayout::contiguous(shape), Stored::Float(FloatType::F32));
            Self {
                region,
                tensor: LaidOutTensor { role: Some(Role::Output), layout, stored, source: Source::Operand(0) },
            }
        }

        fn split(&self, binding: u64) -> Result<Vec<Part>> {
            split(self, &Limits { max_storage_buffer_binding_size: binding, ..Limits::default() }, 64, u64::MAX)
        }
    }

    impl Pass for Copy {
        type Uniform = [u32; 4];

        fn region(&self) -> Region {
            self.region.clone()
        }

        fn tensors(&self) -> Vec<&LaidOutTensor> {
            vec![&self.tensor]
        }

        fn spans(&self, region: &Region) -> Vec<Range<usize>> {
            let axes: Vec<_> = (0..AXES).map(|axis| region[axis].clone()).collect();
            vec![self.tensor.layout.span(&axes)]
        }

        fn rounds(&self, _: &Region) -> u64 {
            0
        }

        fn uniform(&self, _: &Part) -> [u32; 4] {
            [0; 4]
        }
    }

    fn full() -> Copy {
        Copy::new(Region::whole([2, 4], [1, 8, 16], 1), &[2, 4, 1, 8, 16, 1])
    }

    #[test]
    fn what_fits_is_one_part() {
        let parts = full().split(4096).unwrap();
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].bytes.len(), &parts[0].bytes[0]), (1, &(0..4096)));
        assert_eq!((parts[0].workgroups, parts[0].row), ([16, 1], 1024));
    }

    #[test]
    fn parts_cover_every_output_once_and_keep_the_limit() {
        for binding in [256, 512, 1024, 2048, 4095] {
            let parts = full().split(binding).unwrap();
            assert!(
                parts.iter().all(|part| {
                    part.bytes[0].end - part.bytes[0].start <= binding && part.bytes[0].start % 256 == 0
                })
            );
            let mut seen = vec![0; 1024];
            for part in &parts {
                let [n, c, h, w] = [0, 1, 3, 4].map(|axis| part.region[axis].clone());
                for (n, c, h, w) in n.flat_map(|n| {
                    let (h, w) = (h.clone(), w.clone());
                    c.clone().flat_map(move |c| {
                        let w = w.clone();
                        h.clone().flat_map(move |h| w.clone().map(move |w| (n, c, h, w)))
                    })
                }) {
                    seen[n * 512 + c * 128 + h * 16 + w] += 1;
                }
            }
            assert!(seen.iter().all(|&times| times == 1), "{binding}");
        }
    }

    #[test]
    fn an_impossible_limit_is_named() {
        let error = full().split(3).unwrap_err();
        assert!(matches!(error, Error::BindingTooSmall { operand: "output", needed: 4, limit: 0, .. }), "{error:?}");
    }

    #[test]
    fn a_split_sum_ascends() {
        let sum = Copy::new(Region::whole([1, 1], [1, 1, 1], 1024), &[1, 1, 1, 1, 1, 1024]);
        let order: Vec<_> = sum.split(1024).unwrap().iter().map(|part| part.region.reduction.clone()).collect();
        assert_eq!(order, [0..256, 256..512, 512..768, 768..1024]);
    }

    #[test]
    fn workgroups_fold_into_rows() {
        assert_eq!(fold(1, 64, 65535), [1, 1]);
        assert_eq!(fold(65535 * 64, 64, 65535), [65535, 1]);
        assert_eq!(fold(65535 * 64 + 1, 64, 65535), [32768, 2]);
        let [x, y] = fold(1 << 31, 64, 65535);
        assert!(x <= 65535 && y <= 65535 && u64::from(x) * u64::from(y) * 64 >= 1 << 31);
    }
}
