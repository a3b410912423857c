alias Output = texture_storage_2d<rg16snorm, write>;
const LEVELS = 32767.0; // codes above that of 0
const LOWEST = -1.0;
const HALVES = false; // whether it stores f16
