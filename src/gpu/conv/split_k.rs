//! Long sums in chunks: a first pass leaves a partial sum for each chunk, a second adds them in their order.

use crate::dtype::FloatType;
use crate::error::Result;
use crate::gpu::program::addressing::{activation_constants, flag};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Candidate, Recipe};
use crate::gpu::program::region::{REDUCTION, Tile, chunks_of};
use crate::gpu::program::request::{Launch, Request, Work};
use crate::gpu::program::shader::{Shader, Storage, with_storage};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::{uniform, wrap};
use crate::ops::activation::Activation;
use crate::tensor::layout::TensorLayout;

uniform! {
    /// `Params` of the second pass of a sum.
    PartialsParams {
        first_0: u32,
        first_1: u32,
        first_2: u32,
        first_3: u32,
        first_4: u32,
        count_0: u32,
        count_1: u32,
        count_2: u32,
        count_3: u32,
        count_4: u32,
        x_0: u32,
        x_1: u32,
        x_2: u32,
        x_3: u32,
        x_4: u32,
        y_0: u32,
        y_1: u32,
        y_2: u32,
        y_3: u32,
        y_4: u32,
        x_base: u32,
        y_base: u32,
        parts: u32,
        row_threads: u32,
        b_base: u32,
        b_stride: u32,
        alpha: f32,
        beta: f32,
    }
}

/// One thread per output element adds its partial sums.
pub(crate) static SUM: Shader = Shader {
    name: "conv_split_k_sum",
    texts: with_storage!("conv/split_k_sum.wgsl", "shared/activation.wgsl"),
    reads: 2,
    writes: 1,
    fields: PartialsParams::FIELDS,
    params_size: size_of::<PartialsParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size", "has_bias", "activation"],
};

/// Threads that a device of some size wants.
const THREADS: usize = 1 << 14;

/// Terms of a chunk that 32-bit numbers count with room to spare.
const MOST_TERMS: usize = 1 << 30;

/// Terms that are worth a thread.
const LEAST_CHUNK: usize = 64;

/// How the sum of `terms` for each of `outputs` is taken apart. It depends on nothing else, so that the result is the
/// same everywhere.
#[derive(Clone, Copy)]
pub(crate) struct Chunks {
    /// Terms in each but the last.
    pub(crate) chunk: usize,
    pub(crate) count: usize,
}

impl Chunks {
    /// Where each output has a thread, for each chunk.
    pub(crate) fn new(outputs: usize, terms: usize) -> Self {
        Self::of_least(LEAST_CHUNK, outputs, terms)
    }

    /// Where a thread has 16 outputs or more.
    pub(crate) fn of_tiles(outputs: usize, terms: usize) -> Self {
        Self::of_least(4 * LEAST_CHUNK, outputs.div_ceil(16), terms)
    }

    fn of_least(least: usize, threads: usize, terms: usize) -> Self {
        let wanted = THREADS.div_ceil(threads.max(1)).min(terms / least).max(1);
        let chunk = terms.div_ceil(wanted).clamp(1, MOST_TERMS);
        Self { chunk, count: terms.div_ceil(chunk).max(1) }
    }

    pub(crate) fn whole(terms: usize) -> Self {
        Self { chunk: terms.max(1), count: 1 }
    }

    /// In chunks where that gives threads to more of the device, and as a whole; for what is stored as f16 also with a
    /// workspace, where a sum may be split without being rounded.
    pub(crate) fn candidates(&self, whole: Candidate, storage: FloatType) -> Vec<Candidate> {
        let apart = self.count > 1 || storage == FloatType::F16;
        let apart = if apart { whole.with_split_k() } else { None };
        apart.into_iter().chain([whole]).collect()
    }

    /// What the chosen recipe makes of it.
    pub(crate) fn of(self, recipe: &Recipe, terms: usize) -> Self {
        if recipe.shape.split_k() { self } else { Self::whole(terms) }
    }
}

