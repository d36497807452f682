//! A program that is started in QEMU's place by the same code, and tries what is forbidden.

use super::{Access, Confined, available, landlock, spawn, spawn_in_the_open};
use crate::process::Process;
use nix::libc;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use vmhealth_sim::cluster::Exit;

/// A folder with what a guest has: `scratch/` and `log`, to be written to, and `image/base`, to be read.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for folder in ["scratch", "image", "beside"] {
            fs::create_dir(place.path().join(folder)).unwrap();
        }
        for file in ["image/base", "log", "beside/secret"] {
            fs::write(place.path().join(file), file).unwrap();
        }
        fs::copy("/usr/bin/true", place.path().join("image/tool")).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs a script in there until its end, with the folder as `$1`.
    async fn run(&self, script: &str) -> (Exit, String) {
        self.run_by(script, spawn).await
    }

    async fn run_by(&self, script: &str, spawn: fn(Confined<'_>) -> io::Result<Process>) -> (Exit, String) {
        let said = self.path().join("stderr");
        let args: [OsString; 4] = ["-c".into(), script.into(), "sh".into(), self.path().into()];
        let own = self.path();
        let accesses = [
            Access::read(&own.join("image")),
            Access::write(&own.join("log")),
            // Of the system, as firmware is.
            Access::read(Path::new("/usr/bin/true")),
        ];
        let scratch = self.path().join("scratch");
        let confined = Confined { accesses: &accesses, ..confined("bash", &args, &scratch, &said) };
        let mut process = spawn(confined).unwrap();
        let end = tokio::time::timeout(Duration::from_secs(60), process.wait()).await.unwrap().unwrap();
        (end, fs::read_to_string(said).unwrap())
    }
}

/// A small program that may open nothing but its scratch folder; what it says goes into `said`.
fn confined<'a>(program: &'a str, args: &'a [OsString], scratch: &'a Path, said: &Path) -> Confined<'a> {
    Confined {
        program,
        args,
        environment: &[],
        inherit: &[],
        accesses: &[],
        kvm: false,
        memory_mib: 64,
        disk_mib: 64,
        scratch,
        stderr: File::create(said).unwrap(),
    }
}

/// Whether this host does not let anything be confined, as `doctor` says as well.
async fn cannot() -> bool {
    let why = available().await.err();
    if let Some(why) = &why {
        eprintln!("SKIPPED, nothing can be confined here: {why}");
    }
    why.is_some()
}

#[tokio::test]
async fn what_it_needs_is_there() {
    if cannot().await {
        return;
    }
    let place = Place::new();
    let script = "set -e; [ $$ = 1 ]; /usr/bin/true; grep -q base $1/image/base; echo more >>$1/log; echo x >$1/scratch/x; : >/dev/null; \
                  head -c 1 /dev/urandom >/dev/null; mktemp >/dev/null; ! env | grep -q HOME=";
    assert_eq!(place.run(script).await, (Exit::Status(0), String::new()));
    assert_eq!(fs::read_to_string(place.path().join("log")).unwrap(), "logmore\n");
    assert_eq!(place.run("exit 3").await.0, Exit::Status(3));
    assert!(fs::read_dir(place.path().join("scratch.root")).unwrap().next().is_none(), "it is mounted for nobody else");
}

