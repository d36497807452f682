//! Whose virt-launcher pod it is, by its name.

/// The API server cuts `generateName` to so many characters before it adds five of its own (`k8s.io/apiserver/pkg/storage/names`).
const LONGEST_BASE: usize = 58;

/// Whether a pod of this name is one of the VM's: `virt-launcher-NAME-abcde`.
pub fn is_launcher_of(vm: &str, pod: &str) -> bool {
    let base: String = format!("virt-launcher-{vm}-").chars().take(LONGEST_BASE).collect();
    pod.strip_prefix(&base).is_some_and(|rest| !rest.is_empty() && !rest.contains('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_pod() {
        let (long, cut) = ("a".repeat(60), "a".repeat(44));
        for (vm, pod, expected) in [
            ("web", "virt-launcher-web-abcde", true),
            ("web", "virt-launcher-web-two-abcde", false),
            ("web", "virt-launcher-webb-abcde", false),
            ("web", "virt-launcher-web-", false),
            ("web", "web", false),
            (long.as_str(), &format!("virt-launcher-{cut}abc2x"), true),
            (long.as_str(), "virt-launcher-aaa-abc2x", false),
        ] {
            assert_eq!(is_launcher_of(vm, pod), expected, "{vm} {pod}");
        }
    }
}
