//! How a Debian guest is broken from within (qemu-watchdog.md 9), by what each of them has: systemd, util-linux, the kernel's files.
//!
//! A span is the guest's own time. A unit of its own outlives the agent; no `${` in one, which systemd-run would read.

use super::super::interface::{Breakage, LACKS, SAYS};
use super::watchdog::{DAEMON, WHO_TAKES_OVER};
use vmhealth_sim::scenario::{ClockJump, Fault, HEALTH_UNIT, OomVictim, PidsLimit, UnitFault};

const HANG_AGENT: &str = r#"kill -STOP $pid
until grep -q '^State:.*T' /proc/$pid/status; do
    [ -e /proc/$pid ] || lack "qemu-ga (pid $pid) has ended"
    sleep 0.02
done
say "qemu-ga (pid $pid) is in state T"
sleep $span
kill -CONT $pid
"#;

/// The kernel's own killer, called by hand; it takes whoever has the highest score. Debian's memory controller may be off, which
/// rules out a limit of a cgroup.
const OOM_KILL: &str = r#"# The watchdog daemon exempts itself.
echo 1000 > /proc/$pid/oom_score_adj
echo f > /proc/sysrq-trigger
n=0
until dmesg | grep -q "Out of memory: Killed process $pid "; do
    n=$((n + 1)); [ $n -gt 50 ] && lack "the OOM killer has not taken pid $pid"
    sleep 0.1
done
say "the OOM killer has taken pid $pid"
"#;

/// Blocks that are never written take a moment to fill; what others free is filled again.
const FILL_DISK: &str = r#"end=$(($(cut -d. -f1 /proc/uptime) + span))
n=$(($(stat -f -c '%f * %S' /)))
file=/var/tmp/vmhealth-full
at=0
while [ $n -ge 4096 ]; do
    if fallocate -o $at -l $n $file 2>/dev/null; then at=$((at + n)); else n=$((n / 2)); fi
done
dd if=/dev/zero of=$file.rest bs=4k 2>/dev/null
dd if=/dev/zero of=$file.one bs=4k count=1 2>/dev/null && lack "4 KiB could still be written to /var/tmp"
say "4 KiB cannot be written to /var/tmp"
while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do
    sleep 1
    dd if=/dev/zero of=$file.rest bs=4k oflag=append conv=notrunc 2>/dev/null
done
rm -f $file $file.rest $file.one
"#;

const JUMP: &str = r#"before=$(date +%s)
date -s @$((before + by)) > /dev/null
now=$(date +%s)
[ $(((now - before - by) / 10)) = 0 ] || lack "the clock went from $before to $now"
say "the clock went from $before to $now"
"#;

/// The kernel keeps a part of each second for programs without such a priority: before 6.12 by a limit for all real-time
/// programs, since then by a server for the others. Both are switched off. It also ends whoever has used up his CPU time, which
/// is how the loops end, for no program could end them.
const HOG: &str = r#"echo -1 > /proc/sys/kernel/sched_rt_runtime_us || lack "sched_rt_runtime_us cannot be set"
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
for server in /sys/kernel/debug/sched/fair_server/cpu*/runtime; do
    [ ! -e $server ] || echo 0 > $server || lack "the fair server cannot be switched off"
done
ulimit -t $span
say "a loop of priority 99 begins on each of $(nproc) CPUs"
for cpu in $(seq $(nproc)); do chrt -f 99 /bin/sh -c 'while :; do :; done' & done
wait
"#;

/// Where the kernel lets nobody else run, a program cannot go: a BPF program can.
const LOCKUP: &str = include_str!("../../../assets/lockup.pl");

/// The detector, which may be off, begins to look when it is switched on.
const SOFT_LOCKUP: &str = r#"[ -e /proc/sys/kernel/softlockup_panic ] || lack "this kernel has no soft lockup detector"
was="$(cat /proc/sys/kernel/watchdog) $(cat /proc/sys/kernel/softlockup_panic)"
echo $panics > /proc/sys/kernel/softlockup_panic
echo 0 > /proc/sys/kernel/watchdog
echo 1 > /proc/sys/kernel/watchdog
lockup lock $span
set -- $was
echo $1 > /proc/sys/kernel/watchdog
echo $2 > /proc/sys/kernel/softlockup_panic
"#;

