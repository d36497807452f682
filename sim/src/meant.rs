//! The word that was meant: how alike words are, in one place for all that ask "did you mean ...?".
//!
//! Case does not count, and words that begin alike are more alike than others, as slips leave the beginning right. What is said of the
//! word that was meant is the asker's.

/// Words that are as alike as this may be slips of each other, from 0 (nothing in common) to 1 (the same but for case).
const ALIKE: f64 = 0.8;
/// Longer words, in bytes, are like none: nobody has misspelt them.
const LONGEST: usize = 200;

/// The word that was probably meant by one that is none of those known.
pub fn meant<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    nearest(word, known).filter(|known| is_like(word, known))
}

/// One may be a slip of the other.
pub fn is_like(word: &str, known: &str) -> bool {
    likeness(word, known) >= ALIKE
}

/// The most alike of those known, however little that is; `None`: it has nothing in common with any.
pub(crate) fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let all = known.into_iter().map(|known| (likeness(word, known), known)).filter(|(likeness, _)| *likeness > 0.0);
    all.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

fn likeness(word: &str, known: &str) -> f64 {
    // It takes the product of both.
    if word.len().max(known.len()) > LONGEST {
        return 0.0;
    }
    strsim::jaro_winkler(&known.to_lowercase(), &word.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_word_was_meant() {
        for (word, known, expected) in [
            ("kilWatchdog", &["killAgent", "killWatchdog"][..], Some("killWatchdog")),
            ("KILLAGENT ", &["killAgent", "killWatchdog"], Some("killAgent")),
            ("until", &["for", "lasting"], None),
            ("x", &["abc"], None),
            ("", &["abc"], None),
            ("abc", &[], None),
            (&"a".repeat(200), &[&"a".repeat(199)], Some(&"a".repeat(199))),
            (&"a".repeat(201), &[&"a".repeat(201)], None),
        ] {
            assert_eq!(meant(word, known.iter().copied()), expected, "{word}");
        }
        assert_eq!(nearest("Mashine", ["Pool", "VirtualMachine"]), Some("VirtualMachine"));
        assert_eq!(nearest("x", ["Pool"]), None);
    }
}