/// These candidates; and those of one pass with the sum in a workspace of f32, where the output is f16 and the sum must be
/// split.
pub(crate) fn with_f32_sums(mut candidates: Vec<Candidate>, storage: FloatType) -> Vec<Candidate> {
    if storage == FloatType::F16 {
        let in_two = candidates.iter().filter_map(Candidate::with_split_k);
        let new = |two: &Candidate| !candidates.iter().any(|other| other.recipe(1) == two.recipe(1));
        let in_two: Vec<_> = in_two.filter(new).collect();
        candidates.extend(in_two);
    }
    candidates
}

/// What a second pass does with the whole sums.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finish {
    /// The bias's number among the operands, where the first pass did not add it.
    pub(crate) bias: Option<usize>,
    pub(crate) activation: Activation,
}

/// What the first pass of a sum writes: the output itself, or a workspace.
pub(crate) struct Partials {
    /// Where the sum, or the partial sum of a chunk, goes. A workspace of several chunks has an axis more.
    pub(crate) target: Placed,
    pub(crate) source: Source,
    pub(crate) storage: Storage,
    /// From one chunk to the next.
    pub(crate) stride: u32,
    /// Partial sums of each output.
    parts: usize,
    pub(crate) workspaces: Vec<u64>,
}

impl Partials {
    pub(crate) fn new(request: &Request<'_>, split_k: bool, parts: usize, operands: &[Placed]) -> Result<Self> {
        let (number, storage) = (operands.len() - 1, request.options.storage);
        let output = &operands[number];
        if !split_k {
            let (target, source, storage) = (output.clone(), Source::Operand(number), Storage::all(storage));
            return Ok(Self { target, source, storage, stride: 0, parts, workspaces: Vec::new() });
        }
        let chunks: &[usize] = if parts > 1 { &[parts] } else { &[] };
        let target = Placed::workspace(&[output.layout.shape(), chunks].concat());
        let workspaces = vec![request.check_workspace(&target)?];
        let storage = Storage { input: storage, ..Default::default() };
        Ok(Self { target, source: Source::Workspace(0), storage, stride: 1, parts, workspaces })
    }

    /// Where the sums of the first chunk go. Those of the next are `stride` further each.
    pub(crate) fn first_chunk(&self) -> Result<Placed> {
        let layout = &self.target.layout;
        let rank = layout.shape().len() - usize::from(self.parts > 1);
        let layout = TensorLayout::new(&layout.shape()[..rank], &layout.strides()[..rank], layout.offset())?;
        Ok(Placed { layout, ..self.target.clone() })
    }

    /// The second pass, if there is one.
    pub(crate) fn sum(
        &self,
        request: &Request<'_>,
        recipe: &Recipe,
        operands: &[Placed],
        finish: Finish,
    ) -> Result<Option<Step>> {
        if self.workspaces.is_empty() {
            return Ok(None);
        }
        let number = operands.len() - 1;
        let output = &operands[number];
        let rank = output.layout.shape().len();
        let size = |axis: usize| if axis < rank { output.layout.shape()[axis] } else { 1 };
        let storage = Storage { output: request.options.storage, ..Default::default() };
        let tile: Tile = std::array::from_fn(|axis| 0..size(axis));
        // Without a bias its binding, which the shader never reads then, holds the workspace.
        let bias = finish.bias.map(|number| &operands[number]);
        let operands = [&self.target, bias.unwrap_or(&self.target), output].map(Bindable::from);
        let spans = |tile: &Tile| {
            let ranges = &tile[..rank];
            let parts = std::iter::once(0..self.parts);
            let workspace: Vec<_> = ranges.iter().cloned().chain(parts).collect();
            let workspace = &workspace[..self.target.layout.shape().len()];
            let workspace = self.target.layout.span(workspace);
            let bias = bias.map_or(workspace.clone(), |bias| bias.layout.span(&ranges[1..2]));
            vec![workspace, bias, output.layout.span(ranges)]
        };
        let (activation, [alpha, beta]) = activation_constants(finish.activation);
        let params = |window: &Window, row_threads| PartialsParams {
            b_base: bias.map_or(0, |bias| bias.address(&[], &window.bytes[1])),
            b_stride: bias.map_or(0, |bias| bias.stride(0)),
            alpha,
            beta,
            ..self.params(output, window, row_threads)
        };
        let launch = Launch { recipe, storage, tile, operands: &operands, work: Work::Outputs };
        let dispatches = request.dispatches(launch, spans, params)?;
        let size = recipe.workgroup_size.into();
        let constants = vec![("workgroup_size", size), flag("has_bias", bias.is_some()), ("activation", activation)];
        let bindings = vec![self.source, finish.bias.map_or(self.source, Source::Operand), Source::Operand(number)];
        Ok(Some(Step { shader: &SUM, storage, constants, bindings, dispatches }))
    }

