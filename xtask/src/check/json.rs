//! `check --format json` written manifest by manifest: the same text as of the whole [`CheckReport`], of which nothing is kept but
//! what stands behind the manifests.

use super::report::CheckReport;

/// A report that is being written.
#[derive(Debug, Default)]
pub struct JsonReport {
    /// What is not written yet.
    pub report: CheckReport,
    written: usize,
}

impl JsonReport {
    /// What comes before all manifests.
    pub fn begin(&self) -> String {
        format!("{{\n  \"schema\": {},\n  \"manifests\": [", self.report.schema)
    }

    /// The manifests that were added to the report since.
    pub fn more(&mut self) -> serde_json::Result<String> {
        let mut out = String::new();
        for manifest in self.report.manifests.drain(..) {
            out += if self.written == 0 { "\n    " } else { ",\n    " };
            out += &serde_json::to_string_pretty(&manifest)?.replace('\n', "\n    ");
            self.written += 1;
        }
        Ok(out)
    }

    /// What comes behind all manifests.
    pub fn end(&self) -> serde_json::Result<String> {
        let list = |text: String| text.replace('\n', "\n  ");
        let skipped = list(serde_json::to_string_pretty(&self.report.skipped)?);
        let errors = list(serde_json::to_string_pretty(&self.report.errors)?);
        let close = if self.written == 0 { "]" } else { "\n  ]" };
        Ok(format!("{close},\n  \"skipped\": {skipped},\n  \"errors\": {errors}\n}}\n"))
    }
}
