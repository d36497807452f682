//! `check --format github`: workflow commands, which GitHub shows at the lines of a change
//! (docs.github.com, Workflow commands for GitHub Actions).

use vmhealth_sim::check::{Checked, Rank};
use vmhealth_sim::yaml::{Pos, YamlError};

/// A manifest's findings, a command each.
pub(super) fn github(file: &str, checked: &Checked) -> String {
    let command = |rank| match rank {
        Rank::Error => "error",
        Rank::Warning => "warning",
        Rank::Note => "notice",
    };
    let of = |f: &vmhealth_sim::check::Finding| {
        let text = format!("{} ({}). {}", f.message, f.layer, f.help);
        line(command(f.rule.rank), file, f.pos, f.rule.code, &text)
    };
    checked.findings.iter().map(of).collect()
}

/// What could not be checked.
pub(super) fn github_error(file: &str, error: &YamlError) -> String {
    line("error", file, error.pos, "not-checked", &error.message)
}

/// One command: `error`, `warning` or `notice` at a place.
pub(crate) fn line(command: &str, file: &str, pos: Pos, title: &str, text: &str) -> String {
    // Standard input is no file of a change.
    let file = if file == "-" { String::new() } else { format!("file={},", property(file)) };
    let title = property(title);
    // Of an empty text there is no place.
    let (line, column) = (pos.line.max(1), pos.column.max(1));
    format!("::{command} {file}line={line},col={column},title={title}::{}\n", data(text))
}

/// What ends a command, or begins another (actions/toolkit command.ts).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_command() {
        let pos = Pos { line: 3, column: 5 };
        let shown = line("error", "a,b:c%.yaml", pos, "code", "100%\r\n::error::x, y: z");
        assert_eq!(shown, "::error file=a%2Cb%3Ac%25.yaml,line=3,col=5,title=code::100%25%0D%0A::error::x, y: z\n");
    }

    #[test]
    fn standard_input_is_no_file() {
        let shown = line("error", "-", Pos::default(), "code", "x");
        assert_eq!(shown, "::error line=1,col=1,title=code::x\n");
    }
}
