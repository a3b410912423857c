alias In = f32; // what the inputs are stored as
alias Out = f32; // and the output
