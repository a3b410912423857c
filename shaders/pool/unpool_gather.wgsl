// Max unpooling, then: one thread per output element copies the sample that its mark names, or writes 0.

struct Params {
    first_d: u32, // this dispatch's first output index on each axis
    first_h: u32,
    first_w: u32,
    count_d: u32, // and how many it computes
    count_h: u32,
    count_w: u32,
    size_h: u32,  // samples of the input on the inner axes
    size_w: u32,
    x_d: u32,     // elements, modulo 2^32 like every address here
    x_h: u32,
    x_w: u32,
    m_d: u32,
    m_h: u32,
    m_w: u32,
    y_d: u32,
    y_h: u32,
    y_w: u32,
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
    let column = rest % params.count_w + params.first_w;
    rest /= params.count_w;
    let row = rest % params.count_h + params.first_h;
    rest /= params.count_h;
    let slice = rest % params.count_d + params.first_d;
    rest /= params.count_d;
    let channel = rest % params.channel_count + params.first_channel;
    let n = rest / params.channel_count;
    if (n >= params.batch_count) {
        return;
    }
    let mark = marks[params.m_base + n * params.m_batch + channel * params.m_channel
        + slice * params.m_d + row * params.m_h + column * params.m_w];
    let y_at = params.y_base + n * params.y_batch + channel * params.y_channel
        + slice * params.y_d + row * params.y_h + column * params.y_w;
    // No mark is 0, and wraps; so does a sample before those at hand.
    let sample = mark - 1u;
    if (mark != 0u && sample - params.first_sample < params.count_samples) {
        let at = vec3<u32>(sample / (params.size_h * params.size_w), sample / params.size_w % params.size_h,
            sample % params.size_w);
        y[y_at] = x[params.x_base + n * params.x_batch + channel * params.x_channel
            + at.x * params.x_d + at.y * params.x_h + at.z * params.x_w];
    } else if (params.accumulate == 0u) {
        y[y_at] = 0u;
    }
}
