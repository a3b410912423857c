// The second pass of split-K: one thread per output element adds its partial sums in their order and the bias of its
// channel, which is the second axis, and applies the activation.

struct Axis {
    first: u32,    // this dispatch's first output index
    count: u32,    // output indices of this dispatch
    x_stride: u32, // elements from one index to the next, modulo 2^32 like every address here
    y_stride: u32, // elements from one index to the next
}

struct Params {
    n: Axis, // the output's axes in their order
    c: Axis,
    d: Axis,
    h: Axis,
    w: Axis,
    x_base: u32,      // address of element 0's first partial sum
    y_base: u32,      // address of output element 0
    slices: u32,      // partial sums of an element, which lie one after the other in x
    row_threads: u32, // threads of one row of workgroups: thread = id.y * row_threads + id.x
    b_base: u32,      // address of channel 0's bias
    b_stride: u32,    // from one channel's bias to the next
    alpha: f32,       // the leaky ReLU's slope, or the clip's lower bound
    beta: f32,        // the clip's upper bound
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
    let i4 = rest % params.w.count + params.w.first;
    rest /= params.w.count;
    let i3 = rest % params.h.count + params.h.first;
    rest /= params.h.count;
    let i2 = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let i1 = rest % params.c.count + params.c.first;
    let i0 = rest / params.c.count;
    if (i0 >= params.n.count) {
        return;
    }
    let outer = i0 + params.n.first;
    let x_at = params.x_base + outer * params.n.x_stride + i1 * params.c.x_stride
        + i2 * params.d.x_stride + i3 * params.h.x_stride + i4 * params.w.x_stride;
    let y_at = params.y_base + outer * params.n.y_stride + i1 * params.c.y_stride
        + i2 * params.d.y_stride + i3 * params.h.y_stride + i4 * params.w.y_stride;
    var sum = 0.0;
    for (var slice = 0u; slice < params.slices; slice++) {
        sum += f32(x[x_at + slice]);
    }
    if (has_bias) {
        sum += f32(b[params.b_base + i1 * params.b_stride]);
    }
    y[y_at] = Out(activate(vec4(sum)).x);
}
