//! The recipes that there are.

use super::recipe::Recipe;
use super::{debian_12_s390x, debian_13_amd64};

impl Recipe {
    /// All recipes; an architecture's default is its first.
    pub fn all() -> [&'static Recipe; 2] {
        [&debian_13_amd64::RECIPE, &debian_12_s390x::RECIPE]
    }

    /// What guests of an architecture boot (Debian's word for it) where nothing else is asked for.
    pub fn default_for(architecture: &str) -> Option<&'static Recipe> {
        Recipe::all().into_iter().find(|r| r.architecture == architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Lock;
    use std::collections::BTreeSet;

    #[test]
    fn recipes_are_apart_and_their_locks_can_be_read() {
        let names: BTreeSet<&str> = Recipe::all().iter().map(|r| r.name).collect();
        assert_eq!(names.len(), Recipe::all().len());
        let keys: BTreeSet<String> = Recipe::all().iter().map(|r| r.key()).collect();
        assert_eq!(keys.len(), Recipe::all().len());
        for recipe in Recipe::all() {
            assert!(recipe.lock_path.ends_with(&format!("/{}.lock", recipe.name)), "{}", recipe.lock_path);
            let lock = Lock::parse(recipe.lock).unwrap();
            let named = |name: &str| lock.packages.iter().any(|p| p.name == name);
            assert!(recipe.packages().iter().all(|p| named(p)), "{}: {lock}", recipe.name);
            assert!(named(&format!("{}-minimal", recipe.python)), "{}: {}", recipe.name, recipe.python);
        }
        assert!(Recipe::default_for("arm64").is_none());
    }
}
