//! User data, as a manifest or a Secret has it: which of its words are calls, and what of it cannot be seen.

use std::time::Duration;
use vmhealth_sim::fixture::vm;
use vmhealth_sim::manifest::{Petter, UserData, VirtualMachine, VmiSpec};

fn with_volume(source: &str) -> VirtualMachine {
    vm().spec(&format!("volumes: [{{name: seed, {source}}}]")).build()
}

fn of_text(text: &str) -> UserData {
    with_volume(&format!("cloudInitNoCloud: {{userData: {text:?}}}")).vmi.user_data
}

/// busybox's `watchdog` is called, with a heartbeat of 9 s, or its words stand somewhere else.
#[test]
fn what_calls_a_program() {
    let call = "watchdog -T 9 /dev/watchdog";
    for (line, is_called) in [
        ("A_B=1 CALL", true),
        // No name of a variable has a dash.
        ("a-b=1 CALL", false),
        ("bash -c 'CALL'", true),
        // `-x` is no `-c`, and rsync no shell.
        ("bash -x CALL", false),
        ("rsync -c CALL", false),
        ("sudo -n CALL", true),
        ("nice 5 CALL", true),
        ("sudo echo CALL", false),
        // A quoted name is a command, and quotes within a word join.
        ("\"/bin/true\" && CALL", true),
        ("/usr/sbin/w\"atchdo\"g -T 9 /dev/watchdog", true),
        // A `#` within a word begins no comment.
        ("echo a#b; CALL", true),
        ("echo a #b; CALL", false),
    ] {
        let script = format!("#!/bin/sh\n{}\n", line.replace("CALL", call));
        let found = of_text(&script);
        let called = found.petter == Some(Petter::Busybox) && found.heartbeat == Some(Duration::from_secs(9));
        assert_eq!(called, is_called, "{script}{found:?}");
    }
}

/// What the cluster keeps from whoever reads the manifest.
#[test]
fn what_cannot_be_seen() {
    for (source, hidden) in [
        ("cloudInitNoCloud: {userData: a}", false),
        ("cloudInitNoCloud: {secretRef: {name: s}}", true),
        ("cloudInitConfigDrive: {secretRef: {name: s}}", true),
        ("sysprep: {configMap: {name: s}}", true),
        ("cloudInitNoCloud: {userData: '{\"ignition\": {}}'}", true),
    ] {
        assert_eq!(with_volume(source).vmi.user_data.hidden, hidden, "{source}");
    }
}

/// A file's text counts, in whichever way it is written.
#[test]
fn a_file_is_read_in_base64() {
    // qemu-guest-agent, which the user data itself does not spell out.
    let file = "write_files: [{path: /a, encoding: b64, content: cWVtdS1ndWVzdC1hZ2VudA==}]\n";
    assert!(of_text(file).agent && !of_text(&file.replace("b64", "text/plain")).agent);
}

/// A Secret's data stands in for what the manifest does not have, and for nothing else.
#[test]
fn user_data_from_a_secret() {
    let no_secret = || Err("none of the manifest's user data is in a Secret (cloudInitNoCloud.secretRef)".to_owned());
    let check = |source: &str, data: &str, expected: Result<(bool, bool), String>| {
        let mut vmi: VmiSpec = with_volume(source).vmi;
        let before = vmi.clone();
        let result = vmi.reveal_user_data(data.as_bytes());
        match &result {
            Ok(()) => assert_eq!(vmi.cloud_init.user_data.as_deref(), Some(data.as_bytes()), "{source}"),
            Err(_) => assert_eq!(vmi, before, "{source}"),
        }
        assert_eq!(result.map(|()| (vmi.user_data.agent, vmi.user_data.hidden)), expected, "{source}: {data}");
    };
    let secret = "cloudInitNoCloud: {secretRef: {name: s}}";
    check(secret, "packages: [qemu-guest-agent]", Ok((true, false)));
    check(secret, "packages: [vim]", Ok((false, false)));
    // It only says where to look.
    check(secret, "{\"ignition\": {}}", Ok((false, true)));
    check("cloudInitNoCloud: {userData: a}", "b", no_secret());
    check("containerDisk: {image: i}", "b", no_secret());
    check("cloudInitNoCloud: {userData: '{\"ignition\": {}}'}", "b", no_secret());
}