/// Each must fail in there; what succeeds is told on stderr.
#[tokio::test]
async fn what_is_forbidden_cannot_be_done() {
    if cannot().await {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    let connect = format!("echo >/dev/tcp/127.0.0.1/{port}");
    // Ours, by the number that we see.
    let (signal, us) = (format!("kill -0 {}", std::process::id()), format!("ls /proc/{}", std::process::id()));
    let place = Place::new();
    // Landlock's share: what its place among the files would let it do.
    let by_rules =
        ["ls /", "$1/image/tool", "mkfifo $1/scratch/pipe", "mkdir $1/scratch/folder", "ln -s /usr $1/scratch/link"];
    let by_rules = if landlock::version().is_some() { &by_rules[..] } else { &[] };
    for forbidden in [
        "cat /etc/shadow",
        "cat /etc/passwd",
        "ls /root",
        "ls /proc/self",
        "ls /sys",
        "cat $1/beside/secret",
        "echo x >$1/image/base",
        "rm -f $1/image/base && ! [ -e $1/image/base ]",
        "chmod u+w $1/image/base",
        "echo x >$1/image/new",
        "echo x >/new",
        "echo x >/usr/bin/new",
        "mount -t tmpfs none $1/scratch",
        "mount -o remount,rw,bind $1/image",
        "umount $1/image",
        "mknod $1/scratch/disk b 8 0",
        "cat /dev/tty /dev/mem",
        "hostname changed",
        "chown 1 $1/scratch",
        "cp /usr/bin/true $1/scratch/run && $1/scratch/run",
        "chroot $1/scratch",
        "ulimit -c 1",
        "ulimit -n 100000",
        connect.as_str(),
        signal.as_str(),
        us.as_str(),
    ]
    .iter()
    .chain(by_rules)
    {
        let (end, said) = place.run(&format!("{{ {forbidden}; }} >/dev/null 2>&1 && echo DONE >&2; exit 0")).await;
        assert_eq!((end, said.as_str()), (Exit::Status(0), ""), "{forbidden}");
    }
    assert_eq!(server.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody has connected");
    assert_eq!(fs::read_to_string(place.path().join("image/base")).unwrap(), "image/base");
}

/// Where there can be no namespaces, Landlock alone keeps it to its own files.
#[tokio::test]
async fn in_the_open_it_keeps_to_its_files() {
    if landlock::version().is_none() {
        return eprintln!("SKIPPED, this kernel has no Landlock");
    }
    let place = Place::new();
    let script = "set -e; /usr/bin/true; read -r x <$1/image/base || [ $x = image/base ]; echo more >>$1/log; \
                  echo x >$1/scratch/x; : >/dev/null; head -c 1 /dev/urandom >/dev/null";
    assert_eq!(place.run_by(script, spawn_in_the_open).await, (Exit::Status(0), String::new()));
    for forbidden in [
        "cat /etc/shadow",
        "cat /etc/hostname",
        "ls /proc/1/fd",
        "cat $1/beside/secret",
        "echo x >$1/image/base",
        "rm -f $1/image/base && ! [ -e $1/image/base ]",
        "echo x >$1/image/new",
        "echo x >$1/beside/new",
        "cp /usr/bin/true $1/scratch/run && $1/scratch/run",
        "$1/image/tool",
        "cat /dev/tty /dev/mem",
        "mount -t tmpfs none $1/scratch",
    ] {
        let script = format!("{{ {forbidden}; }} >/dev/null 2>&1 && echo DONE >&2; exit 0");
        let (end, said) = place.run_by(&script, spawn_in_the_open).await;
        assert_eq!((end, said.as_str()), (Exit::Status(0), ""), "{forbidden}");
    }
    assert_eq!(fs::read_to_string(place.path().join("image/base")).unwrap(), "image/base");
}

/// The loader names a library by a link to it, as distributions and builds have it (`libz.so.1 -> libz.so.1.2.13`).
#[tokio::test]
async fn a_program_finds_the_libraries_that_it_brings() {
    if cannot().await {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.path().join(name);
    for folder in ["own/bin", "own/lib/real"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    fs::write(path("lib.c"), "int own(void) { return 7; }\n").unwrap();
    fs::write(path("main.c"), "int own(void); int main(void) { return own(); }\n").unwrap();
    let compile = |args: &[&str]| {
        let done = std::process::Command::new("cc").current_dir(place.path()).args(args).status();
        assert!(done.unwrap().success(), "{args:?}");
    };
    compile(&["-shared", "-fPIC", "-Wl,-soname,libown.so.1", "-o", "own/lib/real/libown.so.1.2.13", "lib.c"]);
    std::os::unix::fs::symlink("real/libown.so.1.2.13", path("own/lib/libown.so.1.2")).unwrap();
    std::os::unix::fs::symlink("libown.so.1.2", path("own/lib/libown.so.1")).unwrap();
    compile(&["-o", "own/bin/program", "main.c", "own/lib/libown.so.1", "-Wl,-rpath,$ORIGIN/../lib"]);
    let program = path("own/bin/program");
    type Spawn = fn(Confined<'_>) -> io::Result<Process>;
    for (scratch, spawn) in [("confined", spawn as Spawn), ("open", spawn_in_the_open)] {
        let scratch = path(scratch);
        fs::create_dir(&scratch).unwrap();
        let confined = confined(program.to_str().unwrap(), &[], &scratch, &path("stderr"));
        let end = spawn(confined).unwrap().wait().await.unwrap();
        assert_eq!((end, fs::read_to_string(path("stderr")).unwrap()), (Exit::Status(7), String::new()));
    }
}

/// Capabilities of the process, as the kernel tells them from outside, and its end when nobody wants it any more.
#[tokio::test]
async fn it_has_no_rights_and_ends_with_its_owner() {
    if cannot().await {
        return;
    }
    let place = Place::new();
    let args: [OsString; 1] = ["600".into()];
    let scratch = place.path().join("scratch");
    let process = spawn(confined("sleep", &args, &scratch, &place.path().join("stderr"))).unwrap();
    let pid = process.pid.unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{line}:\t0000000000000000")), "{line}: {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    for namespace in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let [its, ours] = [format!("/proc/{pid}/ns/{namespace}"), format!("/proc/self/ns/{namespace}")];
        assert_ne!(fs::read_link(its).unwrap(), fs::read_link(ours).unwrap(), "{namespace}");
    }
    drop(process);
    let gone = async {
        // SAFETY: a signal that is none.
        while unsafe { libc::kill(pid as i32, 0) } == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}
