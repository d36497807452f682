//! What `cargo xtask advise` shows: the goal, the answers beside each other, each answer's worst case, the patch.

use super::advised_fleet::FleetAdvice;
use super::in_guest::{in_cloud_config, in_guest};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use vmhealth_sim::advise::{Advice, Answer, Change, Lives, Maintenance, Numbers, Way, Worst};
use vmhealth_sim::manifest::{Handler, Petter, Timings, VirtualMachine};

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct AdviseReport {
    schema: u32,
    name: String,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Advised>,
    maintenance: Vec<LivesReport>,
    /// Who pets the guest's watchdog.
    #[serde(skip)]
    petter: Option<Petter>,
}

/// What was wanted.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Seconds.
    pub recover_within_s: f64,
    /// The quickest boot and the slowest, seconds.
    pub boot_s: [f64; 2],
    /// Seconds.
    pub hiccup_s: f64,
    /// As on the command line.
    pub faults: Vec<String>,
}

/// What came of a search.
#[derive(Debug, Clone, Serialize)]
pub struct Advised {
    asked: Asked,
    now: AnswerReport,
    /// `null`: it cannot be had.
    best: Option<AnswerReport>,
    front: Vec<AnswerReport>,
    /// Why it cannot be had.
    reasons: Vec<String>,
    /// The quickest that can be had.
    instead: Option<AnswerReport>,
    looked_at: usize,
    tried: usize,
    /// A merge patch; `null`: nothing of the manifest changes.
    patch: Option<Value>,
    /// If one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<FleetAdvice>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct AnswerReport {
    numbers: String,
    /// `null`: one of the faults is never recovered from.
    recovery_s: Option<f64>,
    /// `null`: for ever.
    survives_s: Option<u64>,
    probes_per_minute: f64,
    changes: Vec<ChangeReport>,
    faults: Vec<WorstReport>,
    false_restarts: Vec<String>,
    runs: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ChangeReport {
    field: String,
    from: String,
    to: String,
    in_guest: bool,
    /// It is set in the guest by user data, which the patch changes.
    in_user_data: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct WorstReport {
    fault: String,
    /// When it came, counted from the guest being ready.
    at_s: f64,
    boot_s: f64,
    back_s: Option<f64>,
    noticed: Option<String>,
}

/// Whether a maintenance is survived.
#[derive(Debug, Clone, Serialize)]
pub struct LivesReport {
    what: &'static str,
    lasting_s: f64,
    lives: bool,
    /// How soon after its begin the guest is restarted.
    killed_after_s: Option<f64>,
    number: Option<ChangeReport>,
    annotation: bool,
    runs: usize,
    #[serde(skip)]
    pings: bool,
}

/// To a thousandth, as a reader of JSON wants it.
fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

impl From<&Change> for ChangeReport {
    fn from(change: &Change) -> Self {
        let Change { field, from, to, in_guest } = change.clone();
        ChangeReport { field, from, to, in_guest, in_user_data: false }
    }
}

impl From<&Worst> for WorstReport {
    fn from(worst: &Worst) -> Self {
        WorstReport {
            fault: worst.fault.clone(),
            at_s: seconds(worst.at),
            boot_s: seconds(worst.boot),
            back_s: worst.back.map(seconds),
            noticed: worst.noticed.clone(),
        }
    }
}

impl From<&Answer> for AnswerReport {
    fn from(answer: &Answer) -> Self {
        AnswerReport {
            numbers: in_words(&answer.numbers),
            recovery_s: answer.proof.recovery().map(seconds),
            survives_s: answer.survives.map(|s| s.as_secs()),
            probes_per_minute: (answer.numbers.probes_per_minute() * 10.0).round() / 10.0,
            changes: answer.changes.iter().map(ChangeReport::from).collect(),
            faults: answer.proof.faults.iter().map(WorstReport::from).collect(),
            false_restarts: answer.proof.false_restarts.clone(),
            runs: answer.proof.runs,
        }
    }
}

fn in_words(numbers: &Numbers) -> String {
    let probe = |name: &str, t: Timings| {
        let Timings { initial_delay, timeout, period, failure_threshold, .. } = t;
        format!("{name} every {period} s x {failure_threshold}, timeout {timeout} s, delay {initial_delay} s")
    };
    let mut words = Vec::new();
    words.extend(numbers.liveness.map(|t| probe("liveness", t)));
    words.extend(numbers.readiness.map(|t| probe("readiness", t)));
    words.extend(numbers.heartbeat.map(|h| format!("heartbeat {h} s")));
    words.extend(numbers.action.map(|a| a.to_string()));
    words.extend((numbers.panic_timer > 0).then(|| format!("kernel.panic {}", numbers.panic_timer)));
    words.push(numbers.strategy.to_string());
    words.join("; ")
}

impl Advised {
    /// Of a search; `in_user_data`: the guest's numbers that the patch sets there.
    pub fn new(asked: Asked, advice: &Advice, patch: Option<Value>, in_user_data: &[String]) -> Advised {
        let best = advice.best.as_ref().map(|best| {
            let mut best = AnswerReport::from(best);
            best.changes.iter_mut().for_each(|c| c.in_user_data = in_user_data.contains(&c.field));
            best
        });
        Advised {
            asked,
            now: AnswerReport::from(&advice.now),
            best,
            front: advice.front.iter().map(AnswerReport::from).collect(),
            reasons: advice.reasons.clone(),
            instead: advice.instead.as_ref().map(AnswerReport::from),
            looked_at: advice.looked_at.0,
            tried: advice.looked_at.1,
            patch,
            fleet: None,
        }
    }

    /// With what comes of a fleet.
    pub fn with_fleet(self, fleet: Option<FleetAdvice>) -> Advised {
        Advised { fleet, ..self }
    }

    /// The goal can be had, and the fleet comes to rest.
    fn is_good(&self) -> bool {
        self.best.is_some() && self.fleet.as_ref().is_none_or(|fleet| fleet.settles)
    }
}

impl LivesReport {
    /// Of one maintenance of a VM.
    pub fn of(lives: &Lives, vm: &VirtualMachine) -> LivesReport {
        let number = lives.ways.iter().find_map(|way| match way {
            Way::Number(change) => Some(ChangeReport::from(change)),
            Way::Annotation => None,
        });
        LivesReport {
            what: lives.what.as_str(),
            lasting_s: seconds(lives.lasting),
            lives: lives.killed.is_none(),
            killed_after_s: lives.killed.map(seconds),
            number,
            annotation: lives.ways.contains(&Way::Annotation),
            runs: lives.runs,
            pings: vm.vmi.liveness.as_ref().is_some_and(|p| p.handler == Handler::GuestAgentPing),
        }
    }

    fn render(&self, name: &str) -> String {
        let (what, lasting) = (self.what, self.lasting_s);
        let Some(after) = self.killed_after_s else {
            if self.runs == 0 {
                return format!(
                    "{what} of {lasting} s: lives: KubeVirt does not count the pings that fail meanwhile\n"
                );
            }
            return format!("{what} of {lasting} s: lives ({} runs, at every moment)\n", self.runs);
        };
        let mut out = if what == Maintenance::Migration.as_str() {
            format!(
                "{what} of {lasting} s: never ends: liveness stops the pod that it goes to after {after:.1} s, and it begins anew\n"
            )
        } else {
            format!(
                "{what} of {lasting} s: the guest is stopped after {after:.1} s at the worst moment ({} runs)\n",
                self.runs
            )
        };
        match &self.number {
            Some(ChangeReport { field, from, to, .. }) => {
                out += &format!(
                    "  spec.{field}: {to} in place of {from} is the least that lets it live; a VMI that runs keeps its probes, so \
                     restart it before\n"
                );
            }
            None => out += "  no number of the liveness probe lets it live\n",
        }
        if self.annotation {
            let key = "kubevirt.io/pause-guest-agent-probes";
            out += &format!(
                "  or pause the pings: kubectl annotate vmi {name} {key}=true ten seconds before\n  \
                 and once the guest agent is connected again: kubectl annotate vmi {name} {key}- (sooner, and liveness goes on counting)\n"
            );
        } else if !self.pings {
            out += "  the annotation that pauses probes is for guestAgentPing only\n";
        }
        out
    }
}

impl AdviseReport {
    /// Of a VM.
    pub fn new(vm: &VirtualMachine, advice: Option<Advised>, maintenance: Vec<LivesReport>) -> AdviseReport {
        AdviseReport {
            schema: 1,
            name: vm.name.clone(),
            namespace: vm.namespace.clone(),
            advice,
            maintenance,
            petter: vm.vmi.user_data.petter,
        }
    }

    /// What was asked for can be had.
    pub fn can_be_had(&self) -> bool {
        self.advice.as_ref().is_none_or(Advised::is_good)
    }

    /// That, and every maintenance is survived.
    pub fn is_good(&self) -> bool {
        self.can_be_had() && self.maintenance.iter().all(|l| l.lives)
    }

    /// The merge patch alone; `None`: there is none.
    pub fn patch(&self) -> Option<String> {
        let advice = self.advice.as_ref()?;
        let best = advice.best.as_ref()?;
        let mut out = String::new();
        let mut left = Vec::new();
        for ChangeReport { field, from, to, in_user_data, .. } in best.changes.iter().filter(|c| c.in_guest) {
            let place = in_guest(field, to, self.petter);
            if *in_user_data {
                out += &format!(
                    "# {field} {to} in place of {from}: in the user data below, which cloud-init reads in a new guest; in one that has \
                     booted from its disk before set it, too: {place}\n"
                );
            } else {
                out += &format!("# in the guest, not in this patch: {place} in place of {from}\n");
                left.push((field.as_str(), to.as_str()));
            }
        }
        let cloud_config = in_cloud_config(&left, self.petter);
        if !cloud_config.is_empty() {
            out += "# in cloud-config:\n";
            out.extend(cloud_config.lines().map(|line| format!("#   {line}\n")));
        }
        out += &advice.patch.as_ref().map_or("{}\n".to_owned(), |patch| yaml(patch, 0));
        Some(out)
    }

    /// As text.
    pub fn render(&self) -> String {
        let mut out = String::new();
        if let Some(advice) = &self.advice {
            out += &advice.render();
            if let (Some(patch), true) = (self.patch(), advice.best.as_ref().is_some_and(|b| !b.changes.is_empty())) {
                out += &format!(
                    "\n{patch}\nwith --format patch only that is printed:\n  ... --format patch | kubectl patch vm {} -n {} --type merge --patch-file /dev/stdin\n\
                     a VMI that runs keeps its numbers until it is restarted\n",
                    self.name, self.namespace
                );
            }
        }
        if !self.maintenance.is_empty() {
            let gap = if out.is_empty() { "" } else { "\n" };
            out += &format!("{gap}with the manifest's own numbers:\n");
            out.extend(self.maintenance.iter().map(|l| l.render(&self.name)));
        }
        out
    }
}

/// Maps of maps and plain values.
pub fn yaml(value: &Value, depth: usize) -> String {
    let Value::Object(map) = value else { return format!(" {value}\n") };
    let line = |(key, value): (&String, &Value)| match value {
        Value::Object(_) => format!("{}{key}:\n{}", "  ".repeat(depth), yaml(value, depth + 1)),
        Value::String(text) => format!("{}{key}: {text}\n", "  ".repeat(depth)),
        plain => format!("{}{key}: {plain}\n", "  ".repeat(depth)),
    };
    map.iter().map(line).collect()
}

/// So wide is the longest bar.
const BAR: f64 = 24.0;

impl Advised {
    fn render(&self) -> String {
        let Asked { recover_within_s: within, boot_s: [fastest, slowest], hiccup_s, faults } = &self.asked;
        let boots = if fastest == slowest { format!("{slowest} s") } else { format!("{fastest} to {slowest} s") };
        let mut out = format!(
            "goal: back within {within} s of any fault, whenever it comes; boots of {boots} are no fault, and a \
             guest that does not answer for {hiccup_s} s is not restarted\nfaults: {}\n",
            faults.join(", ")
        );
        out += &format!("{} candidates by formula, {} of them tried at every moment\n\n", self.looked_at, self.tried);
        let mut rows = vec![("now".to_owned(), &self.now)];
        for (i, answer) in self.front.iter().enumerate() {
            let is_best = self.best.as_ref().is_some_and(|best| best.numbers == answer.numbers);
            let advised = if is_best { " advised" } else { "" };
            rows.push((format!("{}{advised}", i + 1), answer));
        }
        rows.extend(self.instead.as_ref().map(|answer| ("instead".to_owned(), answer)));
        let longest = rows.iter().filter_map(|(_, a)| a.recovery_s).fold(*within, f64::max);
        out += &format!(
            "{:<10} {:>10}  {:>8}  {:>10}  recovery ({within} s: |)\n",
            "", "recovers", "survives", "probes/min"
        );
        for (label, answer) in &rows {
            let recovers = answer.recovery_s.map_or("never".to_owned(), |s| format!("{s:.1} s"));
            // What is restarted for nothing survives no hiccup either.
            let any = if answer.false_restarts.is_empty() { "any" } else { "-" };
            let survives = answer.survives_s.map_or(any.to_owned(), |s| format!("{s} s"));
            let bar = bar(answer.recovery_s.unwrap_or(longest), *within, longest);
            out += &format!("{label:<10} {recovers:>10}  {survives:>8}  {:>10.1}  {bar}\n", answer.probes_per_minute);
            out += &format!("{:<10} {}\n", "", answer.numbers);
            for why in &answer.false_restarts {
                out += &format!("{:<10} restarted for nothing: {why}\n", "");
            }
        }
        match (&self.best, &self.instead) {
            (Some(best), _) => {
                let nothing = if best.changes.is_empty() { ": nothing needs to be changed" } else { "" };
                out += &format!("\nthe goal holds{nothing}; the worst moment for each fault, of {} runs:\n", best.runs);
                out += &worst(best);
            }
            (None, instead) => {
                out += "\nit cannot be had:\n";
                out.extend(self.reasons.iter().map(|reason| format!("  {reason}\n")));
                if let Some(instead) = instead {
                    let recovery = instead.recovery_s.unwrap_or_default().ceil();
                    out += &format!(
                        "--recover-within {recovery}s can; the worst moment for each fault, of {} runs:\n",
                        instead.runs
                    );
                    out += &worst(instead);
                }
            }
        }
        if let Some(fleet) = &self.fleet {
            let labels: Vec<String> = rows.into_iter().map(|(label, _)| label).skip(1).collect();
            out += &fleet.render(&labels);
        }
        out
    }
}

fn worst(answer: &AnswerReport) -> String {
    let line = |w: &WorstReport| {
        let back = w.back_s.map_or("never back".to_owned(), |s| format!("back after {s:.1} s"));
        let noticed = w.noticed.as_ref().map_or("nobody notices".to_owned(), |who| format!("{who} notices first"));
        format!(
            "  {}: {back}, if it comes {:.3} s after the guest was ready (boot {} s); {noticed}\n",
            w.fault, w.at_s, w.boot_s
        )
    };
    answer.faults.iter().map(line).collect()
}

fn bar(value: f64, goal: f64, longest: f64) -> String {
    let cells = |v: f64| (v / longest.max(1.0) * BAR).round() as usize;
    let mut bar: Vec<char> = std::iter::repeat_n('#', cells(value)).collect();
    bar.resize(bar.len().max(cells(goal)), ' ');
    if let Some(mark) = bar.get_mut(cells(goal).saturating_sub(1)) {
        *mark = '|';
    }
    bar.into_iter().collect::<String>().trim_end().to_owned()
}
