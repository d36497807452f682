//! The `vmhealth` program as a user has it: in a folder that is not in its sources. Built with the package that makes the
//! program, which is how cargo says where it is.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Between two looks at what a program has done, which have a deadline.
const LOOK: Duration = Duration::from_millis(20);

/// A user's scenario, and its manifest.
const OWN_SCENARIO: &str = "\
apiVersion: vmhealth.dev/v1alpha1
kind: Scenario
metadata: {id: own/scenario/here, summary: own}
spec:
  manifest: manifests/vm.yaml
  expect: [{see: guest ready, from: vm event SuccessfulCreate, withinGuest: 0s..2m}]
  final: {}
";
const MANIFEST: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec: {runStrategy: Always, template: {spec: {domain: {devices: {}}}}}
";

fn vmhealth(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vmhealth")).args(arguments).current_dir(folder).output().unwrap()
}

/// Its exit status and what it prints.
fn check(folder: &Path, arguments: &[&str], status: i32, stdout: &str, stderr: &str) {
    let output = vmhealth(folder, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let as_expected = output.status.code() == Some(status) && out.contains(stdout) && err.contains(stderr);
    assert!(as_expected, "{arguments:?}: {:?}\nstdout:\n{out}\nstderr:\n{err}", output.status);
}

#[test]
fn it_runs_in_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    check(here, &["e2e", "--list"], 0, "killed-daemon/watchdog/reset\n", "");
    assert_eq!(std::fs::read_dir(here).unwrap().count(), 0, "listing leaves nothing");
    check(here, &["e2e", "killed-daemon/watchdog/reset", "--world", "model"], 0, "", "1 pass, 0 fail");
    let repeat = here.join("runs").read_dir().unwrap().next().unwrap().unwrap().path();
    let repeat = repeat.join("model/killed-daemon.watchdog.reset/repeat.sh");
    assert_eq!(std::fs::read_to_string(repeat).unwrap(), "vmhealth repro killed-daemon/watchdog/reset --world model\n");
    check(here, &["repro", "killed-daemon/watchdog/reset", "--world", "model"], 0, "", "1 pass, 0 fail");
    check(here, &["report"], 0, "killed-daemon/watchdog/reset", "");
    check(here, &["e2e", "no-such"], 2, "", "`vmhealth e2e --list` shows them all");
    check(here, &["--help"], 0, "Usage: vmhealth [OPTIONS] <COMMAND>", "");
    for command in ["mutants", "test", "bench", "schema", "package", "sbom"] {
        check(here, &[command], 2, "", "unrecognized subcommand");
    }
}

/// A reader that goes away, like `head`, is no error of the program.
#[test]
fn nobody_has_to_read_to_the_end() {
    for arguments in [
        &["probe", "tcp", "127.0.0.1:1"][..],
        &["doctor"],
        &["e2e", "killed-daemon/watchdog/reset", "--world", "model", "--format", "json"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
        let child =
            command.args(arguments).current_dir(folder.path()).stdout(writer).stderr(std::process::Stdio::piped());
        let output = child.spawn().unwrap().wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        let told = output.status.code().is_some_and(|c| c < 2 || arguments == ["doctor"] && c == 3);
        assert!(told && !err.contains("panicked"), "{:?} {err}", output.status);
    }
}

#[test]
fn what_a_shell_and_a_manual_want() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, text) in [
        (&["completions", "bash"][..], "complete -F _vmhealth"),
        (&["completions", "fish"], "explore"),
        (&["man"], "\nvmhealth\\-e2e"),
    ] {
        check(folder.path(), arguments, 0, text, "");
    }
}

/// In a cache of its own.
#[test]
fn a_pruned_cache_is_empty_and_one_that_is_not_there_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let prune = |expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
        let output = command.args(["prune", "--images"]).env("XDG_CACHE_HOME", folder.path()).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains(expected), "{out}{err}");
    };
    prune("removed 0 templates and 0 guest images");
    let template = folder.path().join("vmhealth/templates/0123456789abcdef");
    std::fs::create_dir_all(&template).unwrap();
    std::fs::write(template.join("ram"), [1; 8192]).unwrap();
    prune("removed 1 templates and 0 guest images");
    assert!(!template.exists());
}