/// Whoever reads from a file holds its place in it, and another one who has the same open file waits for that: a file that
/// nobody ever writes to holds both.
const HUNG_TASK: &str = r#"[ -e /proc/sys/kernel/hung_task_panic ] || lack "this kernel has no hung task detector"
mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
instance=/sys/kernel/tracing/instances/vmhealth
mkdir -p $instance && exec 3< $instance/trace_pipe || lack "no file could be made that a read waits for"
cat <&3 > /dev/null & holder=$!
n=0
until grep -q tracing_read_pipe /proc/$holder/stack; do
    n=$((n + 1)); [ $n -gt 100 ] && lack "pid $holder does not wait for the file"
    sleep 0.02
done
cat <&3 > /dev/null & hung=$!
n=0
until grep -q '^State:.*D' /proc/$hung/status; do
    n=$((n + 1)); [ $n -gt 100 ] && lack "pid $hung does not wait in the kernel"
    sleep 0.02
done
was="$(cat /proc/sys/kernel/hung_task_timeout_secs) $(cat /proc/sys/kernel/hung_task_panic)"
echo $panics > /proc/sys/kernel/hung_task_panic
echo $timeout > /proc/sys/kernel/hung_task_timeout_secs
say "pid $hung is in state D"
sleep $span
kill -9 $hung $holder
wait
set -- $was
echo $1 > /proc/sys/kernel/hung_task_timeout_secs
echo $2 > /proc/sys/kernel/hung_task_panic
exec 3<&-
rmdir $instance
"#;

const KNOWN: &str = r#"[ "$(systemctl show -P LoadState $unit)" = loaded ] || lack "there is no unit $unit"
[ "$(systemctl is-active $unit)" = active ] || lack "$unit does not run: it is $(systemctl is-active $unit)"
before=$(systemctl show -P InvocationID $unit)
"#;

const STOP_UNIT: &str = r#"systemctl stop $unit || lack "systemctl stop $unit failed"
systemctl is-active --quiet $unit && lack "$unit still runs"
say "$unit is $(systemctl is-active $unit)"
"#;

/// All processes of its control group, also those that were forked meanwhile.
const FREEZE_UNIT: &str = r#"group=$(systemctl show -P ControlGroup $unit)
[ -n "${group#/}" ] || lack "$unit has no processes of its own"
group=/sys/fs/cgroup$group
pids() { find $group -name cgroup.procs -exec cat {} +; }
[ -n "$(pids)" ] || lack "$unit has no process"
n=0
while for pid in $(pids); do grep -q '^State:.*[TZ]' /proc/$pid/status 2>/dev/null || echo $pid; done | grep -q .; do
    n=$((n + 1)); [ $n -gt 50 ] && lack "$unit has processes that do not stop"
    kill -STOP $(pids) 2>/dev/null
    sleep 0.02
done
say "$(pids | wc -l) processes of $unit are in state T"
"#;

const RESTART_UNIT: &str = r#"systemctl restart $unit || lack "systemctl restart $unit failed"
now=$(systemctl show -P InvocationID $unit)
[ -n "$now" ] && [ "$now" != "$before" ] || lack "$unit was not started again"
say "$unit was started again"
"#;

/// What the guest sends from the port finds no route, its answers to handshakes too; nothing needs to be installed for it.
const DROP_PORT: &str = r#"rule="pref 15000 ipproto tcp sport $port"
for v in -4 -6; do ip $v rule add $rule blackhole 2>/dev/null; done
ip -4 rule show pref 15000 | grep -q "sport $port" || lack "no rule for port $port could be made"
say "what the guest sends from TCP port $port is dropped"
sleep $span
for v in -4 -6; do ip $v rule del $rule blackhole 2>/dev/null; done
"#;

/// Children that sleep: what is scarce is processes, and neither memory nor the CPU. A place that others give up is taken again. A
/// limit that is set to what there is, and some: a real one would take more memory than such a guest has.
const FORK_BOMB: &str = r#"group=/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup)
[ $limit = slice ] && group=/sys/fs/cgroup/system.slice
[ -e $group/pids.max ] || lack "$group has no limit of processes"
was=$(cat $group/pids.max)
echo $(($(cat $group/pids.current) + 64)) > $group/pids.max || lack "$group/pids.max cannot be set"
perl - $span "$says$group has its $(cat $group/pids.max) processes" <<'END'
use strict; use warnings;
my ($span, $word) = @ARGV;
my ($end, @children) = (0);
while (!$end || time < $end) {
    my $child = fork;
    if (defined $child) {
        if (!$child) { sleep $span + 60; exit }
        push @children, $child;
        next;
    }
    if (!$end) {
        $end = time + $span;
        open my $console, '>', '/dev/console' or exit 9;
        syswrite $console, "$word\n";
    }
    select undef, undef, undef, 0.05;
}
kill 9, @children;
END
echo $was > $group/pids.max
"#;

