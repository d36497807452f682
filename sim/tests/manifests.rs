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
        // KubeVirt adds 10 s.
        ("tcpSocket: {port: 80}, initialDelaySeconds: -10", None),
        ("tcpSocket: {port: 80}, initialDelaySeconds: -11", Some("initialDelaySeconds: Invalid value")),
        ("tcpSocket: {port: 80}, initialDelaySeconds: 2147483638", Some("initialDelaySeconds: Invalid value")),
        ("exec: {command: [a]}", None),
        ("exec: {command: []}", Some("exec.command: Required value")),
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
    for port in [Port::Name("nope".into()), Port::Number(70000), Port::Number(0)] {
        assert!(port.resolve(&vmi.ports).is_err(), "{port}");
    }
    let plain = read_ok(&vm("      domain: {devices: {watchdog: {name: w}}}\n")).vmi;
    assert_eq!(plain.grace.seconds, 30);
    assert!(!read_ok(&vm("      domain: {devices: {panicDevices: []}}\n")).vmi.panic_device);
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

/// Of a watchdog that is not the architecture's own.
#[test]
fn no_vmi_is_created_with_a_foreign_watchdog() {
    for (architecture, device, warned) in [
        ("amd64", "", false),
        ("amd64", ", i6300esb: {}", false),
        ("amd64", ", diag288: {}", true),
        ("s390x", "", false),
        ("s390x", ", diag288: {}", false),
        ("s390x", ", i6300esb: {}", true),
    ] {
        let text = format!(
            "      architecture: {architecture}\n      domain: {{devices: {{watchdog: {{name: w{device}}}}}}}\n"
        );
        let warnings = read_ok(&vm(&text)).warnings;
        let said = warnings.iter().any(|warning| warning.message.ends_with("no VMI is ever created"));
        assert_eq!(said, warned, "{text}: {warnings:?}");
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
    let in_lists = |kind: &str, depth| {
        (0..depth).fold(one.clone(), |item, _| format!("{{apiVersion: v1, kind: {kind}, items: [{item}]}}"))
    };
    assert!(read("f", &in_lists("List", 8)).is_ok());
    let several = |count| vec![two.as_str(); count].join("\n---\n");
    for (text, expected) in [
        (format!("{one}\n---\n{two}\n"), "f:3:1: 2 VMs in one file (web, db):"),
        (several(5), "f:3:1: 5 VMs in one file (db, db, db, db, db):"),
        (several(6), "f:3:1: 6 VMs in one file (db, db, db, db, db, ...):"),
        // What has items is no list by that alone, and lists in lists end somewhere.
        (in_lists("ConfigMap", 1), "kind: \"ConfigMap\" is not one of VirtualMachine"),
        (in_lists("List", 9), "kind: \"List\" is not one of VirtualMachine"),
    ] {
        let refused = read("f", &text).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
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

/// Kubernetes' quantities, exact and of any length (apimachinery `resource.ParseQuantity`).
#[test]
fn how_much_memory_a_guest_has() {
    for (memory, bytes) in [
        ("1Gi", Some(1 << 30)),
        ("1073741824000000u", Some(1 << 30)),
        ("1073741824000001u", Some((1 << 30) + 1)),
        // What is behind the billionths is 0, and neither moves the point nor rounds up.
        ("1073741824.0000000000", Some(1 << 30)),
        ("1073741824.00000000000000000000000000000", Some(1 << 30)),
        // More digits than are kept: beyond the cap.
        ("10000000000000000000000000000n", None),
    ] {
        let read = read("f", &vm(&format!("      domain: {{memory: {{guest: \"{memory}\"}}}}\n")));
        let is_refused = |e: &Problems| e.to_string().contains("cannot be a guest's memory");
        match (&read, bytes) {
            (Ok(vm), Some(_)) => assert_eq!(vm.vmi.memory, bytes, "{memory}"),
            (Err(error), None) if is_refused(error) => {}
            _ => panic!("{memory}: {read:?}"),
        }
    }
}

/// What the agent receives of a command (KubeVirt agent/exec.go; kubevirt-health.md 3.3).
#[test]
fn what_of_a_command_the_agent_receives() {
    for (command, received) in [
        (["/bin/a", "b c"], [Some(&["/bin/a"][..]), Some(&["b c"])]),
        (["/bin/a", "b\nc\td"], [Some(&["/bin/a"]), Some(&["b\nc\td"])]),
        (["/bin/a", "b\", \"c"], [Some(&["/bin/a"]), Some(&["b", "c"])]),
        // Of the path there is one.
        (["/bin/a\", \"b", "c"], [None, Some(&["c"])]),
        (["/bin/a", "b\"c"], [Some(&["/bin/a"]), None]),
    ] {
        let found = as_received(&command.map(str::to_owned));
        let expected = received.map(|texts| texts.map(|texts| texts.iter().map(ToString::to_string).collect()));
        assert_eq!(found, expected, "{command:?}");
    }
}

/// Where a field stands in its file, for whoever explains what came of it.
#[test]
fn where_a_field_stands() {
    let text =
        vm("      terminationGracePeriodSeconds: 0\n      livenessProbe: {tcpSocket: {port: 1}, periodSeconds: 5}\n")
            .replace("{name: vm}", "{name: vm, namespace: shop}");
    let named = read_ok(&text).places;
    let unnamed = read("", &text).expect("it is right").places;
    for (field, place) in [
        ("terminationGracePeriodSeconds", Some("8:38")),
        ("livenessProbe", Some("9:7")),
        ("livenessProbe.periodSeconds", Some("9:60")),
        (NAMESPACE, Some("3:33")),
        // Those that the file does not have.
        ("livenessProbe.failureThreshold", None),
        ("readinessProbe", None),
    ] {
        assert_eq!(named.find(field), place.map(|place| format!("vm.yaml:{place}")), "{field}");
        assert_eq!(unnamed.find(field).as_deref(), place, "{field}");
    }
}

/// Each device's driver takes its own (qemu-watchdog.md 2.4, 3 and 4).
#[test]
fn which_heartbeats_a_machine_takes() {
    let vmi = |domain: &str| read_ok(&vm(&format!("      domain: {{{domain}}}\n"))).vmi;
    let (own, none) = (vmi("devices: {watchdog: {name: w}}"), vmi("devices: {}"));
    let both = vmi("machine: {type: q35}, devices: {watchdog: {name: w}}");
    for (vmi, asked, seconds, refused) in [
        (&own, None, 2046, None),
        (&own, None, 2047, Some("the i6300esb takes 1 to 2046")),
        (&both, None, 614, None),
        (&both, None, 615, None),
        (&both, Some(WatchdogModel::Itco), 614, None),
        (&both, Some(WatchdogModel::Itco), 615, Some("the itco takes 3 to 614")),
        (&none, None, 0, None),
    ] {
        assert_eq!(vmi.heartbeat_refusal(asked, seconds).as_deref(), refused, "{asked:?} {seconds}");
    }
}
