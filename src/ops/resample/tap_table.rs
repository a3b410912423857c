//! Tap tables: which input samples make an output sample of a separable resize, and with which weights.

use crate::error::Result;
use crate::tensor::allocate::{reserve, zeros};

/// One sample that an output is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// The input index; it is inside the input.
    pub index: usize,
    /// The sample's weight; samples of weight 0 are left out.
    pub weight: f64,
}

/// For each output index of one axis, the samples that it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct TapTable {
    /// Where each output's taps begin in `entries`, then the end of the last output's.
    starts: Vec<usize>,
    entries: Vec<Tap>,
    /// For each output, whether it takes the extrapolation value instead.
    outside: Vec<bool>,
    /// The largest number of taps of an output.
    longest: usize,
}

impl TapTable {
    /// A table without outputs yet, with room for `outputs` of them with `taps` taps each.
    pub(crate) fn with_capacity(outputs: usize, taps: usize) -> Result<Self> {
        let mut starts = reserve("a tap table", outputs.saturating_add(1))?;
        starts.push(0);
        let entries = reserve("a tap table", outputs.saturating_mul(taps))?;
        Ok(Self { starts, entries, outside: reserve("a tap table", outputs)?, longest: 0 })
    }

    /// The table of an axis that the problem lacks: one output, a copy of one sample.
    pub(crate) fn unit() -> Self {
        Self { starts: vec![0, 1], entries: vec![Tap { index: 0, weight: 1.0 }], outside: vec![false], longest: 1 }
    }

    /// The table that copies each of `samples` samples.
    pub(crate) fn identity(samples: usize) -> Result<Self> {
        let mut table = Self::with_capacity(samples, 1)?;
        (0..samples).for_each(|index| table.push([Tap { index, weight: 1.0 }], false));
        Ok(table)
    }

    /// Whether the table copies each of `samples` samples.
    pub(crate) fn is_identity(&self, samples: usize) -> bool {
        let kept = |q: usize| !self.outside[q] && matches!(*self.at(q), [Tap { index, weight: 1.0 }] if index == q);
        self.len() == samples && (0..samples).all(kept)
    }

    /// Whether an output takes the extrapolation value.
    pub(crate) fn has_outside(&self) -> bool {
        self.outside.contains(&true)
    }

    /// Adds the next output. Taps of weight 0 are left out; successive taps of the same sample, as at a repeated edge,
    /// become one.
    pub(crate) fn push(&mut self, taps: impl IntoIterator<Item = Tap>, outside: bool) {
        let first = self.entries.len();
        for tap in taps.into_iter().filter(|tap| tap.weight != 0.0) {
            match self.entries[first..].last_mut() {
                Some(last) if last.index == tap.index => last.weight += tap.weight,
                _ => self.entries.push(tap),
            }
        }
        self.starts.push(self.entries.len());
        self.longest = self.longest.max(self.entries.len() - first);
        self.outside.push(outside);
    }

    /// Number of outputs.
    pub fn len(&self) -> usize {
        self.outside.len()
    }

    /// Whether there is no output.
    pub fn is_empty(&self) -> bool {
        self.outside.is_empty()
    }

    /// The taps of output `q`, which must be below [`Self::len`].
    pub fn at(&self, q: usize) -> &[Tap] {
        &self.entries[self.starts[q]..self.starts[q + 1]]
    }

    /// Where the taps of output `q` begin in [`Self::entries`]. For the number of outputs, it is the end.
    pub(crate) fn start(&self, q: usize) -> usize {
        self.starts[q]
    }

    /// The taps of all outputs, one output after the other.
    pub(crate) fn entries(&self) -> &[Tap] {
        &self.entries
    }

    /// Whether output `q` takes the extrapolation value instead; `q` must be below [`Self::len`].
    pub fn is_outside(&self, q: usize) -> bool {
        self.outside[q]
    }

