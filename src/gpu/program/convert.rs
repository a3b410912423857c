//! Between a texture at an end of a program and the tensor that the op reads or writes.

use std::ops::Range;

use super::operand::{LaidOutTensor, Stored};
use super::pass::{Part, Pass};
use super::pixel_format::PixelFormat;
use super::region::Region;
use super::shader::Shader;
use super::texts::{from_texture, to_texture};
use super::uniform::{mod_2_32, uniform};

uniform! {
    /// One axis of [`ConvertParams`]; 16 bytes.
    ConvertAxis {
        first: u32,
        count: u32,
        stride: u32,
        unused: u32,
    }
}

uniform! {
    /// One channel of [`ConvertParams`]; 16 bytes.
    ConvertChannel {
        component: u32,
        scale: f32,
        offset: f32,
        unused: u32,
    }
}

uniform! {
    /// `Params` of the shaders between textures and tensors.
    ConvertParams {
        h: ConvertAxis,
        w: ConvertAxis,
        c0: ConvertChannel,
        c1: ConvertChannel,
        c2: ConvertChannel,
        c3: ConvertChannel,
        channel_count: u32,
        base: u32,
        channel_stride: u32,
        row_threads: u32,
    }
}

/// One thread per texel writes its channels into a tensor.
pub(crate) static UNPACK: Shader = Shader {
    name: "texture_unpack",
    texts: from_texture!("texture/unpack.wgsl", "texture/shared/params.wgsl", "shared/texel_read.wgsl"),
    reads: 1,
    writes: 1,
    uniform: ConvertParams::LAYOUT,
    subgroups: false,
    overrides: &["workgroup_size", "decode_srgb"],
};

/// One thread per texel reads its channels from a tensor.
pub(crate) static PACK: Shader = Shader {
    name: "texture_pack",
    texts: to_texture!("texture/pack.wgsl", "texture/shared/params.wgsl", "shared/texel_write.wgsl"),
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
    /// The tensor's place among the bindings, and the tensor.
    fn tensor(&self) -> (usize, &LaidOutTensor) {
        if matches!(self.from.stored, Stored::Texels(_)) { (1, self.to) } else { (0, self.from) }
    }
}

impl Pass for Convert<'_> {
    type Uniform = ConvertParams;

    /// The texels. All channels of one are in the same part.
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
