//! Calls of a program in a line of a script, of cloud-config or of a unit: only where a command stands. What is quoted, or is an
//! argument, only mentions it.
//!
//! This is no shell: it knows quotes, `;`, `&`, `|` and a few programs that run another one. What stands behind `then`, `do` and the
//! like may never run, and is left alone; [`may_not_run`] says which lines are so.

/// What stands before another program's name and runs it.
const RUNS_ANOTHER: [&str; 10] =
    ["busybox", "sudo", "doas", "exec", "command", "nohup", "setsid", "env", "time", "nice"];
const SHELLS: [&str; 4] = ["sh", "ash", "bash", "dash"];

/// What opens a part of a script that may never run, or ends it: conditions, loops, functions. A group in braces alone runs.
const OPENS: [&str; 6] = ["if", "case", "while", "until", "for", "select"];
const ENDS: [&str; 4] = ["fi", "esac", "done", "}"];
/// What may stand in front of those.
const BEFORE: [&str; 5] = ["then", "else", "do", "!", "time"];

/// For each line of a text whether a condition, a loop or a function is around it, as a shell would read it. Where not all of them end,
/// the text is no script, and none is.
pub(super) fn may_not_run(lines: &[&str]) -> Vec<bool> {
    // Of each part that is open, whether it may never run.
    let mut open: Vec<bool> = Vec::new();
    let mut is_function = false;
    let mut inside = Vec::with_capacity(lines.len());
    for line in lines {
        let mut is_inside = open.contains(&true);
        for words in commands(line) {
            let mut words = words.iter().map(String::as_str).skip_while(|word| BEFORE.contains(word));
            let Some(first) = words.next() else { continue };
            // `name() {`; behind `function name` stands a brace as well.
            if first == "function" || first.ends_with("()") || words.clone().next() == Some("()") {
                // Or its brace is in the next line.
                is_function = !words.any(|word| word == "{");
                open.extend((!is_function).then_some(true));
            } else if first == "{" {
                open.push(std::mem::take(&mut is_function));
            } else if OPENS.contains(&first) {
                open.push(true);
            } else if ENDS.contains(&first) {
                open.pop();
            }
            is_inside |= open.contains(&true);
        }
        inside.push(is_inside);
    }
    if open.is_empty() { inside } else { vec![false; lines.len()] }
}

/// The arguments of each call of `program` in the line.
pub(super) fn calls(line: &str, program: &str) -> Vec<Vec<String>> {
    commands(line).iter().filter_map(|words| arguments(words, program)).collect()
}

fn arguments(words: &[String], program: &str) -> Option<Vec<String>> {
    let (mut at, mut is_option) = (0, false);
    loop {
        let word = words.get(at)?;
        let word = word
            .strip_prefix("ExecStart=")
            .map_or(word.as_str(), |unit| unit.trim_start_matches(['-', '@', ':', '+', '!']));
        let name = word.rsplit('/').next().unwrap_or_default();
        if word == program || word.ends_with(&format!("bin/{program}")) {
            return Some(words[at + 1..].to_vec());
        }
        let is_set =
            word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        // Of cloud-config.
        let is_yaml = word == "-" || (at == 0 && word.ends_with(':'));
        let runs = RUNS_ANOTHER.contains(&name);
        let is_shell = SHELLS.contains(&name) && words.get(at + 1).is_some_and(|word| is_script_next(word));
        let takes = is_option && (word.starts_with('-') || word.bytes().all(|b| b.is_ascii_digit()));
        if !(is_set || is_yaml || runs || is_shell || takes) {
            return None;
        }
        is_option |= runs;
        at += if is_shell { 2 } else { 1 };
    }
}

/// `-c`, `-ec`: a shell's program follows.
fn is_script_next(word: &str) -> bool {
    word.starts_with('-') && word.ends_with('c') && !word.starts_with("--")
}

