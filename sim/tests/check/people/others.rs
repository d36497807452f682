//! What one table of findings does not hold: releases, images and kinds of files.

use super::*;

/// What an older release refuses or does otherwise.
#[test]
fn releases_differ() {
    let row = |version: &str, parts: Parts, gates: &[&str], expected: &[&str]| {
        let options = Options {
            kubevirt: version.parse().expect(version),
            with_gates: gates.iter().map(|g| (*g).to_owned()).collect(),
            ..Options::default()
        };
        let text = manifest(parts);
        let found: Vec<&str> = checked(&text, &options)
            .findings
            .iter()
            .map(|f| f.rule.code)
            .filter(|code| ["release", "gate", "line-end"].iter().any(|word| code.contains(word)))
            .collect();
        assert_eq!(found, expected, "{version} {gates:?}\n{text}");
    };
    let panics: Parts = &[(Devices, "panicDevices: [{model: isa}]")];
    let (newer, gate) = ("field-of-a-newer-release", "gate-is-off-in-this-release");
    row("1.5", panics, &[], &[newer, gate]);
    row("v1.6.0", panics, &[], &[gate]);
    row("v1.8.4", panics, &["PanicDevices"], &[]);
    row("v1.9.0", panics, &[], &[]);
    let reboots: Parts = &[(Domain, "rebootPolicy: Terminate")];
    row("v1.7.3", reboots, &[], &[newer, "reboot-policy-without-its-gate"]);
    row("v1.8.0", reboots, &[], &["reboot-policy-without-its-gate"]);
    row("v1.8.0", reboots, &["RebootPolicy"], &[]);
    row("v1.9.0", reboots, &[], &[]);
    row("v1.4.0", &[(Vm, "runStrategy: WaitAsReceiver")], &["DecentralizedLiveMigration"], &[]);
    let encrypted: Parts = &[(Domain, "firmware: {bootloader: {efi: {secureBoot: false}}}\nlaunchSecurity: {sev: {}}")];
    assert!(
        !errors(&checked(
            &manifest(encrypted),
            &Options { kubevirt: "v1.8.0".parse().expect("1.8"), ..Options::default() }
        ))
        .is_empty()
    );
    row("v1.9.0", &[(Vm, "runStrategy: WaitAsReceiver")], &[], &[]);
    let lines: Parts = &[(Vmi, "readinessProbe: {exec: {command: [sh, -c, \"a\\tb\"]}}")];
    row("v1.4.1", lines, &[], &["line-end-breaks-exec"]);
    row("v1.5.0", lines, &[], &["line-end-in-exec-argument"]);
}

/// `runStrategy` in the template is said once: its absence from where it belongs says the same.
#[test]
fn a_run_strategy_in_the_template_is_said_once() {
    let text = manifest(&[(Vm, "none:"), (Vmi, "runStrategy: Always")]);
    let found = checked(&text, &Options::default());
    let errors: Vec<&str> = found.findings.iter().map(|f| f.rule.code).collect();
    assert_eq!(errors, ["unknown-field"], "{text}{:?}", found.findings);
    assert!(found.findings[0].help.contains("belongs to spec"), "{}", found.findings[0].help);
}

/// What is missing is said beside another field that nobody knows.
#[test]
fn a_run_strategy_that_is_nowhere() {
    let text = manifest(&[(Vm, "none:"), (Vmi, "live: 1")]);
    let errors = errors(&checked(&text, &Options::default()));
    assert_eq!(errors, ["unknown-field spec.template.spec.live", "no-run-strategy spec.running"], "{text}");
}

