alias Output = texture_storage_2d<rgba16unorm, write>;
const LEVELS = 65535.0; // the code that stands for 1.0
const LOWEST = 0.0; // the lowest value that a code stands for
const HALVES = false; // whether the format stores f16
