//! Commands of exec probes as people write them for a shell, which there is not (kubevirt-health.md 3.3).

use crate::check::context::RunningProbe;
use crate::check::image::Family;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::Handler;
use crate::yaml::Cursor;

/// What runs a text as a program.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];
/// What runs a text in another language.
const LANGUAGES: [&str; 10] = ["powershell", "pwsh", "cmd", "awk", "gawk", "mawk", "perl", "python", "python3", "node"];
/// Words that only a shell understands.
const OPERATORS: [&str; 12] =
    ["|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1", "2>/dev/null", ">/dev/null", "&>/dev/null"];
/// Programs that read patterns themselves.
const PATTERNS: [&str; 16] = [
    "find",
    "fd",
    "grep",
    "egrep",
    "fgrep",
    "zgrep",
    "rg",
    "sed",
    "locate",
    "expr",
    "rsync",
    "tar",
    "journalctl",
    "xmllint",
    "xmlstarlet",
    "jq",
];
/// The first release whose libvirt takes line ends and tabs in the agent's JSON (kubevirt-health.md 3.3).
const TAKES_LINE_ENDS: u16 = 5;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "command-line-in-one-string",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "exec.command is a list: the program, then each of its arguments. There is no shell that would take a \
            line apart, so the guest agent looks for a program whose name is the whole line, and every attempt fails.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let words = command(running);
            let Some((at, program)) = words.first().filter(|(_, text)| is_line(text)) else { return };
            let list = program.split_whitespace().collect::<Vec<_>>().join(", ");
            let message = format!("no program is called {program:?}: {}", consequence(running));
            report.add(*at, message, format!("write each word by itself, [{list}], or [sh, -c, {program:?}]"));
        }),
    },
    &Rule {
        code: "command-without-a-program",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "The first word of exec.command is the program. An empty one, often a template's value that was not there, is nothing that \
            the guest agent could start.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            if let Some((at, _)) = command(running).first().filter(|(_, program)| program.trim().is_empty()) {
                let message = format!("the command has no program: {}", consequence(running));
                report.add(*at, message, "write the program first, then its arguments");
            }
        }),
    },
    &Rule {
        code: "blank-in-program-path",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A program outside of the system's own folders may have a blank in its path, and then it is found. If the first \
            word was meant as the program and the others as its arguments, there is no such program, and every attempt fails.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let words = command(running);
            let Some((at, program)) = words.first().filter(|(_, text)| has_blank(text) && !is_line(text)) else {
                return;
            };
            if !is_file_of_windows(program) {
                let list = program.split_whitespace().collect::<Vec<_>>().join(", ");
                let message =
                    format!("the program is {program:?}, blanks included: there is no shell that would split it");
                report.add(*at, message, format!("if those are a program and its arguments, write [{list}]"));
            }
        }),
    },
    &Rule {
        code: "shell-words-without-a-shell",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The guest agent starts the program directly. A pipe, a redirection, a variable or a `&&` is handed to it \
            as an argument, and so is a pattern like /tmp/*.ok or a path below ~: what the command then says has little to do with what was meant. \
            A program that is such a word is looked for by that very name. The kubelet puts values only for $(NAME), and only those of \
            virt-launcher's own container: nothing of the guest.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let words = command(running);
            let Some((_, program)) = words.first() else { return };
            // What stands behind a shell, or behind a program with a language of its own, is theirs.
            let direct = words.iter().take_while(|(_, word)| !is_shell(word) && !is_language(word));
            // Also behind sudo or timeout.
            let reader = words.iter().position(|(_, word)| PATTERNS.contains(&base_name(word).as_str()));
            let globs = |index: usize| reader.is_none_or(|reader| index <= reader);
            let is_for_shell = |index: usize, word: &str| is_of_shell(word) || (globs(index) && is_glob(word));
            // Of a program with blanks others speak.
            let mut meant = direct.enumerate().filter(|(index, (_, word))| *index > 0 || !has_blank(word));
            match meant.find(|(index, (_, word))| is_for_shell(*index, word)) {
                Some((0, (at, _))) => {
                    let message = format!(
                        "the guest agent looks for a program called {program:?}: there is no shell that would act on it"
                    );
                    let help = "write the program's own name, or [sh, -c, \"the whole line\"]; of a template check what `envsubst` \
                        makes of it";
                    report.add(*at, message, help);
                }
                Some((_, (at, word))) => {
                    let message =
                        format!("{program} receives {word:?} as an argument: there is no shell that would act on it");
                    report.add(*at, message, "write [sh, -c, \"the whole line\"], or call a script in the guest");
                }
                None => {}
            }
        }),
    },
    &Rule {
        code: "shell-without-its-script",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "A shell takes the text behind `-c`, and only that one, as its program. Without -c it looks for a file of \
            that name; words behind the text are its parameters, so `sh -c systemctl is-active nginx` runs systemctl \
            alone, which always succeeds.",
        source: "POSIX sh; sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            let words = command(running);
            if !words.first().is_some_and(|(_, text)| is_shell(text)) {
                return;
            }
            let Script { at: script, is_text } = Script::of(&words);
            let Some((at, text)) = words.get(script) else { return };
            let is_line = text.contains(char::is_whitespace);
            if !is_text && is_line {
                let message = format!("without -c the shell looks for a file called {text:?}");
                report.add(*at, message, format!("write [sh, -c, {text:?}]"));
            } else if is_text && !is_line && !text.contains('$') && words.len() > script + 1 {
                let all = words[script..].iter().map(|(_, w)| *w).collect::<Vec<_>>().join(" ");
                let message = format!("the shell runs {text:?} alone: the words behind it are its parameters");
                report.add(*at, message, format!("write [sh, -c, {all:?}]"));
            }
        }),
    },
    &Rule {
        code: "line-end-in-exec-argument",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "virt-launcher puts arguments into JSON as they are, in which line ends and tabs are not allowed. The \
            libvirt that KubeVirt v1.5 to v1.9 are built with takes them all the same (json-c before 0.18); a build \
            with a newer json-c refuses them, and every attempt fails.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            if running.options.kubevirt.is_before(TAKES_LINE_ENDS) {
                return;
            }
            for (at, _) in command(running).into_iter().filter(|(_, text)| text.contains(char::is_control)) {
                let message = "a line end or tab in an argument works only with json-c before 0.18";
                report.add(at, message, "write it on one line, or put it into a script in the guest and call that");
            }
        }),
    },
    &Rule {
        code: "line-end-breaks-exec",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "virt-launcher puts arguments into JSON as they are. libvirt's parser up to KubeVirt v1.4 (yajl) refuses \
            a line end or a tab in a text: every attempt fails.",
        source: "sim/docs/kubevirt-health.md 3.3",
        shown_by: &[],
        check: Check::RunningProbe(|running, report| {
            if !running.options.kubevirt.is_before(TAKES_LINE_ENDS) {
                return;
            }
            for (at, _) in command(running).into_iter().filter(|(_, text)| text.contains(char::is_control)) {
                let version = running.options.kubevirt;
                let fails = consequence(running);
                let message =
                    format!("a line end or tab breaks the JSON that virt-launcher sends in {version}: {fails}");
                report.add(at, message, "write it on one line, or put it into a script in the guest and call that");
            }
        }),
    },
    &Rule {
        code: "guest-exec-not-allowed",
        layer: Layer::Hazard,
        rank: Rank::Warning,
        story: "The guest agent of RHEL and its kin is set up not to run commands: guest-exec is not among those that \
            /etc/sysconfig/qemu-ga allows, so every attempt fails until that file is changed. SELinux confines what a \
            command may do besides.",
        source: "sim/docs/guest-images.md 2",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            let Some((name, Family::RedHat)) = Family::of(context, vm) else { return };
            let data = &vm.vmi.user_data;
            for running in context.running_probes(vm) {
                if matches!(running.probe.handler, Handler::Exec { .. }) && !data.hidden && !data.changes_agent_commands
                {
                    let message = format!("the agent of {name} does not allow guest-exec as it is installed");
                    let help = "in runcmd, empty BLACKLIST_RPC, BLOCK_RPCS or FILTER_RPC_ARGS of /etc/sysconfig/qemu-ga and restart \
                        qemu-guest-agent; or use guestAgentPing";
                    report.add(running.handler(), message, help);
                }
            }
        }),
    },
];

/// What an argument that JSON does not take as it is can be replaced by.
pub(super) fn other_way(argument: &str) -> &'static str {
    let mut parts = argument.split('\\');
    let is_path =
        parts.next().is_some_and(|drive| drive.len() == 2 && drive.ends_with(':')) || argument.starts_with("\\\\");
    if is_path {
        "write forward slashes, as in C:/Windows/System32/cmd.exe, or every backslash twice"
    } else {
        "put it into a script in the guest and call that"
    }
}

/// The words of the command, with their places.
pub(super) fn command<'a>(running: &RunningProbe<'_, 'a>) -> Vec<(Cursor<'a>, &'a str)> {
    running.field.cursor.items_at("exec.command").filter_map(|at| Some((at, at.text()?))).collect()
}

/// Of a probe of which every attempt fails.
pub(super) fn consequence(running: &RunningProbe<'_, '_>) -> &'static str {
    match running.field.name {
        "readinessProbe" => "the VM is never Ready",
        _ => "liveness stops the VM as soon as its delay is over",
    }
}

/// A command line: what a path with blanks in it cannot be. A dash alone may stand in a path.
fn is_line(program: &str) -> bool {
    let mut words = program.split_whitespace();
    let is_own =
        words.next().is_some_and(|first| is_on_a_drive(first) || (first.starts_with('/') && !is_of_the_system(first)));
    // What begins so begins an argument.
    let is_option =
        |word: &str| word.strip_prefix('-').is_some_and(|w| w.starts_with(|c: char| c == '-' || c.is_alphabetic()));
    let is_argument =
        |word: &str| is_option(word) || word.starts_with(['/', '$', '"', '\'']) || OPERATORS.contains(&word);
    has_blank(program) && !is_file_of_windows(program) && (!is_own || words.any(is_argument))
}

fn has_blank(program: &str) -> bool {
    program.trim().contains(char::is_whitespace)
}

/// A distribution puts no program with a blank in its name there.
fn is_of_the_system(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(folder, _)| ["/bin", "/sbin", "/usr/bin", "/usr/sbin"].contains(&folder))
}

/// `C:\` or `C:/`.
fn is_on_a_drive(path: &str) -> bool {
    let mut letters = path.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && matches!(letters.next(), Some('\\' | '/'))
}

/// A path of Windows may have blanks.
fn is_file_of_windows(program: &str) -> bool {
    [".exe", ".bat", ".cmd", ".com", ".ps1"].iter().any(|end| program.to_lowercase().ends_with(end))
}

/// What a shell runs: the first word behind its options.
pub(super) struct Script {
    /// The index of its word, which need not be there.
    pub(super) at: usize,
    /// It is the program's text (`-c`), not a file's name.
    pub(super) is_text: bool,
}

impl Script {
    /// Of the words of a command whose program is a shell.
    pub(super) fn of(words: &[(Cursor<'_>, &str)]) -> Script {
        let mut script = Script { at: 1, is_text: false };
        while let Some((_, option)) = words.get(script.at).filter(|(_, w)| w.starts_with(['-', '+'])) {
            let is_long = option.starts_with("--");
            script.is_text |= !is_long && option.contains('c');
            // `-o pipefail`, also as the last of several letters.
            let has_value = !is_long && option.ends_with(['o', 'O']) || ["--rcfile", "--init-file"].contains(option);
            script.at += if has_value { 2 } else { 1 };
        }
        script
    }
}

pub(super) fn is_shell(program: &str) -> bool {
    SHELLS.contains(&base_name(program).as_str())
}

/// A program whose arguments have a language of their own, in which `$` and `|` mean something.
fn is_language(program: &str) -> bool {
    LANGUAGES.contains(&base_name(program).as_str())
}

/// The name without its folder; to Windows case does not count, and `.exe` need not be there.
pub(super) fn base_name(program: &str) -> String {
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    name.strip_suffix(".exe").map(str::to_owned).unwrap_or(name)
}

/// A program that only Windows has.
pub(super) fn is_of_windows(program: &str) -> bool {
    let name = program.to_lowercase();
    let is_file = [".exe", ".bat", ".cmd", ".ps1"].iter().any(|end| name.ends_with(end));
    is_file || ["powershell", "cmd"].contains(&base_name(program).as_str())
}

/// A path with a `*` in it, or one of somebody's home. (`?` and `[` are more often a URL's or XPath's, as is what begins with `//`.)
fn is_glob(word: &str) -> bool {
    let is_path = ["/", "./", "../"].iter().any(|begin| word.starts_with(begin));
    word == "~" || word.starts_with("~/") || (is_path && !word.starts_with("//") && word.contains('*'))
}

/// A pipe, a redirection, a list, a variable or a substitution.
fn is_of_shell(word: &str) -> bool {
    let names = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "_({".contains(c));
    OPERATORS.contains(&word) || word.contains('`') || word.split('$').skip(1).any(names)
}
