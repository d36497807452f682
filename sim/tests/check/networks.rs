//! Networks, interfaces, ports and names (KubeVirt pkg/network/admitter) with what each rule takes and what it does not.

use crate::manifest::In::{self, Devices, Vm, Vmi};
use crate::manifest::{NET, NIC, manifest, one};
use crate::row::{Row, hold, later, row};
use vmhealth_sim::check::Verdict;

const MULTUS: (In, &str) = (Vmi, "networks: [{name: net, multus: {networkName: nad}}]");
const BRIDGE: (In, &str) = (Devices, "interfaces: [{name: net, bridge: {}}]");

pub(crate) const ROWS: &[Row] = &[
    // Networks.
    row(
        &[NET, NIC],
        &[(Vmi, "networks: [{name: default, pod: {}}, {name: default, multus: {networkName: nad}}]"), BRIDGED],
        &["duplicate-network spec.template.spec.networks[1].name"],
    ),
    row(
        &[MULTUS, BRIDGE],
        &[(Vmi, "networks: [{name: net}]"), BRIDGE],
        &["not-one-network-source spec.template.spec.networks[0]"],
    ),
    row(
        &[NET, NIC],
        &[(Vmi, "networks:\n- name: default\n  pod:"), BRIDGED],
        &["not-one-network-source spec.template.spec.networks[0]"],
    ),
    row(
        &[MULTUS, BRIDGE],
        &[(Vmi, "networks: [{name: net, pod: {}, multus: {networkName: nad}}]"), BRIDGE],
        &["not-one-network-source spec.template.spec.networks[0]"],
    ),
    row(
        &[MULTUS, BRIDGE],
        &[(Vmi, "networks: [{name: net, multus: {networkName: \"\"}}]"), BRIDGE],
        &["multus-without-network-name spec.template.spec.networks[0]"],
    ),
    row(
        &[(Vmi, "networks: [{name: a, pod: {}}, {name: b, multus: {networkName: nad}}]"), TWO],
        &[(Vmi, "networks: [{name: a, pod: {}}, {name: b, pod: {}}]"), TWO],
        &["several-default-networks spec.template.spec.interfaces <- spec.template.spec.networks[1]"],
    ),
    row(
        &[
            (
                Vmi,
                "networks: [{name: a, multus: {networkName: x, default: true}}, {name: b, multus: {networkName: z}}]",
            ),
            TWO,
        ],
        &[
            (
                Vmi,
                "networks: [{name: a, multus: {networkName: x, default: true}}, {name: b, multus: {networkName: z, default: true}}]",
            ),
            TWO,
        ],
        &["several-default-networks spec.template.spec.networks <- spec.template.spec.networks[1]"],
    ),
    row(
        &[(Vmi, "networks: [{name: a, pod: {}}, {name: b, multus: {networkName: z, default: false}}]"), TWO],
        &[(Vmi, "networks: [{name: a, pod: {}}, {name: b, multus: {networkName: z, default: true}}]"), TWO],
        &["several-default-networks spec.template.spec.networks <- spec.template.spec.networks[1]"],
    ),
    row(
        &[MULTUS, (Devices, "interfaces: [{name: net, sriov: {}}]")],
        &[
            (Vmi, "networks: [{name: net, resourceClaim: {claimName: c, requestName: r}}]"),
            (Devices, "interfaces: [{name: net, sriov: {}}]"),
        ],
        &["network-claim-without-its-gate spec.template.spec.networks <- spec.template.spec.networks[0]"],
    ),
    // Interfaces.
    row(
        &[NET, NIC],
        &[NET, (Devices, "interfaces: [{name: default}]")],
        &["not-one-binding spec.template.spec.domain.devices.interfaces[0]"],
    ),
    row(
        &[NET, BRIDGED],
        &[NET, (Devices, "interfaces: [{name: default, bridge: {}, masquerade: {}}]")],
        &["not-one-binding spec.template.spec.domain.devices.interfaces[0]"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, binding: {name: l2bridge}}]")],
        &[NET, (Devices, "interfaces:\n- name: default\n  masquerade:")],
        &["not-one-binding spec.template.spec.domain.devices.interfaces[0]"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, passtBinding: {}}]")],
        &[NET, (Devices, "interfaces: [{name: default, slirp: {}}]")],
        &[
            "discontinued-binding spec.domain.devices.interfaces[0].slirp <- spec.template.spec.domain.devices.interfaces[0].slirp",
        ],
    ),
    row(
        &[MULTUS, BRIDGE],
        &[MULTUS, (Devices, "interfaces: [{name: net, masquerade: {}}]")],
        &["binding-without-pod-network spec.template.spec.domain.devices.interfaces[0].name"],
    ),
    row(
        &[MULTUS, BRIDGE],
        &[MULTUS, (Devices, "interfaces: [{name: net, passtBinding: {}}]")],
        &["binding-without-pod-network spec.template.spec.domain.devices.interfaces[0].name"],
    ),
    row(
        &[NET, NIC],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}}, {name: default, masquerade: {}}]")],
        &["duplicate-interface spec.template.spec.domain.devices.interfaces[1].name"],
    ),
    row(
        &[(Vmi, "networks: [{name: N_1-a, pod: {}}]"), (Devices, "interfaces: [{name: N_1-a, masquerade: {}}]")],
        &[(Vmi, "networks: [{name: n.1, pod: {}}]"), (Devices, "interfaces: [{name: n.1, masquerade: {}}]")],
        &["bad-interface-name spec.template.spec.domain.devices.interfaces[0].name"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, model: e1000e}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, model: virtio-net}]")],
        &["bad-interface-model spec.template.spec.domain.devices.interfaces[0].model"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: \"02:ab:cd:00:00:01\"}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: \"02:ab:cd:00:00\"}]")],
        &["bad-mac-address spec.template.spec.domain.devices.interfaces[0].macAddress"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: \"\"}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: \"02:00:00:00:00:00:00:01\"}]")],
        &["bad-mac-address spec.template.spec.domain.devices.interfaces[0].macAddress"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, bridge: {}, macAddress: \"02:00:00:00:00:00\"}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, macAddress: \"02:00:00:00:00:00\"}]")],
        &["bad-mac-address spec.template.spec.domain.devices.interfaces[0].macAddress"],
    ),
    row(
        &[MULTUS, (Devices, "interfaces: [{name: net, sriov: {}, pciAddress: \"0000:81:01.0\"}]")],
        &[MULTUS, (Devices, "interfaces: [{name: net, sriov: {}, pciAddress: \"81:01.0\"}]")],
        &["bad-interface-pci-address spec.template.spec.domain.devices.interfaces[0].pciAddress"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, state: down}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, state: Down}]")],
        &["bad-interface-state spec.template.spec.domain.devices.interfaces[0].state"],
    ),
    row(
        &[MULTUS, (Devices, "interfaces: [{name: net, bridge: {}, state: absent}]")],
        &[MULTUS, (Devices, "interfaces: [{name: net, sriov: {}, state: absent}]")],
        &["bad-interface-state spec.template.spec.domain.devices.interfaces[0].state"],
    ),
    row(
        &[MULTUS, (Devices, "interfaces: [{name: net, bridge: {}, state: up}]")],
        &[MULTUS, (Devices, "interfaces: [{name: net, sriov: {}, state: up}]")],
        &["bad-interface-state spec.template.spec.domain.devices.interfaces[0].state"],
    ),
    row(
        &[NET, BRIDGED],
        &[NET, (Devices, "interfaces: [{name: default, bridge: {}, state: absent}]")],
        &["bad-interface-state spec.template.spec.domain.devices.interfaces[0].state"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, bootOrder: 1}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, bootOrder: 0}]")],
        &[
            "bad-boot-order spec.template.spec[0].bootOrder <- spec.template.spec.domain.devices.interfaces[0].bootOrder",
        ],
    ),
    row(
        &[
            NET,
            VOLUME,
            (
                Devices,
                "disks: [{name: c, disk: {}, bootOrder: 1}]\ninterfaces: [{name: default, masquerade: {}, bootOrder: 2}]",
            ),
        ],
        &[
            NET,
            VOLUME,
            (
                Devices,
                "disks: [{name: c, disk: {}, bootOrder: 1}]\ninterfaces: [{name: default, masquerade: {}, bootOrder: 1}]",
            ),
        ],
        &["bad-boot-order spec.template.spec.domain.devices.interfaces[0].bootOrder"],
    ),
    row(
        &[
            NET,
            (
                Devices,
                "interfaces: [{name: default, masquerade: {}, dhcpOptions: {ntpServers: [192.0.2.1], privateOptions: [{option: 224, value: a}, {option: 254, value: a}]}}]",
            ),
        ],
        &[
            NET,
            (
                Devices,
                "interfaces: [{name: default, masquerade: {}, dhcpOptions: {ntpServers: [ntp.example], privateOptions: [{option: 223, value: a}, {option: 230, value: a}, {option: 230, value: b}]}}]",
            ),
        ],
        &[
            "bad-dhcp-options spec.template.spec <- spec.template.spec.domain.devices.interfaces[0].dhcpOptions.privateOptions[0]",
            "bad-dhcp-options spec.template.spec <- spec.template.spec.domain.devices.interfaces[0].dhcpOptions.privateOptions[2]",
            "bad-dhcp-options spec.template.spec.domain.devices.interfaces[0].dhcpOptions.ntpServers[0]",
        ],
    ),
    // Ports.
    row(
        &[
            NET,
            (
                Devices,
                "interfaces: [{name: default, masquerade: {}, ports: [{port: 1}, {port: 65535, protocol: UDP, name: a-1}]}]",
            ),
        ],
        &[
            NET,
            (
                Devices,
                "interfaces: [{name: default, masquerade: {}, ports: [{port: 0}, {port: 65536, protocol: tcp, name: A}]}]",
            ),
        ],
        &[
            "bad-interface-port spec.template.spec.domain.devices.interfaces[0].ports[0].port",
            "bad-interface-port spec.template.spec.domain.devices.interfaces[0].ports[1].name",
            "bad-interface-port spec.template.spec.domain.devices.interfaces[0].ports[1].port",
            "bad-interface-port spec.template.spec.domain.devices.interfaces[0].ports[1].protocol",
        ],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{port: 1}, {port: 2}]}]")],
        &[
            NET,
            (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{port: 1, name: a}, {port: 2, name: a}]}]"),
        ],
        &["bad-interface-port spec.template.spec.domain.devices.interfaces[0].ports[1].name"],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, portRanges: []}]")],
        &[
            NET,
            (Devices, "interfaces: [{name: default, masquerade: {}, portRanges: [{start: 1, end: 9, protocol: TCP}]}]"),
        ],
        &[
            "port-ranges-without-their-gate spec.template.spec.domain.devices.interfaces[0].name <- spec.template.spec.domain.devices.interfaces[0].portRanges",
        ],
    ),
    later(
        &[MULTUS, (Devices, "interfaces: [{name: net, bridge: {}, ports: [{port: 1, name: a, protocol: SCTP}]}]")],
        &[MULTUS, (Devices, "interfaces: [{name: net, bridge: {}, ports: [{port: 0, name: A, protocol: tcp}]}]")],
        &[
            "bad-container-port spec.containers[0].ports[0].name <- spec.template.spec.domain.devices.interfaces[0].ports[0].name",
            "bad-container-port spec.containers[0].ports[0].containerPort <- spec.template.spec.domain.devices.interfaces[0].ports[0].port",
            "bad-container-port spec.containers[0].ports[0].protocol <- spec.template.spec.domain.devices.interfaces[0].ports[0].protocol",
        ],
    ),
    later(
        &[
            TWO_NETWORKS,
            (
                Devices,
                "interfaces: [{name: a, masquerade: {}, ports: [{port: 1, name: a}]}, {name: b, bridge: {}, ports: [{port: 1}]}]",
            ),
        ],
        &[
            TWO_NETWORKS,
            (
                Devices,
                "interfaces: [{name: a, masquerade: {}, ports: [{port: 1, name: a}]}, {name: b, bridge: {}, ports: [{port: 2, name: a}]}]",
            ),
        ],
        &[
            "bad-container-port spec.containers[0].ports[1].name <- spec.template.spec.domain.devices.interfaces[1].ports[0].name",
        ],
    ),
    // Names.
    row(&[(Vmi, "hostname: web-1")], &[(Vmi, "hostname: web.example")], &["bad-hostname spec.template.spec.hostname"]),
    row(&[(Vmi, "subdomain: web")], &[(Vmi, "subdomain: Web")], &["bad-subdomain spec.template.spec.subdomain"]),
    later(
        &[(Vmi, "hostname: \"\"\nsubdomain: \"\"")],
        &[(Vmi, "subdomain: web.example")],
        &["subdomain-with-dots spec.subdomain <- spec.template.spec.subdomain"],
    ),
    row(
        &[(Vmi, "dnsPolicy: None\ndnsConfig: {nameservers: [192.0.2.53]}")],
        &[(Vmi, "dnsPolicy: None")],
        &["bad-dns-config spec.template.spec.dnsConfig <- spec.template.spec.dnsConfig.nameservers"],
    ),
    row(
        &[(Vmi, "dnsPolicy: ClusterFirst\ndnsConfig: {searches: [a.example]}")],
        &[(Vmi, "dnsPolicy: None\ndnsConfig: {searches: [a.example]}")],
        &["bad-dns-config nameservers <- spec.template.spec.dnsConfig.nameservers"],
    ),
    row(
        &[(
            Vmi,
            "dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, \"2001:db8::1\"], searches: [a, b, c, d, e, f], options: [{name: ndots, value: \"2\"}]}",
        )],
        &[(
            Vmi,
            "dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3, ns], searches: [a, b, c, d, e, f, g.], options: [{value: \"2\"}]}",
        )],
        &[
            "bad-dns-config nameservers <- spec.template.spec.dnsConfig.nameservers",
            "bad-dns-config nameservers <- spec.template.spec.dnsConfig.nameservers[3]",
            "bad-dns-config searchDomains <- spec.template.spec.dnsConfig.searches",
            "bad-dns-config searchDomains <- spec.template.spec.dnsConfig.searches[6]",
            "bad-dns-config options <- spec.template.spec.dnsConfig.options[0].name",
        ],
    ),
    // A preference that nobody sees may bring a binding, but not take one away.
    row(
        &[(Vm, "preference: {name: p}"), NET, (Devices, "interfaces: [{name: default}]")],
        &[(Vm, "preference: {name: p}"), NET, (Devices, "interfaces: [{name: default, masquerade: {}, bridge: {}}]")],
        &["not-one-binding spec.template.spec.domain.devices.interfaces[0]"],
    ),
    row(
        &[NET, NIC],
        &[MULTUS, (Vmi, "readinessProbe: {httpGet: {port: 80}}")],
        &[
            "network-probe-without-pod-network spec.template.spec.readinessProbe.httpGet",
            "network-without-interface spec.template.spec.networks[0].name",
        ],
    ),
    later(
        &[MULTUS, (Devices, "interfaces: [{name: net, bridge: {}, ports: [{name: a, port: 1}, {name: b, port: 2}]}]")],
        &[MULTUS, (Devices, "interfaces: [{name: net, bridge: {}, ports: [{name: a, port: 1}, {name: a, port: 2}]}]")],
        &[
            "bad-container-port spec.containers[0].ports[1].name <- spec.template.spec.domain.devices.interfaces[0].ports[1].name",
        ],
    ),
    row(
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{name: a23456789012345, port: 1}]}]")],
        &[NET, (Devices, "interfaces: [{name: default, masquerade: {}, ports: [{name: a234567890123456, port: 1}]}]")],
        &["bad-interface-port spec.template.spec.domain.devices.interfaces[0].ports[0].name"],
    ),
];

const BRIDGED: (In, &str) = (Devices, "interfaces: [{name: default, bridge: {}}]");
const TWO: (In, &str) = (Devices, "interfaces: [{name: a, bridge: {}}, {name: b, bridge: {}}]");
const TWO_NETWORKS: (In, &str) = (Vmi, "networks: [{name: a, pod: {}}, {name: b, multus: {networkName: z}}]");
const VOLUME: (In, &str) = (Vmi, "volumes: [{name: c, containerDisk: {image: i}}]");

#[test]
fn a_binding_plugin_is_not_seen() {
    for (binding, notes) in [("binding: {name: l2bridge}", 1), ("masquerade: {}", 0)] {
        let text = manifest(&[NET, (Devices, "interfaces: [{name: default, BINDING}]")]).replace("BINDING", binding);
        let checked = one(&text);
        let found = checked.findings.iter().filter(|f| f.rule.code == "binding-plugin-not-seen").count();
        assert_eq!((found, checked.verdict), (notes, Verdict::Accepted), "{text}");
    }
}

#[test]
fn each_rule_takes_the_good_and_refuses_the_bad() {
    hold(ROWS);
}
