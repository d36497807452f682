//! Manifests: what is read, what is defaulted, what is refused and in which words.

use vmhealth_sim::manifest::*;

/// A VirtualMachine whose template's spec is `spec`, indented by six.
fn vm(spec: &str) -> String {
    format!(
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  template:\n    spec:\n{spec}"
    )
}

fn read_ok(text: &str) -> VirtualMachine {
    read("vm.yaml", text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

#[test]
fn probes_are_defaulted_and_rendered_as_kubevirt_does() {
    // (probe, expected: delay timeout period success failure of the VMI; delay and timeout of the pod)
    let rows: &[(&str, [i64; 5], [i64; 2])] = &[
        ("httpGet: {port: 1500}", [0, 1, 10, 1, 3], [10, 1]),
        (
            "tcpSocket: {port: 80}\n        periodSeconds: 0\n        timeoutSeconds: -7\n        failureThreshold: -1",
            [0, 1, 10, 1, 3],
            [10, 1],
        ),
        (
            "guestAgentPing: {}\n        initialDelaySeconds: 120\n        timeoutSeconds: 10",
            [120, 10, 10, 1, 3],
            [130, 11],
        ),
        ("exec: {command: [uname, -a]}\n        successThreshold: 2", [0, 1, 10, 2, 3], [10, 2]),
        ("exec: {command: [virt-probe-x]}\n        timeoutSeconds: 3", [0, 3, 10, 1, 3], [10, 4]),
        ("exec: {command: [virt-probe, --x]}\n        initialDelaySeconds: -3", [-3, 1, 10, 1, 3], [7, 1]),
    ];
    for (probe, vmi, pod) in rows {
        let probe = read_ok(&vm(&format!("      readinessProbe:\n        {probe}\n"))).vmi.readiness.expect("a probe");
        let t = probe.timings;
        let numbers = [t.timeout, t.period, t.success_threshold, t.failure_threshold].map(i64::from);
        assert_eq!((i64::from(t.initial_delay), &numbers[..]), (vmi[0], &vmi[1..]), "{probe:?}");
        let rendered = PodProbe::from(&probe);
        assert_eq!([i64::from(rendered.timings.initial_delay), i64::from(rendered.timings.timeout)], *pod, "{probe:?}");
        assert_eq!(rendered.inner_timeout, probe.timings.timeout());
    }
}

/// What Kubernetes refuses, and the nearest that it takes.
#[test]
fn pods_that_are_refused() {
    for (probe, refused) in [
        ("guestAgentPing: {}, timeoutSeconds: 2147483646", None),
        ("guestAgentPing: {}, timeoutSeconds: 2147483647", Some("timeoutSeconds: Invalid value")),
        ("exec: {command: [virt-probe]}, timeoutSeconds: 2147483647", None),
        ("exec: {command: [virt-probe-x]}, timeoutSeconds: 2147483647", Some("timeoutSeconds: Invalid value")),
        ("httpGet: {port: 80, httpHeaders: [{name: A}]}", None),
        ("httpGet: {port: 80, httpHeaders: [{value: b}]}", Some("httpGet.httpHeaders: Invalid value")),
    ] {
        let vm = read_ok(&vm(&format!("      livenessProbe: {{{probe}}}\n")));
        let found = vm.vmi.pod_refusal();
        let expected = refused.map(|why| format!("spec.containers[0].livenessProbe.{why}"));
        let is_expected = match (&found, &expected) {
            (Some(found), Some(expected)) => found.starts_with(expected.as_str()),
            (found, expected) => found == expected,
        };
        assert!(is_expected, "{probe}: {found:?}");
    }
}

#[test]
fn what_is_read() {
    let text = vm(
        "      terminationGracePeriodSeconds: 0\n      domain:\n        cpu: {cores: 2, sockets: 2}\n        memory: {guest: 1Gi}\n        rebootPolicy: Terminate\n        devices:\n          watchdog: {name: w, diag288: {action: shutdown}}\n          panicDevices: [{model: isa}]\n          interfaces: [{name: default, masquerade: {}, ports: [{name: health, port: 1500}]}]\n      volumes:\n        - {name: ci, cloudInitNoCloud: {userDataBase64: I2Nsb3VkLWNvbmZpZwo=, networkData: \"version: 2\"}}\n",
    );
    let vmi = read_ok(&text).vmi;
    assert_eq!((vmi.grace.seconds, vmi.vcpus, vmi.memory), (0, Some(4), Some(1 << 30)));
    assert_eq!(
        vmi.watchdog,
        Some(Watchdog {
            name: "w".into(),
            model: WatchdogModel::Diag288,
            action: WatchdogAction::Shutdown,
            unknown_action: None
        })
    );
    assert!(vmi.panic_device);
    assert_eq!(vmi.reboot_policy, RebootPolicy::Terminate);
    assert_eq!(vmi.cloud_init.user_data.as_deref(), Some(&b"#cloud-config\n"[..]));
    assert_eq!(vmi.cloud_init.network_data.as_deref(), Some(&b"version: 2"[..]));
    assert_eq!(Port::Name("health".into()).resolve(&vmi.ports), Ok(1500));
    assert_eq!(Port::Name("8080".into()).resolve(&vmi.ports), Ok(8080));
    assert!(Port::Name("nope".into()).resolve(&vmi.ports).is_err() && Port::Number(70000).resolve(&[]).is_err());
    let plain = read_ok(&vm("      domain: {devices: {watchdog: {name: w}}}\n")).vmi;
    assert_eq!(plain.grace.seconds, 30);
    assert_eq!(plain.watchdog.map(|w| (w.model, w.action)), Some((WatchdogModel::I6300esb, WatchdogAction::Reset)));
}

#[test]
fn what_is_ignored_is_listed_with_its_place() {
    let found = read_ok(&vm(
        "      hostname: x\n      domain:\n        machine: {type: q35}\n        clock: {utc: {}}\n        memory: {guest: 1Gi, hugepages: {pageSize: 2Mi}}\n      readinessProbe: {tcpSocket: {port: 1}, odd: 1}\n",
    ));
    let listed: Vec<String> =
        found.ignored.iter().map(|(path, pos)| format!("{}:{} {path}", pos.line, pos.column)).collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
    8:7 spec.template.spec.hostname
    11:9 spec.template.spec.domain.clock
    12:30 spec.template.spec.domain.memory.hugepages
    13:46 spec.template.spec.readinessProbe.odd
    ");
}

#[test]
fn machine_types() {
    for (domain, machine, warning) in [
        ("devices: {}", MachineType::Pc, ""),
        ("machine: {type: \"\"}", MachineType::Pc, ""),
        ("machine: {type: q35}", MachineType::Q35, ""),
        ("machine: {type: pc}", MachineType::Pc, ""),
        ("machine: {type: pc-q35-rhel9.6.0}", MachineType::Q35, "the version is ignored by vmhealth"),
        ("machine: {type: pc-i440fx-9.0}", MachineType::Pc, "the version is ignored by vmhealth"),
        ("machine: {type: microvm}", MachineType::Pc, "no such machine runs here"),
    ] {
        let found = read_ok(&vm(&format!("      domain: {{{domain}}}\n")));
        assert_eq!(found.vmi.machine, machine, "{domain}");
        let warnings: String = found.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty() == warning.is_empty() && warnings.contains(warning), "{domain}: {warnings}");
        assert!(found.ignored.iter().all(|(path, _)| !path.contains("machine")), "{domain}");
    }
    for (name, warnings) in [("s390-ccw-virtio", 0), ("s390-ccw-virtio-9.2", 1), ("q35", 1)] {
        let text = format!("      architecture: s390x\n      domain: {{machine: {{type: {name}}}}}\n");
        assert_eq!(read_ok(&vm(&text)).warnings.len(), warnings, "{name}");
    }
    let q35 = read_ok(&vm("      domain: {machine: {type: q35}, devices: {watchdog: {name: w}}}\n")).vmi;
    let plain = read_ok(&vm("      domain: {devices: {watchdog: {name: w}}}\n")).vmi;
    let bare = read_ok(&vm("      domain: {machine: {type: q35}}\n")).vmi;
    for (vmi, asked, found) in [
        (&q35, None, Some(WatchdogModel::I6300esb)),
        (&q35, Some(WatchdogModel::Itco), Some(WatchdogModel::Itco)),
        (&plain, Some(WatchdogModel::Itco), None),
        (&bare, None, Some(WatchdogModel::Itco)),
        (&bare, Some(WatchdogModel::I6300esb), None),
    ] {
        assert_eq!(vmi.watchdog_in_guest(asked), found, "{vmi:?} {asked:?}");
    }
}

/// Alone, beside other objects, in a list; of several none is chosen.
#[test]
fn the_one_vm_of_a_file() {
    let vm = |name: &str| {
        format!(
            "{{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {{name: {name}}}, spec: {{runStrategy: Always, \
             template: {{spec: {{domain: {{memory: {{guest: 1Gi}}, devices: {{}}}}}}}}}}}}"
        )
    };
    let (one, two) = (vm("web"), vm("db"));
    for text in [
        one.clone(),
        format!("kind: ConfigMap\n---\n{one}\n"),
        format!("{{kind: List, items: [{{kind: ConfigMap}}, {{kind: VirtualMachineList, items: [{one}]}}]}}"),
    ] {
        assert_eq!(read("f", &text).map(|vm| vm.name).map_err(|e| e.to_string()), Ok("web".to_owned()), "{text}");
    }
    let refused = read("f", &format!("{one}\n---\n{two}\n")).unwrap_err().to_string();
    assert!(refused.starts_with("f:3:1: 2 VMs in one file (web, db)"), "{refused}");
}

#[test]
fn what_is_refused_names_file_line_column_path_and_what_was_expected() {
    let mut shown = String::new();
    for text in [
        "".to_owned(),
        "a: [1\n".to_owned(),
        "a: 1\na: 2\n".to_owned(),
        "a: 1\n---\nb: 2\n".to_owned(),
        "apiVersion: v1\nkind: Pod\n".to_owned(),
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {runStrategy: Always}\n".to_owned(),
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {runStrategy: always, template: {spec: {}}}\n".to_owned(),
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {running: true, runStrategy: Always, template: {spec: {}}}\n".to_owned(),
        // What several readers want is said once.
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nspec: {runStrategy: Always, template: {spec: []}}\n".to_owned(),
        // One error hides no other.
        vm("      readinessProbe: {httpGet: {scheme: http, path: 1, host: 2}}\n      terminationGracePeriodSeconds: x\n")
            .replace("runStrategy: Always", "runStrategy: always")
            .replace("kubevirt.io/v1", "kubevirt.io/v9"),
        vm("      readinessProbe: {guestAgentPing: }\n"),
        vm("      readinessProbe: {guestAgentPing: {}, tcpSocket: {port: 1}}\n"),
        vm("      readinessProbe: {httpGet: {path: /}}\n"),
        vm("      readinessProbe: {httpGet: {port: 1, scheme: http}, periodSeconds: soon}\n"),
        vm("      livenessProbe: {exec: {command: uname}, periodSeconds: 3000000000}\n"),
        vm("      domain: {devices: {watchdog: {name: w, i6300esb: {action: 7}}}}\n"),
        vm("      domain: {devices: {watchdog: [{name: w}]}}\n"),
        vm("      domain: {memory: {guest: lots}}\n"),
        vm("      volumes: [{name: c, cloudInitNoCloud: {userDataBase64: '%%%'}}]\n"),
    ] {
        shown.push_str(&format!("{}\n", read("vm.yaml", &text).expect_err(&text)));
    }
    insta::assert_snapshot!(shown);
}

/// `kubevirt.io/pause-guest-agent-probes`: Go's ParseBool, and what it does not take is false.
#[test]
fn what_the_annotation_s_text_means() {
    for (text, paused) in [("true", true), ("1", true), ("T", true), ("false", false), ("yes", false), ("", false)] {
        let annotated = vm("      {}\n").replace(
            "template:\n",
            &format!("template:\n    metadata: {{annotations: {{kubevirt.io/pause-guest-agent-probes: {text:?}}}}}\n"),
        );
        assert_eq!(read_ok(&annotated).vmi.agent_probes_paused, paused, "{text:?}");
    }
}
