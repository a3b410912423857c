// Zeros, one thread per word.

struct Params {
    base: u32,
    count: u32,
    row_threads: u32, // threads in one row of workgroups; rows are folded into y
}

override workgroup_size: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(workgroup_size)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.row_threads + id.x;
    if (at < params.count) {
        y[params.base + at] = 0u;
    }
}
