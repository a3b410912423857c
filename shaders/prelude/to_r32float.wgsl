alias Output = texture_storage_2d<r32float, write>;
const LEVELS = 0.0; // it stores no codes
const LOWEST = 0.0;
const HALVES = false; // whether it stores f16
