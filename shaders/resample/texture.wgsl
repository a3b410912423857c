// Any separable resize of a texture into a texture: one thread sums a texel's taps, row by row.

struct Params {
    width: u32,  // columns of the output
    height: u32, // rows of the output
    taps_h: u32, // entries in a row of table_h
    taps_w: u32, // entries in a row of table_w
    extrapolation: f32, // the output where a table says OUTSIDE
}

override workgroup_width: u32 = 8;
override workgroup_height: u32 = 8;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> table_h: array<vec2<u32>>; // (index, weight as bits)
@group(0) @binding(3) var<storage, read> table_w: array<vec2<u32>>;

@compute @workgroup_size(workgroup_width, workgroup_height)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width || id.y >= params.height) {
        return;
    }
    let at_h = id.y * params.taps_h;
    let at_w = id.x * params.taps_w;
    var value = vec4(params.extrapolation);
    if (table_h[at_h].x != OUTSIDE && table_w[at_w].x != OUTSIDE) {
        value = vec4(0.0);
        for (var j = 0u; j < params.taps_h; j++) {
            let h = table_h[at_h + j];
            if (h.x == END) {
                break;
            }
            var row_sum = vec4(0.0);
            for (var k = 0u; k < params.taps_w; k++) {
                let w = table_w[at_w + k];
                if (w.x == END) {
                    break;
                }
                row_sum += bitcast<f32>(w.y) * load_texel(w.x, h.x);
            }
            value += bitcast<f32>(h.y) * row_sum;
        }
    }
    store_texel(id.x, id.y, value);
}
