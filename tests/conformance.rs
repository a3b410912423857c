//! The test cases of other libraries, run on the CPU reference; `tests/gpu` runs them on every adapter.

#[path = "../examples/conformance/runner/mod.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod runner;

use std::path::Path;

use runner::{Engine, Row, Status};

fn run(file: &Path) -> Vec<Row> {
    pollster::block_on(runner::run(file, &[Engine::Reference])).unwrap()
}

#[test]
fn the_reference_agrees_with_every_case() {
    let files = runner::find(&["tests/cases".into()]).unwrap();
    assert!(files.len() > 150, "{}", files.len());
    let rows = files.iter().flat_map(|file| run(file));
    let wrong: Vec<_> = rows.filter(|row| row.status != Status::Passed).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A case fails if one element of any output is wrong.
#[test]
fn a_wrong_element_is_noticed() {
    let folder = std::env::temp_dir().join(format!("upconv-case-{}", std::process::id()));
    for case in ["tests/cases/torch/conv2d_backward_000", "tests/cases/torch/max_pool2d_000"] {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let files = || std::fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
        files().for_each(|file| std::fs::copy(&file, folder.join(file.file_name().unwrap())).map(|_| ()).unwrap());
        let status = || run(&folder.join("case.json"))[0].status;
        assert_eq!(status(), Status::Passed);
        let outputs = files().filter(|file| file.to_string_lossy().contains("output_"));
        for file in outputs.filter(|file| !file.to_string_lossy().contains("input_")) {
            let copy = folder.join(file.file_name().unwrap());
            let right = std::fs::read(&copy).unwrap();
            let mut wrong = right.clone();
            // Flips the second highest bit of the last element, which changes a float or an integer by much.
            if let Some(byte) = wrong.last_mut() {
                *byte ^= 0x40;
            }
            std::fs::write(&copy, wrong).unwrap();
            assert_eq!(status(), Status::Failed, "{}", file.display());
            std::fs::write(&copy, right).unwrap();
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
