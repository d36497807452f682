//! A real guest that is out to hurt its host: it floods its console and says there that its kernel has crashed, sets its clock
//! back and forth, answers probes without an end, puts a babbler in its agent's place, and forks as fast as it can. The verdict
//! is right all the same, and the runner takes little more memory than for a quiet guest.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Of the runner, above what it takes with a quiet guest.
const MEMORY_KIB: u64 = 64 << 10;
/// Of a scenario's folder: a console's two ends, transcripts, and some.
const EVIDENCE: u64 = 100 << 20;
/// For one run on a busy machine; a template is booted in the first.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(50);

const MANIFEST: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: guest}
spec:
  runStrategy: Once
  template:
    spec:
      terminationGracePeriodSeconds: 0
      readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2}
      livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 5, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2}
      domain: {memory: {guest: 512Mi}, devices: {}}
";

const QUIET: &str = "\
apiVersion: vmhealth.dev/v1alpha1
kind: Scenario
metadata: {id: none/readiness-http/quiet, summary: Nothing happens.}
spec:
  manifest: manifests/guest.yaml
  guest: {healthServer: true}
  steps: []
  expect: [{see: readiness result Success, withinGuest: 0s..120s}]
  never: [{see: vmi phase Failed}]
  observe: 20s
  final: {vm: Running, vmi: Running, vmis: 1, ready: true}
";

const HOSTILE: &str = r#"
apiVersion: vmhealth.dev/v1alpha1
kind: Scenario
metadata: {id: hostile/liveness-ping/succeeded, summary: A guest that is out to hurt.}
spec:
  manifest: manifests/guest.yaml
  guest: {healthServer: true}
  steps:
    # A body without an end is a good answer, whatever its length; a console that lies kills nobody.
    - {after: readiness result Success, plus: 1s, fault: {command: "sh /run/hostile body"}}
    # A head without an end is none.
    - {after: fault command confirmed, plus: 4s, fault: {command: "sh /run/hostile head"}}
    - {after: readiness result Failure, plus: 500ms, fault: {command: "sh /run/hostile agent"}}
  expect:
    - {see: fault command confirmed, withinGuest: 0s..60s}
    # The body's probes went well: it is the head that is noticed.
    - {see: fault command confirmed, from: fault command confirmed, withinGuest: 4s..30s}
    - {see: readiness result Failure, from: fault command confirmed, withinGuest: 0s..10s}
    - {see: liveness result Failure, from: readiness result Failure, withinGuest: 0s..60s}
    - {see: vmi phase Succeeded, from: liveness result Failure, withinGuest: 0s..30s}
  final: {vmi: Succeeded, vmis: 1, ready: false}
"#;

/// In the guest.
const SCRIPT: &str = r##"
serve() {
    cat >/run/serve.pl <<'PERL'
use Socket;
socket(S, PF_INET, SOCK_STREAM, 6); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in(1500, INADDR_ANY)) or die; listen(S, 99);
my ($head, $more) = $ARGV[0] eq "body"
    ? ("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", "x" x 65536)
    : ("HTTP/1.1 200 OK\r\n", "X-Header: without an end\r\n" x 1000);
while (accept(C, S)) {
    next if fork; sysread(C, my $asked, 4096); syswrite(C, $head); while (syswrite(C, $more)) {} exit;
}
PERL
    systemctl stop vmhealth-health hostile-serve 2>/dev/null
    systemd-run --quiet --collect --unit hostile-serve perl /run/serve.pl "$1"
}
case "$1" in
body)
    serve body
    cat >/run/flood <<'END'
echo "[    9.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b"
while :; do head -c 65536 /dev/urandom; echo "[    9.000000] Kernel panic - not syncing: a lie"; done
END
    systemd-run --quiet --collect sh -c 'sh /run/flood >/dev/ttyS0'
    systemd-run --quiet --collect sh -c 'while :; do date -s "+1 hour"; sleep 0.3; date -s "-1 hour"; sleep 0.3; done'
    ;;
head) serve head ;;
agent)
    cat >/run/babble <<'END'
