//! Running the examples' programs, which `cargo test` builds beside the tests.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs an example with these arguments, in the package's folder.
pub fn example(name: &str, arguments: &[&str]) -> Output {
    let mut folder = std::env::current_exe().expect("this test's own path");
    folder.pop();
    folder.pop();
    let program: PathBuf = folder.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: cargo build --example {name}", program.display());
    Command::new(program).args(arguments).output().expect("the example starts")
}

/// Asserts that the example exits with code 1 and prints one line of its own to stderr, which contains all these words.
pub fn refused(name: &str, arguments: &[&str], words: &[&str]) {
    let output = example(name, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    // Drivers may print lines of their own.
    let own: Vec<_> = error.lines().filter(|line| line.starts_with(&format!("{name}: "))).collect();
    assert_eq!(own.len(), 1, "{arguments:?}: {error}");
    assert!(words.iter().all(|word| own[0].contains(word)), "{arguments:?}: {error}");
    assert!(!error.contains("panicked"), "{error}");
}
