// The block of outputs that a thread computes: four rows of one column, in several channels.

struct Block {
    n: u32,       // the image, counted from this dispatch's first
    channel: u32, // the first channel, counted from this dispatch's first
    slice: u32,
    row: u32,     // the first row
    end: u32,     // one past the dispatch's last row
    column: u32,
}

fn block_of(thread: u32) -> Block {
    let end = params.h.first + params.h.count;
    let column = thread % params.w.count + params.w.first;
    var rest = thread / params.w.count;
    let rows = (params.h.count + 3u) / 4u;
    let row = rest % rows * 4u + params.h.first;
    rest /= rows;
    let slice = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let blocks = (params.channel_count + channels - 1u) / channels;
    let channel = rest % blocks * channels;
    return Block(rest / blocks, channel, slice, row, end, column);
}

fn store(block: Block, channel: u32, values: vec4<Out>) {
    let at = params.y_base + block.n * params.y_batch + channel * params.y_channel
        + block.slice * params.d.y_stride + block.row * params.h.y_stride + block.column * params.w.y_stride;
    let count = block.end - block.row;
    y[at] = values.x;
    if (count > 1u) { y[at + params.h.y_stride] = values.y; }
    if (count > 2u) { y[at + 2u * params.h.y_stride] = values.z; }
    if (count > 3u) { y[at + 3u * params.h.y_stride] = values.w; }
}
