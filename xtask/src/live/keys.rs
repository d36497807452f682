//! What a key asks for.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A request of who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Opens the list of faults, or closes it.
    List,
    Up,
    Down,
    /// What the list's mark is on.
    Choose,
    /// That of this line, from 0.
    Pick(usize),
    /// Closes what is open.
    Back,
    /// Guest time stands still, or goes on.
    Hold,
    Faster,
    Slower,
    /// Ends the run in order.
    Quit,
    /// As everywhere.
    Interrupt,
}

/// `None`: it means nothing here.
pub(super) fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char(_) if control => return None,
        KeyCode::Char('b') => Key::List,
        KeyCode::Char(' ' | 'p') => Key::Hold,
        KeyCode::Char('+' | '=') => Key::Faster,
        KeyCode::Char('-') => Key::Slower,
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Char(digit @ '1'..='9') => Key::Pick(usize::from(digit as u8 - b'1')),
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::Enter => Key::Choose,
        KeyCode::Esc => Key::Back,
        _ => return None,
    })
}
