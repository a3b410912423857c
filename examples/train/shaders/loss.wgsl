// The mean squared error of a batch of pictures away from their edges, and its gradient, by one workgroup.

struct Params {
    side: u32,   // of a picture, in samples
    edge: u32,   // samples on each side that do not count
    count: u32,  // samples of the batch
    slot: u32,   // where in `losses` the error is written
    scale: f32,  // 1 / number of samples that count
}

const THREADS = 256u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<f32>;
@group(0) @binding(2) var<storage, read> truth: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let last = params.side - params.edge;
    var sum = 0.0;
    for (var at = thread; at < params.count; at += THREADS) {
        let column = at % params.side;
        let row = at / params.side % params.side;
        let inside = min(column, row) >= params.edge && max(column, row) < last;
        let error = select(0.0, output[at] - truth[at], inside);
        gradient[at] = 2.0 * params.scale * error;
        sum += error * error;
    }
    sums[thread] = sum;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
    }
    if (thread == 0u) {
        losses[params.slot] = sums[0] * params.scale;
    }
}
