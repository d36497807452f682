//! Kubernetes' rules for the pod that a probe ends up in (kubevirt-health.md 2.4).

use super::admission::PROBES;
use super::code::*;
use super::finding::Exam;
use super::tree::{get, items, text};
use crate::manifest::LIBVIRT_STARTUP_DELAY;
use crate::yaml::{Node, Value};

/// Holds both probes against pod validation.
pub(super) fn examine(exam: &mut Exam<'_>) {
    for name in PROBES {
        let path = exam.path(name);
        if let Some(probe) = exam.tree.at(&path) {
            examine_probe(exam, name, &path, probe);
        }
    }
}

fn examine_probe(exam: &mut Exam<'_>, name: &str, path: &str, probe: &Node) {
    let mut refuse = |code, below: &str, message: String, help: &str| {
        exam.add_as(code, &format!("spec.containers[0].{name}.{below}"), &format!("{path}.{below}"), message, help);
    };
    let number = |key| match get(probe, key).map(|n| &n.value) {
        Some(Value::Int(n)) => Some(*n),
        _ => None,
    };
    // Below 1 means 1.
    if let Some(n) = number("successThreshold").filter(|n| name == "livenessProbe" && *n > 1) {
        refuse(
            &LIVENESS_SUCCESS,
            "successThreshold",
            format!("must be 1 for liveness, found {n}"),
            "remove it or write 1",
        );
    }
    if let Some(n) = number("initialDelaySeconds").and_then(|n| i32::try_from(n).ok())
        && n.checked_add(LIBVIRT_STARTUP_DELAY).is_none_or(|n| n < 0)
    {
        // A sum that does not fit wraps around.
        let message = format!("{n} + {LIBVIRT_STARTUP_DELAY} is not a whole number of 32 bits from 0 on");
        refuse(&NEGATIVE_DELAY, "initialDelaySeconds", message, "write 0 or more");
    }
    for handler in ["httpGet", "tcpSocket"] {
        match get(probe, handler).and_then(|h| get(h, "port")).map(|p| &p.value) {
            Some(Value::Int(n)) if !(1..=65535).contains(n) => {
                let message = format!("{n} is not a port");
                refuse(&PORT_RANGE, &format!("{handler}.port"), message, "write 1 to 65535");
            }
            Some(Value::Str(port)) => {
                if let Err(why) = service_name(port) {
                    let help = match port.parse::<u16>() {
                        Ok(_) => "write the number without quotes",
                        Err(_) => "write a number, or a name of at most 15 lowercase letters, digits and single dashes",
                    };
                    refuse(
                        &PORT_NAME,
                        &format!("{handler}.port"),
                        format!("{port:?} is not a port's name: {why}"),
                        help,
                    );
                }
            }
            _ => {}
        }
    }
    if let Some(exec) = get(probe, "exec")
        && get(exec, "command").is_none_or(|c| items(c).is_empty())
    {
        refuse(
            &EMPTY_COMMAND,
            "exec.command",
            "the command is empty".into(),
            "add the program and its arguments as a list",
        );
    }
    let headers = get(probe, "httpGet").and_then(|h| get(h, "httpHeaders")).map_or(&[][..], items);
    for name in headers.iter().filter_map(|h| get(h, "name").and_then(text)) {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            let message = format!("{name:?} is not a header's name");
            refuse(&HEADER_NAME, "httpGet.httpHeaders", message, "use letters, digits and dashes");
        }
    }
}

/// IANA_SVC_NAME (Kubernetes validation.IsValidPortName).
fn service_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 15 {
        return Err("it must have 1 to 15 characters");
    }
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err("only lowercase letters, digits and dashes are allowed");
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        return Err("it needs a letter");
    }
    if name.contains("--") || name.starts_with('-') || name.ends_with('-') {
        return Err("dashes must stand alone and inside");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::service_name;

    #[test]
    fn service_names() {
        for (name, fine) in [
            ("http", true),
            ("a", true),
            ("http-8080", true),
            ("fifteen-letters", true),
            ("sixteen--letters", false),
            ("8080", false),
            ("Http", false),
            ("a--b", false),
            ("-a", false),
            ("a-", false),
            ("", false),
        ] {
            assert_eq!(service_name(name).is_ok(), fine, "{name}");
        }
    }
}
