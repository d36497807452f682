//! What is advised holds: tried at every moment, and one step weaker it does not.

use std::time::{Duration, Instant};
use vmhealth_sim::advise::{Advice, Bench, Boots, Broken, Goal, advise, breaking};
use vmhealth_sim::budget::{Basis, Given};
use vmhealth_sim::cluster::KubevirtVersion;
use vmhealth_sim::fixture::{Vm, scenario, vm};
use vmhealth_sim::manifest::WatchdogAction;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn try_it() {
    for (vm, guest, within, boot, hiccup) in [(
        vm().watchdog(WatchdogAction::Poweroff)
            .readiness("httpGet: {port: 1500}, periodSeconds: 5")
            .liveness("httpGet: {port: 1500}, initialDelaySeconds: 120, periodSeconds: 20, timeoutSeconds: 10"),
        "watchdogDaemon: {heartbeatSeconds: 60, keepalive: masked}, healthServer: true, servesProbes: true",
        180,
        (45, 90),
        8,
    )] {
        let vm = vm.build();
        let spec = scenario().guest(guest).build().spec;
        let basis = Basis::of(&vm, &Given { boot: Some(secs(boot.1)), ..Given::default() });
        let bench =
            Bench { vm: &vm, guest: &spec.guest, assumptions: basis.assumptions, version: KubevirtVersion::default() };
        let goal = Goal {
            within: secs(within),
            boots: Boots { fastest: secs(boot.0), slowest: secs(boot.1) },
            hiccup: secs(hiccup),
        };
        let faults = breaking(&vm, &spec.guest);
        let t = Instant::now();
        let advice = advise(&bench, &goal, &faults).unwrap();
        println!("{:?} {faults:?}", t.elapsed());
        let show = |name: &str, a: &vmhealth_sim::advise::Answer| {
            println!(
                "{name} {:?} survives {:?} ppm {:.1} runs {} rec {:?} false {:?}",
                a.changes.iter().map(|c| format!("{}={}", c.field, c.to)).collect::<Vec<_>>(),
                a.survives,
                a.numbers.probes_per_minute(),
                a.proof.runs,
                a.proof.recovery(),
                a.proof.false_restarts
            );
            for w in &a.proof.faults {
                println!("     {w:?}");
            }
        };
        show("now", &advice.now);
        for a in &advice.front {
            show("front", a);
        }
        if let Some(a) = &advice.best {
            show("best", a);
        }
        if let Some(a) = &advice.instead {
            show("instead", a);
        }
        println!("{:?} {:?}", advice.reasons, advice.looked_at);
    }
}
