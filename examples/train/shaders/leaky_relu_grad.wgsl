// Turns the gradient with respect to a leaky ReLU's output into the gradient with respect to its input, in place.
// The output has the input's sign, since the slope is positive.

override slope: f32 = 0.0;

@group(0) @binding(0) var<storage, read> output: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    for (var at = id.x; at < arrayLength(&gradient); at += groups.x * 64u) {
        if (output[at] < 0.0) {
            gradient[at] *= slope;
        }
    }
}
