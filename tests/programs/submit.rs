//! `vmhealth` on many machines: shards make the same results as one run, and Slurm runs them again when a node dies.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::Value;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

fn vmhealth(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vmhealth")).args(arguments).current_dir(folder).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a run says but for how long it took on which machine.
fn results(run: &Path) -> Value {
    let mut results: Value = serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap();
    results["machine"] = Value::Null;
    for scenario in results["scenarios"].as_array_mut().unwrap() {
        scenario["duration_s"] = Value::Null;
    }
    results
}

#[test]
fn shards_are_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let filters = ["killed-daemon", "readiness-tcp"];
    let run = |more: &[&str]| {
        let output = vmhealth(here, &[&["e2e", "--world", "model"], &filters[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{more:?}: {}", stderr(&output));
    };
    run(&["--out", "whole"]);
    let parts = ["1", "2", "3", "4"];
    let sizes: Vec<usize> = parts
        .iter()
        .map(|k| {
            run(&["--out", k, "--shard", &format!("{k}/4")]);
            results(&here.join(k))["scenarios"].as_array().unwrap().len()
        })
        .collect();
    // Put together in any order.
    let merged = vmhealth(here, &["report", "merge", "3", "1", "4", "2", "--out", "merged"]);
    assert_eq!(merged.status.code(), Some(0), "{}", stderr(&merged));
    let (whole, merged) = (results(&here.join("whole")), results(&here.join("merged")));
    assert_eq!(whole, merged);
    let all = whole["scenarios"].as_array().unwrap().len();
    assert!(sizes.iter().sum::<usize>() == all && sizes.iter().all(|n| *n > 0 && *n < all), "{sizes:?} of {all}");
    // One that is there twice is no part of one run.
    let twice = vmhealth(here, &["report", "merge", "1", "1", "--out", "twice"]);
    assert!(twice.status.code() == Some(2) && stderr(&twice).contains("is also in 1"), "{}", stderr(&twice));
}

const FLEET: &str = "\
apiVersion: vmhealth.dev/v1alpha1
kind: Fleet
metadata: {name: six-nodes}
spec:
  for: 3h
  seed: 5
  nodes: {count: 6, bootsAtFullSpeed: 2}
  groups: [{name: a, manifest: vm.yaml, count: 30, boot: {from: 30s, to: 50s}, faults: [{fault: kernelPanic, every: 2h}]}]
  incidents: [{at: 30m, nodeDown: {for: 5m}, nodes: 3}]
";
const VM: &str = "\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: vm}
spec:
  runStrategy: Always
  template:
    spec:
      readinessProbe: {httpGet: {port: 1500, path: /healthz}, periodSeconds: 5}
      livenessProbe: {httpGet: {port: 1500, path: /healthz}, initialDelaySeconds: 60, periodSeconds: 10}
      domain: {devices: {watchdog: {name: w, i6300esb: {action: reset}}}}
";

/// A fleet and its sweep by the script that a task of Slurm's runs, one shard after the other in any order: the merged report is that of
/// one machine, byte for byte.
#[test]
fn shards_of_a_fleet_are_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    std::fs::write(here.join("fleet.yaml"), FLEET).unwrap();
    std::fs::write(here.join("vm.yaml"), VM).unwrap();
    let sweep = ["--sweep", "vmsPerNode=2,5", "--sweep", "livenessProbe.initialDelaySeconds=60,300"];
    let fleet = |more: &[&str]| vmhealth(here, &[&["fleet", "fleet.yaml"], &sweep[..], more].concat());
    let whole = fleet(&["--out", "whole", "--threads", "2"]);
    assert!(whole.status.code().is_some_and(|code| code < 2), "{}", stderr(&whole));
    let submitted =
        [&["submit", "slurm", "--fleet", "fleet.yaml"], &sweep[..], &["--shards", "3", "--out", "run", "--dry-run"]];
    let submitted = vmhealth(here, &submitted.concat());
    assert!(
        stderr(&submitted)
            .contains("6 nodes, run as they are and with 4 cells of the sweep: 30 runs, shared out among 3 shards"),
        "{}",
        stderr(&submitted)
    );
    for task in ["2", "3", "1"] {
        let mut script = Command::new("sh");
        let output = script.arg("run/shards.sh").env("SLURM_ARRAY_TASK_ID", task).current_dir(here).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{task}: {}", stderr(&output));
        assert_eq!(here.join("run/report").exists(), task == "1", "the last one merges");
    }
    for file in ["results.json", "report.html"] {
        let [one, merged] =
            ["whole", "run/report"].map(|run| std::fs::read_to_string(here.join(run).join(file)).unwrap());
        assert!(one == merged, "{file} differs\n{one}\n{merged}");
    }
    let nodes = |task: &str| {
        let text = std::fs::read(here.join("run/shards").join(task).join("results.json")).unwrap();
        let shard: Value = serde_json::from_slice(&text).unwrap();
        shard["outcomes"].as_array().unwrap().iter().map(|o| o["nodes"].as_u64().unwrap()).sum::<u64>()
    };
    let shares = ["1", "2", "3"].map(nodes);
    assert!(shares.iter().sum::<u64>() == 30 && shares.iter().all(|n| *n > 3), "{shares:?}");
    // What is no part of it, or not all of it.
    let refused = |arguments: &[&str], part: &str| {
        let output = vmhealth(here, &[&["fleet", "fleet.yaml"], arguments].concat());
        assert!(
            output.status.code() == Some(2) && stderr(&output).contains(part),
            "{arguments:?}: {}",
            stderr(&output)
        );
    };
    let all = ["--merge", "run/shards/1", "run/shards/2", "run/shards/3"];
    refused(&all, "a shard of another fleet");
    refused(&[&sweep[..], &["--seed", "6"], &all].concat(), "a shard of another fleet");
    refused(&[&sweep[..], &all[..3]].concat(), "of 3, and 2 were given: all of them are needed");
    refused(&[&sweep[..], &all[..3], &["run/shards/2"]].concat(), "is also in run/shards/2");
    refused(&[&sweep[..], &["--merge", "whole"]].concat(), "no fleet's shard");
    refused(&["--sweep", "vmsPerNode=2", "--sweep", "vmsPerNode=3"], "vmsPerNode comes twice");
    let file = here.join("run/shards/1/results.json");
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [("\"vms\": ", "\"vms\": 99999999999999"), ("\"down\": [", "\"down\": [1,")] {
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        refused(&[&sweep[..], &all].concat(), "its numbers cannot be this fleet's");
    }
}

#[test]
fn what_is_said_before_anything_is_submitted() {
    let dir = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], status: i32, part: &str| {
        let output = vmhealth(dir.path(), &[&["submit"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert!(
            output.status.code() == Some(status) && text.contains(part),
            "{arguments:?}: {:?} {text}",
            output.status
        );
    };
    let slurm =
        |more: &[&'static str]| [&["slurm", "--out", "run", "--world", "model", "killed-daemon"], more].concat();
    check(&slurm(&["--dry-run", "--shards", "3"]), 0, " --requeue '--open-mode=append' '--array=1-3' ");
    check(&slurm(&["--dry-run", "--sbatch=--partition=long"]), 0, "'--partition=long'");
    let script = std::fs::read_to_string(dir.path().join("run/shards.sh")).unwrap();
    assert!(script.contains(" e2e killed-daemon --world model --shard "), "{script}");
    check(&slurm(&["--shards", "0"]), 2, "0 is not in 1..=10000");
    check(&["slurm", "--out", "run", "--dry-run", "no-such"], 2, "no scenario is called");
    std::fs::create_dir(dir.path().join("run/shards")).unwrap();
    check(&slurm(&["--dry-run"]), 2, "has shards of an earlier run");
    check(&["slurm", "--out", "run", "--dry-run", "--fleet", "no.yaml"], 2, "cannot read no.yaml");
    check(&["slurm", "--out", "run", "--dry-run", "--fleet", "no.yaml", "killed-daemon"], 2, "cannot be used with");
    let of_fleet =
        ["kubernetes", "--image", "i", "--claim", "c", "--fleet", "/vmhealth/f.yaml", "--sweep", "vmsPerNode=1..9:2"];
    check(&of_fleet, 0, "vmhealth fleet /vmhealth/f.yaml --sweep");
    check(&[&of_fleet[..7], &["--sweep", "vmsPerNode=1..9"]].concat(), 2, "expected FROM..TO:STEP");
    let kubernetes = ["kubernetes", "--image", "i", "--claim", "c", "--world", "model"];
    check(&kubernetes, 0, "completionMode: \"Indexed\"");
    check(&[&kubernetes[..], &["--name", "A"]].concat(), 2, "not lower case letters");
    check(&[&kubernetes[..], &["--name", &"a".repeat(40)]].concat(), 2, "at most 39");
    // No submission finds the shards of another.
    let folder = || {
        let output = vmhealth(dir.path(), &[&["submit"], &kubernetes[..], &["--name", "a"]].concat());
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let folder = text.lines().find_map(|l| l.trim().strip_prefix("out=/vmhealth/")).unwrap().to_owned();
        assert!(
            text.contains(&format!("name: \"{folder}\"")) && stderr(&output).contains(&format!("{folder}/report")),
            "{text}"
        );
        folder
    };
    let (first, second) = (folder(), folder());
    assert!(first != second && first.starts_with("a-") && first.len() == 19, "{first} {second}");
}

/// Slurm's daemons on this machine: one slurmctld, and four slurmd as node1 to node4, each with all that it starts in a PID namespace, so
/// that it dies as a machine does.
struct Slurm {
    folder: tempfile::TempDir,
    daemons: Vec<(&'static str, Child)>,
}

const NODES: [&str; 4] = ["node1", "node2", "node3", "node4"];

impl Slurm {
    fn start() -> Slurm {
        let mut slurm = Slurm { folder: tempfile::tempdir().unwrap(), daemons: Vec::new() };
        let at = |name: &str| slurm.folder.path().join(name).display().to_string();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        // Slurm knows a host by the first part of its name.
        let host = host.trim().split('.').next().unwrap();
        // All are open at once, so that no two are the same.
        let open: Vec<TcpListener> = (0..5).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = open.iter().map(|l| l.local_addr().unwrap().port()).collect();
        drop(open);
        let mut conf = format!(
            "ClusterName=vmhealth\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={}\nSlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\n\
             AuthInfo=socket={},cred_expire=10\nCredType=cred/munge\nStateSaveLocation={}\nSlurmdSpoolDir={}/%n\nSlurmctldPidFile={}\n\
             SlurmdPidFile={}-%n\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/linear\nSchedulerType=sched/builtin\n\
             SlurmdTimeout=10\nReturnToService=2\nMpiDefault=none\n",
            ports[4],
            at("socket"),
            at("state"),
            at("spool"),
            at("slurmctld.pid"),
            at("slurmd.pid"),
        );
        for (node, port) in NODES.iter().zip(&ports) {
            conf +=
                &format!("NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 State=UNKNOWN\n");
            std::fs::create_dir_all(at(&format!("spool/{node}"))).unwrap();
        }
        conf += "PartitionName=all Nodes=node[1-4] Default=YES State=UP\n";
        std::fs::create_dir(at("state")).unwrap();
        std::fs::write(at("slurm.conf"), conf).unwrap();
        let key: String = (0..1024).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
        std::fs::write(at("key"), key).unwrap();
        for name in ["key", "slurm.conf"] {
            std::fs::set_permissions(at(name), Permissions::from_mode(0o600)).unwrap();
        }
        let munge = ["--key-file", "--socket", "--pid-file", "--seed-file", "--log-file"]
            .iter()
            .zip(["key", "socket", "m.pid", "m.seed", "m.log"]);
        let mut arguments: Vec<String> = munge.map(|(option, name)| format!("{option}={}", at(name))).collect();
        arguments.extend(["--foreground".into(), "--force".into()]);
        slurm.daemon("munged", Command::new("munged").args(arguments));
        let socket = slurm.folder.path().join("socket");
        slurm.wait("munged's socket", 30, || socket.exists(), String::new);
        slurm.daemon("slurmctld", Command::new("slurmctld").args(["-D", "-i"]));
        for node in NODES {
            let words = ["--pid", "--fork", "--kill-child", "--mount-proc", "slurmd", "-D", "-N", node];
            slurm.daemon(node, Command::new("unshare").args(words));
        }
        let idle = || slurm.ask("sinfo", &["-h", "-N", "-o", "%N:%t"]);
        slurm.wait("four idle nodes", 60, || idle().matches(":idle").count() == 4, idle);
        slurm
    }

    fn daemon(&mut self, name: &'static str, command: &mut Command) {
        let log = std::fs::File::create(self.folder.path().join(format!("{name}.out"))).unwrap();
        let child = command
            .env("SLURM_CONF", self.folder.path().join("slurm.conf"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.daemons.push((
            name,
            child.unwrap_or_else(|e| panic!("{name}: {e}: apt-get install slurmctld slurmd slurm-client munge")),
        ));
    }

    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program)
            .args(arguments)
            .env("SLURM_CONF", self.folder.path().join("slurm.conf"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)
    }

    fn wait(&self, what: &str, seconds: u64, is_there: impl Fn() -> bool, seen: impl Fn() -> String) {
        let begun = Instant::now();
        while !is_there() {
            assert!(
                begun.elapsed() < Duration::from_secs(seconds),
                "no {what} after {seconds} s; seen last: {}",
                seen()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn kill(&mut self, name: &str) {
        for (_, daemon) in self.daemons.iter_mut().filter(|(n, _)| *n == name) {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for (_, daemon) in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

#[test]
#[ignore = "needs Slurm's daemons and root: cargo xtask test runs it where they are"]
fn slurm_runs_the_shard_of_a_dead_node_again() {
    let mut slurm = Slurm::start();
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let whole = vmhealth(here, &["e2e", "--world", "model", "killed-daemon", "--out", "whole"]);
    assert_eq!(whole.status.code(), Some(0), "{}", stderr(&whole));
    // On node2 a shard's run comes to its end, and the shard does not: it is there when the node dies.
    let (program, held) = (here.join("program"), here.join("held"));
    let script = format!(
        "#!/bin/sh\n{} \"$@\"\nstatus=$?\n[ \"$SLURMD_NODENAME $1\" = 'node2 e2e' ] || exit $status\ntouch {}\nexec sleep 1000\n",
        env!("CARGO_BIN_EXE_vmhealth"),
        held.display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let submitted = Command::new(env!("CARGO_BIN_EXE_vmhealth"))
        .args(["submit", "slurm", "--world", "model", "killed-daemon", "--shards", "4", "--out", "run", "--program"])
        .arg(&program)
        .env("SLURM_CONF", slurm.folder.path().join("slurm.conf"))
        .current_dir(here)
        .output()
        .unwrap();
    assert_eq!(submitted.status.code(), Some(0), "{}", stderr(&submitted));
    let queue =
        || slurm.ask("squeue", &["-h", "-o", "%i %T %N %r"]) + &slurm.ask("sinfo", &["-h", "-N", "-o", "%N:%t"]);
    slurm.wait("shard on node2", 120, || held.exists(), queue);
    slurm.kill("node2");
    let queue =
        || slurm.ask("squeue", &["-h", "-o", "%i %T %N %r"]) + &slurm.ask("sinfo", &["-h", "-N", "-o", "%N:%t"]);
    let report = here.join("run/report");
    slurm.wait("merged report", 240, || report.exists(), queue);
    assert_eq!(results(&report), results(&here.join("whole")));
    let logs =
        std::fs::read_dir(here.join("run/log")).unwrap().map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap());
    let begun: Vec<String> = logs
        .flat_map(|log| log.lines().filter(|l| l.starts_with("shard ")).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(begun.len(), 5, "four shards, one of them twice: {begun:?}");
    let running = || slurm.ask("squeue", &["-h", "-o", "%i %T %N %r"]);
    slurm.wait("empty queue", 60, || running().trim().is_empty(), running);
    assert_eq!(std::fs::read_dir(here.join("run/tries")).unwrap().count(), 1, "what the dead node left");
    eprintln!("{}\n{}", begun.join("\n"), std::fs::read_to_string(slurm.folder.path().join("slurmctld.out")).unwrap());
}
