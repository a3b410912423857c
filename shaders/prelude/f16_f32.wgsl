enable f16;
alias In = f16; // what the inputs are stored as
alias Out = f32; // and the output
