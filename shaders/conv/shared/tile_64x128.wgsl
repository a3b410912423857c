// A tile of 64 rows and 128 columns, of which a thread sums 8 by 8.
const ROW_QUADS = 16u;
const COLUMN_QUADS = 32u;
const ROW_SQUARES = 2u;
const COLUMN_SQUARES = 2u;
