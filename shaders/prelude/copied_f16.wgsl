enable f16;
alias Number = f16; // the storage type of inputs and outputs, which are copied

// The bits of a number as an f32.
fn bits_of(number: Number) -> u32 {
    return bitcast<u32>(f32(number));
}

// The number of these bits.
fn number_of(bits: u32) -> Number {
    return f16(bitcast<f32>(bits));
}
