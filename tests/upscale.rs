//! What the `upscale` example refuses: each time with one clear line and exit code 1, and without a GPU.

mod common;

fn refused(arguments: &[&str], words: &[&str]) {
    common::refused("upscale", arguments, words);
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
