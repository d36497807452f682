//! `advise --verify`: the manifest with the numbers that were found, and each fault once, for a real guest.
//!
//! What is proved at every moment is the model's; here one moment shows that a real guest is back in time as well.

use super::advise::OwnAdvise;
use super::error::OwnError;
use super::fault::{TimedFault, USUAL_MOMENT};
use super::image::ImageChoice;
use super::scenario::{Expected, OwnRun};
use crate::run::catalogue::Case;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use vmhealth_guests::image::ImageWord;
use vmhealth_sim::advise::{Answer, merge_into};

impl OwnAdvise {
    /// Writes the manifest with the answer's numbers into a new file, as JSON, which kubectl reads too; one case for each fault
    /// that was asked about: the VM is Ready, and its guest answers, `within` after the fault. `again` runs it all once more.
    pub fn verification(
        &self,
        answer: &Answer,
        within: Duration,
        file: &Path,
        again: &str,
    ) -> Result<Vec<Case>, OwnError> {
        let mut manifest = self.manifest_as_json()?;
        if let (Some(patch), _) = self.patch(&answer.changes) {
            merge_into(&mut manifest, &patch);
        }
        let text = serde_json::to_string_pretty(&manifest).map_err(|e| OwnError::Invalid(e.to_string()))? + "\n";
        write_new(file, &text)?;
        let changes = |field: &str| answer.changes.iter().any(|c| c.in_guest && c.field == field);
        let run = OwnRun {
            file: file.to_path_buf(),
            name: String::new(),
            faults: Vec::new(),
            lasting: within,
            expect: Expected::ReadyByThen,
            boot: None,
            heartbeat: answer.numbers.heartbeat.filter(|_| changes("heartbeat")).or(self.heartbeat),
            panic_timer: changes("kernel.panic").then_some(answer.numbers.panic_timer),
            keepalive: false,
            health_server: false,
            traffic: false,
            kubevirt_version: self.kubevirt_version,
            image: ImageChoice::Vmhealth,
            image_word: ImageWord::default(),
            user_data: self.user_data.clone(),
        };
        let case = |(i, broken): (usize, &super::NamedFault)| {
            let fault = TimedFault { text: broken.text.clone(), kind: broken.fault.kind(), at: USUAL_MOMENT };
            OwnRun { name: format!("advised-{}", i + 1), faults: vec![fault], ..run.clone() }.case(again.to_owned())
        };
        self.tried(answer)?.iter().enumerate().map(case).collect()
    }

    /// The faults that the answer was tried with.
    fn tried(&self, answer: &Answer) -> Result<Vec<super::NamedFault>, OwnError> {
        answer.proof.faults.iter().map(|worst| worst.fault.parse().map_err(OwnError::Invalid)).collect()
    }
}

/// What is there already is the user's.
fn write_new(file: &Path, text: &str) -> Result<(), OwnError> {
    let written = fs::File::create_new(file).and_then(|mut new| new.write_all(text.as_bytes()));
    written.map_err(|e| OwnError::Invalid(format!("cannot write {}, which must be a new file: {e}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::advise::Boots;
    use vmhealth_sim::fixture::vm;
    use vmhealth_sim::manifest::{WatchdogAction, read};

    #[test]
    fn the_advised_numbers_are_in_the_new_manifest_and_in_the_guest() {
        let dir = tempfile::tempdir().unwrap();
        let (file, better) = (dir.path().join("web.yaml"), dir.path().join("better.json"));
        let vm = vm().watchdog(WatchdogAction::Shutdown).readiness("httpGet: {port: 80}, periodSeconds: 5");
        fs::write(&file, vm.yaml()).unwrap();
        let (within, boot) = (Duration::from_secs(60), Duration::from_secs(20));
        let own =
            OwnAdvise { boots: Some(Boots { fastest: boot, slowest: boot }), ..OwnAdvise::after_a_panic(file, within) };
        let (_, best) = own.advise().unwrap();
        let best = best.unwrap();
        let cases = own.verification(&best, within, &better, "again").unwrap();
        let [case] = cases.as_slice() else { panic!("{} cases", cases.len()) };
        let advised = read("better.json", &fs::read_to_string(&better).unwrap()).unwrap();
        assert_eq!(advised.vmi.watchdog.unwrap().action, best.numbers.action.unwrap());
        let guest = &case.scenario.spec.guest;
        assert_eq!(guest.petting().map(|p| p.heartbeat_seconds), best.numbers.heartbeat);
        assert_eq!(guest.kernel_panic_seconds, best.numbers.panic_timer);
        assert!(case.texts.scenario.contains("observe: 1m\n  final: {ready: true, answers: true}"));
        // Nothing of the user's is written over.
        let again = own.verification(&best, within, &better, "again");
        assert!(again.is_err_and(|e| e.to_string().contains("must be a new file")));
    }
}
