alias Output = texture_storage_2d<rgba32float, write>;
const LEVELS = 0.0; // the format stores floats, not integer codes
const LOWEST = 0.0; // used with codes only
const HALVES = false; // whether the format stores f16
