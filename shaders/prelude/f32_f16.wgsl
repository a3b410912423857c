enable f16;
alias In = f32; // what the inputs are stored as
alias Out = f16; // and the output
