//! Affinity and topology spread (kubevirt-health.md 2.9).

use crate::manifest::In::Vmi;
use crate::row::{self, Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        &[(
            Vmi,
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [b]}, {key: c/d, operator: Exists}, {key: e, operator: Gt, values: [\"1\"]}], matchFields: [{key: metadata.name, operator: In, values: [k]}]}]}}}",
        )],
        &[(
            Vmi,
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In}, {key: c d, operator: Exists, values: [x]}, {key: e, operator: Gt}], matchFields: [{key: name, operator: In, values: [k, m]}]}]}}}",
        )],
        &[
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].values",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].key <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1].key",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[2].values",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].key",
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values",
        ],
    ),
    row(
        &[(
            Vmi,
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}}}]}}",
        )],
        &[(
            Vmi,
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {topologyKey: \"\", labelSelector: {matchLabels: {a: b c}, matchExpressions: [{key: a, operator: Gt, values: [\"1\"]}]}}}]}}",
        )],
        &[
            "bad-affinity spec.template.spec.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight <- spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
            "bad-affinity spec.template.spec.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey <- spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey",
            "bad-affinity spec.template.spec.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector.matchLabels <- spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector.matchLabels",
            "bad-affinity spec.template.spec.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector.matchExpressions[0].operator <- spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector.matchExpressions[0].operator",
        ],
    ),
    row(
        &[(
            Vmi,
            "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaces: [k]}]}}",
        )],
        &[(
            Vmi,
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}, preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, preference: {}}]}, podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaces: [K]}]}}",
        )],
        &[
            "bad-affinity spec.template.spec.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms <- spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
            "bad-affinity spec.template.spec.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight <- spec.template.spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
            "bad-affinity spec.template.spec.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace <- spec.template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace",
        ],
    ),
    row(
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway}]",
        )],
        &[(
            Vmi,
            "topologySpreadConstraints: [{maxSkew: 0, topologyKey: z z, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a b: c}}}]",
        )],
        &[
            "bad-topology-spread spec.template.spec.topologySpreadConstraints[0].maxSkew",
            "bad-topology-spread spec.template.spec.topologySpreadConstraints[0].topologyKey",
            "bad-topology-spread spec.template.spec.topologySpreadConstraints.labelSelector.matchLabels <- spec.template.spec.topologySpreadConstraints[0].labelSelector.matchLabels",
        ],
    ),
];

#[test]
fn scheduling() {
    row::hold(ROWS);
}
