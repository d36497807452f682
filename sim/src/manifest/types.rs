//! The parts of a VirtualMachine that decide its health, with KubeVirt's defaults applied (kubevirt-health.md 1).

use super::architecture::Architecture;
use super::boot::Boot;
use super::places::Places;
use super::probe::Probe;
use super::user_data::UserData;
use crate::devices::{WatchdogAction, WatchdogModel};
use crate::yaml::{Pos, Problem};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// A VirtualMachine (or a bare VirtualMachineInstance) as vmhealth understands it.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualMachine {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, `default` if absent.
    pub namespace: String,
    /// `spec.runStrategy` or what `spec.running` means.
    pub run_strategy: RunStrategy,
    /// The VMI that the VM stamps out.
    pub vmi: VmiSpec,
    /// Fields that vmhealth ignores: path and position.
    pub ignored: Vec<(String, Pos)>,
    /// What the reader should know, none of it fatal.
    pub warnings: Vec<Problem>,
    /// Where the fields that decide health stand.
    pub places: Places,
}

/// `spec.template.spec` of a VirtualMachine.
#[derive(Debug, Clone, PartialEq)]
pub struct VmiSpec {
    /// `architecture`; KubeVirt fills in its cluster's default.
    pub architecture: Architecture,
    /// `readinessProbe`.
    pub readiness: Option<Probe>,
    /// `livenessProbe`.
    pub liveness: Option<Probe>,
    /// `terminationGracePeriodSeconds`.
    pub grace: Grace,
    /// `domain.machine.type`.
    pub machine: MachineType,
    /// `domain.devices.watchdog`.
    pub watchdog: Option<Watchdog>,
    /// `domain.devices.panicDevices` has an entry.
    pub panic_device: bool,
    /// `domain.rebootPolicy`.
    pub reboot_policy: RebootPolicy,
    /// `startStrategy: Paused`: every VMI begins with its vCPUs standing still.
    pub start_paused: bool,
    /// The annotation `kubevirt.io/pause-guest-agent-probes`: pings are answered without asking the guest.
    pub agent_probes_paused: bool,
    /// `evictionStrategy: LiveMigrate`, or LiveMigrateIfPossible: nothing here is said to be in the way of a migration.
    pub migrates_on_drain: bool,
    /// Guest memory in bytes, if the manifest says.
    pub memory: Option<u64>,
    /// vCPUs: cores x sockets x threads, if the manifest says.
    pub vcpus: Option<u32>,
    /// The cloudInitNoCloud volume.
    pub cloud_init: CloudInit,
    /// `domain.firmware.kernelBoot.kernelArgs`.
    pub kernel_args: String,
    /// What the user data of all volumes and the kernel's command line set up in the guest.
    pub user_data: UserData,
    /// What firmware there is and what it boots.
    pub boot: Boot,
    /// Ports declared on the interfaces: name (may be empty) and number.
    pub ports: Vec<(String, u16)>,
    /// The ports that masquerade forwards: those declared; `None`: all.
    pub forwarded: Option<Vec<u16>>,
}

impl VmiSpec {
    /// Whether a connection to the pod's address reaches the guest's port (kubevirt-health.md 3.2).
    pub fn forwards(&self, port: u16) -> bool {
        self.forwarded.as_ref().is_none_or(|ports| ports.contains(&port))
    }

    /// The watchdog that the guest's daemon has: the one asked for, if the machine has it; else the manifest's; else what the
    /// machine itself has.
    pub fn watchdog_in_guest(&self, asked: Option<WatchdogModel>) -> Option<WatchdogModel> {
        let own = self.watchdog.as_ref().map(|w| w.model);
        let built_in = self.has_itco().then_some(WatchdogModel::Itco);
        match asked {
            Some(model) => [own, built_in].contains(&Some(model)).then_some(model),
            None => own.or(built_in),
        }
    }

    /// Why the watchdog that the guest's daemon has does not take a heartbeat of so many seconds.
    pub fn heartbeat_refusal(&self, asked: Option<WatchdogModel>, seconds: u32) -> Option<String> {
        let model = self.watchdog_in_guest(asked)?;
        let taken = model.heartbeats();
        let refused = !taken.contains(&seconds);
        refused.then(|| format!("the {} takes {} to {}", model.as_str(), taken.start(), taken.end()))
    }

    /// libvirt gives every q35 an iTCO watchdog (9.1 and later; kubevirt-health.md 7.1).
    pub fn has_itco(&self) -> bool {
        self.architecture == Architecture::Amd64 && self.machine == MachineType::Q35
    }

    /// What any watchdog of the machine does when it fires: libvirt's default where the manifest has none.
    pub fn watchdog_action(&self) -> WatchdogAction {
        self.watchdog.as_ref().map_or(WatchdogAction::Reset, |w| w.action)
    }

