//! This machine: QEMU is an installed program and a child of ours, confined where the kernel lets it. It inherits the guest's
//! TAP, and dies with us.

use super::interface::{Attachment, Emulator, Host, HostError, Launch, Pending};
use crate::confine::{self, Confined};
use crate::net::NetError;
use crate::process::Process;
use crate::qemu::{Nic, QEMU_S390X, QEMU_X86, version};
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use vmhealth_images::Progress;
use vmhealth_sim::manifest::Architecture;

/// The machine that vmhealth itself runs on.
#[derive(Debug)]
pub struct LocalHost;

/// The one there is.
pub static LOCAL_HOST: LocalHost = LocalHost;

impl LocalHost {
    /// The installed QEMU for guests of an architecture; an error says why there is none.
    pub fn find(&'static self, architecture: Architecture) -> Result<Emulator, HostError> {
        let program = self.program(architecture)?;
        let version = version(program).map_err(HostError::NoQemu)?;
        Ok(Emulator { program, version, host: self, place: program.to_owned() })
    }

    async fn spawn(&self, program: &str, launch: &Launch<'_>) -> Result<Process, HostError> {
        let io = |what| move |source| HostError::Io { what, source };
        let stderr = File::create(launch.stderr).map_err(io("keep QEMU's stderr"))?;
        let inherited: Vec<_> = launch.tap.iter().map(|tap| tap.as_raw_fd()).collect();
        let confined = Confined {
            program,
            args: launch.args,
            environment: launch.environment,
            inherit: &inherited,
            accesses: launch.accesses,
            kvm: launch.kvm,
            memory_mib: launch.memory_mib,
            disk_mib: launch.disk_mib,
            scratch: launch.scratch,
            stderr,
        };
        // Whoever prepares a run has said what is missing.
        let spawned = match confine::available().await {
            Ok(()) => confine::spawn(confined),
            Err(_) => confine::spawn_in_the_open(confined),
        };
        spawned.map_err(io("run QEMU (cargo xtask doctor)"))
    }
}

impl Host for LocalHost {
    fn name(&self) -> String {
        "local".into()
    }

    fn runs_installed_qemu(&self) -> bool {
        true
    }

    fn program(&self, architecture: Architecture) -> Result<&'static str, HostError> {
        match architecture {
            Architecture::Amd64 => Ok(QEMU_X86),
            Architecture::S390x => Ok(QEMU_S390X),
            Architecture::Arm64 => Err(HostError::NoQemu("vmhealth boots guests of amd64 and s390x only".into())),
        }
    }

    fn emulator<'a>(
        &'static self,
        architecture: Architecture,
        _scratch: &'a Path,
        _progress: Progress<'a>,
    ) -> Pending<'a, Result<Emulator, HostError>> {
        Box::pin(async move { self.find(architecture) })
    }

    fn attach(&self, tap: OwnedFd, _scratch: &Path) -> Result<Attachment, NetError> {
        Ok(Attachment { nic: Nic::Tap(tap.as_raw_fd()), tap: Some(tap), relay: None })
    }

    fn start<'a>(&'a self, emulator: &'a Emulator, launch: Launch<'a>) -> Pending<'a, Result<Process, HostError>> {
        Box::pin(async move { self.spawn(&emulator.place, &launch).await })
    }
}
