//! The test cases of other libraries, run on the CPU reference; `tests/gpu` runs them on every adapter.

#[path = "../examples/conformance/runner/mod.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod runner;

use std::path::Path;

use ndarray::arr1;
use runner::{Case, Engine, Row, Status};
use upconv::Tensor;

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

/// Every wrong answer is refused, whatever the tolerance and the other elements are.
#[test]
fn non_finite_values_agree_with_their_like_alone() {
    const VALUES: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -2.5];
    let file = std::env::temp_dir().join(format!("upconv-judge-{}.json", std::process::id()));
    for tolerance in [
        "{}",
        r#"{ "tolerance": { "atol": 1e-3, "rtol": 1e-3 } }"#,
        r#"{ "f32_error_bound": { "output": 1e-3 } }"#,
        r#"{ "max_abs_diff_to_float64_numpy_model": 1e-6 }"#,
    ] {
        std::fs::write(&file, tolerance).unwrap();
        let case = Case::read(&file).unwrap();
        for wanted in VALUES {
            for got in VALUES {
                let tensor = |value| Tensor::F32(arr1(&[value, f32::INFINITY, 1e3]).into_dyn());
                let verdict = runner::judge::judge(&case, "output", &tensor(got), &tensor(wanted));
                let is_right = got.to_bits() == wanted.to_bits();
                assert_eq!(verdict.complaint.is_none(), is_right, "{got} for {wanted}, {tolerance}");
            }
        }
    }
    std::fs::remove_file(&file).unwrap();
}
