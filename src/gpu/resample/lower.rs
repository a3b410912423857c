//! Separable ops and their gradients on the GPU: in one pass over all axes, or in one pass for each.

use std::ops::Range;

use super::row_blocks::{self, TAPS_ROWS};
use super::table::{ENTRY, Tables, UpsampleParams, check_table, row_length, table_bytes, touched};
use crate::dtype::FloatType;
use crate::error::Result;
use crate::geometry;
use crate::gpu::program::addressing::{span, spatial_stride};
use crate::gpu::program::operand::{Bindable, Placed, Source};
use crate::gpu::program::program::{Program, Step};
use crate::gpu::program::recipe::{Candidate, Capabilities, Recipe, Shape, recipes};
use crate::gpu::program::region::Tile;
use crate::gpu::program::request::{GpuOp, Launch, Request, Work};
use crate::gpu::program::shader::{Shader, Storage, with_storage};
use crate::gpu::program::split::Window;
use crate::gpu::program::uniform::wrap;
use crate::ops::op::Op;
use crate::ops::resample::separable::{Separable, SeparableGrad};
use crate::ops::resample::tap_table::TapTable;

/// One thread per output element sums its taps.
pub(crate) static TAPS: Shader = Shader {
    name: "resample_taps",
    texts: with_storage!("resample/taps.wgsl", "resample/shared/params.wgsl", "shared/tap_marks.wgsl"),
    reads: 4,
    writes: 1,
    fields: UpsampleParams::FIELDS,
    params_size: size_of::<UpsampleParams>() as u64,
    subgroups: false,
    overrides: &["workgroup_size"],
};

/// The gradient is the same sum over the transposed tables.
impl<T: Separable> GpuOp for SeparableGrad<T> {
    fn recipes(&self, capabilities: &Capabilities, _storage: FloatType) -> Vec<Recipe> {
        Resample::recipes(self, capabilities)
    }

    fn lower(&self, request: Request<'_>) -> Result<Program> {
        Resample::backward(self, &request)?.lower_sums()
    }
}

/// What a resampling is, whichever op it belongs to.
pub(crate) struct Resample<'a> {
    request: &'a Request<'a>,
    op: &'static str,
    operands: Vec<Placed>,
    /// Batch and channels.
    outer: [usize; 2],
    /// Input samples on three axes.
    sizes: [usize; 3],
    tables: [TapTable; 3],
    extrapolation: f32,
}

impl<'a> Resample<'a> {
    pub(crate) fn forward<T: Separable>(op: &T, request: &'a Request<'a>) -> Result<Self> {
        Self::new(op, op.three(request.limits())?, op.extrapolation(), request)
    }

    fn backward<T: Separable>(op: &SeparableGrad<T>, request: &'a Request<'a>) -> Result<Self> {
        Self::new(op, op.three(request.limits())?, 0.0, request)
    }

    fn new<O: Op>(op: &O, tables: [TapTable; 3], extrapolation: f32, request: &'a Request<'a>) -> Result<Self> {
        let operands = request.place(op)?;
        let shape = operands[0].layout.shape();
        let sizes = geometry::three(1, &shape[2..]);
        Ok(Self { request, op: O::NAME, outer: [shape[0], shape[1]], sizes, operands, tables, extrapolation })
    }

    /// The recipes of an op whose outputs are sums; none where its tables cannot be made.
    pub(crate) fn recipes<O: Op + Tables>(op: &O, capabilities: &Capabilities) -> Vec<Recipe> {
        let Ok((tables, input)) =
            op.three(&capabilities.limits).and_then(|tables| Ok((tables, op.inputs()?.swap_remove(0))))
        else {
            return Vec::new();
        };
        recipes(&candidates(&tables, geometry::three(1, &input.shape[2..]), input.shape[1]), capabilities)
    }

    /// By the cheapest candidate that the device holds, or the forced one.
    pub(crate) fn lower_sums(&self) -> Result<Program> {
        self.lower_by_first(&candidates(&self.tables, self.sizes, self.outer[1]))
    }

    pub(crate) fn lower_by_first(&self, candidates: &[Candidate]) -> Result<Program> {
        // The first may want a workspace that is too large.
        self.request.first_that_fits(self.op, candidates, |candidate, recipe| self.lower_by(candidate, recipe))
    }

