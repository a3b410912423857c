// Writes zeros: one thread per word of 4 bytes.

struct Params {
    base: u32,        // address of this dispatch's first word
    count: u32,       // words of this dispatch
    row_threads: u32, // threads of one row of workgroups: thread = id.y * row_threads + id.x
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
