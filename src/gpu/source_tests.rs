//! The rules that keep the sources apart.

use std::path::{Path, PathBuf};

/// Those in a folder of the package, and in its folders, whose names end so.
pub(super) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found
}

/// The sources with `/` between folders, tests left out.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string();
        (name, code)
    };
    files("src", "rs").into_iter().map(named).filter(|(name, _)| !name.ends_with("tests.rs")).collect()
}

fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// The files that say what the ops are: each with its op's name, and those of the ops that it is made of or goes with.
const OPS: [(&str, &str); 11] = [
    ("avg_pool.rs", "AvgPool"),
    ("bed_of_nails.rs", "BedOfNails"),
    ("conv.rs", "Conv"),
    ("conv_bias_grad.rs", "ConvBiasGrad"),
    ("conv_transpose.rs", "ConvTranspose"),
    ("conv_weight_grad.rs", "ConvWeightGrad"),
    ("max_pool.rs", "MaxPool"),
    ("max_unpool.rs", "MaxUnpool MaxPool"),
    ("pixel_shuffle.rs", "PixelShuffle"),
    ("resize_conv.rs", "ResizeConv Conv Upsample"),
    ("upsample.rs", "Upsample"),
];

#[test]
fn the_sources_keep_their_directions() {
    let files = sources();
    assert!(files.len() > 15);
    for (name, text) in &files {
        let uses = |word: &str| code_lines(text).any(|line| line.contains(word));
        let in_gpu = name.starts_with("gpu/");
        let host = matches!(name.as_str(), "gpu/host.rs" | "gpu/timing.rs");
        assert!(in_gpu || name == "lib.rs" || !uses("wgpu::") && !uses("use wgpu"), "wgpu in {name}");
        for word in [".poll(", ".submit(", ".request_device("] {
            assert!(name == "gpu/host.rs" || !uses(word), "{word} in {name}");
        }
        assert!(host || name == "gpu/kernel.rs" || !uses("device.create_"), "a GPU object is made in {name}");
        for word in ["@compute", "@group(", "var<storage"] {
            assert!(!uses(word), "WGSL in {name}");
        }
        // What an op means is said without the GPU, and without another op but those that it is made of.
        if let Some((_, own)) = OPS.iter().find(|(file, _)| *file == name) {
            let code: String = code_lines(text).collect();
            let words: Vec<_> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for word in ["gpu", "Gpu", "Planner", "Plan", "Bound"] {
                assert!(!words.contains(&word), "{name} knows the GPU: {word}");
            }
            for (_, names) in OPS.iter().filter(|(file, _)| *file != name) {
                let other = names.split(' ').next().unwrap_or_default();
                assert!(own.split(' ').any(|own| own == other) || !words.contains(&other), "{name} names {other}");
            }
        }
        assert!(text.lines().count() <= 400, "{name} is two things");
    }
}

#[test]
fn kernels_name_no_op() {
    let (_, kernel) = sources().into_iter().find(|(name, _)| name == "gpu/kernel.rs").unwrap();
    for word in ["conv", "upsample", "shuffle", "pool", "nails", "grad"] {
        assert!(!code_lines(&kernel).any(|line| line.replace("upconv", "").contains(word)), "{word}");
    }
}
