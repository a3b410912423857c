// The weight's gradient as an implicit GEMM: a matrix product whose matrices are never written. This file is appended
// to the two shaders that compute it.
//
// For each group, rows are narrow channels, columns are pairs of a wide channel and a tap, and the sum runs over images
// and narrow positions, in row-major order.

override split: bool = false; // whether sums continue from one dispatch to the next

// What a workgroup computes: a tile of one group's rows and columns, of one slice of the sum.
struct Work {
    group: u32,        // the first row's group
    first_channel: u32, // the narrow channel of row 0, counted over all groups
    first_row: u32,    // the tile's first row
    row_count: u32,    // rows of the group in this dispatch
    first_column: u32, // the tile's first column
    slice: u32,        // counted from this dispatch's first slice
}

fn work_of(number: u32, rows: u32, columns: u32) -> Work {
    // A dispatch has a part of one group's narrow channels, or whole groups.
    let row_count = min(params.count_narrow, params.narrow_per_group);
    let column_count = params.count_wide * params.d.count * params.h.count * params.w.count;
    let row_tiles = (row_count + rows - 1u) / rows;
    let column_tiles = (column_count + columns - 1u) / columns;
    let groups = params.count_narrow / row_count;
    let row_tile = number % row_tiles;
    var rest = number / row_tiles;
    let column_tile = rest % column_tiles;
    rest /= column_tiles;
    let first_channel = params.first_narrow + rest % groups * params.narrow_per_group;
    let slice = rest / groups;
    return Work(
        first_channel / params.narrow_per_group,
        first_channel,
        row_tile * rows,
        row_count,
        column_tile * columns,
        slice);
}

// The addresses of four rows at position 0 of this dispatch's first image. A row that does not exist gets the last
// row's address, and its sums are not stored.
fn rows_of(work: Work, number: u32) -> vec4<u32> {
    let row = min(work.first_row + number + vec4<u32>(0u, 1u, 2u, 3u), vec4(work.row_count - 1u));
    return params.narrow_base + (work.first_channel + row) * params.narrow_channel;
}

// Four columns: where their samples come from, and where their sums go.
struct Columns {
    x_at: vec4<u32>, // address of sample 0 of the wide channel in this dispatch's first image
    q_d: vec4<i32>,  // the wide index that narrow index 0 reads: tap * dilation - pad
    q_h: vec4<i32>,
    q_w: vec4<i32>,
    y_at: vec4<u32>, // address of the weight of narrow channel 0, in this slice
    exist: vec4<bool>,
}

fn columns_of(work: Work, number: vec4<u32>) -> Columns {
    var rest = work.first_column + number;
    let tap_w = rest % params.w.count + params.w.first;
    rest /= params.w.count;
    let tap_h = rest % params.h.count + params.h.first;
    rest /= params.h.count;
    let tap_d = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let channel = rest + params.first_wide;
    let x_at = params.wide_base + (work.group * params.wide_per_group + channel) * params.wide_channel;
    let y_at = params.y_base + work.slice * params.y_slice + channel * params.y_wide
        + tap_d * params.d.y_stride + tap_h * params.h.y_stride + tap_w * params.w.y_stride;
    let exist = (rest < vec4(params.count_wide)) & vec4(work.slice < params.slices);
    let q_d = vec4<i32>(tap_d) * params.d.dilation - params.d.pad;
    let q_h = vec4<i32>(tap_h) * params.h.dilation - params.h.pad;
    let q_w = vec4<i32>(tap_w) * params.w.dilation - params.w.pad;
    return Columns(x_at, q_d, q_h, q_w, y_at, exist);
}

// The positions of a slice that this dispatch sums: from x up to y, counted from the dispatch's first position. The
// first slice begins at its position `lead`. The range is empty for a workgroup that only fills the grid.
fn range_of(slice: u32) -> vec2<u32> {
    let start = max(slice * params.slice, params.lead) - params.lead;
    let end = min((slice + 1u) * params.slice - params.lead, params.count);
    return select(vec2(0u), vec2(start, end), slice < params.slices);
}