/// A mark at the end of a text is told once, whatever else is found elsewhere.
#[test]
fn marks_of_a_document() {
    let told = |parts: Parts| {
        let findings = checked(&manifest(parts), &Options::default()).findings;
        findings.iter().filter(|f| f.rule.code == "callout-of-a-document").count()
    };
    for (parts, count) in [
        (&[(Vmi, "schedulerName: own <2>")][..], 1),
        (&[(Vmi, "schedulerName: own <2>\nlive: 1")], 1),
        (&[(Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: 3 <2>}")], 0),
        (&[(Vmi, "schedulerName: own <>")], 0),
        (&[(Vmi, "schedulerName: own <123>")], 0),
    ] {
        assert_eq!(told(parts), count, "{}", manifest(parts));
    }
}

/// What is not written like a placeholder is a text like any other.
#[test]
fn almost_placeholders() {
    for (name, is_open) in [
        ("${VM}", true),
        ("vm-$VM", true),
        ("${}", false),
        ("${VM", false),
        ("{{ vm", false),
        ("vm }}", false),
        ("vm-$vm", false),
        ("vm-$1", false),
    ] {
        let text = manifest(&[]).replace("{name: vm}", &format!("{{name: \"{name}\"}}"));
        let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((checks.unjudged.len(), checks.manifests.len()), if is_open { (1, 0) } else { (0, 1) }, "{text}");
    }
    // Nor is one in the lines of a longer text.
    let text = manifest(&[(Domain, "clock: {timezone: \"UTC\\n${VM}\"}")]);
    let checks = check(&text, &Options::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((checks.unjudged, checks.manifests.len()), (vec![], 1), "{text}");
}

/// What is not a manifest is called by its name, and a text that is no YAML by what it is.
#[test]
fn other_kinds_of_files() {
    for (text, expected) in [
        ("spec: {template: {spec: {livenessProbe: {}}}}\n", "a merge patch without apiVersion and kind"),
        ("livenessProbe: {guestAgentPing: {}}\n", "a part of a VirtualMachine"),
        ("- {op: add, path: /spec/runStrategy, value: Always}\n", "a JSON patch"),
        ("- {op: add}\n", "a list"),
        ("- a\n", "a list"),
        ("a: b\n", "a mapping"),
        ("kind: Kustomization\n", "Kustomization: check what `kubectl kustomize` prints"),
        ("kind: ConfigMap\n", "ConfigMap"),
    ] {
        let checks = check(text, &Options::default()).unwrap();
        let kinds: Vec<&str> = checks.skipped.iter().map(|s| s.kind.as_str()).collect();
        assert!(kinds.len() == 1 && kinds[0].starts_with(expected), "{text}: {kinds:?}");
    }
    for (text, expected) in [
        ("kind: VirtualMachine\n{{- if .Values.a }}\nspec: {}\n{{- end }}\n", "this is a Helm template"),
        ("kind: VirtualMachine\nmetadata:\n  name: {{ .Release.Name }}\n", "this is a Helm template"),
        ("kind: VirtualMachine\n{% if a %}\nspec: {}\n{% endif %}\n", "this is a Jinja template"),
        ("kind: VirtualMachine\nspec: <1>\n  running: true\n", "<1> is a callout"),
        ("kind: [\n", ""),
        // What is behind the error has nothing to do with it.
        ("a: b: c\nd: e\nf: g\nh: {{ .Values.a }}\n", ""),
    ] {
        let error = check(text, &Options::default()).expect_err(text);
        assert!(error.message.starts_with(expected), "{text}: {error}");
        assert!(!expected.is_empty() || !error.message.contains("template"), "{text}: {error}");
    }
    let patch = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: vm}\nspec: {template: {spec: {livenessProbe: {guestAgentPing: {}}}}}\n";
    let has =
        |text: &str| checked(text, &Options::default()).findings.iter().any(|f| f.rule.code == "looks-like-a-patch");
    assert!(has(patch) && !has(&patch.replace("spec: {template", "spec: {runStrategy: Always, template")));
    // A callout behind a number is why that is no number.
    let text = manifest(&[(Vmi, "readinessProbe: {httpGet: {port: 80}, periodSeconds: 3 <2>}")]);
    let found = checked(&text, &Options::default());
    let wrong = found.findings.iter().find(|f| f.rule.code == "wrong-type").expect("it is a text");
    assert!(wrong.help.contains("remove <2>"), "{}", wrong.help);
}

/// What a guest needs may be in its image, and user data tells only where there is some.
#[test]
fn user_data_or_the_image() {
    const NONE: &str = "volumes: [{name: c, emptyDisk: {capacity: 1Gi}}]";
    const SILENT: &str = "volumes: [{name: c, cloudInitNoCloud: {userData: 'hostname: a'}}]";
    const FEDORA: &str = "volumes: [{name: d, containerDisk: {image: 'quay.io/containerdisks/fedora:40'}}, {name: c, cloudInitNoCloud: {userData: 'hostname: a'}}]";
    const LATE: &str = "livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 120, failureThreshold: 4}";
    const PETS: [(In, &str); 4] = [DISK, WATCHDOG, (Vmi, LATE), HTTP];
    let text = |parts: &[(In, &'static str)]| checked(&manifest(parts), &Options::default()).findings;
    for (parts, expected) in [
        (vec![DISK, (Vmi, NONE), PING], &["image-must-bring-the-agent"] as &[&str]),
        (vec![DISK, (Vmi, SILENT), PING], &["agent-not-in-user-data"]),
        (vec![TWO_DISKS, (Vmi, FEDORA), PING], &["what-the-image-brings"]),
        (
            [&PETS[..], &[(Vmi, NONE)]].concat(),
            &["image-must-bring-the-agent", "image-must-arm-the-watchdog", "liveness-before-watchdog"],
        ),
        ([&PETS[..], &[(Vmi, SILENT)]].concat(), &["agent-not-in-user-data", "watchdog-daemon-not-in-user-data"]),
    ] {
        let found = text(&parts);
        let about = |code: &&str| code.contains("watchdog") || code.contains("agent") || code.contains("image");
        let mut codes: Vec<&str> = found.iter().map(|f| f.rule.code).filter(about).collect();
        codes.retain(|code| *code != "q35-second-watchdog");
        codes.sort_by_key(|code| expected.iter().position(|e| e == code));
        assert_eq!(codes, expected, "{}", manifest(&parts));
    }
    let brings = |probe| {
        let found = text(&[TWO_DISKS, (Vmi, FEDORA), probe]);
        found.into_iter().find(|f| f.rule.code == "what-the-image-brings").expect("it is Fedora").message
    };
    assert!(brings(EXEC).contains("SELinux") && !brings(PING).contains("SELinux"));
}

/// What ends a command that hangs, in the guest's own words.
#[test]
fn a_limit_that_the_guest_knows() {
    for (command, word) in [
        ("[cat, /a]", Some("`timeout 1 ...`")),
        ("[timeout, \"1\", cat, /a]", None),
        ("[powershell.exe, -File, 'C:/a.ps1']", Some("Wait-Job -Timeout")),
        ("[timeout, \"1\", powershell, -File, 'C:/a.ps1']", Some("Wait-Job -Timeout")),
    ] {
        let text = manifest(&[(Vmi, &format!("readinessProbe: {{exec: {{command: {command}}}}}"))]);
        let found = checked(&text, &Options::default()).findings;
        let help = found.iter().find(|f| f.rule.code == "timed-out-commands-pile-up").map(|f| f.help.as_str());
        assert_eq!(help.is_some(), word.is_some(), "{command}");
        assert!(help.zip(word).is_none_or(|(help, word)| help.contains(word)), "{command}: {help:?}");
    }
}

/// Words behind a shell, or behind a program with a language of its own, are theirs.
#[test]
fn commands_that_bring_their_own_shell() {
    for (command, found) in [
        ("[timeout, \"4\", sh, -c, 'echo $HOME | cat']", None),
        ("[/usr/bin/env, bash, -c, 'echo $HOME']", None),
        ("[powershell.exe, -Command, '$s = 1']", None),
        ("[PowerShell.EXE, -Command, '$s = 1']", None),
        ("['C:/Program Files/Git/bin/Bash.exe', -c, 'echo $HOME']", None),
        ("[bash.exe, -c, systemctl, is-active, x]", Some("shell-without-its-script")),
        ("[awk, '$NF > 3']", None),
        ("[bash, /opt/check.sh, -c, conf, x]", None),
        ("[bash, -c, systemctl, is-active, x]", Some("shell-without-its-script")),
        ("[timeout, \"4\", cat, a, '|', wc]", Some("shell-words-without-a-shell")),
    ] {
        let text = manifest(&[(Vmi, &format!("readinessProbe: {{exec: {{command: {command}}}}}"))]);
        let checked = checked(&text, &Options::default());
        let codes: Vec<&str> = checked.findings.iter().map(|f| f.rule.code).filter(|c| c.contains("shell")).collect();
        assert_eq!(codes, found.into_iter().collect::<Vec<_>>(), "{command}");
    }
}
