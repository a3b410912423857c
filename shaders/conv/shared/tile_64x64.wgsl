// A tile of 64 rows and 64 columns, of which a thread sums 8 by 8.
const ROW_QUADS = 16u;
const COLUMN_QUADS = 16u;
const ROW_SQUARES = 2u;
const COLUMN_SQUARES = 2u;
