alias Output = texture_storage_2d<rg16unorm, write>;
const LEVELS = 65535.0; // codes above that of 0
const LOWEST = 0.0;
const HALVES = false; // whether it stores f16
