//! What `cargo xtask why` shows: the causes by how well they fit, what speaks for and against each, what is missing, and what was
//! not understood.

use super::plain::plain;
use serde::Serialize;
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::why::{Answer, Candidate, Fact, Facts, Missing, Source, Weighed};

/// So many causes are shown to people.
const SHOWN: usize = 5;

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct WhyReport {
    schema: u32,
    name: String,
    namespace: String,
    /// The names of the causes that are not ruled out, the best first; one: that is the answer; none: nothing fits.
    answer: Vec<String>,
    candidates: Vec<CandidateReport>,
    missing: Vec<MissingReport>,
    facts: Vec<FactReport>,
    /// Lines and objects that were understood and say nothing of what happened.
    idle: usize,
    /// Events and objects of other VMs.
    others: usize,
    /// Lines and objects that were not understood.
    unread: usize,
    /// The first of them.
    unread_shown: Vec<PlaceReport>,
}

#[derive(Debug, Clone, Serialize)]
struct CandidateReport {
    name: String,
    /// As in a scenario; empty: it is no step.
    step: String,
    what: String,
    score: i32,
    #[serde(rename = "for")]
    speaks_for: Vec<WeighedReport>,
    against: Vec<WeighedReport>,
    /// At so many of the moments of the cause that were tried it goes so.
    moments: u32,
    of_moments: u32,
}

#[derive(Debug, Clone, Serialize)]
struct WeighedReport {
    weight: i32,
    text: String,
    /// `file:line`; empty: it is what was not found.
    place: String,
}

#[derive(Debug, Clone, Serialize)]
struct MissingReport {
    /// The command to run.
    command: String,
    /// What to look for there, and what it would speak for.
    look_for: Vec<LookFor>,
}

#[derive(Debug, Clone, Serialize)]
struct LookFor {
    sign: String,
    speaks_for: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct FactReport {
    sign: String,
    /// By the clock of the evidence; `null`: it does not say.
    when: Option<String>,
    times: u64,
    place: String,
    also: Vec<String>,
    also_more: usize,
    text: String,
}

#[derive(Debug, Clone, Serialize)]
struct PlaceReport {
    place: String,
    text: String,
}

impl WhyReport {
    /// Everything that stands in the evidence is neutralised: nothing of it steers a terminal.
    pub fn new(vm: &VirtualMachine, facts: &Facts, answer: &Answer) -> WhyReport {
        let (name, namespace) = (plain(&vm.name), plain(&vm.namespace));
        let contenders = answer.candidates.iter().take(answer.contenders);
        WhyReport {
            schema: 1,
            answer: contenders.map(|c| c.cause.name.clone()).collect(),
            candidates: answer.candidates.iter().map(CandidateReport::of).collect(),
            missing: MissingReport::all(&answer.missing, &name, &namespace),
            facts: facts.facts.iter().map(FactReport::of).collect(),
            idle: facts.idle,
            others: facts.others,
            unread: facts.unread,
            unread_shown: facts.unread_shown.iter().map(|u| PlaceReport::new(&u.file, u.line, &u.text)).collect(),
            name,
            namespace,
        }
    }

    /// One cause is left.
    pub fn is_decided(&self) -> bool {
        self.answer.len() == 1
    }

    /// The causes that are left, the best first.
    pub fn answer(&self) -> &[String] {
        &self.answer
    }

    /// As text.
    pub fn render(&self) -> String {
        let vm = format!("{}/{}", self.namespace, self.name);
        let of = |name: &String| self.candidates.iter().find(|c| c.name == *name);
        let mut out = match self.answer.as_slice() {
            [] => format!("{vm}: nothing that is known fits the evidence\n"),
            [one] => format!("{vm}: {} ({one})\n", of(one).map_or("", |c| c.what.as_str())),
            several => format!("{vm}: one of {}: the evidence does not tell them apart\n", several.join(", ")),
        };
        let shown = SHOWN.max(self.answer.len());
        for (n, candidate) in self.candidates.iter().take(shown).enumerate() {
            out += &candidate.render(n + 1);
        }
        let rest = self.candidates.len().saturating_sub(shown);
        if rest > 0 {
            out += &format!("\n{rest} more causes fit worse (--format json has them)\n");
        }
        for missing in &self.missing {
            out += &missing.render();
        }
        if self.answer.len() > 1 && self.missing.is_empty() {
            out += "\nno other evidence that is known here would tell them apart\n";
        }
        out + &self.read()
    }

