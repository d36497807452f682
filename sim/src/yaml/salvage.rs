//! The documents of a text of which some are no YAML.

use super::node::{Node, Pos, YamlError, documents};
use super::pieces::{behind, document_end};

/// A document that is no YAML.
pub struct Broken<'t> {
    /// As it stands in the text.
    pub text: &'t str,
    /// Where in the text it begins.
    pub first: Pos,
    /// Where in the document, and what.
    pub error: YamlError,
}

/// The documents that are YAML, at their places in the text, and those that are not. A marker of three dashes begins the next one,
/// whatever is wrong before it. An error is a text of one document, or one that is wrong as a whole.
pub fn salvage(text: &str) -> Result<(Vec<Node>, Vec<Broken<'_>>), YamlError> {
    let error = match documents(text) {
        Ok(documents) => return Ok((documents, Vec::new())),
        Err(error) => error,
    };
    let (mut broken, mut at, mut whole) = (Vec::new(), Pos { line: 1, column: 1 }, String::new());
    let mut found = 0;
    for (_, document) in documents_of(text) {
        found += 1;
        match documents(document) {
            Ok(_) => whole.push_str(document),
            Err(error) => {
                // Its bytes and lines stay, so that the others keep their places.
                whole.extend(document.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
                broken.push(Broken { text: document, first: at, error });
            }
        }
        at = behind(at, document);
    }
    match documents(&whole) {
        Ok(documents) if found > 1 && !broken.is_empty() => Ok((documents, broken)),
        _ => Err(error),
    }
}

/// The documents of a text as they are written, with the comments in front of them, and where each begins.
pub(crate) fn documents_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let rest = text.get(begin..).filter(|rest| !rest.is_empty())?;
        let end = document_end(rest, false).unwrap_or(rest.len());
        begin += end;
        Some((begin - end, &rest[..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_broken_does_not_hide_the_others() {
        for (text, found, wrong) in [
            ("a: 1\n---\nb: 2\n", &[1, 3][..], &[][..]),
            ("a: 1\n---\nb: [1\n---\nc: 3\n", &[1, 5], &[2]),
            ("a: [\n---\nb: 2\n", &[3], &[1]),
            ("a: 1\n---\nb: \"x\n", &[1], &[2]),
            ("a: {\n---\nb: {\n---\nc: 1\n", &[5], &[1, 2]),
            ("a: ü\n---\nb: [ü\n---\nc: \"ü\"\n", &[1, 5], &[2]),
        ] {
            let (documents, broken) = salvage(text).unwrap();
            assert_eq!(documents.iter().map(|d| d.pos.line).collect::<Vec<_>>(), found, "{text}");
            assert_eq!(broken.iter().map(|b| b.first.line).collect::<Vec<_>>(), wrong, "{text}");
        }
        assert!(salvage("a: [1\n").is_err() && salvage("---\na: [1\n").is_err());
    }
}
