//! The picture of a [`View`], in any size. Colours only repeat what words and signs say.

use super::countdown::Petting;
use super::probe_lane::ProbeLane;
use super::view::{Pace, View};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _};
use std::time::Duration;
use vmhealth_sim::kubelet::{ProbeResult, Verdict};
use vmhealth_sim::time::Time;
use vmhealth_sim::trace::{Connection, Phase};

const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red);
const WAIT: Style = Style::new().fg(Color::Yellow);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// Of a lane's name.
const NAME: usize = 12;
/// Below it nothing but a line is drawn.
const SMALLEST: (u16, u16) = (40, 10);
/// From here on events and console are side by side.
const WIDE: u16 = 120;
/// Of the watchdog's bar.
const BAR: u32 = 20;

/// Draws it; `coloured`: with colours.
pub(super) fn draw(view: &View, area: Rect, buffer: &mut Buffer, coloured: bool) {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let line = format!("(too small) {} {} {}", view.name, seconds(view.now), phase(view));
        Paragraph::new(line).render(area, buffer);
    } else {
        whole(view, area, buffer);
    }
    if !coloured {
        buffer.set_style(area, Style::new().fg(Color::Reset).bg(Color::Reset));
    }
}

fn whole(view: &View, area: Rect, buffer: &mut Buffer) {
    let lanes = lanes(view);
    let height = u16::try_from(lanes.len()).unwrap_or(u16::MAX);
    let rows = [Constraint::Length(1), Constraint::Length(2), Constraint::Length(height + 1), Constraint::Min(0)];
    let [title, table, middle, rest] = Layout::vertical(rows).areas(area);
    let [rest, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(rest);
    Paragraph::new(head(view)).style(BOLD).render(title, buffer);
    Paragraph::new(objects(view)).render(table, buffer);
    let middle_block = Block::new().borders(ratatui::widgets::Borders::TOP).border_style(DIM);
    Paragraph::new(lanes).block(middle_block).render(middle, buffer);
    let [events, console] = match area.width >= WIDE {
        true => Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(rest),
        false => Layout::vertical([Constraint::Percentage(55), Constraint::Percentage(45)]).areas(rest),
    };
    let seen: Vec<&str> = view.events.iter().map(String::as_str).collect();
    tail(" events ", &seen, events, buffer);
    let said: Vec<&str> = view.console.iter().map(String::as_str).collect();
    tail(" the guest's console ", &said, console, buffer);
    Paragraph::new(keys(view)).style(DIM).render(foot, buffer);
    if let Some(mark) = view.list {
        list(view, mark, area, buffer);
    }
}

/// Whose, what time it is, and how it goes.
fn head(view: &View) -> String {
    let pace = match view.pace {
        None => "real time".to_owned(),
        Some(Pace { held: true, .. }) => "PAUSED".to_owned(),
        Some(Pace { speed: Some(speed), .. }) => format!("pace {speed}x"),
        Some(Pace { speed: None, .. }) => "as fast as can be".to_owned(),
    };
    let quitting = if view.quitting { "   ending ..." } else { "" };
    format!("{}   guest time {}   {pace}{quitting}", view.name, seconds(view.now))
}

/// As `kubectl get vmi -w` shows it, and what is in front of and behind it.
fn objects(view: &View) -> Vec<Line<'static>> {
    let cells = |a: &str, b: &str, c: &str, d: &str, e: &str| format!("{a:<6}{b:<8}{c:<12}{d:<30}{e}");
    let (age, number) = match view.vmi {
        0 => ("".to_owned(), "none".to_owned()),
        vmi => (format!("{}s", view.now.since(view.created).as_secs()), vmi.to_string()),
    };
    let style = match view.phase {
        Some(Phase::Running) if view.ready == "True" => GOOD,
        Some(Phase::Failed) => BAD,
        _ => WAIT,
    };
    let vm = format!("{} / {}", view.vm_status, view.guest);
    vec![
        Line::styled(cells("VMI", "AGE", "PHASE", "READY", "VM / GUEST"), DIM),
        Line::styled(cells(&number, &age, &phase(view), &view.ready, &vm), style),
    ]
}

fn phase(view: &View) -> String {
    view.phase.map_or_else(String::new, |phase| phase.to_string())
}

