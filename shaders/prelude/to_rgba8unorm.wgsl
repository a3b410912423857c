alias Output = texture_storage_2d<rgba8unorm, write>;
const LEVELS = 255.0; // the code that stands for 1.0
const LOWEST = 0.0; // the lowest value that a code stands for
const HALVES = false; // whether the format stores f16