/// Without QEMU, with as much said as is asked for.
#[test]
fn ones_own_vm_in_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let others = "kind: Secret\napiVersion: v1\nmetadata: {name: s}\n---\n";
    std::fs::write(folder.path().join("vm.yaml"), format!("{others}{MANIFEST}")).unwrap();
    let run = ["run", "vm.yaml", "--world", "model", "--fault", "killQemu", "--expect", "none"];
    let said = |more: &[&str]| {
        let output = vmhealth(folder.path(), &[&run[..], more].concat());
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && err.contains("1 pass, 0 fail") && err.contains("run folder: "), "{err}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), err)
    };
    let assumed = "this runs on pc";
    let (out, usual) = said(&[]);
    assert!(out.contains("killQemu at ") && !out.contains("\"event\""), "{out}");
    let (_, quiet) = said(&["-q"]);
    assert!(usual.contains(assumed) && !quiet.contains(assumed), "{usual}\nquiet:\n{quiet}");
    let (out, _) = said(&["--format", "json", "-q"]);
    assert!(out.lines().any(|line| line.contains("\"event\":\"fault killQemu begun\"")), "{out}");
    check(folder.path(), &["-q", "-v", "doctor"], 2, "", "cannot be used with");
    std::fs::write(folder.path().join("two.yaml"), format!("{MANIFEST}---\n{MANIFEST}")).unwrap();
    check(folder.path(), &["run", "two.yaml", "--world", "model"], 2, "", "2 VMs in one file");
    let image = ["run", "vm.yaml", "--world", "model", "--image", "disk.qcow2"];
    check(folder.path(), &image, 2, "", "the model boots no image");
}

/// Root's machine is not changed by whoever asked for that.
#[test]
fn nothing_is_installed_where_nobody_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/bin/sh", bin.join("sh")).unwrap();
    // It is the first of all that would be run.
    let apt = bin.join("apt-get");
    std::fs::write(&apt, "#!/bin/sh\n: >ran\nexit 1\n").unwrap();
    std::fs::set_permissions(&apt, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
    command.args(["e2e", "killed-daemon/watchdog/reset", "--world", "qemu"]).current_dir(folder.path());
    let output = command.env("PATH", &bin).env("VMHEALTH_NO_INSTALL", "1").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("type: sudo apt-get install"), "{err}");
    assert!(!folder.path().join("ran").exists(), "{err}");
}

/// A user who may make no namespace, so that no guest could have a network.
#[test]
fn no_image_is_built_for_guests_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let run = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
               \"$0\" e2e killed-daemon/watchdog/reset http-hang/readiness-http/not-ready --world qemu";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", "--keep-caps", "sh", "-c", run, env!("CARGO_BIN_EXE_vmhealth")]);
    let cache = folder.path().join("cache");
    let output = command.env("XDG_CACHE_HOME", &cache).current_dir(folder.path()).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    let (_, table) = err.split_once("verdict").unwrap_or_default();
    let why = "cannot make a user namespace: the system allows no more of them (user.max_user_namespaces); run as root";
    assert_eq!(table.matches(why).count(), 1, "{err}");
    assert!(table.contains("1 more in the table: INFRA for the same reason"), "{err}");
    assert!(!cache.join("vmhealth/images").exists(), "{err}");
}

/// What a job says of a pinned manifest: nothing, or what comes to something else, at the manifest.
#[test]
fn a_job_says_what_a_pinned_manifest_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let write = |period: &str| {
        let probe = format!("{{spec: {{livenessProbe: {{tcpSocket: {{port: 80}}, periodSeconds: {period}}}, domain:");
        std::fs::write(here.join("vm.yaml"), MANIFEST.replace("{spec: {domain:", &probe)).unwrap();
    };
    for (period, more, status, says) in [
        ("20", &[][..], 0, Some("::warning file=vm.yaml,line=1,")),
        ("20", &[], 0, None),
        ("50", &[], 1, Some("::error file=vm.yaml,line=1,col=1,title=pinned::kernel-panic: recovers in ")),
        ("50", &["--accept"], 0, Some("::notice file=vm.yaml,line=1,")),
        ("50", &[], 0, None),
    ] {
        write(period);
        let output = vmhealth(here, &[&["pin", "vm.yaml", "--format", "github"], more].concat());
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said = says.map_or(out.is_empty(), |says| out.contains(says));
        assert!(output.status.code() == Some(status) && said, "{period} {more:?}: {:?}\n{out}{err}", output.status);
    }
}

/// SIGTERM is listened to as Ctrl-C is, which a test's own caller may have had ignored.
#[test]
fn many_runs_end_between_two_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmhealth"));
    command.args(["repro", "killed-daemon/watchdog/reset", "--world", "model", "--times", "20000", "-q"]);
    let (out, err) = (std::process::Stdio::piped(), std::process::Stdio::null());
    let child = command.current_dir(folder.path()).stdout(out).stderr(err).spawn().unwrap();
    let runs = || folder.path().join("runs").read_dir().map_or(0, Iterator::count);
    let begun = std::time::Instant::now();
    while runs() < 3 {
        assert!(begun.elapsed().as_secs() < 60, "{} runs after a minute", runs());
        std::thread::sleep(LOOK);
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(runs() < 20_000 && out.contains("pass"), "what is known is shown: {out}");
}

