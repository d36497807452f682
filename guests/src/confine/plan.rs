//! The root of a confined process, as steps that can be done without memory of one's own: between fork and exec nothing may be
//! allocated.

use super::landlock::{Kind, Rules};
use super::needs::{SYSTEM, is_system, needs};
use std::collections::BTreeSet;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/urandom"];
/// KVM's device.
const KVM: &str = "/dev/kvm";

/// A file or folder that is to be there, at the same path as outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Access {
    /// An absolute path of something that exists.
    pub(crate) path: PathBuf,
    /// It may be written to.
    pub(crate) write: bool,
}

impl Access {
    pub(crate) fn read(path: &Path) -> Access {
        Access { path: path.to_owned(), write: false }
    }

    pub(crate) fn write(path: &Path) -> Access {
        Access { path: path.to_owned(), write: true }
    }
}

/// What makes the new root, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Folder(CString),
    File(CString),
    Link { text: CString, at: CString },
    Bind { from: CString, to: CString, kind: Kind },
}

/// All that a process is confined by.
#[derive(Debug)]
pub(super) struct Plan {
    /// An empty folder of the host's, over which the new root is mounted.
    pub(super) root: CString,
    pub(super) steps: Vec<Step>,
    /// The same as Landlock has it; `None`: the kernel has none.
    pub(super) rules: Option<Rules>,
    /// `ID ID 1`.
    pub(super) user: CString,
    pub(super) group: CString,
    /// Bytes of address space.
    pub(super) memory: u64,
}

impl Plan {
    /// A root over the empty folder `root` with the system, `program` and what `accesses` say.
    pub(super) fn new(
        root: &Path,
        program: &Path,
        accesses: &[Access],
        kvm: bool,
        memory_mib: u64,
    ) -> io::Result<Plan> {
        let mut steps = Steps { root: root.to_owned(), made: BTreeSet::new(), steps: Vec::new() };
        let own = needs(program)?;
        let seen = seen(&own, accesses, kvm);
        for (path, kind) in &seen {
            match path.read_link() {
                // What a link of a program's own leads to is seen at the link's place: the loader names libraries by links.
                Ok(text) if SYSTEM.map(Path::new).contains(path) => steps.link(&text, path)?,
                _ => steps.bind(path, *kind)?,
            }
        }
        let identity = |id: u32| text(OsStr::new(&format!("{id} {id} 1")));
        Ok(Plan {
            root: text(root.as_os_str())?,
            steps: steps.steps,
            rules: Rules::new(seen)?,
            user: identity(nix::unistd::geteuid().as_raw())?,
            group: identity(nix::unistd::getegid().as_raw())?,
            memory: memory_mib << 20,
        })
    }
}

/// What a process is to see, and how: the system, what a program has outside of it, devices, and the guest's. A folder comes
/// before what is in it.
pub(super) fn seen<'a>(own: &'a [PathBuf], accesses: &'a [Access], kvm: bool) -> Vec<(&'a Path, Kind)> {
    let system = SYSTEM.map(Path::new).into_iter().filter(|path| path.exists());
    let devices = DEVICES.iter().chain(kvm.then_some(&KVM)).map(|device| (Path::new(*device), Kind::Device));
    // Firmware that the system brings is there already.
    let files = BTreeSet::from_iter(accesses).into_iter().filter(|access| access.write || !is_system(&access.path));
    let kind = |write| if write { Kind::Write } else { Kind::Read };
    let files = files.map(|access| (access.path.as_path(), kind(access.write)));
    system
        .chain(own.iter().map(PathBuf::as_path))
        .map(|path| (path, Kind::System))
        .chain(devices)
        .chain(files)
        .collect()
}

struct Steps {
    root: PathBuf,
    made: BTreeSet<PathBuf>,
    steps: Vec<Step>,
}

impl Steps {
    fn inside(&self, path: &Path) -> io::Result<CString> {
        let mut inside = self.root.clone().into_os_string().into_vec();
        inside.extend_from_slice(path.as_os_str().as_bytes());
        text(&OsString::from_vec(inside))
    }

    /// The folders that lead to it.
    fn lead_to(&mut self, path: &Path) -> io::Result<()> {
        let above: Vec<_> = path.ancestors().skip(1).filter(|p| p.parent().is_some()).collect();
        for folder in above.into_iter().rev() {
            if self.made.insert(folder.to_owned()) {
                let folder = self.inside(folder)?;
                self.steps.push(Step::Folder(folder));
            }
        }
        Ok(())
    }

    fn link(&mut self, link: &Path, at: &Path) -> io::Result<()> {
        self.lead_to(at)?;
        let at = self.inside(at)?;
        self.steps.push(Step::Link { text: text(link.as_os_str())?, at });
        Ok(())
    }

    fn bind(&mut self, path: &Path, kind: Kind) -> io::Result<()> {
        self.lead_to(path)?;
        let to = self.inside(path)?;
        if self.made.insert(path.to_owned()) {
            let is_folder = path.metadata()?.is_dir();
            self.steps.push(if is_folder { Step::Folder(to.clone()) } else { Step::File(to.clone()) });
        }
        self.steps.push(Step::Bind { from: text(path.as_os_str())?, to, kind });
        Ok(())
    }
}

fn text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}
