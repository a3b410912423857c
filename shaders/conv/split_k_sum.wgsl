// The second pass of a sum: one thread per output element adds its partial sums in their order, and a bias for each index of
// the second axis.

struct Params {
    first_0: u32, // this dispatch's first output index on each axis
    first_1: u32,
    first_2: u32,
    first_3: u32,
    first_4: u32,
    count_0: u32, // and how many it computes
    count_1: u32,
    count_2: u32,
    count_3: u32,
    count_4: u32,
    x_0: u32,     // elements, modulo 2^32 like every address here
    x_1: u32,
    x_2: u32,
    x_3: u32,
    x_4: u32,
    y_0: u32,
    y_1: u32,
    y_2: u32,
    y_3: u32,
    y_4: u32,
    x_base: u32,
    y_base: u32,
    parts: u32,   // partial sums of an element, one after the other
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
    b_base: u32,
    b_stride: u32,
    alpha: f32,       // slope, or the clip's lower end
    beta: f32,        // the clip's upper end
}

override workgroup_size: u32 = 64;
override has_bias: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read> b: array<Out>;
@group(0) @binding(3) var<storage, read_write> y: array<Out>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let i4 = rest % params.count_4 + params.first_4;
    rest /= params.count_4;
    let i3 = rest % params.count_3 + params.first_3;
    rest /= params.count_3;
    let i2 = rest % params.count_2 + params.first_2;
    rest /= params.count_2;
    let i1 = rest % params.count_1 + params.first_1;
    let i0 = rest / params.count_1;
    if (i0 >= params.count_0) {
        return;
    }
    let outer = i0 + params.first_0;
    let x_at = params.x_base + outer * params.x_0 + i1 * params.x_1 + i2 * params.x_2 + i3 * params.x_3 + i4 * params.x_4;
    var sum = 0.0;
    for (var part = 0u; part < params.parts; part++) {
        sum += f32(x[x_at + part]);
    }
    if (has_bias) {
        sum += f32(b[params.b_base + i1 * params.b_stride]);
    }
    y[params.y_base + outer * params.y_0 + i1 * params.y_1 + i2 * params.y_2 + i3 * params.y_3 + i4 * params.y_4] =
        Out(activate(vec4(sum)).x);
}