#[test]
fn a_quick_look_is_a_few_scenarios() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["e2e", "--quick", "--world", "model", "--out", "out"], 0, "", " 0 fail");
    let names =
        folder.path().join("out/model").read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    // Which ones is tested where they are chosen.
    assert!((15..50).contains(&names.count()));
}

#[test]
fn scenarios_of_ones_own_are_run_again_from_anywhere() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let scenarios = folder.path().join("my scenarios");
    std::fs::create_dir_all(scenarios.join("manifests")).unwrap();
    std::fs::write(scenarios.join("manifests/vm.yaml"), MANIFEST).unwrap();
    std::fs::write(scenarios.join("own.yaml"), OWN_SCENARIO).unwrap();
    check(folder.path(), &["e2e", "--scenarios", "my scenarios", "--world", "model", "--out", "out"], 0, "", "1 pass");
    let again = std::fs::read_to_string(folder.path().join("out/model/own.scenario.here/repeat.sh")).unwrap();
    let words = shlex::split(&again).unwrap();
    let (program, arguments) = words.split_first().unwrap();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(program, "vmhealth");
    check(elsewhere.path(), &arguments, 0, "", "1 pass, 0 fail");
}

#[test]
fn a_misspelt_fault_is_refused_before_anything_is_prepared() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vm.yaml"), MANIFEST).unwrap();
    for command in ["run", "explore"] {
        let fault = if command == "run" { "kilWatchdog@5s" } else { "kilWatchdog" };
        let text = "did you mean killWatchdog? (kinds: kernelPanic, killWatchdog, ";
        check(folder.path(), &[command, "vm.yaml", "--fault", fault], 2, "", text);
        check(folder.path(), &[command, "vm.yaml", "--fault", "stopAgent"], 2, "", "expected {stopAgent: {for: 15s}}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was prepared");
}

/// From the texts in its evidence: a changed file, or one that is gone, makes no difference.
#[test]
fn a_scenario_of_an_earlier_run_is_run_again_as_it_was() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let scenarios = folder.path().join("own");
    std::fs::create_dir_all(scenarios.join("manifests")).unwrap();
    std::fs::write(scenarios.join("manifests/vm.yaml"), MANIFEST).unwrap();
    std::fs::write(scenarios.join("own.yaml"), OWN_SCENARIO).unwrap();
    let failing = OWN_SCENARIO.replace("own/scenario/here", "own/scenario/fails").replace("0s..2m", "0s..1s");
    std::fs::write(scenarios.join("fails.yaml"), failing).unwrap();
    let run = ["e2e", "--scenarios", "own", "--world", "model", "--out", "out"];
    check(folder.path(), &run, 1, "", "1 pass, 1 fail");
    std::fs::remove_dir_all(&scenarios).unwrap();
    let out = folder.path().join("out");
    let of = |name: &str| out.join("model").join(name).display().to_string();
    let repro = |what: &str, status: i32, stderr: &str| {
        check(elsewhere.path(), &["repro", what, "--world", "model"], status, "", stderr);
    };
    repro(&of("own.scenario.here"), 0, "1 pass, 0 fail");
    repro(&of("own.scenario.fails"), 1, "0 pass, 1 fail");
    // Of a run what did not pass.
    repro(&out.display().to_string(), 1, "0 pass, 1 fail");
}

#[test]
fn a_repetition_stops_at_an_event_and_shows_how_far_apart_the_same_ones_were() {
    let folder = tempfile::tempdir().unwrap();
    let repro = |more: &[&str], status: i32, stdout: &str, stderr: &str| {
        let arguments = [&["repro", "killed-daemon/watchdog/reset", "--world", "model"], more].concat();
        check(folder.path(), &arguments, status, stdout, stderr);
    };
    repro(&["--until", "qemu WATCHDOG"], 0, "", "1 pass, 0 fail");
    let run = folder.path().join("runs").read_dir().unwrap().next().unwrap().unwrap().path();
    let trace = std::fs::read_to_string(run.join("model/killed-daemon.watchdog.reset/trace.txt")).unwrap();
    assert!(trace.contains("qemu WATCHDOG reset") && !trace.contains("qemu RESET"), "{trace}");
    repro(&["--until", "qemu EXIT"], 1, "", "all was as expected, and qemu EXIT was never seen");
    repro(&["--until", "qemu WATCHDOGS"], 2, "", "");
    repro(&["--times", "3"], 0, "(model): 3 pass of 3 runs", "");
    repro(&["--freeze"], 2, "", "--freeze holds a guest, and the model has none");
}

