alias Output = texture_storage_2d<rgba16float, write>;
const LEVELS = 0.0; // it stores no codes
const LOWEST = 0.0;
const HALVES = true; // whether it stores f16
