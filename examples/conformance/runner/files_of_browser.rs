//! The cases' files in a browser, which has no disk: those of the repository, held by the program.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

static CASES: Dir = include_dir!("$CARGO_MANIFEST_DIR/tests/cases");

/// The `case.json` files of the program, sorted, whatever the folders.
pub fn find(_: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let folders = CASES.dirs().flat_map(|suite| suite.dirs());
    let files = folders.filter_map(|folder| CASES.get_file(folder.path().join("case.json")));
    let mut found: Vec<PathBuf> = files.map(|file| file.path().into()).collect();
    found.sort();
    Ok(found)
}

/// What a file holds.
pub fn read(file: &Path) -> Result<Vec<u8>, String> {
    let found = CASES.get_file(file).ok_or_else(|| format!("{}: no such file", file.display()))?;
    Ok(found.contents().to_vec())
}
