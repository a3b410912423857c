// A tile of 32 rows and 128 columns, of which a thread sums 8 by 4.
const ROW_QUADS = 8u;
const COLUMN_QUADS = 32u;
const ROW_SQUARES = 2u;
const COLUMN_SQUARES = 1u;
