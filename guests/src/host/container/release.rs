//! A Debian release whose QEMU runs in a container.

use super::engine::EngineError;
use super::image::ImageRecipe;
use super::run;
use crate::host::{Attachment, Emulator, Host, HostError, Launch, Pending};
use crate::net::{NetError, Relay};
use crate::process::Process;
use crate::qemu::{Nic, QEMU_X86, QemuVersion, parse_version};
use std::os::fd::OwnedFd;
use std::path::Path;
use vmhealth_images::Progress;
use vmhealth_sim::manifest::Architecture;

/// A release.
#[derive(Debug, PartialEq, Eq)]
pub struct ContainerHost {
    /// `debian-13`.
    pub release: &'static str,
    suite: &'static str,
}

/// All of them, the newest last.
pub static RELEASES: [ContainerHost; 2] = [
    ContainerHost { release: "debian-12", suite: "bookworm" },
    ContainerHost { release: "debian-13", suite: "trixie" },
];

impl ContainerHost {
    async fn ensure(
        &'static self,
        architecture: Architecture,
        scratch: &Path,
        progress: Progress<'_>,
    ) -> Result<Emulator, HostError> {
        let recipe = ImageRecipe {
            repository: "vmhealth-qemu",
            name: self.release,
            suite: self.suite,
            packages: &["qemu-system-x86"],
            version: "qemu-system-x86_64 --version",
        };
        let program = self.program(architecture)?;
        debug_assert!(recipe.version.starts_with(program));
        let image = recipe.ensure(scratch, progress).await?;
        let number = parse_version(&image.version).ok_or_else(|| EngineError::Version(image.version.clone()))?;
        let place = format!("{}:{}", image.repository, image.tag);
        let version = QemuVersion { number, line: image.version, digest: image.id };
        Ok(Emulator { program, version, host: self, place })
    }
}

impl Host for ContainerHost {
    fn name(&self) -> String {
        format!("container:{}", self.release)
    }

    fn runs_installed_qemu(&self) -> bool {
        false
    }

    fn program(&self, architecture: Architecture) -> Result<&'static str, HostError> {
        match architecture {
            Architecture::Amd64 => Ok(QEMU_X86),
            other => Err(HostError::Unsupported(format!("the container images have no QEMU for {other}"))),
        }
    }

    fn emulator<'a>(
        &'static self,
        architecture: Architecture,
        scratch: &'a Path,
        progress: Progress<'a>,
    ) -> Pending<'a, Result<Emulator, HostError>> {
        Box::pin(self.ensure(architecture, scratch, progress))
    }

    fn attach(&self, tap: OwnedFd, scratch: &Path) -> Result<Attachment, NetError> {
        let (ours, theirs) = (scratch.join("net"), scratch.join("net-qemu"));
        let relay = Some(Relay::start(tap, &ours, theirs.clone())?);
        Ok(Attachment { nic: Nic::Datagram { local: theirs, remote: ours }, tap: None, relay })
    }

    fn start<'a>(&'a self, emulator: &'a Emulator, launch: Launch<'a>) -> Pending<'a, Result<Process, HostError>> {
        Box::pin(async move { Ok(run::start(&emulator.place, emulator.program, launch).await?) })
    }
}