// A position of this dispatch: what it adds to addresses, and the narrow index on each axis.
struct Place {
    narrow_at: u32, // added to a row's address
    wide_at: u32,   // added to a column's address, for the image
    plane: i32,
    row: i32,
    column: i32,
}

fn place_of(at: u32) -> Place {
    let position = params.first + at;
    let column = position % u32(params.w.narrow);
    var outer = position / u32(params.w.narrow);
    let row = outer % u32(params.h.narrow);
    outer /= u32(params.h.narrow);
    let plane = outer % u32(params.d.narrow);
    let n = outer / u32(params.d.narrow);
    let narrow_at = n * params.narrow_batch + plane * params.d.narrow_stride + row * params.h.narrow_stride
        + column * params.w.narrow_stride;
    return Place(narrow_at, n * params.wide_batch, i32(plane), i32(row), i32(column));
}

fn read_rows(at: vec4<u32>) -> vec4<f32> {
    return vec4(f32(narrow[at.x]), f32(narrow[at.y]), f32(narrow[at.z]), f32(narrow[at.w]));
}

// The samples that four columns read, or 0 in the padding.
fn read_columns(line: vec4<u32>, q: vec4<i32>, in_line: vec4<bool>) -> vec4<f32> {
    let there = in_line & (q >= vec4(0)) & (q < vec4(params.w.wide));
    let at = select(vec4(0u), line + vec4<u32>(q) * params.w.wide_stride, there);
    return select(vec4(0.0), vec4(f32(wide[at.x]), f32(wide[at.y]), f32(wide[at.z]), f32(wide[at.w])), there);
}

// The row of wide samples that each of four columns reads at a place.
struct Lines {
    at: vec4<u32>,      // address of the row's sample 0
    there: vec4<bool>,  // whether the column exists, and the row is not padding
}

fn lines_of(columns: Columns, place: Place) -> Lines {
    let q_d = columns.q_d + place.plane * params.d.stride;
    let q_h = columns.q_h + place.row * params.h.stride;
    let there = columns.exist & (q_d >= vec4(0)) & (q_d < vec4(params.d.wide)) & (q_h >= vec4(0))
        & (q_h < vec4(params.h.wide));
    let at = columns.x_at + place.wide_at + vec4<u32>(q_d) * params.d.wide_stride
        + vec4<u32>(q_h) * params.h.wide_stride;
    return Lines(at, there);
}

fn load_row(work: Work, row: u32, columns: Columns) -> vec4<f32> {
    let there = columns.exist & vec4(row < work.row_count);
    let at = select(vec4(0u), columns.y_at + (work.first_channel + row) * params.y_narrow, there);
    return select(vec4(0.0), vec4(f32(y[at.x]), f32(y[at.y]), f32(y[at.z]), f32(y[at.w])), there);
}

// The sums of four rows and columns: what an earlier dispatch left of them in the first slice, else zeros.
fn load(work: Work, number: u32, columns: Columns) -> mat4x4<f32> {
    if (work.slice > 0u || params.accumulate == 0u) {
        return mat4x4<f32>();
    }
    let row = work.first_row + number;
    return mat4x4<f32>(
        load_row(work, row, columns),
        load_row(work, row + 1u, columns),
        load_row(work, row + 2u, columns),
        load_row(work, row + 3u, columns),
    );
}

fn store(work: Work, number: u32, columns: Columns, sums: mat4x4<f32>) {
    for (var i = 0u; i < 4u; i++) {
        let row = work.first_row + number + i;
        let there = columns.exist & vec4(row < work.row_count);
        let at = columns.y_at + (work.first_channel + row) * params.y_narrow;
        if (there.x) { y[at.x] = Out(sums[i].x); }
        if (there.y) { y[at.y] = Out(sums[i].y); }
        if (there.z) { y[at.z] = Out(sums[i].z); }
        if (there.w) { y[at.w] = Out(sums[i].w); }
    }
}
