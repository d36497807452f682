//! `trace.json`: a run in Chrome's trace format, which Perfetto and Chrome's own viewer open.
//!
//! The format is that of "Trace Event Format" (`M` names, `X` a span, `i` an instant); times are microseconds of guest time.

use super::lanes::lanes;
use serde_json::{Value, json};
use vmhealth_guests::reality::Line;

/// One process, a thread for each lane. `lines` in the order of their times; `watchdog_s` and `end` in seconds.
pub(super) fn chrome(name: &str, lines: &[Line], watchdog_s: Option<f64>, end: f64) -> String {
    let mut events = vec![named("process_name", 0, name)];
    for (index, lane) in lanes(lines, watchdog_s, end).iter().enumerate() {
        let thread = index + 1;
        events.push(named("thread_name", thread, lane.name));
        events.push(
            json!({"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": thread, "args": {"sort_index": index}}),
        );
        for span in &lane.spans {
            let took = micros(span.to).saturating_sub(micros(span.from));
            let mut event =
                json!({"ph": "X", "name": span.label, "pid": 1, "tid": thread, "ts": micros(span.from), "dur": took});
            if let Some(deadline) = span.deadline {
                event["args"] = json!({"fires at, us": micros(deadline)});
            }
            events.push(event);
        }
        for mark in &lane.marks {
            let line = &lines[mark.event];
            let args = json!({"VMI": line.vmi, "detail": line.detail, "replayed": line.replayed});
            events.push(json!({
                "ph": "i", "s": "t", "name": line.event, "pid": 1, "tid": thread, "ts": micros(line.t), "args": args,
            }));
        }
    }
    // A line for each event, so that two files can be compared.
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", lines.join(",\n"))
}

fn named(what: &str, thread: usize, name: &str) -> Value {
    json!({"ph": "M", "name": what, "pid": 1, "tid": thread, "args": {"name": name}})
}

/// A span of a run is far below what fits.
fn micros(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_perfetto() {
        let rows = [
            (1.0, "qemu STARTED", "", true),
            (12.0, "guest ready", "boot 1", false),
            (14.0, "fault killWatchdog begun", "", false),
            (14.25, "guest petter nobody", "\"quoted\"\n</script>", false),
            (24.066_329_6, "qemu WATCHDOG poweroff", "", false),
            (24.1, "qemu EXIT status 0", "", false),
        ];
        let line = |(t, event, detail, replayed): (f64, &str, &str, bool)| Line {
            t,
            vmi: 1,
            event: event.to_owned(),
            detail: detail.to_owned(),
            replayed,
        };
        let text = chrome("killed-daemon (qemu)", &rows.map(line), Some(10.066), 25.0);
        let read: Value = serde_json::from_str(&text).expect("valid JSON");
        assert_eq!(read["traceEvents"].as_array().map(Vec::len), Some(text.lines().count() - 2));
        insta::assert_snapshot!(text);
    }
}
