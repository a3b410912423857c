// Max unpooling, second step: one thread per output element copies the sample that its mark names, or writes 0.

struct Axis {
    first: u32,    // this dispatch's first output index
    count: u32,    // output indices of this dispatch
    size: u32,     // samples of the input
    x_stride: u32, // elements from one sample to the next, modulo 2^32 like every address here
    m_stride: u32, // elements from one output's mark to the next
    y_stride: u32, // elements from one output to the next
    unused_0: u32, // fills the struct to a multiple of 16 bytes
    unused_1: u32,
}

struct Params {
    d: Axis,
    h: Axis,
    w: Axis,
    batch_count: u32,   // images of this dispatch
    first_channel: u32, // this dispatch's first channel
    channel_count: u32, // and how many channels it computes
    first_sample: u32,  // this dispatch's first sample in each plane of the input, row-major
    count_samples: u32, // and how many samples of each plane it may read
    accumulate: u32,    // 1: an output whose mark names none of these samples stays as it is; 0: it becomes 0
    x_base: u32,        // address of channel 0, sample 0 in this dispatch's first image
    x_batch: u32,       // from one image to the next
    x_channel: u32,     // from one channel to the next
    m_base: u32,        // address of channel 0, mark 0 in this dispatch's first image
    m_batch: u32,       // from one image to the next
    m_channel: u32,     // from one channel to the next
    y_base: u32,        // address of channel 0, output 0 in this dispatch's first image
    y_batch: u32,       // from one image to the next
    y_channel: u32,     // from one channel to the next
    row_threads: u32,   // threads of one row of workgroups: thread = id.y * row_threads + id.x
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read> marks: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<Number>;

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
    // A mark is a sample's number plus 1; 0 is no mark. A sample before first_sample wraps, and is past every count.
    let sample = mark - 1u;
    if (mark != 0u && sample - params.first_sample < params.count_samples) {
        let at = vec3<u32>(sample / (params.h.size * params.w.size), sample / params.w.size % params.h.size,
            sample % params.w.size);
        y[y_at] = x[params.x_base + n * params.x_batch + channel * params.x_channel
            + at.x * params.d.x_stride + at.y * params.h.x_stride + at.z * params.w.x_stride];
    } else if (params.accumulate == 0u) {
        y[y_at] = Number(0);
    }
}
