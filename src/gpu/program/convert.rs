//! Conversion between a program's input or output texture and the tensor that its other passes read or write.

use std::ops::Range;

use super::operand::{LaidOutTensor, Stored};
use super::pass::{Part, Pass};
use super::pixel_format::PixelFormat;
use super::region::Region;
use super::rounds::nested;
use super::shader::Shader;
use super::texts::{Texts, files};
use super::uniform::{mod_2_32, uniform};

uniform! {
    /// The rows or the columns of [`ConvertParams`]; 16 bytes.
    ConvertAxis {
        first: u32,  // this dispatch's first row (axis h) or column (axis w)
        count: u32,  // rows or columns of this dispatch
        stride: u32, // elements of the tensor from one row or column to the next, modulo 2^32
        unused: u32, // fills the struct to a multiple of 16 bytes
    }
}

uniform! {
    /// One channel of [`ConvertParams`]; 16 bytes.
    ConvertChannel {
        component: u32, // the texel's component: 0 is red, 1 green, 2 blue, 3 alpha
        scale: f32,     // unpacking: number = texel * scale + offset; packing: texel = number * scale + offset
        offset: f32,    // see scale
        unused: u32,    // fills the struct to a multiple of 16 bytes
    }
}

uniform! {
    /// `Params` of the shaders that convert between textures and tensors. Addresses and strides of the tensor count
    /// elements, modulo 2³².
    ConvertParams {
        h: ConvertAxis,      // rows
        w: ConvertAxis,      // columns
        c0: ConvertChannel,  // the tensor's channel 0
        c1: ConvertChannel,  // channel 1
        c2: ConvertChannel,  // channel 2
        c3: ConvertChannel,  // channel 3
        channel_count: u32,  // channels of the tensor: 1 to 4
        base: u32,           // address of channel 0, row 0, column 0 of the tensor
        channel_stride: u32, // from one channel to the next
        row_threads: u32,    // threads in one row of workgroups: thread = id.y * row_threads + id.x
    }
}

/// One thread per texel writes its channels into a tensor.
pub(crate) static UNPACK: Shader = Shader {
    name: "texture_unpack",
    texts: Texts::FromTexture(files!("texture/unpack.wgsl", "texture/shared/params.wgsl", "shared/texel_read.wgsl")),
    reads: 1,
    writes: 1,
    uniform: ConvertParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "decode_srgb"],
};

/// One thread per texel reads its channels from a tensor.
pub(crate) static PACK: Shader = Shader {
    name: "texture_pack",
    texts: Texts::ToTexture(files!("texture/pack.wgsl", "texture/shared/params.wgsl", "shared/texel_write.wgsl")),
    reads: 1,
    writes: 1,
    uniform: ConvertParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "encode_srgb"],
};

/// The conversion between a texture and a tensor of the same picture.
pub(crate) struct Convert<'a> {
    pub(crate) from: &'a LaidOutTensor,
    pub(crate) to: &'a LaidOutTensor,
    pub(crate) pixels: PixelFormat,
}

impl Convert<'_> {
    /// The tensor's number among the two storage bindings, and the tensor.
    fn tensor(&self) -> (usize, &LaidOutTensor) {
        if matches!(self.from.stored, Stored::Texels(_)) { (1, self.to) } else { (0, self.from) }
    }
}

impl Pass for Convert<'_> {
    type Uniform = ConvertParams;

    /// One element for each texel: all channels of a texel are in the same part.
    fn region(&self) -> Region {
        let shape = self.from.layout.shape();
        Region::whole([1, 1], [1, shape[2], shape[3]], 1)
    }

    fn tensors(&self) -> Vec<&LaidOutTensor> {
        vec![self.from, self.to]
    }

    /// A texture is bound whole.
    fn spans(&self, region: &Region) -> Vec<Range<usize>> {
        let (number, tensor) = self.tensor();
        let span = tensor.span([0..1, 0..tensor.layout.shape()[1]], region.spatial.clone());
        if number == 0 { vec![span, 0..0] } else { vec![0..0, span] }
    }

    fn rounds(&self, _: &Region) -> u64 {
        let (_, tensor) = self.tensor();
        nested([tensor.layout.shape()[1]])
    }

    fn uniform(&self, part: &Part) -> ConvertParams {
        let (number, tensor) = self.tensor();
        let [_, h, w] = std::array::from_fn(|i| ConvertAxis {
            first: mod_2_32(part.region.spatial[i].start),
            count: mod_2_32(part.region.spatial[i].len()),
            stride: tensor.spatial_stride(i),
            unused: 0,
        });
        let [c0, c1, c2, c3] = std::array::from_fn(|channel| ConvertChannel {
            component: self.pixels.channels[channel].into(),
            scale: self.pixels.scale[channel],
            offset: self.pixels.offset[channel],
            unused: 0,
        });
        ConvertParams {
            h,
            w,
            c0,
            c1,
            c2,
            c3,
            channel_count: mod_2_32(tensor.layout.shape()[1]),
            base: tensor.address(&[], &part.bytes[number]),
            channel_stride: tensor.stride(1),
            row_threads: part.row,
        }
    }
}
