//! The live view as an SVG: what is in the buffer, cell by cell, in the colours of a dark terminal. For the picture in the README.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;

/// Of a cell, pixels.
const WIDTH: u16 = 8;
const HEIGHT: u16 = 17;
const MARGIN: u16 = 14;
const BACKGROUND: &str = "#0f1419";
const FOREGROUND: &str = "#d6dbe3";

/// A picture of all cells; `says`: the same for who does not see it.
pub(super) fn svg(buffer: &Buffer, says: &str) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let (width, height) = (columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\" \
         font-family=\"ui-monospace,Menlo,'DejaVu Sans Mono',monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n",
        escaped(says)
    );
    for y in 0..rows {
        let cells: Vec<&Cell> = (0..columns).filter_map(|x| buffer.cell((x, y))).collect();
        let mut x = 0;
        for run in cells.chunk_by(|a, b| (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)) {
            let length = u16::try_from(run.len()).unwrap_or(u16::MAX);
            let text: String = run.iter().map(|cell| cell.symbol()).collect();
            // A write to a string does not fail.
            let _ = one_style(&mut out, run[0], &text, (x, y, length));
            x += length;
        }
    }
    out + "</svg>\n"
}

fn one_style(out: &mut String, cell: &Cell, text: &str, (x, y, length): (u16, u16, u16)) -> std::fmt::Result {
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let (front, back) = (colour(cell.fg, FOREGROUND), colour(cell.bg, BACKGROUND));
    let (front, back) = if reversed { (back, front) } else { (front, back) };
    let (left, top) = (MARGIN + x * WIDTH, MARGIN + y * HEIGHT);
    if back != BACKGROUND {
        writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{HEIGHT}\" fill=\"{back}\"/>",
            length * WIDTH
        )?;
    }
    let text = text.trim_end();
    let shown = text.trim_start();
    if shown.is_empty() {
        return Ok(());
    }
    let count = |text: &str| u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let left = left + (count(text) - count(shown)) * WIDTH;
    let weight = if cell.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let dim = if cell.modifier.contains(Modifier::DIM) { " opacity=\"0.62\"" } else { "" };
    // Cells are as wide as they are, whatever the font.
    let wide = count(shown) * WIDTH;
    writeln!(
        out,
        "<text x=\"{left}\" y=\"{}\" textLength=\"{wide}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{front}\"{weight}{dim}>{}</text>",
        top + HEIGHT - 4,
        escaped(shown)
    )
}

fn colour(of: Color, usual: &'static str) -> &'static str {
    match of {
        Color::Green => "#56d364",
        Color::Red => "#ff7b72",
        Color::Yellow => "#e3b341",
        _ => usual,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
