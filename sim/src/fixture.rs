//! For tests: a VirtualMachine and a scenario with little writing. The product must not use it.
//!
//! The builders write the YAML that a user would and read it as the product does; they panic, with the text, if that fails.
//!
//! ```
//! use vmhealth_sim::engine::Config;
//! use vmhealth_sim::fixture::{scenario, vm};
//! use vmhealth_sim::manifest::WatchdogAction;
//! use vmhealth_sim::scenario::Verdict;
//! use vmhealth_sim::world::{self, Timings};
//!
//! let vm = vm().strategy("Once").liveness_http(1500).watchdog(WatchdogAction::Reset).build();
//! let scenario = scenario().guest("healthServer: true").steps("{after: guest ready, fault: {health: stop}}")
//!     .expect("{see: pod event Killing, within: 0s..90s}").build();
//! let (verdict, _, _) = world::run(&vm, &scenario.spec, Config::default(), Timings::default());
//! assert_eq!(verdict, Verdict::Pass);
//! ```

use crate::manifest::{self, VirtualMachine, WatchdogAction};
use crate::scenario::Scenario;
use std::fmt::Display;

/// A VirtualMachine that always runs, without probes and without a watchdog.
pub fn vm() -> Vm {
    Vm {
        strategy: "Always".into(),
        metadata: String::new(),
        spec: String::new(),
        domain: String::new(),
        devices: Vec::new(),
    }
}

/// A VirtualMachine in the making.
#[derive(Debug, Clone)]
pub struct Vm {
    strategy: String,
    metadata: String,
    spec: String,
    domain: String,
    devices: Vec<String>,
}

impl Vm {
    /// Its `runStrategy`.
    pub fn strategy(mut self, strategy: impl Display) -> Self {
        self.strategy = strategy.to_string();
        self
    }

    /// An annotation of the template.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.metadata = format!("    metadata: {{annotations: {{{key}: {value:?}}}}}\n");
        self
    }

    /// Fields of `spec.template.spec`, one a line.
    pub fn spec(mut self, lines: &str) -> Self {
        lines.lines().for_each(|line| self.spec.push_str(&format!("      {}\n", line.trim_start())));
        self
    }

    /// Fields of `domain`, one a line.
    pub fn domain(mut self, lines: &str) -> Self {
        lines.lines().for_each(|line| self.domain.push_str(&format!("        {}\n", line.trim_start())));
        self
    }

    /// A device, in flow style: `interfaces: [{name: default, masquerade: {}}]`.
    pub fn device(mut self, device: &str) -> Self {
        self.devices.extend((!device.is_empty()).then(|| device.to_owned()));
        self
    }

    /// An i6300esb with this action.
    pub fn watchdog(self, action: WatchdogAction) -> Self {
        self.device(&format!("watchdog: {{name: w, i6300esb: {{action: {action}}}}}"))
    }

    /// A readiness probe, in flow style without its braces: `guestAgentPing: {}, periodSeconds: 5`.
    pub fn readiness(self, probe: &str) -> Self {
        self.spec(&format!("readinessProbe: {{{probe}}}"))
    }

    /// A liveness probe, likewise.
    pub fn liveness(self, probe: &str) -> Self {
        self.spec(&format!("livenessProbe: {{{probe}}}"))
    }

    /// A readiness probe that asks the health server.
    pub fn readiness_http(self, port: u16) -> Self {
        self.readiness(&format!("httpGet: {{port: {port}, path: /healthz}}"))
    }

    /// A liveness probe that asks the health server, from a minute on.
    pub fn liveness_http(self, port: u16) -> Self {
        self.liveness(&format!("httpGet: {{port: {port}, path: /healthz}}, initialDelaySeconds: 60"))
    }

    /// The manifest's text.
    pub fn yaml(&self) -> String {
        let Vm { strategy, metadata, spec, domain, devices } = self;
        let devices = match devices.join(", ") {
            devices if devices.is_empty() => String::new(),
            devices => format!("        devices: {{{devices}}}\n"),
        };
        let domain = match format!("{domain}{devices}") {
            domain if domain.is_empty() && spec.is_empty() => "      domain: {}\n".to_owned(),
            domain if domain.is_empty() => domain,
            domain => format!("      domain:\n{domain}"),
        };
        format!(
            "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: {strategy}\n  \
             template:\n{metadata}    spec:\n{spec}{domain}"
        )
    }

    /// The manifest, as it is read.
    pub fn build(&self) -> VirtualMachine {
        let text = self.yaml();
        manifest::read("vm.yaml", &text).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }
}

/// A scenario that breaks nothing and expects the VM to have a status.
pub fn scenario() -> ScenarioFile {
    ScenarioFile::default()
}

/// A scenario in the making. What is given several times is joined.
#[derive(Debug, Clone, Default)]
pub struct ScenarioFile {
    spec: String,
    guest: Vec<String>,
    steps: Vec<String>,
    expect: Vec<String>,
    never: Vec<String>,
    observe: Option<String>,
    end: String,
}

impl ScenarioFile {
    /// Fields of `spec`, one a line: `seed: 3`.
    pub fn spec(mut self, lines: &str) -> Self {
        lines.lines().for_each(|line| self.spec.push_str(&format!("  {line}\n")));
        self
    }

    /// Of the guest profile, in flow style without its braces: `healthServer: true`.
    pub fn guest(mut self, profile: &str) -> Self {
        self.guest.extend((!profile.is_empty()).then(|| profile.to_owned()));
        self
    }

    /// Steps, in flow style: `{after: guest ready, fault: kernelPanic}`.
    pub fn steps(mut self, steps: &str) -> Self {
        self.steps.extend((!steps.is_empty()).then(|| steps.to_owned()));
        self
    }

    /// Expectations, in flow style: `{see: vmi phase Failed, within: 0s..9s}`.
    pub fn expect(mut self, expectations: &str) -> Self {
        self.expect.push(expectations.to_owned());
        self
    }

    /// What must not be seen, in flow style: `{see: qemu WATCHDOG}`.
    pub fn never(mut self, events: &str) -> Self {
        self.never.extend((!events.is_empty()).then(|| events.to_owned()));
        self
    }

    /// How long to go on watching: `10m`.
    pub fn observe(mut self, span: &str) -> Self {
        self.observe = Some(span.to_owned());
        self
    }

    /// What must hold at the end, in flow style without its braces: `vm: Running`.
    pub fn end(mut self, fields: &str) -> Self {
        self.end = fields.to_owned();
        self
    }

    /// The file's text.
    pub fn yaml(&self) -> String {
        let ScenarioFile { spec, guest, steps, expect, never, observe, end } = self;
        let [guest, steps, expect, never] = [guest, steps, expect, never].map(|parts| parts.join(", "));
        let expect = if expect.is_empty() { "{see: vm status, within: 0s..1h}" } else { &expect };
        let observe = observe.as_deref().unwrap_or("0s");
        format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: a/b/c, summary: s}}\nspec:\n  manifest: vm.yaml\n\
             {spec}  guest: {{{guest}}}\n  steps: [{steps}]\n  expect: [{expect}]\n  never: [{never}]\n  observe: {observe}\n  \
             final: {{{end}}}\n"
        )
    }

    /// The scenario, as it is read.
    pub fn build(&self) -> Scenario {
        let text = self.yaml();
        Scenario::read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }
}
