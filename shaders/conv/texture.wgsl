// Convolution of a texture into a texture, or its transpose: one thread computes all channels of an output texel.
// Which of the two it is depends on the file that defines the taps: by DIRECTION, the next tap reads the sample
// index_step above or below.

override workgroup_width: u32 = 8;
override workgroup_height: u32 = 8;
override in_per_group: u32 = 4;  // input channels of a group
override out_per_group: u32 = 4; // output channels of a group

@compute @workgroup_size(workgroup_width, workgroup_height)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.w.count || id.y >= params.h.count) {
        return;
    }
    let taps_h = taps_of(id.y, params.h);
    let taps_w = taps_of(id.x, params.w);
    let row_step = DIRECTION * params.h.index_step;
    let column_step = DIRECTION * params.w.index_step;

    var sums = vec4(0.0);
    if (has_bias) {
        for (var channel = 0u; channel < channels; channel++) {
            sums = with_component(sums, channel, b[params.b_base + channel * params.b_stride]);
        }
    }
    var row = taps_h.index;
    var w_row = params.w_base + u32(taps_h.first) * params.h.w_stride + u32(taps_w.first) * params.w.w_stride;
    for (var j = 0; j < taps_h.count; j++) {
        var column = taps_w.index;
        var w_tap = w_row;
        for (var k = 0; k < taps_w.count; k++) {
            let texel = load_texel(u32(column), u32(row));
            for (var channel = 0u; channel < channels; channel++) {
                let group = channel / out_per_group;
                var w_at = w_tap + channel * params.w_out + group * params.w_group;
                var sum = sums[channel];
                for (var i = 0u; i < in_per_group; i++) {
                    sum += texel[group * in_per_group + i] * w[w_at];
                    w_at += params.w_in;
                }
                sums = with_component(sums, channel, sum);
            }
            column += column_step;
            w_tap += u32(params.w.tap_step) * params.w.w_stride;
        }
        row += row_step;
        w_row += u32(params.h.tap_step) * params.h.w_stride;
    }
    store_texel(id.x, id.y, activate(sums));
}
