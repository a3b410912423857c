alias Output = texture_storage_2d<rg16snorm, write>;
const LEVELS = 32767.0; // the code that stands for 1.0
const LOWEST = -1.0; // the lowest value that a code stands for
const HALVES = false; // whether the format stores f16
