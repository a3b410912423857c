//! Runs a program's shaders on the host and checks every address: nothing is read or written outside of what is bound,
//! every element of an output is written, nothing else is, and no two invocations meet at an address.

use std::collections::BTreeSet;
use std::ops::Range;

use upconv::gpu::dissect::{Dissected, DissectedStep, Held};
use upconv::half::f16;
use upconv::ndarray::{ArrayD, IxDyn};
use upconv::{DataType, Tensor, TensorLayout};

use super::interpreter::{Memory, Shader};

/// Addresses are followed in units of this many bytes, the smallest number's.
const UNIT: u64 = 2;

/// An invocation's mark where nobody has been, and where several have.
const NOBODY: u32 = u32::MAX;
const SEVERAL: u32 = u32::MAX - 1;

/// Shaders that read numbers outside of what is bound, as WGSL lets them: a device then gives them some number that is
/// bound. They multiply it by 0, or drop it. Here they get one that would be seen in a result.
pub const READ_OUTSIDE: [&str; 3] = ["conv_gemm_subgroup", "conv_gemm_workgroup", "resample_taps_row_blocks"];

/// What they get, as f32 and as f16.
const OUTSIDE: [f32; 2] = [1.5e5, 1.5e4];

/// Shaders that search in several dispatches, of which one writes what it finds over what the others left.
const OVERWRITE: [&str; 2] = ["pool_unpool_gather", "pool_unpool_grad_gather"];

/// A buffer, and what has happened to each unit of it.
struct Buffer {
    name: String,
    bytes: Vec<u8>,
    /// Whether it is the caller's input or a table.
    read_only: bool,
    /// The units that belong to the tensor.
    inside: Vec<bool>,
    /// Written at all, and in this step.
    written: Vec<bool>,
    written_in_step: Vec<bool>,
    /// Who read and who wrote in this dispatch.
    reader: Vec<u32>,
    writer: Vec<u32>,
    /// Units with such marks.
    marked: Vec<usize>,
}

impl Buffer {
    fn new(name: String, bytes: Vec<u8>, read_only: bool, inside: Vec<bool>) -> Self {
        let units = bytes.len() / UNIT as usize;
        let (written, written_in_step) = (vec![read_only; units], vec![false; units]);
        let (reader, writer) = (vec![NOBODY; units], vec![NOBODY; units]);
        Self { name, bytes, read_only, inside, written, written_in_step, reader, writer, marked: Vec::new() }
    }

    /// The buffer of an operand: its tensor's elements where the layout puts them.
    fn of_operand(program: &Dissected, number: usize, tensor: Option<&Tensor>) -> Self {
        let operand = &program.operands[number];
        let units = (operand.bytes / UNIT) as usize;
        let mut buffer = Self::new(
            format!("operand {number}"),
            vec![0xff; operand.bytes as usize],
            tensor.is_some(),
            vec![false; units],
        );
        let ranges: Vec<_> = places(&operand.layout, operand.element).collect();
        for range in &ranges {
            buffer.inside[range.start / UNIT as usize..range.end / UNIT as usize].fill(true);
        }
        let bytes: Vec<Vec<u8>> = match tensor {
            Some(Tensor::F32(tensor)) => tensor.iter().map(|number| number.to_le_bytes().to_vec()).collect(),
            Some(Tensor::F16(tensor)) => tensor.iter().map(|number| number.to_le_bytes().to_vec()).collect(),
            Some(Tensor::I32(tensor)) => tensor.iter().map(|number| number.to_le_bytes().to_vec()).collect(),
            _ => Vec::new(),
        };
        ranges.into_iter().zip(bytes).for_each(|(range, number)| buffer.bytes[range].copy_from_slice(&number));
        buffer
    }

    fn units(range: &Range<u64>) -> Range<usize> {
        (range.start / UNIT) as usize..(range.end / UNIT) as usize
    }

    fn mark(&mut self, unit: usize) {
        if self.reader[unit] == NOBODY && self.writer[unit] == NOBODY {
            self.marked.push(unit);
        }
    }

    fn end_dispatch(&mut self) {
        for unit in self.marked.drain(..) {
            self.reader[unit] = NOBODY;
            self.writer[unit] = NOBODY;
        }
    }
}

