//! `junit.xml`, in the dialect that CI systems read: infrastructure is an `<error>`, a failure a `<failure>`.

use super::results::{Results, ScenarioResult, VerdictWord};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeSet;
use std::time::Duration;

/// Renders a run; without timestamps, so that it can be compared.
pub fn junit(results: &Results) -> Result<String, String> {
    let mut report = Report::new("vmhealth");
    let places: BTreeSet<String> = results.scenarios.iter().map(ScenarioResult::place).collect();
    for place in &places {
        let mut suite = TestSuite::new(place.as_str());
        for scenario in results.scenarios.iter().filter(|s| s.place() == *place) {
            let mut case = TestCase::new(&scenario.id, status(scenario));
            case.set_classname(place.as_str())
                .set_time(Duration::try_from_secs_f64(scenario.duration_s.max(0.0)).unwrap_or_default());
            // Where annotations point to, as pytest writes them.
            if let Some(about) = &scenario.about {
                case.extra.insert("file".into(), about.file.as_str().into());
                case.extra.insert("line".into(), about.line.to_string().into());
            }
            case.add_property(Property::new("evidence", scenario.folder()));
            case.add_property(Property::new("again", &scenario.repeat));
            if matches!(case.status, TestCaseStatus::Success { .. }) && !scenario.explanation.is_empty() {
                case.set_system_out(scenario.explained());
            }
            suite.add_test_case(case);
        }
        if !suite.test_cases.is_empty() {
            report.add_test_suite(suite);
        }
    }
    report.to_string().map_err(|e| e.to_string())
}

fn status(scenario: &ScenarioResult) -> TestCaseStatus {
    let kind = match scenario.verdict {
        VerdictWord::Skip => return TestCaseStatus::skipped(),
        VerdictWord::Infra => NonSuccessKind::Error,
        VerdictWord::Fail => NonSuccessKind::Failure,
        VerdictWord::Pass | VerdictWord::Flaky if !scenario.differs() => return TestCaseStatus::success(),
        VerdictWord::Pass | VerdictWord::Flaky => NonSuccessKind::Failure,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let message = if scenario.reason.is_empty() { "model and QEMU differ" } else { &scenario.reason };
    let differences = [scenario.divergences.as_slice(), &scenario.host_differences].concat().join("\n");
    let mut told = scenario.explained();
    if !told.is_empty() {
        told.push('\n');
    }
    status.set_message(message).set_description(format!("{differences}\n\n{told}again: {}", scenario.repeat));
    status
}
