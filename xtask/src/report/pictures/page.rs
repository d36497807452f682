//! The page: a heading, and parts of lines, pictures and excerpts.

use super::chart::Chart;
use askama::Template;

const STYLE: &str = include_str!("../../../templates/report.css");
const OWN_STYLE: &str = include_str!("../../../templates/pictures.css");

/// A part of the page.
#[derive(Debug, Default)]
pub struct Part {
    pub(super) heading: String,
    /// Whether something is wrong: `pass`, `fail` or nothing.
    pub(super) tone: &'static str,
    pub(super) lines: Vec<String>,
    pub(super) charts: Vec<Chart>,
    pub(super) findings: Vec<Shown>,
}

/// A finding with the lines around it.
#[derive(Debug)]
pub(super) struct Shown {
    /// `error`, `warning` or `note`.
    pub(super) severity: &'static str,
    pub(super) code: &'static str,
    /// `file:line:column`
    pub(super) place: String,
    pub(super) message: String,
    pub(super) outcome: String,
    pub(super) help: String,
    pub(super) excerpt: Vec<ExcerptLine>,
}

/// A line of the manifest; the one that is meant is in three pieces.
#[derive(Debug)]
pub(super) struct ExcerptLine {
    pub(super) number: u64,
    pub(super) before: String,
    pub(super) marked: String,
    pub(super) after: String,
}

#[derive(Template)]
#[template(path = "pictures.html")]
struct Page<'a> {
    title: &'a str,
    style: &'static str,
    own_style: &'static str,
    parts: Vec<Part>,
}

/// A page of these parts.
pub fn page(title: &str, parts: Vec<Part>) -> askama::Result<String> {
    Page { title, style: STYLE, own_style: OWN_STYLE, parts }.render()
}