/// The bytes of each element of a tensor, row-major.
fn places(layout: &TensorLayout, element: u64) -> impl Iterator<Item = Range<usize>> + '_ {
    upconv::ndarray::indices(IxDyn(layout.shape())).into_iter().map(move |index| {
        let at = layout.index(upconv::ndarray::Dimension::slice(&index)) * element as usize;
        at..at + element as usize
    })
}

/// The memory that a dispatch sees.
struct Bound<'a> {
    shader: &'static str,
    uniform: &'a [u8],
    /// A buffer and the bytes of it that are bound, from binding 1 on.
    windows: Vec<(usize, Range<u64>)>,
    buffers: &'a mut [Buffer],
}

impl Bound<'_> {
    /// The buffer of a binding, and the bytes of it that an access touches.
    fn place(&self, binding: u32, at: u64, bytes: u64) -> Result<(usize, Range<u64>), String> {
        let (buffer, window) = &self.windows[binding as usize - 1];
        let start = window.start + at;
        if start + bytes > window.end {
            let (name, bound) = (&self.buffers[*buffer].name, window.end - window.start);
            return Err(format!("byte {at} of binding {binding}, {name}, of which {bound} bytes are bound"));
        }
        Ok((*buffer, start..start + bytes))
    }
}

impl Memory for Bound<'_> {
    fn load(&mut self, binding: u32, at: u64, bytes: u64, invocation: u32) -> Result<[u8; 4], String> {
        let mut number = [0; 4];
        if binding == 0 {
            let range = at as usize..(at + bytes) as usize;
            number[..bytes as usize].copy_from_slice(self.uniform.get(range).ok_or("the uniform's end")?);
            return Ok(number);
        }
        let (buffer, range) = match self.place(binding, at, bytes) {
            Err(_) if READ_OUTSIDE.contains(&self.shader) => {
                let half = f16::from_f32(OUTSIDE[1]).to_le_bytes();
                return Ok(if bytes == 2 { [half[0], half[1], 0, 0] } else { OUTSIDE[0].to_le_bytes() });
            }
            place => place?,
        };
        let buffer = &mut self.buffers[buffer];
        number[..bytes as usize].copy_from_slice(&buffer.bytes[range.start as usize..range.end as usize]);
        for unit in Buffer::units(&range) {
            // A shader that needs no number reads the first that is bound, and drops it.
            if at == 0 && !(buffer.inside[unit] && buffer.written[unit]) {
                continue;
            }
            if !buffer.written[unit] {
                return Err(format!("{} is read at byte {}, which nothing has written", buffer.name, range.start));
            }
            if buffer.read_only {
                if !buffer.inside[unit] {
                    return Err(format!("{} is read at byte {}, which is no element", buffer.name, range.start));
                }
                continue;
            }
            if invocation == u32::MAX {
                continue;
            }
            if at > 0 && buffer.writer[unit] != NOBODY && buffer.writer[unit] != invocation {
                return Err(format!(
                    "{} is read at byte {}, which another invocation writes",
                    buffer.name, range.start
                ));
            }
            buffer.mark(unit);
            let before = buffer.reader[unit];
            buffer.reader[unit] = if before == NOBODY || before == invocation { invocation } else { SEVERAL };
        }
        Ok(number)
    }

    fn store(&mut self, binding: u32, at: u64, number: &[u8], invocation: u32, shared: bool) -> Result<(), String> {
        if binding == 0 {
            return Err("the uniform is written".into());
        }
        let (buffer, range) = self.place(binding, at, number.len() as u64)?;
        let buffer = &mut self.buffers[buffer];
        let wrong =
            |what: &str, buffer: &Buffer| Err(format!("{} is written at byte {}, {what}", buffer.name, range.start));
        for unit in Buffer::units(&range) {
            let (reader, writer) = (buffer.reader[unit], buffer.writer[unit]);
            if buffer.read_only || !buffer.inside[unit] {
                return wrong("which is no element of an output", buffer);
            }
            if !shared {
                if writer != NOBODY {
                    return wrong("which was written before in this dispatch", buffer);
                }
                if at > 0 && reader != NOBODY && reader != invocation {
                    return wrong("which another invocation reads", buffer);
                }
                if buffer.written_in_step[unit] && reader == NOBODY && !OVERWRITE.contains(&self.shader) {
                    return wrong("which another dispatch of the step has written, and is lost", buffer);
                }
                buffer.mark(unit);
                buffer.writer[unit] = invocation;
            }
            buffer.written[unit] = true;
            buffer.written_in_step[unit] = true;
        }
        buffer.bytes[range.start as usize..range.end as usize].copy_from_slice(number);
        Ok(())
    }

    fn len(&self, binding: u32) -> u64 {
        match binding {
            0 => self.uniform.len() as u64,
            _ => {
                let window = &self.windows[binding as usize - 1].1;
                window.end - window.start
            }
        }
    }
}

