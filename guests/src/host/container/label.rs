//! Whose a container is: labels that name its run's lock, and where that lock can be looked for.

/// On every container of ours: the lock of the run that made it ...
pub(super) const LOCK: &str = "dev.vmhealth.lock";
/// ... and where that lock is to be looked for: [`here`].
pub(super) const PLACE: &str = "dev.vmhealth.place";

/// The namespaces that paths and process ids of this process belong to: an engine may serve several such places, and none can
/// judge another one's locks.
pub fn here() -> String {
    let link = |kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default().display().to_string();
    format!("{} {}", link("mnt"), link("pid"))
}
