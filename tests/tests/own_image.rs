//! A stock Debian with partitions and GRUB, which knows nothing of us, in the place of the user's own image: it boots through
//! SeaBIOS and UEFI as it is, and what it lacks is said. Ignored by a plain `cargo test`: `cargo xtask test` runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio::sync::watch;
use vmhealth_guests::image::{DiskFormat, Image, ImageWord};
use vmhealth_images::{digest, full_disk};
use vmhealth_sim::manifest::{Architecture, read_for_own_image};
use xtask::host::cache_folder;
use xtask::prepare::{GuestOptions, prepare};
use xtask::report::{Machine, Results, RunFolder, VerdictWord};
use xtask::run::catalogue::{Case, read_case};
use xtask::run::{Models, Progress, Reality, Worlds, run};

/// A guest, and what comes of it.
struct Row {
    name: &'static str,
    /// Of `domain`.
    domain: &'static str,
    /// Of the VMI's spec.
    probe: &'static str,
    /// cloud-config.
    user_data: &'static str,
    /// The scenario's, after `spec:`.
    scenario: &'static str,
    /// Or part of the reason why it failed.
    expected: Result<(), &'static str>,
}

const WATCHDOG: &str = "machine: {type: pc}, devices: {watchdog: {name: w, i6300esb: {action: poweroff}}}";
const READY: &str = "expect: [{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..2m}], final: {}";
const OWN_DAEMON: &str = "guest: {ownWatchdogDaemon: true}, ";

const ROWS: [Row; 8] = [
    Row {
        name: "seabios",
        domain: WATCHDOG,
        probe: "",
        // What the user's document says.
        user_data: "runcmd:
- sed -i 's|^#watchdog-device.*|watchdog-device = /dev/watchdog|' /etc/watchdog.conf
- echo 'watchdog-timeout = 10' >>/etc/watchdog.conf
- sed -i 's|^watchdog_module=.*|watchdog_module=\"i6300esb\"|' /etc/default/watchdog
- systemctl mask wd_keepalive.service
- systemctl restart watchdog.service
",
        scenario: "guest: {ownWatchdogDaemon: true},
            steps: [{after: guest ready, plus: 2s, fault: killWatchdog}],
            expect: [{see: qemu WATCHDOG poweroff, within: 10s..12s}], observe: 5s, final: {vm: Stopped, vmi: Failed}",
        expected: Ok(()),
    },
    Row {
        name: "advice",
        // A q35, whose own watchdog may be the one that the daemon gets.
        domain: "devices: {watchdog: {name: w, i6300esb: {action: poweroff}}}",
        probe: "",
        // What is printed where nothing has armed it (verify.sh).
        user_data: "runcmd:
- sed -i 's|^#watchdog-device|watchdog-device|' /etc/watchdog.conf
- systemctl mask wd_keepalive
- systemctl restart watchdog
",
        scenario: OWN_DAEMON,
        expected: Ok(()),
    },
    Row {
        name: "secure-boot",
        domain: "machine: {type: q35}, features: {smm: {enabled: true}}, firmware: {bootloader: {efi: {}}}, devices: {}",
        // Attributes, then 1 where only what is signed has started.
        probe: "readinessProbe: {periodSeconds: 3, timeoutSeconds: 3, exec: {command: [sh, -c, \"[ $(od -An -tu1 -j4 \
                /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c) = 1 ]\"]}}",
        user_data: "",
        scenario: "expect: [{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..2m}], observe: 5s, \
                   final: {ready: true}",
        expected: Ok(()),
    },
    Row {
        name: "no-agent",
        domain: "devices: {}",
        probe: "",
        user_data: "bootcmd: [systemctl mask --now --runtime qemu-guest-agent.service]\n",
        scenario: "bootDeadline: 60s",
        expected: Err("the guest's agent did not appear within"),
    },
    Row {
        name: "blocked-exec",
        domain: "devices: {}",
        probe: "",
        user_data: "bootcmd:
- mkdir -p /etc/qemu
- printf '[general]\\nblock-rpcs=guest-exec\\n' >/etc/qemu/qemu-ga.conf
- systemctl restart --no-block qemu-guest-agent.service
",
        scenario: "",
        expected: Err("must allow guest-exec and guest-exec-status"),
    },
    Row {
        name: "unarmed",
        domain: WATCHDOG,
        probe: "",
        user_data: "",
        scenario: OWN_DAEMON,
        expected: Err("nothing in the guest has armed its watchdog: it will never fire"),
    },
    Row {
        name: "no-module",
        domain: WATCHDOG,
        probe: "",
        user_data: "bootcmd: [\"rmmod i6300esb; rm -f /lib/modules/*/kernel/drivers/watchdog/i6300esb.ko*\"]\n",
        scenario: OWN_DAEMON,
        expected: Err("has no module i6300esb; install one that has it"),
    },
    Row {
        name: "no-daemon",
        domain: WATCHDOG,
        probe: "",
        user_data: "bootcmd: [\"rm /usr/sbin/watchdog\"]\n",
        scenario: "guest: {watchdogDaemon: {heartbeatSeconds: 10, keepalive: masked}}, ",
        expected: Err("the guest has no watchdog daemon: install the package"),
    },
];

