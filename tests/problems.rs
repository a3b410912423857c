//! The benchmark reads back the text that an op prints for itself (`Op::problem`), so that one text serves benchmarks,
//! tests, logs and tuned recipes.

use upconv::Op;

#[path = "../benches/problems/mod.rs"]
mod problems;

use problems::{Problem, named, parse};

#[test]
fn what_an_op_prints_is_what_the_benchmark_reads() {
    let text = |problem: &Problem| match problem {
        Problem::ConvTranspose(op) => Some(op.problem()),
        Problem::Conv(op) => Some(op.problem()),
        _ => None,
    };
    let mut checked = 0;
    for (name, printed) in named().iter().filter_map(|(name, problem)| Some((name, text(problem)?))) {
        let read = parse(&printed).unwrap().unwrap();
        assert_eq!(text(&read), Some(printed), "{name}");
        checked += 1;
    }
    assert!(checked > 10);
}
