// A tile of 16 rows and 64 columns, of which a thread sums 4 by 4.
const ROW_QUADS = 4u;
const COLUMN_QUADS = 16u;
const ROW_SQUARES = 1u;
const COLUMN_SQUARES = 1u;
