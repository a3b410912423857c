//! Writes every WGSL text of the crate into a folder, a file each: `cargo run --example shaders -- target/shaders`.
//!
//! For tools that compile them elsewhere, as `web/check_shaders` does with the browsers' compiler.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("usage: shaders FOLDER")?;
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    let texts = upconv::gpu::shader_texts();
    for (name, text) in &texts {
        std::fs::write(folder.join(format!("{name}.wgsl")), text)?;
    }
    println!("{} texts in {}", texts.len(), folder.display());
    Ok(())
}
