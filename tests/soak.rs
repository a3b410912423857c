//! What the `soak` example refuses: each time with one clear line and exit code 1.

mod common;

#[test]
fn unknown_ops_and_arguments_are_refused() {
    common::refused("soak", &["--op", "sort"], &["\"sort\"", "conv_transpose_weight"]);
    common::refused("soak", &["--minutes", "many"], &["\"many\"", "usage"]);
    common::refused("soak", &["--bogus"], &["--bogus", "usage"]);
}
