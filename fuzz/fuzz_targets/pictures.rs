//! Files of pictures as the example `upscale` reads them.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../examples/upscale/picture.rs"]
mod picture;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = picture::decode(bytes) else { return };
    if picture::check_size(&read, 2, 1 << 16).is_ok() {
        assert_eq!(picture::to_picture(&picture::to_tensor(&read).view()), read);
    }
});
