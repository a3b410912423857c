
// Where an index of an unpooling points: the end of the texts that read indices, whose `params` have these fields.

override columns_first: bool = false;

struct Place {
    at: vec3<u32>,
    found: bool, // whether there is such a place in the plane and in the output
}

// `first` is the index of the first sample of this image and channel. Both fit: the host has made sure that every right
// index is below 2^31.
fn place_of(index: i32, first: u32) -> Place {
    let inside = index - i32(first);
    let flat = u32(max(inside, 0)) / params.unit;
    let planes = vec3<u32>(params.d.index, params.h.index, params.w.index);
    var at = vec3<u32>(flat / (planes.y * planes.z), flat / planes.z % planes.y, flat % planes.z);
    if (columns_first) {
        at = vec3<u32>(flat % planes.x, flat / planes.x % planes.y, flat / (planes.x * planes.y));
    }
    // index first: of a very negative one the difference has wrapped.
    let counted = index >= 0 && inside >= 0 && u32(inside) % params.unit == 0u;
    let limits = min(planes, vec3<u32>(params.d.output, params.h.output, params.w.output));
    return Place(at, counted && all(at < limits));
}

// Its number in the output's plane, from the first that this dispatch has at hand; one before that wraps, and is no
// less than their count.
fn number_at_hand(place: Place) -> u32 {
    return (place.at.x * params.h.output + place.at.y) * params.w.output + place.at.z - params.first_place;
}
