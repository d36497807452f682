//! Which operating system a manifest says its guest has.

use super::context::CheckContext;

/// What tells that the guest is Windows.
pub(super) fn windows(context: &CheckContext<'_>) -> Option<String> {
    let root = context.root;
    let is_windows = |word: &str| word.to_lowercase().starts_with("win");
    if let Some(name) = root.text_at("spec.preference.name").filter(|n| n.split('.').any(is_windows)) {
        return Some(format!("preference {name}"));
    }
    let template = if context.is_vm { root.at("spec.template.metadata") } else { None };
    for metadata in [root.get("metadata"), template].into_iter().flatten() {
        for list in ["annotations", "labels"].into_iter().filter_map(|list| metadata.get(list)) {
            for key in ["vm.kubevirt.io/os", "kubevirt.io/os"] {
                if let Some(os) = list.get(key).and_then(|os| os.text()).filter(|os| is_windows(os)) {
                    return Some(format!("{key}: {os}"));
                }
            }
        }
    }
    let hyperv = context.at("domain.features.hyperv").is_some()
        || context.items_at("domain.devices.panicDevices").any(|d| d.text_at("model") == Some("hyperv"));
    let sysprep = || context.items_at("volumes").any(|v| v.get("sysprep").is_some());
    hyperv.then(|| "hyperv features".to_owned()).or_else(|| sysprep().then(|| "a sysprep volume".to_owned()))
}
