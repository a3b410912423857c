// What may stand in a tap table in place of a sample's index.

const OUTSIDE = 0xffffffffu; // first in a row: the output is the extrapolation value
const END = 0xfffffffeu;     // the row has no more taps
