//! The cases' files in a browser, which has no disk: the repository's cases, embedded in the program.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

static CASES: Dir = include_dir!("$CARGO_MANIFEST_DIR/tests/cases");

/// All embedded `case.json` files, sorted; the folders are ignored.
pub fn find(_: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let folders = CASES.dirs().flat_map(|suite| suite.dirs());
    let files = folders.filter_map(|folder| CASES.get_file(folder.path().join("case.json")));
    let mut found: Vec<PathBuf> = files.map(|file| file.path().into()).collect();
    found.sort();
    Ok(found)
}

/// A file's contents.
pub fn read(file: &Path) -> Result<Vec<u8>, String> {
    let found = CASES.get_file(file).ok_or_else(|| format!("{}: no such file", file.display()))?;
    Ok(found.contents().to_vec())
}
