//! KubeVirt's own program for probes, written by hand in an exec probe (KubeVirt cmd/virt-probe/virt-probe.go;
//! pkg/virt-controller/services/rendercontainer.go wrapExecProbeWithVirtProbe).

use super::exec_slips::{Script, base_name, command, consequence, is_shell};
use crate::check::context::CheckContext;
use crate::check::kind::Kind;
use crate::check::layer::{Layer, Rank};
use crate::check::rule::{Check, Rule};
use crate::manifest::VirtualMachine;
use crate::yaml::Cursor;

/// What pflag takes: those with a value, and those without.
const WITH_VALUE: [&str; 5] = ["socket", "domainName", "command", "memProfile", "timeoutSeconds"];
const WITHOUT_VALUE: [&str; 1] = ["guestAgentPing"];
/// The short one, with a value (kubevirt.io/client-go/log).
const SHORT: &str = "-v";

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "virt-probe-by-hand",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "A command whose program is exactly virt-probe is not wrapped: it runs in the compute container as it is written. There \
            it needs --domainName NAMESPACE_NAME of its own VM and --command (or --guestAgentPing); without them every attempt \
            fails. KubeVirt writes that call itself around any other command.",
        source: "sim/docs/kubevirt-health.md 3.1; KubeVirt cmd/virt-probe/virt-probe.go",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            for running in context.running_probes(vm) {
                let words = command(&running);
                let Some((program, _)) = words.first().filter(|(_, w)| *w == "virt-probe") else { continue };
                let call = Call::of(&words[1..]);
                let fails = consequence(&running);
                let found = match (&call.unknown, call.domain) {
                    (Some((at, word)), _) => Some((*at, format!("virt-probe knows no option {word}"))),
                    (None, None) => Some((*program, "virt-probe without --domainName knows no VM".to_owned())),
                    (None, Some((at, name))) => another_domain(context, vm, name).map(|why| (at, why)).or_else(|| {
                        let nothing = "virt-probe without --command and --guestAgentPing runs nothing in the guest";
                        (!call.asks).then(|| (*program, nothing.to_owned()))
                    }),
                };
                if let Some((at, why)) = found {
                    let help = "write only the guest's command: KubeVirt calls virt-probe with it";
                    report.add(at, format!("{why}: {fails}"), help);
                }
            }
        }),
    },
    &Rule {
        code: "virt-probe-in-the-guest",
        layer: Layer::Runtime,
        rank: Rank::Error,
        story: "Only the word virt-probe itself keeps a command in the compute container. By its path, or behind a shell, it is a command \
            like any other: the agent looks for the program in the guest, which has none, and every attempt fails.",
        source: "KubeVirt pkg/virt-controller/services/rendercontainer.go wrapExecProbeWithVirtProbe",
        shown_by: &[],
        check: Check::Running(|context, vm, report| {
            for running in context.running_probes(vm) {
                let words = command(&running);
                let Some((at, program)) = words.first() else { continue };
                let is_by_path = *program != "virt-probe" && base_name(program) == "virt-probe";
                let script = is_shell(program).then(|| words.get(Script::of(&words).at)).flatten();
                let of_script = script.and_then(|(_, text)| text.split_whitespace().find(|word| *word != "exec"));
                if is_by_path || of_script.is_some_and(|first| base_name(first) == "virt-probe") {
                    let fails = consequence(&running);
                    let message = format!("the agent looks for virt-probe in the guest, which has none: {fails}");
                    report.add(*at, message, "write only the guest's command: KubeVirt calls virt-probe with it");
                }
            }
        }),
    },
];

/// What is behind virt-probe.
#[derive(Default)]
struct Call<'a> {
    domain: Option<(Cursor<'a>, &'a str)>,
    /// It has a command, or pings.
    asks: bool,
    /// The first option that it does not know.
    unknown: Option<(Cursor<'a>, &'a str)>,
}

impl<'a> Call<'a> {
    /// As pflag reads it: options anywhere before `--`.
    fn of(words: &[(Cursor<'a>, &'a str)]) -> Call<'a> {
        let mut call = Call::default();
        let mut words = words.iter().copied().take_while(|(_, w)| *w != "--");
        while let Some((at, word)) = words.next() {
            let Some(option) = word.strip_prefix("--") else {
                if word == SHORT {
                    words.next();
                } else if word.starts_with('-') && word.len() > 1 && !word.starts_with(SHORT) {
                    call.unknown = call.unknown.or(Some((at, word)));
                }
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some((at, value))),
                None if WITH_VALUE.contains(&option) || option == "v" => (option, words.next()),
                None => (option, None),
            };
            match name {
                "domainName" => call.domain = value.filter(|(_, name)| !name.is_empty()),
                "command" => call.asks |= value.is_some_and(|(_, command)| !command.is_empty()),
                "guestAgentPing" => call.asks |= value.is_none_or(|(_, word)| !["false", "0", "f"].contains(&word)),
                name if WITH_VALUE.contains(&name) || WITHOUT_VALUE.contains(&name) || name == "v" => {}
                _ => call.unknown = call.unknown.or(Some((at, word))),
            }
        }
        call
    }
}

/// Why the domain is not the VM's own, which is NAMESPACE_NAME; a namespace that is not written may be any.
fn another_domain(context: &CheckContext<'_>, vm: &VirtualMachine, domain: &str) -> Option<String> {
    if !matches!(context.kind, Kind::VirtualMachine | Kind::VirtualMachineInstance) {
        return Some(format!("--domainName {domain} is of one VM, and each that this makes has a name of its own"));
    }
    let name = context.object.text_at("metadata.name")?;
    let namespace = context.object.text_at("metadata.namespace");
    let is_own = match namespace {
        Some(namespace) => domain.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('_')) == Some(name),
        None => domain.strip_suffix(name).and_then(|rest| rest.strip_suffix('_')).is_some_and(|rest| !rest.is_empty()),
    };
    let own = format!("{}_{name}", namespace.unwrap_or(vm.namespace.as_str()));
    (!is_own).then(|| format!("--domainName {domain} is another VM's: this one's domain is {own}"))
}
