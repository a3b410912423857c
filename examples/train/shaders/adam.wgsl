// One step of Adam (Kingma and Ba 2015) on all parameters at once.

struct Params {
    rate: f32,       // learning rate times sqrt(1 - beta_2^t) / (1 - beta_1^t), as in section 2 of the paper
    beta_1: f32,     // decay of the gradients' running mean
    beta_2: f32,     // decay of their squares' running mean
    epsilon: f32,    // the paper's epsilon times sqrt(1 - beta_2^t)
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> square: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&weight)) {
        return;
    }
    let g = gradient[id.x];
    let m = mix(g, mean[id.x], params.beta_1);
    let v = mix(g * g, square[id.x], params.beta_2);
    mean[id.x] = m;
    square[id.x] = v;
    weight[id.x] -= params.rate * m / (sqrt(v) + params.epsilon);
}