    /// The largest number of taps of an output.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The largest Σ |weight| of an output, at least 1.
    pub(crate) fn largest_weight_sum(&self) -> f64 {
        let sums = (0..self.len()).map(|q| self.at(q).iter().map(|tap| tap.weight.abs()).sum());
        sums.fold(1.0, f64::max)
    }

    /// The table in two steps: the first sums up to `most` taps at a time, the second adds those sums, in the order of
    /// the taps. Each output has as many sums as the one with the most taps needs. Outputs that take the extrapolation
    /// value get no taps.
    pub(crate) fn in_two_steps(&self, most: usize) -> Result<[Self; 2]> {
        let sums = self.longest().div_ceil(most).max(1);
        let mut first = Self::with_capacity(self.len().saturating_mul(sums), 0)?;
        let mut second = Self::with_capacity(self.len(), sums)?;
        for q in 0..self.len() {
            let taps = if self.outside[q] { &[] } else { self.at(q) };
            for number in 0..sums {
                let end = taps.len().min((number + 1) * most);
                first.push(taps[end.min(number * most)..end].iter().copied(), false);
            }
            second.push((0..sums).map(|number| Tap { index: q * sums + number, weight: 1.0 }), false);
        }
        Ok([first, second])
    }

    /// The taps of these numbers of each output. Only with the first of its taps does an output take the extrapolation
    /// value, so that the outputs of all parts of a table add up to those of the table.
    pub(crate) fn part(&self, numbers: std::ops::Range<usize>) -> Result<Self> {
        let mut part = Self::with_capacity(self.len(), 0)?;
        for q in 0..self.len() {
            let taps = if self.outside[q] { &[] } else { self.at(q) };
            let end = taps.len().min(numbers.end);
            part.push(taps[end.min(numbers.start)..end].iter().copied(), self.outside[q] && numbers.start == 0);
        }
        Ok(part)
    }

    /// The same table with no taps for outputs that take the extrapolation value.
    pub(crate) fn without_outside(&self) -> Result<Self> {
        let [table, _] = self.in_two_steps(self.longest().max(1))?;
        Ok(table)
    }

    /// The table that copies each output of this one, but for those that take the extrapolation value.
    pub(crate) fn outside_alone(&self) -> Result<Self> {
        let mut table = Self::with_capacity(self.len(), 1)?;
        (0..self.len()).for_each(|q| table.push([Tap { index: q, weight: 1.0 }], self.outside[q]));
        Ok(table)
    }

    /// The table of the transpose: for each of `inputs` samples, the outputs that it takes part in. Outputs that take
    /// the extrapolation value are left out.
    pub(crate) fn transpose(&self, inputs: usize) -> Result<Self> {
        let inside = || (0..self.len()).filter(|&q| !self.outside[q]);
        let mut starts: Vec<usize> = zeros("a tap table", inputs + 1)?;
        inside().flat_map(|q| self.at(q)).for_each(|tap| starts[tap.index + 1] += 1);
        for input in 0..inputs {
            starts[input + 1] += starts[input];
        }
        let mut next: Vec<usize> = reserve("a tap table", starts.len())?;
        next.extend(&starts);
        let mut entries = reserve("a tap table", starts[inputs])?;
        entries.resize(starts[inputs], Tap { index: 0, weight: 0.0 });
        for q in inside() {
            for tap in self.at(q) {
                entries[next[tap.index]] = Tap { index: q, weight: tap.weight };
                next[tap.index] += 1;
            }
        }
        let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        Ok(Self { starts, entries, outside: zeros("a tap table", inputs)?, longest })
    }

