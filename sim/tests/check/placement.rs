//! Where the pod may run and as whom, with what each rule takes and what it does not.

use crate::manifest::In::{Domain, Vmi};
use crate::row::{Row, hold, later, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        &[(Vmi, "serviceAccountName: vm-1.a")],
        &[(Vmi, "serviceAccountName: VM")],
        &["bad-service-account spec.template.spec.serviceAccountName"],
    ),
    later(
        &[(Vmi, "volumes: [{name: s, serviceAccount: {serviceAccountName: a.b}}]")],
        &[(Vmi, "volumes: [{name: s, serviceAccount: {serviceAccountName: A}}]")],
        &[
            "bad-service-account-of-a-volume spec.serviceAccountName <- spec.template.spec.volumes[0].serviceAccount.serviceAccountName",
        ],
    ),
    row(
        &[(Vmi, "serviceAccountName: a\nvolumes: [{name: s, serviceAccount: {serviceAccountName: a}}]")],
        &[(Vmi, "serviceAccountName: a\nvolumes: [{name: s, serviceAccount: {serviceAccountName: b}}]")],
        &["bad-service-account spec.template.spec.serviceAccountName"],
    ),
    // The cluster leaves `affinity` out of the path.
    row(
        &[(
            Vmi,
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a/b, operator: In, values: [x]}, {key: c, operator: Gt, values: [\"1\"]}, {key: d, operator: Exists}], matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {}}]}}",
        )],
        &[(
            Vmi,
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a b, operator: In}, {key: c, operator: Gt, values: [\"1\", \"2\"]}, {key: d, operator: Exists, values: [x]}], matchFields: [{key: name, operator: Exists, values: [x]}, {key: metadata.name, operator: In, values: [Node]}, {key: metadata.name, operator: In, values: [a, b]}]}]}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, preference: {}}]}}",
        )],
        &[
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].values",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[1].values[0] <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[1].values[0]",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[2].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[2].values",
            "bad-affinity spec.template.spec.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight <- spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
        ],
    ),
    row(
        &[(Vmi, "affinity: {}")],
        &[(Vmi, "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}")],
        &[
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
        ],
    ),
    row(
        &[(
            Vmi,
            "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, namespaces: [a], labelSelector: {matchLabels: {app: web}, matchExpressions: [{key: a, operator: In, values: [x]}]}}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone}}]}}",
        )],
        &[(
            Vmi,
            "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: \"\", namespaces: [a.b], labelSelector: {matchLabels: {app: -web}, matchExpressions: [{key: a, operator: Gt, values: [\"-1\"]}]}}], preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {topologyKey: a b}}]}}",
        )],
        &[
            "bad-affinity spec.template.spec.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels <- spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchLabels.app",
            "bad-affinity spec.template.spec.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].operator <- spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].operator",
            "bad-affinity spec.template.spec.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].values[0] <- spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchExpressions[0].values[0]",
            "bad-affinity spec.template.spec.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace <- spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaces",
            "bad-affinity spec.template.spec.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey <- spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
            "bad-affinity spec.template.spec.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight <- spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
            "bad-affinity spec.template.spec.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey <- spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey",
        ],
    ),
    row(
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, minDomains: 1}, {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]",
        )],
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 1, topologyKey: node, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a b: c}}}]",
        )],
        &[
            "bad-spread-constraint spec.template.spec.topologySpreadConstraints[0].maxSkew",
            "bad-spread-constraint spec.template.spec.topologySpreadConstraints.labelSelector.matchLabels <- spec.template.spec.topologySpreadConstraints[1].labelSelector.matchLabels",
        ],
    ),
    row(
        &[(Vmi, "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]")],
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]",
        )],
        &["same-item-twice spec.template.spec.topologySpreadConstraints[1]"],
    ),
    later(
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, minDomains: 1, matchLabelKeys: [a], labelSelector: {}}, {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: []}]",
        )],
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, minDomains: 0, matchLabelKeys: [a]}]",
        )],
        &[
            "bad-min-domains spec.topologySpreadConstraints[0].minDomains <- spec.template.spec.topologySpreadConstraints[0].minDomains",
            "bad-min-domains spec.topologySpreadConstraints[0].minDomains <- spec.template.spec.topologySpreadConstraints[0].minDomains",
            "bad-min-domains spec.topologySpreadConstraints[0].matchLabelKeys <- spec.template.spec.topologySpreadConstraints[0].matchLabelKeys",
        ],
    ),
    later(
        &[(Vmi, "nodeSelector: {kubernetes.io/os: linux, empty: \"\"}")],
        &[(Vmi, "nodeSelector: {a b: linux, c: -d}")],
        &[
            "bad-node-selector spec.nodeSelector <- spec.template.spec.nodeSelector",
            "bad-node-selector spec.nodeSelector <- spec.template.spec.nodeSelector.c",
        ],
    ),
    later(
        &[(
            Domain,
            "machine: {type: q35}\ncpu: {model: Haswell-noTSX, features: [{name: a b, policy: optional}, {name: vmx}]}",
        )],
        &[(
            Domain,
            "machine: {type: q35.}\ncpu: {model: \" Haswell\", features: [{policy: require}, {name: a b, policy: forbid}, {name: -x}]}",
        )],
        &[
            "bad-node-label spec.nodeSelector <- spec.template.spec.domain.cpu.model",
            "bad-node-label spec.nodeSelector <- spec.template.spec.domain.machine.type",
            "bad-node-label spec.nodeSelector <- spec.template.spec.domain.cpu.features[0].name",
            "bad-node-label spec.affinity.nodeAffinity <- spec.template.spec.domain.cpu.features[1].name",
            "bad-node-label spec.nodeSelector <- spec.template.spec.domain.cpu.features[2].name",
        ],
    ),
    later(
        &[(
            Vmi,
            "tolerations: [{operator: Exists}, {key: a, value: b}, {key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 1}]",
        )],
        &[(
            Vmi,
            "tolerations: [{effect: NoSchedule}, {key: a b}, {key: a, operator: Exists, value: b, tolerationSeconds: 1}, {key: a, value: b c}]",
        )],
        &[
            "bad-toleration spec.tolerations[0].operator <- spec.template.spec.tolerations[0].operator",
            "bad-toleration spec.tolerations[1].key <- spec.template.spec.tolerations[1].key",
            "bad-toleration spec.tolerations[2].effect <- spec.template.spec.tolerations[2].effect",
            "bad-toleration spec.tolerations[2].operator <- spec.template.spec.tolerations[2].value",
            "bad-toleration spec.tolerations[3].operator <- spec.template.spec.tolerations[3].value",
        ],
    ),
    later(
        &[(Vmi, "priorityClassName: system-node-critical")],
        &[(Vmi, "priorityClassName: High")],
        &["bad-priority-class spec.priorityClassName <- spec.template.spec.priorityClassName"],
    ),
];

#[test]
fn each_rule_takes_the_good_and_refuses_the_bad() {
    hold(ROWS);
}
