//! A run that is held at its end, for whoever wants to look into its guests: where each of them can be reached.

use super::door::Door;
use super::qemu::{MONITOR, Qemu};
use super::setup::Held;
use super::world::World;
use qapi::qmp;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use vmhealth_sim::scenario::Verdict;

const QMP_LIMIT: Duration = Duration::from_secs(10);
/// The socket of QEMU's stub for gdb.
const GDB: &str = "gdb";

/// Holds the run's guests until `cancelled`, or until the door is asked to let go; one line to `told` for each guest, and none
/// where there is no guest left.
pub(super) async fn hold(
    world: &World<Qemu>,
    door: &Door,
    verdict: &Verdict,
    told: &mpsc::UnboundedSender<Held>,
    cancelled: &mut watch::Receiver<bool>,
) {
    let guests = world.present();
    if guests.is_empty() {
        return;
    }
    door.hold_at_end().await;
    for (vmi, guest) in guests {
        let live = guest.live();
        let socket = live.scratch().join(GDB);
        let serve = format!("gdbserver unix:{},server=on,wait=off", socket.display());
        let command = qmp::human_monitor_command { cpu_index: None, command_line: serve };
        let gdb = match live.qmp.execute(command, QMP_LIMIT).await {
            Ok(_) if socket.exists() => Ok(socket),
            Ok(said) => Err(said.trim().to_owned()),
            Err(e) => Err(e.to_string()),
        };
        let why = match verdict {
            Verdict::Pass => String::new(),
            Verdict::Fail(why) | Verdict::Infra(why) => why.clone(),
        };
        let held = Held {
            vmi,
            at_s: world.shared.clock.now().as_secs_f64(),
            why,
            console: live.serial.clone(),
            qmp: live.scratch().join(MONITOR),
            gdb,
        };
        // Whoever is told may be gone with the whole run.
        let _ = told.send(held);
    }
    tokio::select! {
        () = door.asked_to_end() => {}
        _ = cancelled.wait_for(|c| *c) => {}
    }
}