/// The invocations of a program times the rounds that each may make: what interpreting it costs.
pub fn work(program: &Dissected) -> u64 {
    let size = |step: &DissectedStep| {
        let size = step.constants.iter().find(|(name, _)| *name == "workgroup_size");
        size.map_or(1, |&(_, size)| size as u64)
    };
    let of = |step: &DissectedStep| {
        let dispatches = step.dispatches.iter();
        let all = dispatches.map(|d| u64::from(d.workgroups[0]) * u64::from(d.workgroups[1]) * (d.rounds + 1));
        all.sum::<u64>() * size(step)
    };
    program.steps.iter().map(of).sum()
}

/// Runs a program, with subgroups of this many threads, and checks every access. Returns the outputs.
pub fn run(program: &Dissected, subgroup: usize, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let operands = (0..program.operands.len()).map(|number| Buffer::of_operand(program, number, inputs.get(number)));
    let mut buffers: Vec<Buffer> = operands.collect();
    let first_table = buffers.len();
    for (number, table) in program.tables.iter().enumerate() {
        let inside = vec![true; table.len() / UNIT as usize];
        buffers.push(Buffer::new(format!("table {number}"), table.clone(), true, inside));
    }
    let first_workspace = buffers.len();
    for (number, &bytes) in program.workspaces.iter().enumerate() {
        let inside = vec![true; (bytes / UNIT) as usize];
        buffers.push(Buffer::new(format!("workspace {number}"), vec![0xff; bytes as usize], false, inside));
    }
    let place = |held: &Held| match *held {
        Held::Operand(number) => number,
        Held::Table(number) => first_table + number,
        Held::Workspace(number) => first_workspace + number,
    };
    for (number, step) in program.steps.iter().enumerate() {
        let named = |error: String| format!("step {number}, {}: {error}", step.shader);
        let shader = Shader::new(&step.text, &step.constants).map_err(named)?;
        buffers.iter_mut().for_each(|buffer| buffer.written_in_step.fill(false));
        for dispatch in &step.dispatches {
            let windows = step.bindings.iter().map(place).zip(dispatch.bound_bytes.iter().cloned()).collect();
            let mut bound = Bound { shader: step.shader, uniform: &dispatch.uniform, windows, buffers: &mut buffers };
            let rounds = shader.run(dispatch.workgroups, subgroup, &mut bound).map_err(named)?;
            if rounds > dispatch.rounds {
                return Err(named(format!("{rounds} rounds, where {} are said to be the most", dispatch.rounds)));
            }
            buffers.iter_mut().for_each(Buffer::end_dispatch);
        }
    }
    let outputs = program.operands.iter().zip(&buffers).skip(program.inputs);
    outputs.map(|(operand, buffer)| output(&operand.layout, operand.element, operand.data_type, buffer)).collect()
}

/// An output's tensor; an error if one of its elements was not written.
fn output(layout: &TensorLayout, element: u64, data_type: DataType, buffer: &Buffer) -> Result<Tensor, String> {
    let mut bits = Vec::new();
    for range in places(layout, element) {
        if !buffer.written[range.start / UNIT as usize] {
            return Err(format!("{} is not written at byte {}, which is an element", buffer.name, range.start));
        }
        let mut number = [0; 4];
        number[..element as usize].copy_from_slice(&buffer.bytes[range]);
        bits.push(u32::from_le_bytes(number));
    }
    let bits = ArrayD::from_shape_vec(IxDyn(layout.shape()), bits).map_err(|error| error.to_string())?;
    Ok(match (data_type, element) {
        (DataType::I32, _) => Tensor::I32(bits.mapv(|bits| bits as i32)),
        (_, 2) => Tensor::F16(bits.mapv(|bits| f16::from_bits(bits as u16))),
        _ => Tensor::F32(bits.mapv(f32::from_bits)),
    })
}

/// The shaders of a program.
pub fn shaders(program: &Dissected) -> BTreeSet<&'static str> {
    program.steps.iter().filter(|step| !step.dispatches.is_empty()).map(|step| step.shader).collect()
}
