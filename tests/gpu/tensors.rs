//! Tensors for tests: what they hold, how they lie in a buffer, and what is wrong with a buffer after a run.

use std::collections::HashSet;

use ndarray::{ArrayD, Dimension, IxDyn};
use upconv::half::f16;
use upconv::{DataType, FloatType, Gpu, Op, Operand, PlanOptions, Tensor, TensorLayout, wgpu};

/// A NaN that no shader makes: a sum that reads it is spoiled, and an element that still holds it was not written.
pub const POISON: u32 = 0x7fc0_dead;

/// The poison of f16 tensors, also a NaN.
const HALF_POISON: u16 = 0x7ead;

/// The poison of tensors of bytes, which are only read. Every byte is a number: a sum that reads it is wrong.
const BYTE_POISON: u8 = 0xad;

/// Bytes of the guard band before and after a slice; every device lets a binding start at this offset.
pub const GUARD: u64 = 256;

/// What the tensors hold.
#[derive(Clone, Copy, PartialEq)]
pub enum Data {
    /// Integers from -4 to 4, whose sums are exact: compared with `==`.
    Integers,
    /// Reals of very different sizes, compared with the reference's bound.
    Reals,
}

/// How activations lie in memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Order {
    Nchw,
    Nhwc,
    /// Rows of 256 bytes, or the next multiple of it.
    RowPitch,
    /// The batch innermost, with room for one image more that nobody may write.
    Interleaved,
}

impl Order {
    pub fn place(self, shape: &[usize], offset: usize) -> TensorLayout {
        let layout = match self {
            Self::Nchw => TensorLayout::contiguous(shape),
            Self::Nhwc => TensorLayout::channels_last(shape),
            Self::RowPitch => TensorLayout::row_pitch(shape, shape.last().unwrap_or(&1).next_multiple_of(64)),
            Self::Interleaved => {
                let inner = TensorLayout::contiguous(&shape[1..]);
                let step = shape[0] + 1;
                let strides: Vec<_> =
                    [1].into_iter().chain(inner.strides().iter().map(|stride| stride * step)).collect();
                TensorLayout::new(shape, &strides, 0).expect("a small tensor")
            }
        };
        layout.with_offset(offset)
    }
}

/// A small random number generator, seeded with a text, so that a row always sees the same numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: &str) -> Self {
        Self(
            seed.bytes()
                .fold(0x9e37_79b9_7f4a_7c15, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn value(&mut self, data: Data) -> f32 {
        match data {
            Data::Integers => (self.next() % 9) as f32 - 4.0,
            Data::Reals => ((self.next() % 20001) as f32 / 10000.0 - 1.0) * 10f32.powi((self.next() % 5) as i32 - 2),
        }
    }

    pub fn tensor(&mut self, shape: &[usize], data: Data) -> ArrayD<f32> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || self.value(data))
    }
}

/// A buffer that tests fill, bind and read back; making it does not block.
pub fn storage(gpu: &Gpu, size: u64) -> wgpu::Buffer {
    use wgpu::BufferUsages as Usages;
    let usage = Usages::STORAGE | Usages::COPY_SRC | Usages::COPY_DST;
    gpu.device().create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}

/// A [`storage`] buffer that holds these floats.
pub fn filled(gpu: &Gpu, words: &[f32]) -> wgpu::Buffer {
    let buffer = storage(gpu, 4 * words.len() as u64);
    gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(words));
    buffer
}

/// A [`storage`] buffer that holds a tensor, row-major or in this layout.
pub fn laid_out(gpu: &Gpu, tensor: &ArrayD<f32>, layout: Option<&TensorLayout>) -> wgpu::Buffer {
    let contiguous = TensorLayout::contiguous(tensor.shape());
    let layout = layout.unwrap_or(&contiguous);
    let mut elements = vec![f32::NAN; layout.end()];
    for (index, &value) in tensor.indexed_iter() {
        let place = index.as_array_view().iter().zip(layout.strides()).map(|(i, stride)| i * stride).sum::<usize>();
        elements[layout.offset() + place] = value;
    }
    filled(gpu, &elements)
}

/// A tensor's place in a buffer: guard, poison, its elements where the layout puts them, guard.
pub struct Place {
    pub layout: TensorLayout,
    /// Bytes of an element: 1, 2 or 4.
    pub element: usize,
}

/// Bytes of an operand's elements.
pub fn element_bytes(operand: &Operand, storage: FloatType) -> usize {
    match (operand.data_type, storage) {
        (DataType::U8 | DataType::I8, _) => 1,
        (DataType::Float, FloatType::F16) => 2,
        _ => 4,
    }
}

