//! OVMF's files, where distributions keep them.

use std::path::{Path, PathBuf};

/// Code and empty variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ovmf {
    /// Read-only.
    pub code: PathBuf,
    /// Every guest has a copy of its own.
    pub vars: PathBuf,
}

/// Debian's, then Fedora's: folder, code, variables. With secure boot the variables have Microsoft's keys, as KubeVirt's have.
const PLAIN: [(&str, &str, &str); 2] = [
    ("/usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd"),
];
const SECURE: [(&str, &str, &str); 2] = [
    ("/usr/share/OVMF", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.secboot.fd", "OVMF_VARS.secboot.fd"),
];

/// This host's, if it has any.
pub fn ovmf(secure_boot: bool) -> Option<Ovmf> {
    let places = if secure_boot { SECURE } else { PLAIN };
    let files = places.map(|(folder, code, vars)| {
        let file = |name: &str| Path::new(folder).join(name);
        Ovmf { code: file(code), vars: file(vars) }
    });
    files.into_iter().find(|f| f.code.is_file() && f.vars.is_file())
}
