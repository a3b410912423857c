//! How the examples' programs end.

use std::process::ExitCode;

/// Ends a program: by what its arguments asked for, its usage if they asked for help, or one line that says what is
/// wrong.
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
