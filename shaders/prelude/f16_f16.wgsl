enable f16;
alias In = f16; // what the inputs are stored as
alias Out = f16; // and the output
