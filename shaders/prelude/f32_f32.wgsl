alias In = f32; // the storage type of the inputs
alias Out = f32; // the storage type of the output
