const SIDE = 8u; // rows, and columns, of a cooperative matrix
alias RowMatrix = coop_mat8x8<In, A>;
alias SampleMatrix = coop_mat8x8<In, B>;
alias SumMatrix = coop_mat8x8<f32, C>;