    fn lower_by(&self, candidate: Candidate, recipe: Recipe) -> Result<Program> {
        let passes: Vec<Vec<usize>> = if matches!(recipe.shape, Shape::AxisPasses { .. }) {
            resampled(&self.tables, self.sizes).map(|axis| vec![axis]).collect()
        } else {
            vec![vec![0, 1, 2]]
        };
        let workspaces = self.workspaces(&passes)?;
        let identity = self.identity(&passes)?;
        let mut sizes = self.sizes;
        let mut steps = Vec::new();
        for (number, axes) in passes.iter().enumerate() {
            axes.iter().for_each(|&axis| sizes[axis] = self.tables[axis].len());
            // Where it reads and writes: the op's tensors, or the workspaces in turn.
            let [first, last] = [number == 0, number + 1 == passes.len()];
            let storage = self.request.options.storage;
            let pass = Pass {
                tables: std::array::from_fn(|i| if axes.contains(&i) { &self.tables[i] } else { &identity }),
                numbers: std::array::from_fn(|i| if axes.contains(&i) { i } else { 3 }),
                sizes,
                input: if first { &self.operands[0] } else { &workspaces[number - 1] },
                output: if last { &self.operands[1] } else { &workspaces[number] },
                ends: [
                    if first { Source::Operand(0) } else { Source::Workspace((number - 1) % 2) },
                    if last { Source::Operand(1) } else { Source::Workspace(number % 2) },
                ],
                storage: Storage {
                    input: if first { storage } else { Default::default() },
                    output: if last { storage } else { Default::default() },
                    texels: None,
                },
            };
            steps.push(self.step(candidate.shader, &recipe, &pass)?);
        }
        let mut tables = self.tables.iter().map(table_bytes).collect::<Result<Vec<_>>>()?;
        if passes.len() > 1 {
            tables.push(table_bytes(&identity)?);
        }
        let mut sizes = vec![0; workspaces.len().min(2)];
        for (number, workspace) in workspaces.iter().enumerate() {
            sizes[number % 2] = self.request.check_workspace(workspace)?.max(sizes[number % 2]);
        }
        let operands = self.operands.clone();
        Ok(Program { op: self.op, recipe, operands, inputs: 1, tables, workspaces: sizes, steps })
    }

    /// The rows of the axes that a pass leaves as they are.
    fn identity(&self, passes: &[Vec<usize>]) -> Result<TapTable> {
        let (mut sizes, mut longest) = (self.sizes, 1);
        for axes in passes {
            axes.iter().for_each(|&axis| sizes[axis] = self.tables[axis].len());
            let kept = (0..3).filter(|axis| !axes.contains(axis)).map(|axis| sizes[axis]);
            longest = kept.fold(longest, usize::max);
        }
        check_table(longest, 1, self.request.limits())?;
        TapTable::identity(longest)
    }

    /// What lies between the passes.
    fn workspaces(&self, passes: &[Vec<usize>]) -> Result<Vec<Placed>> {
        let mut sizes = self.sizes;
        let mut workspaces = Vec::new();
        for axes in &passes[..passes.len() - 1] {
            axes.iter().for_each(|&axis| sizes[axis] = self.tables[axis].len());
            let placed = Placed::workspace(&[&self.outer[..], &sizes].concat());
            self.request.check_workspace(&placed)?;
            workspaces.push(placed);
        }
        Ok(workspaces)
    }

    fn step(&self, shader: &'static Shader, recipe: &Recipe, pass: &Pass) -> Result<Step> {
        let [d, h, w] = pass.sizes.map(|size| 0..size);
        let table = Bindable { name: "tap table", element: ENTRY };
        let tile = [0..self.outer[0], 0..self.outer[1], d, h, w, 0..1];
        let operands = [pass.input.into(), table, table, table, pass.output.into()];
        let in_blocks = matches!(recipe.shape, Shape::Blocks { .. });
        let workgroups = |tile: &Tile| row_blocks::workgroups(tile, self.outer[1]);
        let work = if in_blocks { Work::Workgroups(&workgroups, [1; 6]) } else { Work::Outputs };
        let dispatches = self.request.dispatches(
            Launch { recipe, storage: pass.storage, tile, operands: &operands, work },
            |tile| pass.spans(tile),
            |window, row| {
                let row_threads = if in_blocks { row * row_blocks::THREADS } else { row };
                pass.params(window, row_threads, self.extrapolation)
            },
        )?;
        let constants = if in_blocks {
            row_blocks::constants(recipe, shader, self.outer[1], pass.tables)
        } else {
            vec![("workgroup_size", recipe.workgroup_size.into())]
        };
        let [from, to] = pass.ends;
        let tables = pass.numbers.map(Source::Table);
        Ok(Step {
            shader,
            storage: pass.storage,
            constants,
            bindings: [&[from], &tables[..], &[to]].concat(),
            dispatches,
        })
    }
}

/// What a load costs in a program of several passes, and in blocks, measured on llvmpipe against one output a thread.
const PASSES: f64 = 4.0 / 3.0;
const BLOCKS: f64 = 0.2;

