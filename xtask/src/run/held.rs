//! What is said of a run that is held at its end: how to reach its guests.

use super::reality::Progress;
use crate::program;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::UnboundedReceiver;
use vmhealth_guests::reality::Held;

/// Says it of each guest that is held; `evidence`: the scenario's folder.
pub(super) async fn tell(mut held: UnboundedReceiver<Held>, evidence: PathBuf, progress: Progress) {
    while let Some(guest) = held.recv().await {
        lines(&guest, &evidence).iter().for_each(|line| progress.say(line));
    }
}

fn lines(guest: &Held, evidence: &Path) -> Vec<String> {
    let why = if guest.why.is_empty() { "the run was to stop here" } else { &guest.why };
    let quoted = |path: &Path| {
        let path = path.display().to_string();
        shlex::try_quote(&path).map(String::from).unwrap_or(path)
    };
    let folder = evidence.display().to_string();
    let gdb = match &guest.gdb {
        Ok(socket) => format!("gdb -ex 'target remote {}'", socket.display()),
        Err(why) => format!("none: {why}"),
    };
    vec![
        format!("the guest of VMI {} is held at {:.3} s: {why}", guest.vmi, guest.at_s),
        format!("  console  less {}", quoted(&guest.console)),
        format!("  shell    {}", program::command_line(["shell", &folder])),
        format!("  QMP      socat - UNIX-CONNECT:{}", quoted(&guest.qmp)),
        format!("  gdb      {gdb}"),
        format!("  it stays until Ctrl-C, or {}", program::command_line(["shell", &folder, "--end"])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_in_is_a_command() {
        let mut guest = Held {
            vmi: 2,
            at_s: 23.4,
            why: "awaited qemu EXIT (2 of 3): deadline".into(),
            console: "my runs/serial-2.log".into(),
            qmp: "run/2/monitor".into(),
            gdb: Ok("run/2/gdb".into()),
        };
        let text = |guest: &Held| lines(guest, Path::new("my runs/qemu/a.b.c")).join("\n");
        insta::assert_snapshot!("held", text(&guest));
        (guest.why, guest.gdb) = (String::new(), Err("QEMU has no gdbserver".into()));
        insta::assert_snapshot!("held_on_purpose", text(&guest));
    }
}
