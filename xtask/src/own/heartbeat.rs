//! The timeout of the watchdog daemon that is set up in the guest, as the manifest's device takes it.

use super::error::OwnError;
use vmhealth_sim::budget::Assumptions;
use vmhealth_sim::manifest::VirtualMachine;

/// The heartbeat of the watchdog daemon, if there is a watchdog: what is asked for, what the user data says, or the daemon's own
/// default, as the budgets of `check` have it.
pub(super) fn heartbeat(asked: Option<u32>, manifest: &VirtualMachine) -> Option<u32> {
    let model = manifest.vmi.watchdog_in_guest(None)?;
    let read = manifest.vmi.user_data.heartbeat.and_then(|h| u32::try_from(h.as_secs()).ok());
    let read = read.filter(|h| model.heartbeats().contains(h));
    Some(asked.or(read).unwrap_or(Assumptions::default().heartbeat))
}

/// Refuses a heartbeat that the manifest's watchdog does not take.
pub fn refuse_heartbeat(asked: Option<u32>, manifest: &VirtualMachine) -> Result<(), OwnError> {
    let refused = asked.filter(|h| *h > 0).and_then(|h| Some((h, manifest.vmi.heartbeat_refusal(None, h)?)));
    refused.map_or(Ok(()), |(heartbeat, why)| Err(OwnError::Invalid(format!("--heartbeat {heartbeat}: {why}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vmhealth_sim::manifest;

    #[test]
    fn heartbeats_are_the_devices() {
        let diag288 = "devices: {watchdog: {name: w, diag288: {}}}}, architecture: s390x, x: {";
        for (domain, seconds, fine, default) in [
            ("devices: {watchdog: {name: w}}", 2046, true, Some(60)),
            ("devices: {watchdog: {name: w}}", 2047, false, Some(60)),
            // It takes longer ones, and none as short as 14.
            (diag288, 2047, true, Some(60)),
            (diag288, 3600, true, Some(60)),
            (diag288, 14, false, Some(60)),
            (diag288, 0, true, Some(60)),
            ("devices: {}", 9999, true, None),
        ] {
            let text = format!(
                "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {{name: vm}}\nspec:\n  runStrategy: Always\n  \
                 template: {{spec: {{domain: {{{domain}}}}}}}\n"
            );
            let manifest = manifest::read("vm.yaml", &text).unwrap();
            assert_eq!(refuse_heartbeat(Some(seconds), &manifest).is_ok(), fine, "{domain} {seconds}");
            assert_eq!(heartbeat(None, &manifest), default, "{domain}");
        }
    }
}
