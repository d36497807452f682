//! The fleet file, `vmhealth.dev/v1alpha1`, kind `Fleet`: groups of VMs, the nodes they run on, what breaks and when.
//!
//! These types are what the JSON Schema describes; [`FleetFile::read`] makes them of a text and knows where in it things stand.

use crate::cluster::KubevirtVersion;
use crate::fault::Fault;
use crate::time::Span;
use schemars::JsonSchema;

/// One fleet file.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetFile {
    /// `vmhealth.dev/v1alpha1`.
    pub api_version: String,
    /// `Fleet`.
    pub kind: String,
    /// Its name.
    pub metadata: Metadata,
    /// The VMs, their nodes, and what happens.
    pub spec: FleetSpec,
}

/// A fleet's name.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// For people.
    pub name: String,
}

/// The VMs, their nodes, and what happens.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetSpec {
    /// How long the fleet is watched, from the moment at which all of it is up: `6h`, `30d`.
    #[serde(rename = "for")]
    pub lasting: Span,
    /// Decides everything that is left to chance; absent: 0.
    #[serde(default)]
    pub seed: u64,
    /// The KubeVirt release whose rules apply; absent: the newest known.
    #[serde(default)]
    pub kubevirt_version: KubevirtVersion,
    /// What the VMs run on.
    pub nodes: Nodes,
    /// The VMs.
    pub groups: Vec<Group>,
    /// What happens to the nodes, and when.
    #[serde(default)]
    pub incidents: Vec<Incident>,
}

/// Nodes that are all alike. A VM stays on its node.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nodes {
    /// How many; each group is spread evenly over them.
    pub count: u32,
    /// So many guests can boot on a node at once without slowing each other down. With twice as many each boot takes twice as
    /// long. Absent: any number.
    #[serde(default)]
    pub boots_at_full_speed: Option<u32>,
    /// The part of a full share that each boot loses beside others, 0 to 0.9: with it, many boots at once take longer than the same in
    /// turn. `bench storm` measures both numbers, and they hold up to the number of guests that it was given.
    #[serde(default)]
    pub loss_per_boot: f64,
}

/// VMs of one manifest.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// Its name in incidents and results.
    pub name: String,
    /// The VirtualMachine manifest, relative to the fleet file.
    pub manifest: String,
    /// How many VMs.
    pub count: u32,
    /// From power-on until the service answers, with nobody booting beside it.
    pub boot: BootSpec,
    /// The watchdog daemon's timeout in seconds, 0: none runs; absent: what the user data sets, or 60.
    #[serde(default)]
    pub heartbeat: Option<u32>,
    /// What breaks by chance.
    #[serde(default)]
    pub faults: Vec<FaultRate>,
}

/// How long a boot takes by itself.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum BootSpec {
    /// Always as long.
    Is {
        /// `60s`
        is: Span,
    },
    /// Each time between the two is as likely.
    Between {
        /// The quickest.
        from: Span,
        /// The slowest.
        to: Span,
    },
    /// Log-normal.
    Median {
        /// Half of the boots are quicker.
        median: Span,
        /// The deviation of the natural logarithm, above 0 and at most 1.
        sigma: f64,
    },
}

/// Something that breaks a VM again and again, whatever befell it before.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FaultRate {
    /// What breaks.
    pub fault: Fault,
    /// How often.
    #[serde(flatten)]
    pub rate: Rate,
}

/// The time from one fault of a VM to the next of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rate {
    /// Exponential, with this mean.
    Every(Span),
    /// Weibull: with a shape below 1 faults come soon after each other, above 1 after about the same time.
    Weibull {
        /// 63 % of the times are shorter.
        scale: Span,
        /// From 0.1 to 10.
        shape: f64,
    },
}

/// Something that befalls nodes, and with them their VMs.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// When, counted from the moment at which the fleet is up.
    pub at: Span,
    /// What.
    #[serde(flatten)]
    pub what: Happens,
    /// How many nodes, the first ones; absent: all.
    #[serde(default)]
    pub nodes: Option<u32>,
    /// Which groups' VMs; absent: all.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// How many VMs of each node at most, the first ones; absent: all.
    #[serde(default)]
    pub vms: Option<u32>,
}

/// What befalls nodes.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Happens {
    /// Without power for so long; then its VMs boot again, all at once.
    NodeDown {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// The cluster and the nodes do not hear of each other; guests run on, and the nodes' kubelets go on probing them.
    NodeCutOff {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// Frames between the guests and their nodes are lost: nobody reaches a guest, and neither do its probes.
    NetworkBlip {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// Writes to the guests' disks fail: QEMU stops a guest at once, KubeVirt lets it go on again and again.
    StorageErrors {
        /// How long.
        #[serde(rename = "for")]
        lasting: Span,
    },
    /// `kubectl drain`: VMs that can do so migrate, two of a node at a time; the others are stopped and start again. They come back to
    /// their own node: what they take of another one is not counted.
    Drain {
        /// How long a migration takes.
        migration: Span,
    },
    /// `systemctl restart kubelet` on the nodes, all at once.
    KubeletRestart {
        /// As a scenario's `restartKubelet` has it.
        #[serde(rename = "resetsReady", default)]
        resets_ready: bool,
    },
    /// VMs are restarted with an image whose service does not start; after so long they are restarted with the former one.
    BadImage {
        /// From the bad image to the former one.
        #[serde(rename = "for")]
        lasting: Span,
        /// From one VM of a node to the next; absent: all at once.
        #[serde(default)]
        apart: Span,
    },
    /// A fault of a scenario, in each of the VMs.
    Fault(Fault),
}

/// The JSON Schema of fleet files, for editors.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(FleetFile)
}