    /// The user data that lies in a Secret of the cluster, as if the manifest had it. The error: there is no such Secret.
    pub fn reveal_user_data(&mut self, data: &[u8]) -> Result<(), String> {
        if !self.user_data.hidden || self.cloud_init.user_data.is_some() {
            return Err("none of the manifest's user data is in a Secret (cloudInitNoCloud.secretRef)".to_owned());
        }
        self.user_data = UserData::of(&String::from_utf8_lossy(data), &self.kernel_args);
        self.cloud_init.user_data = Some(data.to_vec());
        Ok(())
    }

    /// Why the VMI's webhook refuses it although the VM's does not (kubevirt-health.md 2.3).
    pub fn refusal(&self) -> Option<String> {
        let model = self.watchdog.as_ref()?.model;
        (self.architecture.watchdog() != Some(model)).then(|| {
            let what = format!("{} and watchdog {}", self.architecture, model.as_str());
            format!("admission webhook \"virtualmachineinstances-create-validator.kubevirt.io\" denied the request: {what} do not go together")
        })
    }

    /// Why Kubernetes refuses its pod, where KubeVirt does not look (kubevirt-health.md 2.4).
    pub fn pod_refusal(&self) -> Option<String> {
        let of = |name, probe: &Option<Probe>, liveness| {
            Some(format!("spec.containers[0].{name}.{}", probe.as_ref()?.refusal(liveness)?))
        };
        of("readinessProbe", &self.readiness, false).or_else(|| of("livenessProbe", &self.liveness, true))
    }

    /// Whether QEMU hears of a kernel panic: through a panic device, or the architecture's own way.
    pub fn reports_panics(&self) -> bool {
        self.panic_device || self.architecture.reports_panics()
    }
}

/// `terminationGracePeriodSeconds`, which nobody keeps from being negative; three deadlines are counted from it
/// (kubevirt-health.md 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// As written; 30 if absent.
    pub seconds: i64,
}

impl Grace {
    /// `DefaultGracePeriodSeconds` (KubeVirt types.go).
    const DEFAULT: Grace = Grace { seconds: 30 };
    /// `--grace-period-seconds` of virt-launcher is so much longer.
    const LAUNCHER_EXTRA: i64 = 15;
    /// The pod's own grace period is so much longer.
    const POD_EXTRA: i64 = 30;
    /// The kubelet gives every container so much (kuberuntime `minimumGracePeriodInSeconds`).
    const KUBELET_LEAST: i64 = 2;

    /// virt-handler destroys the guest at once, without asking it.
    pub fn is_zero(self) -> bool {
        self.seconds == 0
    }

    /// How long virt-handler waits; nothing where it is negative, but the guest has been asked then.
    pub fn handler(self) -> Duration {
        from_seconds(self.seconds)
    }

    /// How long virt-launcher waits.
    pub fn launcher(self) -> Duration {
        from_seconds(self.seconds.saturating_add(Grace::LAUNCHER_EXTRA))
    }

    /// How long the kubelet waits.
    pub fn pod(self) -> Duration {
        from_seconds(self.seconds.saturating_add(Grace::POD_EXTRA).max(Grace::KUBELET_LEAST))
    }
}

impl Default for Grace {
    fn default() -> Grace {
        Grace::DEFAULT
    }
}

fn from_seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// `domain.machine.type`, where x86 has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineType {
    /// `pc`: one watchdog, the manifest's. What runs here unless the manifest asks for another.
    #[default]
    Pc,
    /// `q35`, KubeVirt's default: it has an iTCO watchdog of its own.
    Q35,
}

/// `spec.runStrategy` (kubevirt-health.md 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RunStrategy {
    /// A VMI must exist; a final one is replaced, whatever its phase.
    Always,
    /// Start once; only a Failed VMI is replaced.
    RerunOnFailure,
    /// Only start, stop and restart requests act.
    Manual,
    /// No VMI may exist.
    Halted,
    /// Start once, never again.
    Once,
}

impl fmt::Display for RunStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// `domain.devices.watchdog`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    /// `name`.
    pub name: String,
    /// Which device.
    pub model: WatchdogModel,
    /// What QEMU does when it fires.
    pub action: WatchdogAction,
    /// A word that nobody but libvirt refuses: the domain is never defined (kubevirt-health.md 2.6).
    pub unknown_action: Option<String>,
}

/// `domain.rebootPolicy`: what a guest reboot means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RebootPolicy {
    /// A warm reset, invisible to Kubernetes.
    #[default]
    Reboot,
    /// It ends the VMI.
    Terminate,
}

/// What the manifest's `cloudInitNoCloud` volume brings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CloudInit {
    /// `userData`, or `userDataBase64` decoded.
    pub user_data: Option<Vec<u8>>,
    /// `networkData`, or `networkDataBase64` decoded.
    pub network_data: Option<Vec<u8>>,
}