    fn read(&self) -> String {
        let mut out = format!(
            "\nread: {} signs; {} lines and objects say nothing of it, {} are about other VMs, {} were not understood\n",
            self.facts.len(),
            self.idle,
            self.others,
            self.unread
        );
        for PlaceReport { place, text } in &self.unread_shown {
            out += &format!("  {place}: {text}\n");
        }
        let more = self.unread.saturating_sub(self.unread_shown.len());
        if more > 0 {
            out += &format!("  and {more} more\n");
        }
        out
    }
}

impl CandidateReport {
    fn of(candidate: &Candidate) -> CandidateReport {
        let (moments, of_moments) = candidate.moments;
        let cause = &candidate.cause;
        let weighed = |list: &[Weighed]| list.iter().map(WeighedReport::of).collect();
        CandidateReport {
            name: plain(&cause.name),
            step: plain(&cause.step),
            what: plain(&cause.what),
            score: candidate.score,
            speaks_for: weighed(&candidate.speaks_for),
            against: weighed(&candidate.against),
            moments,
            of_moments,
        }
    }

    fn render(&self, number: usize) -> String {
        let step = if self.step.is_empty() { String::new() } else { format!(" [{}]", self.step) };
        let mut out = format!("\n{number}. {}: {}{step}, fit {}\n", self.name, self.what, self.score);
        for (mark, list) in [("+", &self.speaks_for), ("-", &self.against)] {
            for WeighedReport { weight, text, place } in list {
                let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
                out += &format!("   {mark}{weight} {text}{place}\n");
            }
        }
        if self.moments < self.of_moments {
            out += &format!("   so at {} of {} moments of it\n", self.moments, self.of_moments);
        }
        out
    }
}

impl WeighedReport {
    fn of(weighed: &Weighed) -> WeighedReport {
        WeighedReport { weight: weighed.weight, text: plain(&weighed.text), place: plain(&weighed.place) }
    }
}

impl MissingReport {
    /// Each command once.
    fn all(missing: &[Missing], name: &str, namespace: &str) -> Vec<MissingReport> {
        let mut all: Vec<MissingReport> = Vec::new();
        for one in missing.iter().map(|m| MissingReport::of(m, name, namespace)) {
            match all.iter_mut().find(|m| m.command == one.command) {
                Some(known) => known.look_for.extend(one.look_for),
                None => all.push(one),
            }
        }
        all
    }

    fn of(missing: &Missing, name: &str, namespace: &str) -> MissingReport {
        let look_for =
            missing.signs.iter().map(|(sign, causes)| LookFor { sign: sign.to_string(), speaks_for: causes.clone() });
        MissingReport { command: command(missing.source, name, namespace), look_for: look_for.collect() }
    }

    fn render(&self) -> String {
        let mut out = format!("\nmissing: {}\n", self.command);
        for LookFor { sign, speaks_for } in &self.look_for {
            out += &format!("   {sign}: speaks for {}\n", speaks_for.join(", "));
        }
        out
    }
}

impl FactReport {
    fn of(fact: &Fact) -> FactReport {
        FactReport {
            sign: fact.sign.to_string(),
            when: fact.when.map(|w| w.to_string()),
            times: fact.times,
            place: plain(&format!("{}:{}", fact.file, fact.line)),
            also: fact.also.iter().map(|p| plain(p)).collect(),
            also_more: fact.also_more,
            text: plain(&fact.text),
        }
    }
}

impl PlaceReport {
    fn new(file: &str, line: u64, text: &str) -> PlaceReport {
        PlaceReport { place: plain(&format!("{file}:{line}")), text: plain(text) }
    }
}

/// The command that prints a source of evidence.
fn command(source: Source, name: &str, namespace: &str) -> String {
    let (namespace, name) = (quoted(namespace), quoted(name));
    let pods = format!("-n {namespace} -l vm.kubevirt.io/name={name}");
    match source {
        Source::PodEvents | Source::VmiEvents | Source::VmEvents => {
            format!("kubectl get events -n {namespace} -o yaml")
        }
        Source::Pod => format!("kubectl get pod {pods} -o yaml"),
        Source::Vm => format!("kubectl get vm,vmi -n {namespace} {name} -o yaml"),
        Source::Console => format!("kubectl logs {pods} -c guest-console-log --tail=-1"),
        Source::Launcher => format!("kubectl logs {pods} -c compute --tail=-1"),
    }
}

/// A name of the evidence as one word of a shell.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| "NAME".to_owned(), |word| word.into_owned())
}
