// Nearest-neighbour upsampling: a thread copies four rows of one column in several channels, and reads the tables once
// for all of them.

override workgroup_size: u32 = 64;
override channels: u32 = 4; // channels of a thread: 1 to 4

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = block_of(id.y * params.row_threads + id.x);
    if (block.n >= params.batch_count) {
        return;
    }
    let d = tables[params.d.table + block.slice].x;
    let w = tables[params.w.table + block.column].x;
    // Rows past the last repeat the last; they are not stored.
    let at = params.h.table + min(block.row + vec4<u32>(0u, 1u, 2u, 3u), vec4(block.end - 1u));
    let h = vec4(tables[at.x].x, tables[at.y].x, tables[at.z].x, tables[at.w].x);
    let inside = vec4(d != OUTSIDE && w != OUTSIDE) & (h != vec4(OUTSIDE));
    let outside = vec4(Out(params.extrapolation));
    let line = d * params.d.x_stride + w * params.w.x_stride + h * params.h.x_stride;
    for (var c = block.channel; c < min(block.channel + channels, params.channel_count); c++) {
        // Outside of the input, the first element that is bound is read, and not used.
        let all = params.x_base + block.n * params.x_batch + c * params.x_channel + line;
        let source = select(vec4(0u), all, inside);
        let values = vec4(Out(x[source.x]), Out(x[source.y]), Out(x[source.z]), Out(x[source.w]));
        store(block, c, select(outside, values, inside));
    }
}
