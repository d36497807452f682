//! `check --budgets`: for each fault and who notices it a bar: until it is noticed, until what is done has had its effect, until
//! the guest answers again, each at its worst; a mark where it is at its best.

use super::chart::{Axis, Box, Chart, Line};
use vmhealth_sim::budget::{Row, Span};

const BAR: f64 = 18.0;
const APART: f64 = 26.0;

/// Noticed, done, back.
const STAGES: [(&str, &str); 3] = [
    ("o4", "until it is noticed"),
    ("o2", "until what is done has had its effect"),
    ("o0", "until the guest answers again"),
];

/// The chart of a table that is not empty.
pub(super) fn chart(rows: &[Row]) -> Chart {
    let longest = rows.iter().flat_map(stages).flatten().map(|span| span.worst.as_secs_f64()).fold(1.0, f64::max);
    let axis = Axis { from: 0.0, to: longest };
    let mut chart = Chart { heading: "From the fault until the guest is back".to_owned(), ..Chart::default() };
    let (mut y, mut fault) = (4.0, "");
    for row in rows {
        if row.fault.as_str() != fault {
            fault = row.fault.as_str();
            chart.text(8.0, y + 13.0, "start", "strong", fault.to_owned());
            y += 20.0;
        }
        chart.text(22.0, y + 13.0, "start", "", row.detector.as_str().to_owned());
        bar(&mut chart, row, axis, y);
        y += APART;
    }
    chart.height = y;
    chart.axis(axis, "since the fault: a bar ends at the worst case, a mark stands at the best");
    chart.legend =
        STAGES.iter().map(|(class, words)| ((*class).to_owned(), String::new(), (*words).to_owned())).collect();
    chart.head = vec!["fault", "who notices", "noticed, s", "done, s", "back, s", "what is done"];
    chart.rows = rows.iter().map(cells).collect();
    chart
}

/// When it is noticed, done, and over.
fn stages(row: &Row) -> [Option<Span>; 3] {
    [row.detected, row.acted, row.back]
}

fn bar(chart: &mut Chart, row: &Row, axis: Axis, y: f64) {
    let (mut begin, mut end) = (0.0_f64, axis.x(0.0));
    for (span, (class, words)) in stages(row).into_iter().zip(STAGES) {
        let Some(span) = span else { continue };
        let [best, worst] = [span.best, span.worst].map(|at| at.as_secs_f64());
        end = axis.x(worst.max(begin));
        let (x, width) = (axis.x(begin), (end - axis.x(begin)).max(0.5));
        let says = format!("{}, {}: {words}: {}", row.fault.as_str(), row.detector.as_str(), seconds(Some(span)));
        chart.boxes.push(Box { x, y, width, height: BAR, class: class.to_owned(), says });
        // Of what is done the table says it: two marks are enough to read.
        if worst - best > 0.5 && class != STAGES[1].0 {
            let x = axis.x(best);
            chart.lines.push(Line { from: (x, y - 2.0), to: (x, y + BAR + 2.0), class: "best" });
        }
        begin = begin.max(worst);
    }
    // What there is no bar for is said.
    let said = match (row.detected, row.back) {
        (None, _) if row.action.is_empty() => "does not notice",
        (None, _) => row.action,
        (Some(_), None) => "nobody brings it back",
        (Some(_), Some(_)) => return,
    };
    let (x, anchor) = if end > 700.0 { (end - 6.0, "end") } else { (end + 6.0, "start") };
    chart.text(x, y + 13.0, anchor, "soft", said.to_owned());
}

fn seconds(span: Option<Span>) -> String {
    match span.map(|s| [s.best, s.worst].map(|d| d.as_secs_f64())) {
        None => "never".to_owned(),
        Some([best, worst]) if worst - best < 0.5 => format!("{worst:.0} s"),
        Some([best, worst]) => format!("{best:.0} to {worst:.0} s"),
    }
}

fn cells(row: &Row) -> Vec<String> {
    let [detected, acted, back] = stages(row).map(seconds);
    let (fault, detector) = (row.fault.as_str().to_owned(), row.detector.as_str().to_owned());
    vec![fault, detector, detected, acted, back, row.action.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vmhealth_sim::budget::{Break, Detector};

    fn span(best: u64, worst: u64) -> Option<Span> {
        Some(Span { best: Duration::from_secs(best), worst: Duration::from_secs(worst) })
    }

    #[test]
    fn stages_follow_each_other_and_what_never_comes_is_said() {
        let row = |detected, acted, back| Row {
            fault: Break::KernelPanic,
            detector: Detector::Watchdog,
            detected,
            acted,
            action: "",
            back,
        };
        let rows =
            [row(span(50, 60), span(50, 60), span(100, 200)), row(None, None, None), row(span(5, 5), None, None)];
        let chart = chart(&rows);
        let said: Vec<&str> = chart.boxes.iter().map(|b| b.says.as_str()).collect();
        assert_eq!(
            said,
            [
                "kernel-panic, watchdog: until it is noticed: 50 to 60 s",
                "kernel-panic, watchdog: until what is done has had its effect: 50 to 60 s",
                "kernel-panic, watchdog: until the guest answers again: 100 to 200 s",
                "kernel-panic, watchdog: until it is noticed: 5 s",
            ]
        );
        let [noticed, done, back] = [0, 1, 2].map(|i| &chart.boxes[i]);
        assert!((noticed.x + noticed.width - done.x).abs() < 1e-9 && done.width < 1.0, "{noticed:?} {done:?}");
        assert!(back.width > 2.0 * noticed.width, "140 s beside 60 s");
        let words: Vec<&str> = chart.texts.iter().map(|t| t.words.as_str()).collect();
        assert!(words.contains(&"does not notice") && words.contains(&"nobody brings it back"), "{words:?}");
        assert_eq!(chart.rows[1], ["kernel-panic", "watchdog", "never", "never", "never", ""]);
    }
}