fn lanes(view: &View) -> Vec<Line<'static>> {
    let mut lines: Vec<Line> = view.probes.iter().map(probe).collect();
    lines.extend(view.watchdog.as_ref().map(|dog| {
        let all = seconds_of(dog.timeout);
        let (text, style) = match &dog.state {
            Petting::NotArmed => ("not armed".to_owned(), DIM),
            Petting::By(who) => (format!("{who} writes to it; timeout {all}"), GOOD),
            Petting::FiresAt(_) => {
                let left = dog.left(view.now).unwrap_or_default();
                let part = left.as_secs_f64() / dog.timeout.as_secs_f64().max(0.001);
                let full = (part * f64::from(BAR)).ceil().clamp(0.0, f64::from(BAR)) as usize;
                let bar = "█".repeat(full) + &"░".repeat(BAR as usize - full);
                (format!("{bar} {} of {all}: nobody writes to it", seconds_of(left)), BAD)
            }
            Petting::Fired => ("HAS FIRED".to_owned(), BAD),
        };
        lane("watchdog", vec![Span::styled(text, style)])
    }));
    let mut service = match view.endpoint {
        true => vec![Span::styled("in", GOOD)],
        false => vec![Span::styled("out", BAD)],
    };
    if let Some((at, outcome)) = view.traffic {
        let style = if outcome == Connection::Delivered { GOOD } else { BAD };
        let since = seconds_of(view.now.since(at));
        service.push(Span::styled(format!("   connections: {outcome} for {since}"), style));
    }
    lines.push(lane("endpoints", service));
    lines.push(lane(
        "fault",
        vec![match view.fault {
            None => Span::styled("none", DIM),
            Some((at, fault, how)) => {
                let since = seconds_of(view.now.since(at));
                Span::styled(format!("{fault} {how}, {since} ago"), if how == "over" { DIM } else { BAD })
            }
        }],
    ));
    lines
}

/// Its counts first: they must be seen where the attempts do not fit.
fn probe(probe: &ProbeLane) -> Line<'static> {
    let (result, style) = match probe.result {
        None => ("not begun", DIM),
        Some(ProbeResult::Success) => ("Success", GOOD),
        Some(ProbeResult::Failure) => ("Failure", BAD),
    };
    let near = if probe.is_near() { BAD } else { Style::new() };
    let mut spans = vec![
        Span::raw(format!("{:<15}", probe.handler)),
        Span::styled(format!("{result:<10}"), style),
        Span::styled(format!("{:<19}", probe.counted()), near),
    ];
    spans.extend(probe.answers.iter().rev().take(24).rev().map(|answer| match answer {
        Verdict::Success => Span::styled("+", GOOD),
        Verdict::Warning => Span::styled("!", WAIT),
        Verdict::Failure => Span::styled("x", BAD),
        Verdict::Error => Span::styled("?", WAIT),
    }));
    spans.extend(probe.under_way.then(|| Span::styled("…", WAIT)));
    lane(probe.name, spans)
}

fn lane(name: &'static str, mut spans: Vec<Span<'static>>) -> Line<'static> {
    spans.insert(0, Span::styled(format!("{name:<NAME$}"), BOLD));
    Line::from(spans)
}

/// The last lines that fit.
fn tail(title: &str, lines: &[&str], area: Rect, buffer: &mut Buffer) {
    let block = Block::bordered().title(title).border_style(DIM);
    let height = usize::from(block.inner(area).height);
    let last = lines.iter().skip(lines.len().saturating_sub(height)).map(|line| Line::raw(*line));
    Paragraph::new(last.collect::<Vec<_>>()).block(block).render(area, buffer);
}

fn keys(view: &View) -> String {
    let breaks = if view.faults.is_empty() { "" } else { "b break  " };
    let steers = if view.pace.is_some() { "space pause  + faster  - slower  " } else { "" };
    format!("{breaks}{steers}q end and explain  Ctrl-C break off")
}

fn list(view: &View, mark: usize, area: Rect, buffer: &mut Buffer) {
    let widest = view.faults.iter().map(|c| c.text.chars().count() + c.why.chars().count()).max().unwrap_or_default();
    let width = u16::try_from(widest + 14).unwrap_or(u16::MAX).min(area.width);
    let height = u16::try_from(view.faults.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(place, buffer);
    let block = Block::bordered().title(" what is to break? (a number, or Enter; Esc: nothing) ");
    let fit = usize::from(block.inner(place).height);
    let first = (mark + 1).saturating_sub(fit);
    let lines = view.faults.iter().enumerate().skip(first).map(|(i, concern)| {
        let pointer = if i == mark { '>' } else { ' ' };
        let number = if i < 9 { (i + 1).to_string() } else { String::new() };
        let text = format!("{pointer} {number:<2} {:<28} {}", concern.text, concern.why);
        Line::styled(text, if i == mark { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() })
    });
    Paragraph::new(lines.collect::<Vec<_>>()).block(block).render(place, buffer);
}

fn seconds(time: Time) -> String {
    seconds_of(time.since_origin())
}

fn seconds_of(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}