/// The shell's function of that program.
fn lockup() -> String {
    format!("lockup() {{ perl - $1 $2 '{SAYS}' '{LACKS}' <<'END'; }}\n{LOCKUP}\nEND\n")
}

/// A unit's script: `say` and `lack` write to the console.
pub(super) fn unit(variables: &str, script: &str) -> Breakage {
    let say = format!("say() {{ echo \"{SAYS}$*\" > /dev/console; }}");
    let lack = format!("lack() {{ echo \"{LACKS}$*\" > /dev/console; exit 9; }}");
    Breakage::Unit(format!("{say}\n{lack}\n{variables}\n{script}"))
}

/// The agent's script: they write to its own output.
pub(super) fn run(variables: &str, script: &str) -> Breakage {
    let (say, lack) = ("say() { echo \"$*\"; }", "lack() { echo \"$*\" >&2; exit 9; }");
    Breakage::Script(format!("{say}\n{lack}\n{variables}\n{script}"))
}

/// `None`: not brought about from within.
pub(super) fn script(fault: &Fault) -> Option<Breakage> {
    let agent = "pid=$(pidof -s qemu-ga) || lack no qemu-ga runs";
    Some(match fault {
        Fault::HangAgent { lasting } => unit(&format!("{agent}\nspan={}", lasting.0.as_secs_f64()), HANG_AGENT),
        Fault::OomKill { of: OomVictim::Watchdog } => run(DAEMON, &format!("{OOM_KILL}{WHO_TAKES_OVER}")),
        Fault::OomKill { of: OomVictim::Agent } => unit(agent, OOM_KILL),
        Fault::OomKill { of: OomVictim::Service } => {
            let pid = format!("pid=$(systemctl show -P MainPID {HEALTH_UNIT})");
            run(&format!("{pid}\n[ $pid -gt 0 ] || lack no {HEALTH_UNIT} runs"), OOM_KILL)
        }
        Fault::DiskFull { lasting } => unit(&format!("span={}", lasting.0.as_secs()), FILL_DISK),
        Fault::ClockJump(ClockJump::Forward(by)) => run(&format!("by={}", by.0.as_secs()), JUMP),
        Fault::ClockJump(ClockJump::Back(by)) => run(&format!("by=-{}", by.0.as_secs()), JUMP),
        Fault::CpuHog { lasting } => unit(&format!("span={}", lasting.0.as_secs().max(1)), HOG),
        Fault::ForkBomb { lasting, limit } => {
            let limit = match limit {
                PidsLimit::Unit => "unit",
                PidsLimit::Slice => "slice",
            };
            let span = lasting.0.as_secs_f64();
            unit(&format!("span={span}\nlimit={limit}\nsays='{SAYS}'"), FORK_BOMB)
        }
        Fault::KernelHang => unit("", &format!("{}lockup hang 0\n", lockup())),
        Fault::SoftLockup { lasting, panics } => {
            let variables = format!("span={}\npanics={}", lasting.0.as_secs_f64(), u8::from(*panics));
            unit(&variables, &format!("{}{SOFT_LOCKUP}", lockup()))
        }
        Fault::HungTask { lasting, timeout_secs, panics } => {
            let (span, panics) = (lasting.0.as_secs_f64(), u8::from(*panics));
            unit(&format!("span={span}\ntimeout={timeout_secs}\npanics={panics}"), HUNG_TASK)
        }
        Fault::Unit(what) => {
            let script = match what {
                UnitFault::Stop(_) => STOP_UNIT,
                UnitFault::Freeze(_) => FREEZE_UNIT,
                UnitFault::Restart(_) => RESTART_UNIT,
            };
            run(&format!("unit={}", what.unit().as_str()), &format!("{KNOWN}{script}"))
        }
        Fault::DropPort { port, lasting } => unit(&format!("port={port}\nspan={}", lasting.0.as_secs_f64()), DROP_PORT),
        // In a shell of its own, so that an exit of its is no exit of ours.
        Fault::Command(command) => {
            let quoted = format!("'{}'", command.replace('\'', r"'\''"));
            let script = "out=$(/bin/sh -c \"$command\" 2>&1) || lack \"exit status $?: $out\"\nsay \"the command ended with status 0\"";
            run(&format!("command={quoted}"), script)
        }
        Fault::Nmi { panics } => run("", &format!("echo {} > /proc/sys/kernel/unknown_nmi_panic", u8::from(*panics))),
        _ => return None,
    })
}
