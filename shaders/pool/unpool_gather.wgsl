// Max unpooling, then: one thread per output element copies the sample that its mark names, or writes 0.

struct Axis {
    first: u32,    // this dispatch's first output index
    count: u32,    // output indices of this dispatch
    size: u32,     // samples of the input
    x_stride: u32, // elements, modulo 2^32 like every address here
    m_stride: u32,
    y_stride: u32,
    unused_0: u32,
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,
    first_channel: u32,
    channel_count: u32,
    first_sample: u32, // samples of a plane that this dispatch has at hand
    count_samples: u32,
    accumulate: u32,   // 1: an output whose sample is not at hand stays as it is
    x_base: u32,
    x_batch: u32,
    x_channel: u32,
    m_base: u32,
    m_batch: u32,
    m_channel: u32,
    y_base: u32,
    y_batch: u32,
    y_channel: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>; // the bits of f32
@group(0) @binding(2) var<storage, read> marks: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var rest = id.y * params.row_threads + id.x;
    let column = rest % params.w.count + params.w.first;
    rest /= params.w.count;
    let row = rest % params.h.count + params.h.first;
    rest /= params.h.count;
    let slice = rest % params.d.count + params.d.first;
    rest /= params.d.count;
    let channel = rest % params.channel_count + params.first_channel;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let mark = marks[params.m_base + n * params.m_batch + channel * params.m_channel
        + slice * params.d.m_stride + row * params.h.m_stride + column * params.w.m_stride];
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.d.y_stride + row * params.h.y_stride + column * params.w.y_stride;
    // No mark is 0, and wraps; so does a sample before those at hand.
    let sample = mark - 1u;
    if (mark != 0u && sample - params.first_sample < params.count_samples) {
        let at = vec3<u32>(sample / (params.h.size * params.w.size), sample / params.w.size % params.h.size,
            sample % params.w.size);
        y[y_at] = x[params.x_base + n * params.x_batch + channel * params.x_channel
            + at.x * params.d.x_stride + at.y * params.h.x_stride + at.z * params.w.x_stride];
    } else if (params.accumulate == 0u) {
        y[y_at] = 0u;
    }
}
