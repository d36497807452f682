//! What `explore`, `check` and its budgets say, as one page that needs no network and no script.
//!
//! Whatever comes from a manifest goes through the template's escaping, and the page's policy lets no script run. Colours only
//! repeat what letters and words say; each picture has a table of the same.

mod budgets;
mod chart;
mod explored;
mod findings;
mod page;

pub use explored::explored;
pub use findings::Parts;
pub use page::{Part, page};
