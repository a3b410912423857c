//! The main job's refusals: one clear line and exit code 1. None of them needs a GPU.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The example's program, which `cargo test` builds beside this one.
fn upscale(arguments: &[&str]) -> Output {
    let mut folder = std::env::current_exe().expect("this test's own path");
    folder.pop();
    folder.pop();
    let program: PathBuf = folder.join("examples").join(format!("upscale{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: cargo build --example upscale", program.display());
    Command::new(program).args(arguments).output().expect("the example starts")
}

fn refused(arguments: &[&str], words: &[&str]) {
    let output = upscale(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
    // Drivers may print lines of their own.
    let own: Vec<_> = error.lines().filter(|line| line.starts_with("upscale: ")).collect();
    assert_eq!(own.len(), 1, "{arguments:?}: {error}");
    assert!(words.iter().all(|word| own[0].contains(word)), "{arguments:?}: {error}");
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn factors_that_make_no_picture_are_refused() {
    refused(&["--factor", "0"], &["factor is 0"]);
    refused(&["--factor", "1000000000"], &["factor is 1000000000", "64"]);
    refused(&["--factor", "64"], &["factor 64", "512x512", "32768x32768", "67108864 pixels"]);
    refused(&["--factor", "two"], &["\"two\"", "usage"]);
}

#[test]
fn pictures_that_cannot_be_read_are_refused() {
    refused(&["no/such/picture.png"], &["cannot read no/such/picture.png"]);
    refused(&["Cargo.toml"], &["cannot read Cargo.toml"]);
}

#[test]
fn folders_that_cannot_be_written_are_refused() {
    refused(&["--out", "Cargo.toml/pictures"], &["cannot write to Cargo.toml/pictures"]);
    refused(&["--out", "Cargo.toml"], &["cannot write to Cargo.toml"]);
}

#[test]
fn unknown_arguments_are_refused() {
    refused(&["--bogus"], &["--bogus", "usage"]);
    refused(&["a.png", "b.png"], &["b.png", "usage"]);
}
