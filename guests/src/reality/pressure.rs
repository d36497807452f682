//! What the host kept from a run: a guest that gets no CPU is judged for its host's slowness.
//!
//! Sampled beside the run. Two things make a run worthless as a judgement: the vCPUs of a guest were ready to run and got less
//! than a fifth of a core for seconds, or our own timers came late. What is merely slow is recorded and no more.

use super::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_millis(500);
/// Of an interval, spent waiting for a core.
const STARVED_SHARE: f64 = 0.8;
/// Intervals in a row.
const STARVED_FOR: u32 = 4;
/// Of our own timers: as long as the shortest timeout of a probe.
const LATE: Duration = Duration::from_secs(1);

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
    /// Why the run cannot be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starved: Option<String>,
}

/// Samples for as long as it is polled.
pub(super) async fn watch(world: World, pressure: impl Fn(&dyn Fn(&mut Pressure))) {
    let psi = || psi_total("/proc/pressure/cpu");
    let (begun, psi_begun) = (Instant::now(), psi());
    let mut guests: BTreeMap<u32, (Duration, u32)> = BTreeMap::new();
    let mut before = Instant::now();
    loop {
        tokio::time::sleep_until(before + INTERVAL).await;
        let now = Instant::now();
        let elapsed = now - before;
        let late = elapsed.saturating_sub(INTERVAL);
        before = now;
        let mut worst: f64 = 0.0;
        let mut starved = (late > LATE).then(|| format!("the runner's own timer was {:.1} s late", late.as_secs_f64()));
        for (vmi, waited) in world.vcpus_waited() {
            let (seen, row) = guests.entry(vmi).or_insert((waited, 0));
            let share = waited.saturating_sub(*seen).as_secs_f64() / elapsed.as_secs_f64();
            *seen = waited;
            *row = if share >= STARVED_SHARE { *row + 1 } else { 0 };
            worst = worst.max(share);
            if *row >= STARVED_FOR {
                starved = Some(format!(
                    "the vCPUs of VMI {vmi} waited for a core for {:.0} % of {:.0} s",
                    100.0 * share,
                    (INTERVAL * STARVED_FOR).as_secs_f64()
                ));
            }
        }
        let psi_share = psi_begun.zip(psi()).map(|(a, b)| (b - a).as_secs_f64() / begun.elapsed().as_secs_f64());
        pressure(&|p| {
            p.psi_cpu_some = psi_share;
            p.timer_late_s = p.timer_late_s.max(late.as_secs_f64());
            p.vcpu_waited = p.vcpu_waited.max(worst);
            if p.starved.is_none() {
                p.starved.clone_from(&starved);
            }
        });
    }
}

/// `some ... total=` in microseconds.
fn psi_total(path: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(path).ok()?;
    let total = text.lines().find(|l| l.starts_with("some"))?.split("total=").nth(1)?;
    total.trim().parse().ok().map(Duration::from_micros)
}
