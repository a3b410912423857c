// A tile of 128 rows and 64 columns, of which a thread sums 8 by 4.
const ROW_QUADS = 32u;
const COLUMN_QUADS = 16u;
const ROW_SQUARES = 2u;
const COLUMN_SQUARES = 1u;