    fn params(&self, output: &Placed, window: &Window, row_threads: u32) -> PartialsParams {
        let rank = output.layout.shape().len();
        let stride = |placed: &Placed, axis: usize| if axis < rank { placed.stride(axis) } else { 0 };
        let [first_0, first_1, first_2, first_3, first_4] = std::array::from_fn(|axis| wrap(window.tile[axis].start));
        let [count_0, count_1, count_2, count_3, count_4] = std::array::from_fn(|axis| wrap(window.tile[axis].len()));
        let [x_0, x_1, x_2, x_3, x_4] = std::array::from_fn(|axis| stride(&self.target, axis));
        let [y_0, y_1, y_2, y_3, y_4] = std::array::from_fn(|axis| stride(output, axis));
        PartialsParams {
            first_0,
            first_1,
            first_2,
            first_3,
            first_4,
            count_0,
            count_1,
            count_2,
            count_3,
            count_4,
            x_0,
            x_1,
            x_2,
            x_3,
            x_4,
            y_0,
            y_1,
            y_2,
            y_3,
            y_4,
            x_base: self.target.address(&[], &window.bytes[0]),
            y_base: output.address(&[], &window.bytes[2]),
            parts: wrap(self.parts),
            row_threads,
            ..Default::default()
        }
    }
}

/// The sum of no terms: only the second pass, with no partial sums. Inputs without elements are not bound.
pub(crate) fn zeros(op: &'static str, recipe: Recipe, operands: Vec<Placed>, request: &Request<'_>) -> Result<Program> {
    let partials = Partials::new(request, true, 0, &operands)?;
    let steps = partials.sum(request, &recipe, &operands, Finish::default())?.into_iter().collect();
    let (inputs, tables, workspaces) = (operands.len() - 1, Vec::new(), partials.workspaces);
    Ok(Program { op, recipe, operands, inputs, tables, workspaces, steps })
}

/// A window's part of the chunks, as the shaders of a first pass want it.
pub(crate) struct Part {
    pub(crate) chunk: u32,
    pub(crate) chunks: u32,
    pub(crate) lead: u32,
    pub(crate) accumulate: u32,
    /// The window's first chunk.
    pub(crate) number: usize,
}

impl Part {
    pub(crate) fn new(chunks: &Chunks, window: &Window) -> Self {
        let range = &window.tile[REDUCTION];
        if chunks.count == 1 {
            // The window is all of its chunk, so that the numbers stay small.
            let accumulate = u32::from(range.start > 0);
            return Self { chunk: wrap(range.len()), chunks: 1, lead: 0, accumulate, number: 0 };
        }
        let touched = chunks_of(&window.tile, chunks.chunk);
        let lead = range.start - touched.start * chunks.chunk;
        Self {
            chunk: wrap(chunks.chunk),
            chunks: wrap(touched.len()),
            lead: wrap(lead),
            accumulate: u32::from(lead > 0),
            number: touched.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_every_term() {
        for outputs in [0, 1, 7, 300, 1 << 14, 1 << 20] {
            for terms in [0, 1, 63, 64, 129, 5000, 1 << 20] {
                let Chunks { chunk, count } = Chunks::new(outputs, terms);
                assert!(chunk * count >= terms && chunk * (count - 1) < terms.max(1), "{outputs} {terms}");
                assert!(count == 1 || (chunk >= LEAST_CHUNK && outputs * (count - 1) < THREADS), "{outputs} {terms}");
            }
        }
    }
}
