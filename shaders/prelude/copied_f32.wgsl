alias Number = u32; // the storage type of inputs and outputs, which are copied: the bits of an f32

// The bits of a number as an f32.
fn bits_of(number: Number) -> u32 {
    return number;
}

// The number of these bits.
fn number_of(bits: u32) -> Number {
    return bits;
}
