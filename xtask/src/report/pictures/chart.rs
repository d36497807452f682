//! A picture: shapes on a canvas 1000 wide, what they mean, and the same as a table. The template draws it.

/// Where the time axis begins; names stand before it.
pub(super) const LEFT: f64 = 170.0;
/// Where it ends.
pub(super) const RIGHT: f64 = 970.0;
/// Between two numbers of an axis, at least so many parts of the canvas.
const APART: f64 = 90.0;

#[derive(Debug, Default)]
pub(super) struct Chart {
    pub(super) heading: String,
    pub(super) height: f64,
    pub(super) boxes: Vec<Box>,
    pub(super) lines: Vec<Line>,
    pub(super) texts: Vec<Text>,
    /// Class, letter, words.
    pub(super) legend: Vec<(String, String, String)>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct Box {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) class: String,
    /// What it says to who comes to it by pointer, keyboard or screen reader; empty: it is only there.
    pub(super) says: String,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    pub(super) class: &'static str,
}

#[derive(Debug)]
pub(super) struct Text {
    pub(super) x: f64,
    pub(super) y: f64,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
    pub(super) class: &'static str,
    pub(super) words: String,
}

/// Seconds from left to right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Axis {
    /// Where it is on the canvas.
    pub(super) fn x(self, seconds: f64) -> f64 {
        let span = (self.to - self.from).max(f64::MIN_POSITIVE);
        LEFT + (RIGHT - LEFT) * ((seconds - self.from) / span).clamp(0.0, 1.0)
    }

    /// Round numbers, from the left.
    fn marks(self) -> Vec<f64> {
        let room = ((RIGHT - LEFT) / APART).floor().max(1.0);
        let least = (self.to - self.from).max(1e-3) / room;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= least).unwrap_or(least);
        let first = (self.from / step).ceil();
        (0..=room as u32).map(|n| (first + f64::from(n)) * step).filter(|mark| *mark <= self.to).collect()
    }
}

impl Chart {
    pub(super) fn text(&mut self, x: f64, y: f64, anchor: &'static str, class: &'static str, words: String) {
        self.texts.push(Text { x, y, anchor, class, words });
    }

    /// The axis below everything, with what it counts.
    pub(super) fn axis(&mut self, axis: Axis, counts: &str) {
        let bottom = self.height;
        for mark in axis.marks() {
            let x = axis.x(mark);
            self.lines.push(Line { from: (x, 0.0), to: (x, bottom), class: "grid" });
            self.text(x, bottom + 14.0, "middle", "soft", format!("{} s", rounded(mark)));
        }
        self.text(LEFT, bottom + 30.0, "start", "soft", counts.to_owned());
        self.height += 38.0;
    }
}

/// Without digits that say nothing.
pub(super) fn rounded(seconds: f64) -> String {
    let text = format!("{seconds:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_have_room() {
        let check = |from, to, expected: &str| {
            let marks: Vec<String> = Axis { from, to }.marks().into_iter().map(rounded).collect();
            assert_eq!(marks.join(" "), expected, "{from} to {to}");
        };
        check(0.0, 100.0, "0 20 40 60 80 100");
        check(120.0, 180.0, "120 130 140 150 160 170 180");
        check(0.0, 0.25, "0 0.05 0.1 0.15 0.2 0.25");
        assert_eq!(Axis { from: 0.0, to: 10.0 }.x(5.0), (LEFT + RIGHT) / 2.0);
        assert_eq!(Axis { from: 0.0, to: 10.0 }.x(50.0), RIGHT);
    }
}
