//! Kubernetes: the shards as an Indexed Job (batch/v1), as YAML for `kubectl create`.

use super::shards::Shards;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where the shards run, and on what.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The Job's name.
    pub name: String,
    /// An image with vmhealth in it and, for real guests, QEMU.
    pub image: String,
    /// A PersistentVolumeClaim that all nodes can write to (ReadWriteMany): run folders, guest images, templates.
    pub claim: String,
    /// How many shards run at once.
    pub at_once: u64,
    /// For real guests: namespaces and TAPs need privileges.
    pub privileged: bool,
}

/// Where the claim is mounted.
pub(super) const MOUNT: &str = "/vmhealth";
/// The number of the shard, from 1: Kubernetes counts from 0.
const NUMBER: &str = "$((JOB_COMPLETION_INDEX + 1))";
/// A shard is started so often again before it counts as failed.
const AGAIN: u64 = 3;

impl Cluster {
    /// The Job as YAML; the shards' folder is a name below the claim.
    pub fn job(&self, shards: &Shards) -> Result<String, String> {
        if shards.count > 100_000 {
            return Err(format!("{} shards are too many for an Indexed Job: at most 100000", shards.count));
        }
        let shards = Shards { folder: format!("{MOUNT}/{}", shards.folder), ..shards.clone() };
        let script = shards.script(NUMBER)?;
        let variable = |name: &str, value: &str| EnvVar { name: name.to_owned(), value: value.to_owned() };
        let container = Container {
            name: "shard".to_owned(),
            image: self.image.clone(),
            command: ["/bin/sh", "-c", &script].map(unexpanded).to_vec(),
            // The cache of images and templates is below it.
            env: vec![variable("HOME", MOUNT)],
            volume_mounts: vec![VolumeMount { name: "runs".to_owned(), mount_path: MOUNT.to_owned() }],
            security_context: self.privileged.then_some(SecurityContext { privileged: true }),
        };
        let claim = ClaimSource { claim_name: self.claim.clone() };
        let job = Job {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            metadata: Metadata { name: self.name.clone(), labels: BTreeMap::from([("app".into(), "vmhealth".into())]) },
            spec: JobSpec {
                completion_mode: "Indexed".to_owned(),
                completions: shards.count,
                parallelism: self.at_once,
                backoff_limit_per_index: AGAIN,
                template: PodTemplate {
                    spec: PodSpec {
                        restart_policy: "Never".to_owned(),
                        containers: vec![container],
                        volumes: vec![Volume { name: "runs".to_owned(), persistent_volume_claim: claim }],
                    },
                },
            },
        };
        serde_json::to_value(&job).map(|job| yaml(&job, 0).trim_start().to_owned() + "\n").map_err(|e| e.to_string())
    }
}

/// A word of a command that the kubelet hands on as it is: of `$$` it makes `$`, and of `$(NAME)` a variable's value
/// (`k8s.io/kubernetes/third_party/forked/golang/expansion`).
fn unexpanded(word: &str) -> String {
    let mut rest = word.chars().peekable();
    let mut escaped = String::new();
    while let Some(c) = rest.next() {
        escaped.push(c);
        if c == '$' && matches!(rest.peek(), Some('$' | '(')) {
            escaped.push('$');
        }
    }
    escaped
}

/// As YAML in block style, after a key or a dash; a text of several lines as it is read.
fn yaml(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| format!("\n{indent}{key}:{}", yaml(value, depth + 1));
            members.iter().map(member).collect()
        }
        // What is in an item stands below its dash.
        Value::Array(items) => {
            let item = |item: &Value| format!("\n{indent}-{}", yaml(item, depth + 1));
            items.iter().map(item).collect()
        }
        Value::String(text) if text.ends_with('\n') => {
            let lines = text.lines().map(|l| if l.is_empty() { "\n".to_owned() } else { format!("\n{indent}{l}") });
            format!(" |{}", lines.collect::<String>())
        }
        // JSON's quotes are YAML's.
        plain => format!(" {plain}"),
    }
}

/// The fields of `k8s.io/api/batch/v1` `Job` and of `core/v1` that are used, with their names and types.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Job {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: JobSpec,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    name: String,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JobSpec {
    completion_mode: String,
    completions: u64,
    parallelism: u64,
    /// Needs `restartPolicy: Never` and Kubernetes 1.29 (beta), 1.33 (GA).
    backoff_limit_per_index: u64,
    template: PodTemplate,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct PodTemplate {
    spec: PodSpec,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodSpec {
    restart_policy: String,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Container {
    name: String,
    image: String,
    command: Vec<String>,
    env: Vec<EnvVar>,
    volume_mounts: Vec<VolumeMount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    security_context: Option<SecurityContext>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct EnvVar {
    name: String,
    value: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct VolumeMount {
    name: String,
    mount_path: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct SecurityContext {
    privileged: bool,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Volume {
    name: String,
    persistent_volume_claim: ClaimSource,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct ClaimSource {
    claim_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::submit::Work;

    /// What the kubelet makes of a word of a command, with the variable HOME.
    fn expanded(word: &str) -> String {
        let (mut rest, mut text) = (word, String::new());
        while let Some((before, after)) = rest.split_once('$') {
            text += before;
            (text, rest) = match (after.strip_prefix('$'), after.strip_prefix('(').and_then(|a| a.split_once(')'))) {
                (Some(after), _) => (text + "$", after),
                (None, Some(("HOME", after))) => (text + MOUNT, after),
                (None, Some((name, after))) => (format!("{text}$({name})"), after),
                (None, None) => (text + "$", after),
            };
        }
        text + rest
    }

    #[test]
    fn the_kubelet_hands_the_script_on() {
        assert_eq!(expanded("$$ $(HOME) $(no) $x $$(HOME) $"), format!("$ {MOUNT} $(no) $x $(HOME) $"));
        for text in ["$$", "$$$", "$(HOME)", "$$(HOME)", "$((1 + 2))", "a$", "\"$x\"", ""] {
            assert_eq!(expanded(&unexpanded(text)), text, "{text}");
        }
    }

    #[test]
    fn an_indexed_job() {
        let cluster = Cluster {
            name: "catalogue".into(),
            image: "registry.example/vmhealth:1".into(),
            claim: "vmhealth".into(),
            at_once: 2,
            privileged: true,
        };
        let shards = |count| Shards {
            program: "vmhealth".into(),
            work: Work::Scenarios(["--world", "model", "$$(HOME)"].map(str::to_owned).into()),
            count,
            folder: "catalogue".into(),
        };
        let text = cluster.job(&shards(4)).unwrap();
        insta::assert_snapshot!(text);
        // What is printed is what was meant, also the script with its quotes and its lines.
        let job: Job = vmhealth_sim::yaml::read(&text).unwrap();
        let spec = &job.spec;
        assert_eq!((spec.completions, spec.parallelism, spec.backoff_limit_per_index), (4, 2, AGAIN));
        let script = &expanded(&spec.template.spec.containers[0].command[2]);
        let meant = Shards { folder: format!("{MOUNT}/catalogue"), ..shards(4) };
        assert_eq!(*script, meant.script(NUMBER).unwrap());
        assert!(
            script.contains("out=/vmhealth/catalogue\nshard=$((JOB_COMPLETION_INDEX + 1))\nshards=4\n"),
            "{script}"
        );
        assert!(cluster.job(&shards(100_001)).is_err());
    }
}
