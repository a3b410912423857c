//! Texts of recipes and of tuned choices: none panics, and what is read prints as a text that reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upconv::Recipe;
use upconv::gpu::TunedRecipes;

fuzz_target!(|text: &str| {
    if let Ok(recipe) = text.parse::<Recipe>() {
        assert_eq!(recipe.to_string(), text);
    }
    if let Ok(tuned) = text.parse::<TunedRecipes>() {
        let printed = tuned.to_string();
        assert_eq!(printed.parse::<TunedRecipes>().expect("what was printed").to_string(), printed);
    }
});
