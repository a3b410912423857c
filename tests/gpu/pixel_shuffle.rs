//! Pixel shuffle and its inverse: both copy samples, so that results are exact.

use upconv::{ChannelOrder, PixelShuffle, ShuffleDirection};

use crate::Row;
use crate::harness::check;

fn every_way<const R: usize>(
    batch: usize,
    channels: usize,
    size: [usize; R],
    factor: [usize; R],
) -> impl Iterator<Item = Row> {
    let orders = [ChannelOrder::ColumnRowDepth, ChannelOrder::DepthColumnRow];
    let directions = [ShuffleDirection::ToSpace, ShuffleDirection::ToDepth];
    let ways = orders.into_iter().flat_map(move |order| directions.map(|direction| (order, direction)));
    ways.map(move |(order, direction)| {
        let shuffle = PixelShuffle { batch, channels, size, factor, order, direction };
        let name = format!("{R}d n{batch} c{channels} {size:?} by {factor:?} {direction:?} {order:?}");
        Row::new(name.clone(), async move |gpu| check(gpu, &shuffle, &name).await)
    })
}

pub fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(every_way(2, 3, [5], [4]));
    rows.extend(every_way(2, 3, [4, 5], [2, 3]));
    rows.extend(every_way(1, 7, [3, 2], [1, 1]));
    rows.extend(every_way(1, 1, [1, 1], [5, 4]));
    rows.extend(every_way(0, 2, [3, 2], [2, 2]));
    rows.extend(every_way(2, 0, [3, 2], [2, 2]));
    rows.extend(every_way(2, 3, [0, 2], [2, 2]));
    rows.extend(every_way(2, 2, [2, 3, 2], [3, 1, 2]));
    rows
}
