// What a thread computes that has four rows of one column in several channels.

struct Block {
    n: u32,
    channel: u32, // the first
    slice: u32,
    row: u32,     // the first
    end: u32,     // one past the dispatch's last row
    column: u32,
}

fn block_of(thread: u32) -> Block {
    let end = params.first_h + params.count_h;
    let column = thread % params.count_w + params.first_w;
    var rest = thread / params.count_w;
    let rows = (params.count_h + 3u) / 4u;
    let row = rest % rows * 4u + params.first_h;
    rest /= rows;
    let slice = rest % params.count_d + params.first_d;
    rest /= params.count_d;
    let blocks = (params.channel_count + channels - 1u) / channels;
    let channel = rest % blocks * channels;
    return Block(rest / blocks, channel, slice, row, end, column);
}

fn store(block: Block, channel: u32, values: vec4<Out>) {
    let at = params.y_base + block.n * params.y_batch + channel * params.y_channel
        + block.slice * params.y_d + block.row * params.y_h + block.column * params.y_w;
    let count = block.end - block.row;
    y[at] = values.x;
    if (count > 1u) { y[at + params.y_h] = values.y; }
    if (count > 2u) { y[at + 2u * params.y_h] = values.z; }
    if (count > 3u) { y[at + 3u * params.y_h] = values.w; }
}