#[test]
fn no_guest_can_be_reached_where_none_runs() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["shell"], 2, "", "is no folder");
    let killed = folder.path().join("runs/a/qemu/a.b.c");
    std::fs::create_dir_all(&killed).unwrap();
    std::fs::write(killed.join("door.json"), r#"{"socket":"/nonexistent/door"}"#).unwrap();
    check(folder.path(), &["shell"], 2, "", "can be reached: its run is over");
}

/// What lies in a Secret counts once it is shown; a manifest that has no Secret is told so.
#[test]
fn user_data_of_a_secret_is_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let devices = "domain: {memory: {guest: 512Mi}, devices: {watchdog: {name: w, i6300esb: {action: poweroff}}, disks: [{name: c, disk: {bus: virtio}}]}}";
    let volumes = "volumes: [{name: c, cloudInitNoCloud: {secretRef: {name: mine}}}]";
    let vm = MANIFEST.replace("domain: {devices: {}}", &format!("{devices}, {volumes}"));
    write("vm.yaml", &vm);
    write("plain.yaml", MANIFEST);
    write(
        "data",
        "#cloud-config\nruncmd:\n  - echo 'watchdog-timeout = 33' >> /etc/watchdog.conf\n  - sysctl -w kernel.panic=7\n",
    );
    let data = |command: &[&str], status: i32, stdout: &str, stderr: &str| {
        check(folder.path(), &[command, &["--user-data", "data"]].concat(), status, stdout, stderr);
    };
    data(&["check", "vm.yaml", "--budgets"], 0, "heartbeat 33 s", "");
    data(&["check", "vm.yaml"], 2, "", "--user-data is for --budgets");
    data(&["explore", "vm.yaml", "--fault", "killWatchdog"], 0, "", "heartbeat 33 s");
    data(&["pin", "vm.yaml"], 0, "kernel-panic", "");
    let pinned = std::fs::read_to_string(folder.path().join("pinned/kernel-panic.yaml")).unwrap();
    assert!(pinned.contains("heartbeatSeconds: 33") && pinned.contains("kernelPanicSeconds: 7"), "{pinned}");
    data(
        &["explore", "plain.yaml", "--fault", "kernelPanic"],
        2,
        "",
        "none of the manifest's user data is in a Secret",
    );
}

/// More nodes than a round of one thread has, with boots that share their nodes and with chance.
const FLEET: &str = "\
apiVersion: vmhealth.dev/v1alpha1
kind: Fleet
metadata: {name: '<b>three a node</b>'}
spec:
  for: 2h
  nodes: {count: 70, bootsAtFullSpeed: 1}
  groups:
    - {name: a, manifest: vm.yaml, count: 210, boot: {median: 30s, sigma: 0.3}, faults: [{fault: guestReboot, every: 1h}]}
  incidents: [{at: 10m, nodeDown: {for: 2m}, nodes: 40}]
";

#[test]
fn a_fleet_is_the_same_with_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("fleet.yaml"), FLEET).unwrap();
    std::fs::write(here.join("vm.yaml"), MANIFEST).unwrap();
    let run = |arguments: &[&str]| {
        let output = vmhealth(here, &[&["fleet", "fleet.yaml", "--format", "json"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let alone = run(&["--threads", "1", "--report", "fleet.html"]);
    let report: serde_json::Value = serde_json::from_slice(&alone).unwrap();
    assert_eq!((&report["vms"], &report["nodes"], &report["settles"]), (&210.into(), &70.into(), &true.into()));
    assert!(report["faults"].as_u64().is_some_and(|n| n > 300), "{report}");
    for threads in ["2", "3"] {
        assert!(run(&["--threads", threads]) == alone, "{threads} threads");
    }
    assert!(run(&["--seed", "1"]) != alone);
    let page = std::fs::read_to_string(here.join("fleet.html")).unwrap();
    assert!(page.contains("&#60;b&#62;three a node") && !page.contains("<b>three"), "what the file says is text");
    assert!(page.contains("<polyline") && !page.contains("<script") && !page.contains("NaN"), "{page}");
    check(
        here,
        &["fleet", "vm.yaml"],
        2,
        "",
        "vm.yaml:1:13: apiVersion: \"kubevirt.io/v1\" is not one of vmhealth.dev/v1alpha1",
    );
}