/// The words of each command.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    // A quote around a text, and one around commands.
    let (mut word, mut quote, mut around) = (None::<String>, None, None);
    for c in line.chars() {
        let end = |commands: &mut Vec<Vec<String>>, word: &mut Option<String>| {
            let words = commands.last_mut();
            words.into_iter().for_each(|words| words.extend(word.take()));
        };
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => word.get_or_insert_default().push(c),
            '\'' | '"' if around == Some(c) => {
                end(&mut commands, &mut word);
                commands.push(Vec::new());
                around = None;
            }
            '\'' | '"' => {
                let words = commands.last().map_or(&[][..], Vec::as_slice);
                let begins = words.iter().all(|w| w == "-") || words.last().is_some_and(|w| is_script_next(w));
                if word.is_none() && around.is_none() && begins {
                    commands.push(Vec::new());
                    around = Some(c);
                } else {
                    word.get_or_insert_default();
                    quote = Some(c);
                }
            }
            '#' if word.is_none() => break,
            ';' | '|' | '&' => {
                end(&mut commands, &mut word);
                commands.push(Vec::new());
            }
            // Brackets and commas are cloud-config's.
            '[' | ']' | ',' => end(&mut commands, &mut word),
            c if c.is_whitespace() => end(&mut commands, &mut word),
            c => word.get_or_insert_default().push(c),
        }
    }
    commands.last_mut().into_iter().for_each(|words| words.extend(word.take()));
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_conditions_loops_and_functions() {
        for (text, expected) in [
            ("a\nb", ".."),
            ("a\nif false; then\n  b\nfi\nc", ".iii."),
            ("if a\nthen\nif b; then c; fi\nd\nelse if e; then\nf\nfi\nfi\ng", "iiiiiiii."),
            ("if a; then b; fi\nc", "i."),
            ("case $1 in\na) b ;;\nesac\nc", "iii."),
            ("for a in b; do\nc\ndone < d\nwhile a; do b; done\nc", "iiii."),
            ("f() {\na\n}\nf", "iii."),
            ("f () {\na\n}\nfunction g {\na\n}\ng()\n{\na\n}\nf", "iiiiii.iii."),
            ("echo if\necho 'if a; then'\nx; fi\na", "...."),
            // No script, but a text: what does not end was none.
            ("if you read this\na", ".."),
            ("fi\nif a; then\nb\nfi", ".iii"),
            ("", ""),
        ] {
            let lines: Vec<&str> = text.lines().collect();
            let found: String = may_not_run(&lines).into_iter().map(|inside| if inside { 'i' } else { '.' }).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_call_stands_where_a_command_does() {
        for (line, expected) in [
            ("watchdog -t 1 /dev/w", &["-t 1 /dev/w"][..]),
            ("/sbin/watchdog -F & watchdog -x || exec /usr/sbin/watchdog", &["-F", "-x", ""]),
            ("a; sudo -n busybox watchdog b|c", &["b"]),
            ("A=1 nice -n 5 watchdog b # c", &["b"]),
            ("ExecStart=-/sbin/watchdog -T 10", &["-T 10"]),
            ("::respawn:/sbin/watchdog -F", &["-F"]),
            ("sh -c watchdog a", &["a"]),
            ("bash -ec 'x && watchdog a; b'", &["a"]),
            ("runcmd: [watchdog -t 1]", &["-t 1"]),
            ("- [busybox, watchdog, '-T', 10]", &["-T 10"]),
            ("- \"watchdog 'a b'\"", &["a b"]),
            ("echo watchdog a", &[]),
            ("echo \"never: busybox watchdog a; watchdog b\"", &[]),
            ("echo 'a | watchdog' | cat", &[]),
            ("if false; then busybox watchdog a; fi", &[]),
            ("sh watchdog a", &[]),
            ("systemctl enable watchdog", &[]),
            ("x # ; watchdog", &[]),
            ("watchdogs a; my/watchdog b", &[]),
            ("\"", &[]),
            ("", &[]),
        ] {
            let found: Vec<String> = calls(line, "watchdog").iter().map(|words| words.join(" ")).collect();
            assert_eq!(found, expected, "{line}");
        }
    }
}
