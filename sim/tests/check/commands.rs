//! Commands of exec probes, word by word (kubevirt-health.md 3.1, 3.3; KubeVirt cmd/virt-probe/virt-probe.go).

use crate::manifest::In::Vmi;
use crate::manifest::{manifest, one};

/// A command, a code, and what is said of it then; `None`: the code is not found.
const ROWS: &[(&str, &str, Option<&str>)] = &[
    // The arguments behind a program that reads patterns itself are its own.
    ("[ls, '/run/*.ok', find]", "shell-words-without-a-shell", Some("ls receives \"/run/*.ok\"")),
    ("[sudo, find, /run, -path, '/run/*.ok']", "shell-words-without-a-shell", None),
    ("['/opt/*/find', /run]", "shell-words-without-a-shell", Some("looks for a program called \"/opt/*/find\"")),
    // Also in a word with blanks; a program's own name with blanks is another finding.
    ("[ls, '/my run/*.ok']", "shell-words-without-a-shell", Some("ls receives \"/my run/*.ok\"")),
    ("['ls $HOME now']", "shell-words-without-a-shell", None),
    // A shell's program, alone and with what was meant to be the rest of it.
    ("[sh, -c, uptime]", "shell-without-its-script", None),
    ("[sh, -c, systemctl, is-active]", "shell-without-its-script", Some("the shell runs \"systemctl\" alone")),
    ("[bash, -x, /opt/check.sh, now]", "shell-without-its-script", None),
    ("[bash, --norc, /opt/check.sh, now]", "shell-without-its-script", None),
    // A folder of two letters is no drive.
    ("[my/check now]", "command-line-in-one-string", Some("no program is called")),
    ("['C:/my tools/check']", "command-line-in-one-string", None),
    // virt-probe's options, as pflag reads them.
    ("[virt-probe, --domainName, default_vm, --command, cat]", "virt-probe-by-hand", None),
    ("[virt-probe, now, --domainName, default_vm, --command, cat]", "virt-probe-by-hand", None),
    ("[virt-probe, '-', --domainName, default_vm, --command, cat]", "virt-probe-by-hand", None),
    ("[virt-probe, -v3, --domainName, default_vm, --command, cat]", "virt-probe-by-hand", None),
    ("[virt-probe, --v, '3', --domainName, default_vm, --command, cat]", "virt-probe-by-hand", None),
    (
        "[virt-probe, -x, --domainName, default_vm, --command, cat]",
        "virt-probe-by-hand",
        Some("virt-probe knows no option -x"),
    ),
    ("[virt-probe, --guestAgentPing, --domainName, default_vm]", "virt-probe-by-hand", None),
    ("[virt-probe, --guestAgentPing=true, --domainName, default_vm]", "virt-probe-by-hand", None),
    (
        "[virt-probe, --guestAgentPing=false, --domainName, default_vm]",
        "virt-probe-by-hand",
        Some("runs nothing in the guest"),
    ),
];

fn said(text: &str, code: &str) -> Option<String> {
    one(text).findings.into_iter().find(|f| f.rule.code == code).map(|f| f.message)
}

fn check(text: &str, code: &str, expected: Option<&str>) {
    let said = said(text, code);
    assert_eq!(said.is_some(), expected.is_some(), "{code}: {said:?}\n{text}");
    assert!(said.as_deref().unwrap_or_default().contains(expected.unwrap_or_default()), "{code}: {said:?}\n{text}");
}

#[test]
fn what_is_said_of_a_command() {
    for (command, code, expected) in ROWS {
        let probe = format!("readinessProbe: {{exec: {{command: {command}}}}}");
        check(&manifest(&[(Vmi, &probe)]), code, *expected);
    }
}

/// A VM's domain is NAMESPACE_NAME.
#[test]
fn the_domain_of_a_vm_with_a_namespace() {
    for (domain, expected) in [("shop_vm", None), ("default_vm", Some("this one's domain is shop_vm"))] {
        let probe =
            format!("readinessProbe: {{exec: {{command: [virt-probe, --domainName, {domain}, --guestAgentPing]}}}}");
        let text = manifest(&[(Vmi, &probe)]).replace("{name: vm}", "{name: vm, namespace: shop}");
        check(&text, "virt-probe-by-hand", expected);
    }
}
