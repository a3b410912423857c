//! A convolution or its transpose without its tensors: what recipes and the cost model look at.

use crate::geometry::{Axis, Geometry};
use crate::gpu::program::region::Tile;

/// Which side the op reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A convolution.
    WideToNarrow,
    /// A transposed convolution.
    NarrowToWide,
}

/// A problem without its tensors.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    pub(crate) batch: usize,
    pub(crate) direction: Direction,
    pub(crate) axes: [Axis; 3],
    pub(crate) channels: Channels,
}

/// Channels of one group, and groups.
#[derive(Clone, Copy)]
pub(crate) struct Channels {
    pub(crate) ins: usize,
    pub(crate) outs: usize,
    pub(crate) groups: usize,
}

impl Layer {
    pub(crate) fn new<const R: usize>(geometry: &Geometry<R>, direction: Direction) -> Self {
        let (wide, narrow) = (geometry.wide_per_group(), geometry.narrow_per_group());
        let (ins, outs) = if direction == Direction::WideToNarrow { (wide, narrow) } else { (narrow, wide) };
        let channels = Channels { ins, outs, groups: geometry.groups };
        Self { batch: geometry.batch, direction, axes: geometry.axes3(), channels }
    }

    /// The whole problem as one tile.
    pub(crate) fn tile(&self) -> Tile {
        let Channels { ins, outs, groups } = self.channels;
        let [d, h, w] = self.axes.map(|axis| match self.direction {
            Direction::WideToNarrow => 0..axis.narrow,
            Direction::NarrowToWide => 0..axis.wide,
        });
        [0..self.batch, 0..outs * groups, d, h, w, 0..ins]
    }
}
