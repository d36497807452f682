//! `cargo xtask doctor`: what this host can do, and the command that mends what it cannot.

use crate::exit::{Failure, Status, infra};
use crate::prepare::recipe;
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::host::LOCAL_HOST;
use vmhealth_guests::image::Kernel;
use vmhealth_guests::net::Netns;
use vmhealth_images::{Entry, Store};
use vmhealth_sim::manifest::Architecture;
use vmhealth_tests::host;

/// Says it, a line each.
pub(crate) async fn doctor() -> Result<Status, Failure> {
    let images = Store::new(&host::cache_folder()).list().map_err(infra)?;
    let mut fine = true;
    let net = Netns::new().and_then(|n| n.tap().map(drop));
    fine &= line(
        net.is_ok(),
        match net {
            Ok(()) => "network: a namespace and a TAP can be made".into(),
            Err(e) => format!("network: {e}"),
        },
    );
    for architecture in [Architecture::Amd64, Architecture::S390x] {
        println!("{architecture} guests:");
        fine &= guests_of(architecture, &images).await?;
    }
    println!(
        "     {} cores, {} MiB for guests, cache in {}",
        host::cores(),
        host::memory_budget_mib(),
        host::cache_folder().display()
    );
    Ok(if fine { Status::Passed } else { Status::Infra })
}

fn line(ok: bool, text: String) -> bool {
    println!("{} {text}", if ok { "ok  " } else { "LACK" });
    ok
}

async fn guests_of(architecture: Architecture, images: &[Entry]) -> Result<bool, Failure> {
    let mut fine = true;
    for tool in host::tools(architecture) {
        let place = tool.path().map(|p| format!(": {}", p.display()));
        let text = format!("{} ({}){}", tool.name(), tool.purpose, place.clone().unwrap_or_default());
        fine &= line(place.is_some(), text);
    }
    let missing = host::missing(architecture);
    if !missing.is_empty() {
        println!("     mend: sudo {}", host::install_command(&missing));
    }
    let stored =
        images.iter().find(|e| e.current.is_some_and(|r| r.architecture == architecture.as_str())).map(|e| &e.image);
    line(
        true,
        match stored {
            Some(Ok(image)) => format!("guest image {}", image.digest),
            Some(Err(problem)) => format!("guest image damaged ({problem}); the next run builds it again"),
            None => "guest image not built yet; the next run builds it (minutes)".into(),
        },
    );
    match (LOCAL_HOST.find(architecture), stored) {
        (Ok(emulator), Some(Ok(stored))) => {
            let kernel = Kernel::new(stored, recipe(architecture)?);
            let found = accel::find(AccelChoice::Auto, architecture, &kernel, &emulator, &host::cache_folder()).await;
            let (accel, scale) = (found.accel.as_str(), found.accel.guest_scale());
            line(true, format!("accelerator {accel} ({}), guest-time deadlines x{scale}", found.why));
        }
        (Ok(_), _) => {
            line(true, "accelerator: found by booting the guest image, once it is built".into());
        }
        (Err(e), _) => fine &= line(false, e.to_string()),
    }
    Ok(fine)
}
