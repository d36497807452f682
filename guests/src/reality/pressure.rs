//! What the host kept from a run: a guest that gets no CPU is judged for its host's slowness.
//!
//! Sampled beside the run. A guest is *strained* when its vCPUs were ready to run and got less than a fifth of a core for
//! two seconds, when our own timers came later than a probe's shortest timeout, or when its kernel crashed by itself under
//! TCG: whatever went wrong then may be the host's doing. It is *starved* when that lasted for more than a heartbeat could
//! bear: then even a pass proves nothing.

use super::backend::Backend;
use super::world::World;
use crate::guest::Waited;
use crate::qemu::Accel;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

const CPU_PSI: &str = "/proc/pressure/cpu";
const INTERVAL: Duration = Duration::from_millis(500);
/// Of an interval, spent waiting for a core.
const STARVED_SHARE: f64 = 0.8;
/// In a row.
const STRAINED_FOR: Duration = Duration::from_secs(2);
const STARVED_FOR: Duration = Duration::from_secs(6);
/// Of our own timers: the shortest timeout of a probe, and what no window of a scenario has room for.
const STRAINED_LATE: Duration = Duration::from_secs(1);
const STARVED_LATE: Duration = Duration::from_secs(4);

/// What was seen of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Pressure {
    /// The share of the run in which some process of the host waited for a CPU (PSI); absent where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi_cpu_some: Option<f64>,
    /// By how much our own timer was late at worst, seconds.
    pub timer_late_s: f64,
    /// The largest share of half a second that a guest's vCPUs waited for a core.
    pub vcpu_waited: f64,
    /// Why the host may be to blame for whatever went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strained: Option<String>,
    /// Why the run cannot be trusted at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starved: Option<String>,
}

impl Pressure {
    fn note(&mut self, waited: Duration, late: Duration, what: &str) {
        if waited >= STRAINED_FOR || late >= STRAINED_LATE {
            self.strained.get_or_insert_with(|| what.to_owned());
        }
        if waited >= STARVED_FOR || late >= STARVED_LATE {
            self.starved.get_or_insert_with(|| what.to_owned());
        }
    }
}

/// Looks at what the host keeps from a world.
pub(super) struct Watcher<B: Backend> {
    world: Rc<World<B>>,
    /// A crash may be the translator's doing.
    translated: bool,
    begun: Instant,
    psi_begun: Option<Duration>,
    /// By VMI: how long its vCPUs have waited in all, and for how long now without a fifth of a core.
    guests: BTreeMap<u32, (Duration, Duration)>,
    before: Instant,
    pressure: Pressure,
}

impl<B: Backend> Watcher<B> {
    pub(super) fn new(world: Rc<World<B>>, accel: Accel) -> Watcher<B> {
        let now = Instant::now();
        let (guests, pressure) = (BTreeMap::new(), Pressure::default());
        Watcher {
            world,
            translated: accel == Accel::Tcg,
            begun: now,
            psi_begun: psi_total(CPU_PSI),
            guests,
            before: now,
            pressure,
        }
    }

    /// Looks again and again for as long as it is polled.
    pub(super) async fn watch(watcher: Rc<RefCell<Watcher<B>>>) {
        loop {
            let next = watcher.borrow().before + INTERVAL;
            tokio::time::sleep_until(next).await;
            watcher.borrow_mut().look();
        }
    }

    /// What was seen; a look that is overdue is taken now: the same delay may have made the verdict.
    pub(super) fn end(&mut self) -> Pressure {
        if self.before.elapsed() > INTERVAL {
            self.look();
        }
        // QEMU's translator may have made it: that was seen once in hundreds of boots.
        if let Some(crash) = self.world.shared.crash.borrow().clone().filter(|_| self.translated) {
            self.pressure.strained.get_or_insert(crash);
        }
        self.pressure.clone()
    }

    fn look(&mut self) {
        let now = Instant::now();
        let elapsed = now - self.before;
        let late = elapsed.saturating_sub(INTERVAL);
        self.before = now;
        let pressure = &mut self.pressure;
        pressure.note(Duration::ZERO, late, &format!("the runner's own timer was {:.1} s late", late.as_secs_f64()));
        for (vmi, Waited { in_all: waited, gives_way }) in self.world.waited_for_core() {
            let (seen, lasting) = self.guests.entry(vmi).or_insert((waited, Duration::ZERO));
            let share = waited.saturating_sub(*seen).as_secs_f64() / elapsed.as_secs_f64();
            *seen = waited;
            *lasting = if share >= STARVED_SHARE { *lasting + elapsed } else { Duration::ZERO };
            let seconds = lasting.as_secs_f64();
            let what = format!("the vCPUs of VMI {vmi} waited for a core for {seconds:.0} s");
            let counts = if gives_way { STRAINED_FOR.min(*lasting) } else { *lasting };
            pressure.note(counts, Duration::ZERO, &what);
            pressure.vcpu_waited = pressure.vcpu_waited.max(share.min(1.0));
        }
        let psi = self.psi_begun.zip(psi_total(CPU_PSI));
        pressure.psi_cpu_some =
            psi.map(|(a, b)| b.saturating_sub(a).as_secs_f64() / self.begun.elapsed().as_secs_f64());
        pressure.timer_late_s = pressure.timer_late_s.max(late.as_secs_f64());
    }
}

/// `some ... total=` in microseconds.
fn psi_total(path: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(path).ok()?;
    let total = text.lines().find(|l| l.starts_with("some"))?.split("total=").nth(1)?;
    total.trim().parse().ok().map(Duration::from_micros)
}
