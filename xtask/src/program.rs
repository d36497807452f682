//! The name by which this program was called: whatever tells a user what to type asks here.

use std::sync::OnceLock;

/// `cargo xtask`, from the sources.
pub const XTASK: &str = "cargo xtask";
/// The installed program.
pub const VMHEALTH: &str = "vmhealth";

static NAME: OnceLock<&'static str> = OnceLock::new();

/// Sets the name, once, before anything is printed.
pub fn set_name(name: &'static str) {
    // A second call could only come from a test, which has the first one's name.
    let _ = NAME.set(name);
}

/// The name; [`XTASK`] where none was set.
pub fn name() -> &'static str {
    NAME.get().copied().unwrap_or(XTASK)
}

/// A command line that a shell takes apart into exactly these arguments of this program.
pub fn command_line<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = arguments.into_iter().map(|a| shlex::try_quote(a).unwrap_or(a.into())).collect();
    format!("{} {}", name(), quoted.join(" "))
}

/// Arguments without an option that has a value.
pub fn without_option(arguments: impl IntoIterator<Item = String>, option: &str) -> Vec<String> {
    let (mut left, mut arguments) = (Vec::new(), arguments.into_iter());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(option) {
            Some("") => drop(arguments.next()),
            Some(value) if value.starts_with('=') => {}
            _ => left.push(argument),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_goes_with_its_value() {
        let without = |line: &str| without_option(shlex::split(line).unwrap(), "--out").join(" ");
        assert_eq!(without("run vm.yaml --out runs/a --fault x@5s"), "run vm.yaml --fault x@5s");
        assert_eq!(without("run vm.yaml --out=runs/a --fault --outer"), "run vm.yaml --fault --outer");
        assert_eq!(without("run --out"), "run");
    }

    #[test]
    fn a_shell_gets_the_arguments_back() {
        let arguments = ["run", "my vm.yaml", "--fault", "{stopAgent: {for: 15s}}@5s"];
        let line = command_line(arguments);
        let words = shlex::split(line.strip_prefix("cargo xtask ").unwrap()).unwrap();
        assert_eq!(words, arguments);
        assert_eq!(command_line(["repro", "a/b-c/d"]), "cargo xtask repro a/b-c/d");
    }
}
