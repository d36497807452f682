//! `why` against tables: what is read out of pieces of evidence as users have them, and which causes that makes fit.

mod events;
mod judged;
mod lines;
mod objects;
mod shows;
mod texts;
mod times;

use vmhealth_sim::why::{Facts, Whose, read};

/// The VM that the evidence is of, but where a row says otherwise.
const WEB: Whose<'_> = Whose { name: "web", namespace: "shop" };

/// All that the texts say of `vm`; the files are `a`, `b` ...
fn facts_of(texts: &[&str], vm: Whose<'_>) -> Facts {
    let files = ('a'..='z').map(String::from);
    read(&files.zip(texts.iter().map(|text| (*text).to_owned())).collect::<Vec<_>>(), vm).0
}

/// Each sign with its time, its place and, where it is more than once, how often it was seen; then whatever else is counted.
fn told(facts: &Facts) -> Vec<String> {
    let signs = facts.facts.iter().map(|f| {
        let when = f.when.map_or("-".to_owned(), |when| when.to_string());
        let times = if f.times == 1 { String::new() } else { format!(" x{}", f.times) };
        format!("{:?} {when} {}:{}{times}", f.sign, f.file, f.line)
    });
    let counts = [("idle", facts.idle), ("others", facts.others)].into_iter().filter(|(_, n)| *n > 0);
    let counts = counts.map(|(what, n)| format!("{what} {n}"));
    let unread = facts.unread_shown.iter().map(|u| format!("unread {}:{} {}", u.file, u.line, u.text));
    signs.chain(counts).chain(unread).collect()
}

/// What the texts say of the VM `web`, whole.
#[track_caller]
fn check(texts: &[&str], expected: &[&str]) {
    let facts = facts_of(texts, WEB);
    assert_eq!(told(&facts), expected, "{texts:#?}\n{facts:#?}");
    assert_eq!(facts.unread, facts.unread_shown.len());
}