/// By blocks of outputs, one output a thread, or that with a pass for each axis that changes: the cheapest first. Axis by
/// axis, the shader's order of operations stays what it is in one pass: columns, rows, slices.
fn candidates(tables: &[TapTable; 3], sizes: [usize; 3], channels: usize) -> Vec<Candidate> {
    let changing: Vec<usize> = resampled(tables, sizes).collect();
    let whole = Candidate::from(&TAPS);
    let mut candidates = vec![whole];
    // A product with an extrapolation value would not be that value to the bit.
    if changing.len() > 1 && !tables.iter().any(TapTable::has_outside) {
        candidates.push(Candidate { shape: Shape::AxisPasses { passes: changing.len() as u32 }, ..whole });
    }
    if row_blocks::fits(tables) {
        candidates.push(row_blocks::candidate(&TAPS_ROWS));
    }
    // Loads and stores of an image: a tap's weight and sample, and the result.
    let work = |sizes: [usize; 3], each: f64| sizes.iter().map(|&size| size as f64).product::<f64>() * each;
    let outputs = tables.each_ref().map(TapTable::len);
    let taps = tables.each_ref().map(|table| table.longest() as f64);
    let cost = |candidate: &Candidate| -> f64 {
        if matches!(candidate.shape, Shape::AxisPasses { .. }) {
            let mut between = sizes;
            let pass = |&axis: &usize| {
                between[axis] = tables[axis].len();
                work(between, taps[axis] + 2.0)
            };
            return changing.iter().map(pass).sum::<f64>() * PASSES;
        }
        let [d, h, w] = taps;
        if !matches!(candidate.shape, Shape::Blocks { .. }) {
            return work(outputs, d * h * w + 2.0);
        }
        let shared = (d + 4.0 * h + w) / row_blocks::channels(channels) as f64;
        let blocks = [outputs[0], outputs[1].div_ceil(4), outputs[2]];
        work(blocks, shared + d * row_blocks::rows_read(&tables[1]) * (w + 1.0) + 4.0) * BLOCKS
    };
    candidates.sort_by_cached_key(|candidate| cost(candidate) as u128);
    candidates
}

/// The axes that do not stay as they are, columns first.
fn resampled(tables: &[TapTable; 3], sizes: [usize; 3]) -> impl Iterator<Item = usize> {
    let changes = std::array::from_fn::<bool, 3, _>(|i| !tables[i].is_identity(sizes[i]));
    (0..3).rev().filter(move |&axis| changes[axis])
}

/// One pass over some of the axes, with its tensors placed.
struct Pass<'a> {
    tables: [&'a TapTable; 3],
    /// The tables' numbers in the program.
    numbers: [usize; 3],
    /// Output samples.
    sizes: [usize; 3],
    input: &'a Placed,
    output: &'a Placed,
    ends: [Source; 2],
    storage: Storage,
}

impl Pass<'_> {
    /// The elements of input, tables and output that a tile touches.
    fn spans(&self, tile: &Tile) -> Vec<Range<usize>> {
        let [batch, channels, d, h, w, _] = tile;
        let outer = [batch.clone(), channels.clone()];
        let source = std::array::from_fn(|i| touched(self.tables[i], &tile[i + 2]));
        let rows = |(table, rows): (&&TapTable, &Range<usize>)| {
            let length = row_length(table);
            rows.start * length..rows.end * length
        };
        let tables = self.tables.iter().zip(&tile[2..5]).map(rows);
        let output = span(&self.output.layout, outer.clone(), [d.clone(), h.clone(), w.clone()]);
        std::iter::once(span(&self.input.layout, outer, source)).chain(tables).chain([output]).collect()
    }

    fn params(&self, window: &Window, row_threads: u32, extrapolation: f32) -> UpsampleParams {
        let [batch, channels, d, h, w, _] = &window.tile;
        let base =
            |placed: &Placed, binding: usize| placed.address(&[batch.start, channels.start], &window.bytes[binding]);
        let [x_d, x_h, x_w] = std::array::from_fn(|i| spatial_stride(self.input, i));
        let [y_d, y_h, y_w] = std::array::from_fn(|i| spatial_stride(self.output, i));
        // Where an axis's first row lies, counted from the start of the part of its table that is bound.
        let [table_d, table_h, table_w] =
            std::array::from_fn(|i| 0u32.wrapping_sub((window.bytes[i + 1].start / ENTRY) as u32));
        let [taps_d, taps_h, taps_w] = self.tables.map(|table| wrap(row_length(table)));
        UpsampleParams {
            first_d: wrap(d.start),
            first_h: wrap(h.start),
            first_w: wrap(w.start),
            count_d: wrap(d.len()),
            count_h: wrap(h.len()),
            count_w: wrap(w.len()),
            taps_d,
            taps_h,
            taps_w,
            table_d,
            table_h,
            table_w,
            x_d,
            x_h,
            x_w,
            y_d,
            y_h,
            y_w,
            batch_count: wrap(batch.len()),
            channel_count: wrap(channels.len()),
            x_base: base(self.input, 0),
            x_batch: self.input.stride(0),
            x_channel: self.input.stride(1),
            y_base: base(self.output, 4),
            y_batch: self.output.stride(0),
            y_channel: self.output.stride(1),
            row_threads,
            extrapolation,
        }
    }
}
