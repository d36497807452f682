//! The terminal as the bars of [`crate::lines`] see it: what they draw is written by the thread of [`crate::stderr`], so that a
//! terminal that is held (Ctrl-S) or not read holds no run.

use crate::stderr;
use indicatif::{ProgressDrawTarget, TermLike};
use nix::libc;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Where the terminal does not say: columns and rows.
const USUAL: (u16, u16) = (80, 24);

/// What draws a bar of one line.
pub(crate) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(Terminal::default()))
}

/// Collects a picture until it is whole.
#[derive(Debug, Default)]
struct Terminal(Mutex<String>);

impl Terminal {
    fn add(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    /// ECMA-48: ESC `[`, a number, a letter.
    fn moves(&self, by: usize, letter: char) -> io::Result<()> {
        if by > 0 { self.add(&format!("\u{1b}[{by}{letter}")) } else { Ok(()) }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.moves(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.moves(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.moves(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.moves(n, 'D')
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.add(line)?;
        self.add("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let picture = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if !picture.is_empty() {
            stderr::picture(picture);
        }
        Ok(())
    }
}

/// Columns and rows.
fn size() -> (u16, u16) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the structure outlives the call.
    let done = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if done == 0 && size.ws_col > 0 && size.ws_row > 0 { (size.ws_col, size.ws_row) } else { USUAL }
}
