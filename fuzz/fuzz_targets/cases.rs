//! Cases of other libraries and their tensors, as the conformance runner reads them: the JSON up to the first byte of
//! 0, and after it the file of every tensor.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the runner uses the rest")]
#[path = "../../examples/conformance/runner/case.rs"]
mod case;

/// The files of the case at hand.
mod files {
    use std::cell::RefCell;
    use std::path::Path;

    thread_local! {
        pub static FILES: RefCell<[Vec<u8>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }

    pub fn read(file: &Path) -> Result<Vec<u8>, String> {
        let number = usize::from(file != Path::new("case.json"));
        Ok(FILES.with_borrow(|files| files[number].clone()))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (json, tensor) = bytes.split_at(end);
    files::FILES.set([json, tensor.get(1..).unwrap_or_default()].map(<[u8]>::to_vec));
    let Ok(case) = case::Case::read(Path::new("case.json")) else { return };
    let _ = (case.suite(), case.name(), case.op_type(), case.distrust(), case.data_type("X"));
    let _ = (case.axes::<1>("strides"), case.sizes::<2>("kernel_shape"), case.steps::<3>("dilations"));
    for name in case.outputs() {
        let Ok(tensor) = case.expected(&name) else { continue };
        let order: Vec<usize> = (0..tensor.shape().len()).rev().collect();
        let turned = case::permuted(&tensor, &order).expect("an order of its own axes");
        let _ = (case::spatial::<2>(&turned), case::reshaped(turned, &[1, 2]), case::numbers(tensor));
    }
    let _ = case.required("X");
});
