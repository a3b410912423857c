enable f16;
alias In = f16; // the storage type of the inputs
alias Out = f16; // the storage type of the output
