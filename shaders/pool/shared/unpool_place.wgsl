
// The place that an index of an unpooling names. This file is appended to the shaders that read indices; their `params`
// have the fields that it uses.

override columns_first: bool = false; // whether indices count column-major in a plane, the first axis fastest

struct Place {
    at: vec3<u32>,
    found: bool, // whether the index names a place that is in the plane and in the output
}

// `first` is the index of the first sample of this image and channel. It fits an i32: the host has made sure that every
// valid index is below 2^31.
fn place_of(index: i32, first: u32) -> Place {
    let inside = index - i32(first);
    let flat = u32(max(inside, 0)) / params.unit;
    let planes = vec3<u32>(params.d.index, params.h.index, params.w.index);
    var at = vec3<u32>(flat / (planes.y * planes.z), flat / planes.z % planes.y, flat % planes.z);
    if (columns_first) {
        at = vec3<u32>(flat % planes.x, flat / planes.x % planes.y, flat / (planes.x * planes.y));
    }
    // `index` is tested too, because the difference wraps for a very negative index.
    let counted = index >= 0 && inside >= 0 && u32(inside) % params.unit == 0u;
    let limits = min(planes, vec3<u32>(params.d.output, params.h.output, params.w.output));
    return Place(at, counted && all(at < limits));
}

// The row-major number of a place in the output's plane, counted from first_place. For a place before first_place it
// wraps, and is larger than any count of places.
fn number_at_hand(place: Place) -> u32 {
    return (place.at.x * params.h.output + place.at.y) * params.w.output + place.at.z - params.first_place;
}
