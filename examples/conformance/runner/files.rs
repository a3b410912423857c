//! The cases' files on the disk.

use std::path::{Path, PathBuf};

/// The `case.json` files under these folders, sorted.
pub fn find(folders: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut open = folders.to_vec();
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let message = |error| format!("{}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(message)? {
            let path = entry.map_err(message)?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|name| name == "case.json") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file's contents.
pub fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}
