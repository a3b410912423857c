// The windows of a pooling that hold a sample of its input. This file is appended to shaders of gradients, whose axes
// have the fields of the equation, and the number of windows as `count_in`.

struct Windows {
    first: i32,
    end: i32,
}

// The windows whose span holds sample q: q + pad - span + 1 <= o * stride <= q + pad.
fn windows_of(q: u32, axis: Axis) -> Windows {
    let a = i32(q) + axis.pad;
    if (a < 0) {
        return Windows(0, 0);
    }
    let below = max(a - (axis.kernel - 1) * axis.dilation, 0);
    return Windows((below + axis.stride - 1) / axis.stride, min(a / axis.stride + 1, axis.count_in));
}

// Whether q is a sample of window o; with a dilation it may lie between two samples.
fn holds(o: i32, q: u32, axis: Axis) -> bool {
    return (i32(q) + axis.pad - o * axis.stride) % axis.dilation == 0;
}
