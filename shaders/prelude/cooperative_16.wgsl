const SIDE = 16u; // rows, and columns, of a cooperative matrix
alias RowMatrix = coop_mat16x16<In, A>;
alias SampleMatrix = coop_mat16x16<In, B>;
alias SumMatrix = coop_mat16x16<f32, C>;
