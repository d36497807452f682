//! Where the fields that decide a VM's health stand in its file, for whoever explains what came of them.

use crate::yaml::{Cursor, Pos};

/// The fields, below `spec.template.spec`.
const FIELDS: [&str; 12] = [
    "readinessProbe",
    "readinessProbe.failureThreshold",
    "readinessProbe.periodSeconds",
    "livenessProbe",
    "livenessProbe.failureThreshold",
    "livenessProbe.periodSeconds",
    "domain.devices.watchdog",
    "domain.devices.watchdog.i6300esb.action",
    "domain.devices.watchdog.diag288.action",
    "domain.devices.panicDevices",
    "domain.rebootPolicy",
    "terminationGracePeriodSeconds",
];

/// Where the VM says its namespace, of the whole object.
pub const NAMESPACE: &str = "metadata.namespace";

/// A file, and the places of the fields that it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The file's name; empty where it is not known.
    file: String,
    found: Vec<(&'static str, Pos)>,
}

impl Places {
    /// Of the fields of a VM or a VMI.
    pub(super) fn of(file: &str, root: Cursor<'_>) -> Places {
        let root = root.quiet();
        let Some(spec) = root.at("spec.template.spec").or_else(|| root.get("spec")) else { return Places::default() };
        let place = |field: &'static str| {
            let place = spec.place(field);
            place.there().map(|_| (field, place.pos()))
        };
        let namespace = root.place(NAMESPACE);
        let namespace = namespace.there().map(|_| (NAMESPACE, namespace.pos()));
        Places { file: file.to_owned(), found: FIELDS.into_iter().filter_map(place).chain(namespace).collect() }
    }

    /// `vm.yaml:14:9`; `None` where the file does not have the field, whose default counts then.
    pub fn find(&self, field: &str) -> Option<String> {
        let (_, pos) = self.found.iter().find(|(name, _)| *name == field)?;
        let file = if self.file.is_empty() { String::new() } else { format!("{}:", self.file) };
        Some(format!("{file}{}:{}", pos.line, pos.column))
    }
}
