alias Output = texture_storage_2d<rgba8unorm, write>;
const LEVELS = 255.0; // codes above that of 0
const LOWEST = 0.0;
const HALVES = false; // whether it stores f16