impl Row {
    fn case(&self, folder: &Path) -> Case {
        let user_data = format!("#cloud-config\n{}", self.user_data).replace('\n', "\n              ");
        let manifest = format!(
            "apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {{name: {name}}}
spec:
  runStrategy: Once
  template:
    spec:
      {probe}
      domain: {{memory: {{guest: 512Mi}}, {domain}}}
      volumes:
        - name: seed
          cloudInitNoCloud:
            userData: |
              {user_data}
",
            name = self.name,
            probe = self.probe,
            domain = self.domain
        );
        let scenario = match self.scenario {
            whole if whole.contains("expect:") => whole.to_owned(),
            part => format!("{}, {READY}", part.trim_end_matches(", ")).trim_start_matches(", ").to_owned(),
        };
        let scenario = format!(
            "apiVersion: vmhealth.dev/v1alpha1\nkind: Scenario\nmetadata: {{id: own-image/{0}/run, summary: own}}\n\
             spec: {{manifest: {0}-vm.yaml, {scenario}}}\n",
            self.name
        );
        let (file, manifest_file) =
            (folder.join(format!("{}.yaml", self.name)), folder.join(format!("{}-vm.yaml", self.name)));
        std::fs::write(&manifest_file, &manifest).unwrap();
        std::fs::write(&file, scenario).unwrap();
        let read = read_for_own_image(&manifest_file.display().to_string(), &manifest).unwrap();
        Case { manifest: Arc::new(read), ..read_case(&file).unwrap() }
    }
}

async fn reality(disk: &Path) -> Reality {
    let options = GuestOptions {
        image: Some(Image::of_user(disk, &ImageWord::default()).unwrap()),
        cold: true,
        ..GuestOptions::default()
    };
    prepare([Architecture::Amd64].into(), options).await.0
}

#[tokio::test]
#[ignore = "needs QEMU, OVMF and the images: cargo xtask test"]
async fn it_boots_through_its_firmware_and_what_it_lacks_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let disk = full_disk(&cache_folder(), &|line| eprintln!("{line}")).unwrap();
    let before = digest::of_file(&disk).unwrap();
    let cases: Vec<Case> = ROWS.iter().map(|row| row.case(folder.path())).collect();
    let runs = RunFolder::create(&folder.path().join("run")).unwrap();
    let (_cancel, cancelled) = watch::channel(false);
    let progress = Progress::lines(|line| eprintln!("{line}"));
    let realities = vec![reality(&disk).await];
    let models = Models::run(&cases, Worlds::Qemu, &runs, &progress).unwrap();
    let results: Results =
        run((cases, models), Worlds::Qemu, realities, Machine::default(), &runs, cancelled, progress).await.unwrap();
    assert_eq!(results.scenarios.len(), ROWS.len());
    let mut wrong = Vec::new();
    for (row, result) in ROWS.iter().zip(&results.scenarios) {
        assert_eq!(result.id, format!("own-image/{}/run", row.name));
        let as_expected = match row.expected {
            Ok(()) => matches!(result.verdict, VerdictWord::Pass | VerdictWord::Flaky),
            Err(part) => result.verdict == VerdictWord::Fail && result.reason.contains(part),
        };
        if !as_expected {
            wrong.push(format!("{}: {:?}: {}", row.name, result.verdict, result.reason));
        }
    }
    // It had booted, and its agent was not just late.
    let without_agent = results.scenarios.iter().find(|s| s.id.contains("no-agent")).unwrap();
    assert!(
        without_agent.reason.ends_with("last on its serial console: \"no-agent login:\""),
        "{}",
        without_agent.reason
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(digest::of_file(&disk).unwrap(), before, "the user's image is never written to");
}

#[test]
#[ignore = "needs qemu-img: cargo xtask test"]
fn what_is_a_disk_and_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let made = |name: &str, format: &str| -> PathBuf {
        let path = dir.path().join(name);
        let status = Command::new("qemu-img").args(["create", "-q", "-f", format]).arg(&path).arg("1M").status();
        assert!(status.unwrap().success());
        path
    };
    let written = |name: &str, content: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    // Under the names that QEMU opens: a container has no others.
    let (parent, overlay) = (dir.path().join("parent.qcow2"), dir.path().join("overlay.qcow2"));
    std::os::unix::fs::symlink(made("real.qcow2", "qcow2"), &parent).unwrap();
    let above = |path: &Path, more: &[&str]| {
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).args([&parent, path]).args(more);
        assert!(create.status().unwrap().success());
    };
    above(&overlay, &[]);
    let found = Image::of_user(&overlay, &ImageWord::default()).unwrap();
    assert_eq!((found.files, found.bytes), (vec![overlay, parent.clone()], Some(1 << 20)));
    let (apart, orphan) = (dir.path().join("apart.qcow2"), dir.path().join("orphan.qcow2"));
    above(&apart, &["-o", &format!("data_file={}", dir.path().join("data.raw").display())]);
    above(&orphan, &[]);
    std::fs::remove_file(parent).unwrap();
    let mut boots = [0; 4096];
    boots[510..512].copy_from_slice(&[0x55, 0xaa]);
    for (file, expected) in [
        (made("disk.qcow2", "qcow2"), Ok(DiskFormat::Qcow2)),
        (written("disk.raw", &boots), Ok(DiskFormat::Raw)),
        (written("root.ext4", &[0; 4096]), Err("has no boot sector")),
        (written("note.txt", b"hello"), Err("has no boot sector")),
        (made("disk.vmdk", "vmdk"), Err("is kept as vmdk")),
        (written("broken.qcow2", b"QFI\xfb\0\0\0\x03 and no more"), Err("ends in the middle of its header")),
        (dir.path().join("absent.qcow2"), Err("cannot be read: No such file")),
        (dir.path().to_owned(), Err("is no plain file")),
        (apart, Err("keeps its data in another file")),
        (orphan, Err("parent.qcow2\", which cannot be read: No such file")),
    ] {
        match (Image::of_user(&file, &ImageWord::default()), expected) {
            (Ok(image), Ok(format)) => assert!(image.is_users() && image.format == format, "{image:?}"),
            (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{e}"),
            (found, _) => panic!("{}: {found:?}", file.display()),
        }
    }
}