systemctl mask --runtime --now qemu-guest-agent
exec >/dev/virtio-ports/org.qemu.guest_agent.0
printf '{"return": {"exi'; printf '\377\377\377{"return": 1}\n'; printf '[[[[[[['
while :; do head -c 65536 /dev/zero | tr '\0' '\377'; head -c 65536 /dev/urandom; done
END
    systemd-run --quiet --collect --on-active=1 sh /run/babble
    systemd-run --quiet --collect -p TasksMax=infinity --on-active=3 bash -c 'bomb() { bomb | bomb & }; bomb; sleep 600'
    ;;
esac
"##;

struct Run {
    status: Option<i32>,
    said: String,
    peak_kib: u64,
    took: Duration,
}

/// Runs a scenario, with what is said and the most memory that the runner itself has had.
fn run(place: &Path, scenario: &str, out: &str) -> Run {
    let log = place.join(format!("{out}.log"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
    command.args(["e2e", scenario, "--world", "qemu", "--scenarios"]).arg(place).arg("--out").arg(place.join(out));
    command.env("XDG_CACHE_HOME", place.join("cache")).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let (pid, mut peak_kib, mut status) = (child.id(), 0, None);
    while status.is_none() {
        let told = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak_kib = peak_kib.max(peak.unwrap_or(0));
        status = child.try_wait().unwrap();
        if begun.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(LOOK);
    }
    let ended = status.is_some();
    let _ = child.kill();
    let status = child.wait().unwrap();
    assert!(ended, "{scenario} has no end; it said last:\n{}", fs::read_to_string(&log).unwrap());
    let said = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    let took = begun.elapsed();
    eprintln!("{scenario}: {} MiB, {:.0} s", peak_kib >> 10, took.as_secs_f64());
    Run { status: status.code(), said, peak_kib, took }
}

/// On disk, below a folder.
fn bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| if e.path().is_dir() { bytes(&e.path()) } else { e.metadata().unwrap().blocks() * 512 }).sum()
}

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache/vmhealth");
    fs::create_dir_all(&cache).unwrap();
    for entry in fs::read_dir(xtask::host::cache_folder()).into_iter().flatten().flatten() {
        let name: PathBuf = entry.file_name().into();
        if name.to_string_lossy().starts_with("accel-") || name.as_os_str() == "images" {
            std::os::unix::fs::symlink(entry.path(), cache.join(name)).unwrap();
        }
    }
    let indented: String = SCRIPT.lines().map(|line| format!("      {line}\n")).collect();
    let data = format!("#cloud-config\nwrite_files:\n  - path: /run/hostile\n    content: |\n{indented}");
    let data: String = data.lines().map(|line| format!("            {line}\n")).collect();
    let volumes = format!("      volumes:\n      - name: c\n        cloudInitNoCloud:\n          userData: |\n{data}");
    fs::create_dir(folder.path().join("manifests")).unwrap();
    fs::write(folder.path().join("manifests/guest.yaml"), format!("{MANIFEST}{volumes}")).unwrap();
    fs::write(folder.path().join("none.readiness-http.quiet.yaml"), QUIET).unwrap();
    fs::write(folder.path().join("hostile.liveness-ping.succeeded.yaml"), HOSTILE.trim_start()).unwrap();
    folder
}

#[test]
#[ignore = "needs QEMU and the guest image: cargo xtask test"]
fn a_guest_that_is_out_to_hurt() {
    let place = place();
    let quiet = run(place.path(), "none/readiness-http/quiet", "quiet");
    assert_eq!(quiet.status, Some(0), "{}", quiet.said);
    let hostile = run(place.path(), "hostile/liveness-ping/succeeded", "hostile");
    assert_eq!(hostile.status, Some(0), "{}", hostile.said);
    let more = hostile.peak_kib.saturating_sub(quiet.peak_kib);
    assert!(more <= MEMORY_KIB, "{more} KiB more than for a quiet guest");
    let folder = place.path().join("hostile/qemu/hostile.liveness-ping.succeeded");
    let evidence = bytes(&folder);
    assert!(evidence > 0 && evidence <= EVIDENCE, "{evidence} bytes of evidence");
    // It did all that: its console lied, and its agent's place was taken.
    let file = |name: &str| String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap()).into_owned();
    assert!(file("serial-1.log").contains("Kernel panic - not syncing: a lie"));
    assert!(file("agent-1.log").contains('\u{fffd}'), "bytes that are no text");
    eprintln!("{:.0} s, {} KiB more, {} MiB of evidence", hostile.took.as_secs_f64(), more, evidence >> 20);
}
