//! How the examples' programs end.

use std::process::ExitCode;

/// Runs a program with its parsed arguments, or prints its usage if they ask for help (`None`), or prints an error as
/// one line. Returns the exit status.
pub fn end<A>(
    name: &str,
    usage: &str,
    arguments: Result<Option<A>, String>,
    run: impl FnOnce(A) -> Result<(), String>,
) -> ExitCode {
    let outcome = match arguments {
        Ok(Some(arguments)) => run(arguments),
        Ok(None) => {
            println!("{usage}");
            Ok(())
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", error.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}