    /// Applies the table, its weights changed by `weigh`, along one axis of a row-major tensor, adding whole rows. The
    /// axis gets the table's length.
    pub(crate) fn apply(
        &self,
        from: &[f64],
        shape: &[usize],
        axis: usize,
        weigh: impl Fn(f64) -> f64,
    ) -> Result<Vec<f64>> {
        let inner: usize = shape[axis + 1..].iter().product();
        let (input, output) = (shape[axis], self.len());
        let outer: usize = shape[..axis].iter().product();
        let mut to = zeros("the reference", outer.saturating_mul(output).saturating_mul(inner))?;
        for block in 0..outer {
            for q in 0..output {
                let row: &mut [f64] = &mut to[(block * output + q) * inner..][..inner];
                for tap in self.at(q) {
                    let source = &from[(block * input + tap.index) * inner..][..inner];
                    let weight = weigh(tap.weight);
                    row.iter_mut().zip(source).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        }
        Ok(to)
    }

    /// The transpose applied by scattering: each output along the axis is added, weighted, to the inputs of its taps.
    /// The axis gets `inputs` samples.
    pub(crate) fn scatter(
        &self,
        from: &[f64],
        shape: &[usize],
        axis: usize,
        inputs: usize,
        weigh: impl Fn(f64) -> f64,
    ) -> Result<Vec<f64>> {
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let mut to = zeros("the reference", outer.saturating_mul(inputs).saturating_mul(inner))?;
        for block in 0..outer {
            for q in (0..self.len()).filter(|&q| !self.outside[q]) {
                let source = &from[(block * self.len() + q) * inner..][..inner];
                for tap in self.at(q) {
                    let row: &mut [f64] = &mut to[(block * inputs + tap.index) * inner..][..inner];
                    let weight = weigh(tap.weight);
                    row.iter_mut().zip(source).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        }
        Ok(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TapTable {
        let tap = |index, weight| Tap { index, weight };
        let mut table = TapTable::with_capacity(4, 2).unwrap();
        table.push([tap(0, 0.25), tap(0, 0.75)], false);
        table.push([tap(0, 0.5), tap(2, 0.5)], false);
        table.push([tap(2, 1.0), tap(1, 0.0)], false);
        table.push([tap(2, 1.0)], true);
        table
    }

    #[test]
    fn a_sample_of_weight_0_is_left_out_and_an_edge_is_one_tap() {
        assert_eq!(table().at(0), [Tap { index: 0, weight: 1.0 }]);
        assert_eq!((table().at(2).len(), table().longest(), table().len()), (1, 2, 4));
    }

    #[test]
    fn two_steps_and_parts_sum_what_the_table_sums() {
        let tap = |index| Tap { index, weight: 1.0 + index as f64 };
        let mut table = TapTable::with_capacity(3, 7).unwrap();
        table.push((0..7).map(tap), false);
        table.push([tap(3)], true);
        table.push([tap(6)], false);
        let from = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
        let apply = |table: &TapTable, from: &[f64]| table.apply(from, &[from.len()], 0, |weight| weight).unwrap();
        let without = apply(&table.without_outside().unwrap(), &from);
        assert_eq!(without, [apply(&table, &from)[0], 0.0, 448.0]);
        for most in 1..8 {
            let [first, second] = table.in_two_steps(most).unwrap();
            assert_eq!((first.longest(), second.longest()), (most.min(7), 7usize.div_ceil(most)));
            assert_eq!(apply(&second, &apply(&first, &from)), without);
            let parts = (0..7).step_by(most).map(|start| table.part(start..start + most).unwrap());
            let parts: Vec<_> = parts.collect();
            let sums = parts.iter().map(|part| apply(part, &from)[0]).sum::<f64>();
            assert_eq!(sums, without[0]);
            assert!(parts.iter().enumerate().all(|(number, part)| part.is_outside(1) == (number == 0)));
        }
        assert!(table.outside_alone().unwrap().is_outside(1) && table.outside_alone().unwrap().len() == 3);
    }

    #[test]
    fn the_transpose_gathers_what_scattering_adds() {
        let (table, from) = (table(), [1.0, 2.0, 4.0, 100.0]);
        let gathered = table.transpose(3).unwrap().apply(&from, &[4], 0, |weight| weight).unwrap();
        assert_eq!(gathered, [2.0, 0.0, 5.0]);
        assert_eq!(table.scatter(&from, &[4], 0, 3, |weight| weight).unwrap(), gathered);
    }
}