impl Place {
    pub fn new(options: &PlanOptions, operand: &Operand) -> Self {
        let given = options.clone().layout_mut(operand.role).and_then(Option::take);
        let layout = given.unwrap_or_else(|| TensorLayout::contiguous(&operand.shape));
        Self { layout, element: element_bytes(operand, options.storage) }
    }

    fn poison(&self) -> u32 {
        match self.element {
            1 => BYTE_POISON.into(),
            2 => HALF_POISON.into(),
            _ => POISON,
        }
    }

    /// The position in the buffer, counted in elements, of the tensor's element at this index.
    fn at(&self, index: &[usize]) -> usize {
        GUARD as usize / self.element + self.layout.index(index)
    }

    /// The bits of the buffer's elements, as many as fill whole 32-bit words.
    pub fn bits(&self, tensor: Option<&Tensor>) -> Vec<u32> {
        let count = 2 * GUARD as usize / self.element + self.layout.end();
        let mut bits = vec![self.poison(); count.next_multiple_of(4 / self.element)];
        match tensor {
            Some(Tensor::F32(tensor)) => self.put(tensor, &mut bits, |value| value.to_bits()),
            Some(Tensor::F16(tensor)) => self.put(tensor, &mut bits, |value| value.to_bits().into()),
            Some(Tensor::I32(tensor)) => self.put(tensor, &mut bits, |value| value as u32),
            Some(Tensor::U8(tensor)) => self.put(tensor, &mut bits, |value| value.into()),
            Some(Tensor::I8(tensor)) => self.put(tensor, &mut bits, |value| (value as u8).into()),
            Some(other) => unreachable!("{other:?} is new to the tests"),
            None => {}
        }
        bits
    }

    fn put<T: Copy>(&self, tensor: &ArrayD<T>, bits: &mut [u32], of: impl Fn(T) -> u32) {
        for (index, &value) in tensor.indexed_iter() {
            bits[self.at(index.slice())] = of(value);
        }
    }

    /// What the buffer holds before a run: guards, poison, and the tensor's elements if there is one.
    pub fn bytes(&self, tensor: Option<&Tensor>) -> Vec<u8> {
        let words = self.bits(tensor).into_iter().map(u32::to_le_bytes);
        words.flat_map(|bytes| bytes.into_iter().take(self.element)).collect()
    }

    pub fn upload(&self, gpu: &Gpu, tensor: Option<&Tensor>) -> wgpu::Buffer {
        let bytes = self.bytes(tensor);
        let buffer = storage(gpu, bytes.len() as u64);
        gpu.queue().write_buffer(&buffer, 0, &bytes);
        buffer
    }

    /// The tensor that the buffer holds after a run, or what is wrong with the buffer.
    pub fn read(&self, bytes: &[u8], data_type: DataType, storage: FloatType) -> Result<Tensor, String> {
        let bits = self.take_apart(bytes)?;
        Ok(match (data_type, storage) {
            (DataType::I32, _) => Tensor::I32(bits.mapv(|bits| bits as i32)),
            (_, FloatType::F32) => Tensor::F32(bits.mapv(f32::from_bits)),
            (_, FloatType::F16) => Tensor::F16(bits.mapv(|bits| f16::from_bits(bits as u16))),
            other => return Err(format!("{other:?} is new to the tests")),
        })
    }

    /// The bits of the tensor's elements, or what is wrong with the buffer.
    pub fn take_apart(&self, bytes: &[u8]) -> Result<ArrayD<u32>, String> {
        let word = |chunk: &[u8]| chunk.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let after: Vec<u32> = bytes.chunks_exact(self.element).map(word).collect();
        let mut elements = HashSet::new();
        let mut unwritten = None;
        let output = ArrayD::from_shape_fn(IxDyn(self.layout.shape()), |index| {
            let at = self.at(index.slice());
            elements.insert(at);
            if after[at] == self.poison() {
                unwritten = Some(index.slice().to_vec());
            }
            after[at]
        });
        if let Some(index) = unwritten {
            return Err(format!("output element {index:?} was not written"));
        }
        match (0..after.len()).find(|at| after[*at] != self.poison() && !elements.contains(at)) {
            Some(at) => Err(format!("word {at} of the output buffer was written; it is no element")),
            None => Ok(output),
        }
    }
}

/// A tensor, rounded to the storage type.
pub fn stored_as(tensor: ArrayD<f32>, storage: FloatType) -> Tensor {
    match storage {
        FloatType::F32 => Tensor::F32(tensor),
        FloatType::F16 => Tensor::F16(tensor.mapv(f16::from_f32)),
        other => unreachable!("{other:?} is new to the tests"),
    }
}

/// Input and output operands of an op.
pub fn operands<O: Op>(op: &O) -> Result<Vec<Operand>, String> {
    let mut operands = op.inputs().map_err(|error| error.to_string())?;
    operands.extend(op.outputs().map_err(|error| error.to_string())?);
    Ok(operands)
}
