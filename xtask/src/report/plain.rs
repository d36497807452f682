//! A guest's text as it may be printed: nothing in it steers a terminal, and nothing looks like something else.

/// A text of a guest on one line, without what steers a terminal or turns the direction of reading.
pub(crate) fn plain(text: &str) -> String {
    without_control(text).replace(['\n', '\t'], " ")
}

/// Whether it changes the direction of reading, or has no width: what follows would look like something else.
fn turns(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// A guest's text without what steers a terminal or turns the direction of reading; its lines stay.
pub(crate) fn without_control(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // A sequence like ESC [ 0 ; 3 2 m ends with a letter.
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
            }
            '\n' | '\t' => plain.push(c),
            c if c.is_control() || turns(c) => {}
            c => plain.push(c),
        }
    }
    plain
}
