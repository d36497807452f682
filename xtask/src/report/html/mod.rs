//! `report.html`: a run in one file that needs no network.
//!
//! The list and the summary are HTML; the timelines are compact data that the page's script draws when a scenario is opened.

mod data;
mod differences;
mod page;

pub use page::html;
