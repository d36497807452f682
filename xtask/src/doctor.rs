//! What this host can do, and the command that fixes what it cannot.

use crate::host::{self, Tool};
use crate::prepare::recipe;
use crate::run::HostError;
use vmhealth_guests::accel::{self, AccelChoice};
use vmhealth_guests::confine;
use vmhealth_guests::host::LOCAL_HOST;
use vmhealth_guests::image::Kernel;
use vmhealth_guests::net::Netns;
use vmhealth_guests::qemu::Accel;
use vmhealth_images::{Entry, Store};
use vmhealth_sim::manifest::Architecture;

/// Prints a line for each thing that guests need; `true` if nothing is missing. Takes seconds: guests are booted to find out
/// whether KVM works.
pub async fn examine(print: &dyn Fn(&str)) -> Result<bool, HostError> {
    let images = Store::new(&host::cache_folder()).list().map_err(|e| HostError::NotReady(e.to_string()))?;
    let report = Report { print };
    let mut fine = report.line(match Netns::new().and_then(|n| n.tap().map(drop)) {
        Ok(()) => Ok("network: a namespace and a TAP can be made".into()),
        Err(e) => Err(format!("network: {e}")),
    });
    for (n, part) in confine::parts().await.into_iter().enumerate() {
        let said = |text| format!("confinement: {}: {text}", part.name);
        let there = report.line(part.found.map(said).map_err(said));
        // The others come on top.
        fine &= there || n > 0;
    }
    for architecture in [Architecture::Amd64, Architecture::S390x] {
        print(&format!("{architecture} guests:"));
        fine &= report.guests_of(architecture, &images).await?;
    }
    print(&format!(
        "        {} cores, {} MiB for guests, cache in {}",
        host::cores(),
        host::memory_budget_mib(),
        host::cache_folder().display()
    ));
    Ok(fine)
}

struct Report<'a> {
    print: &'a dyn Fn(&str),
}

impl Report<'_> {
    /// What is there, or what is missing.
    fn line(&self, found: Result<String, String>) -> bool {
        let (word, text) = match &found {
            Ok(text) => ("ok", text),
            Err(text) => ("missing", text),
        };
        (self.print)(&format!("{word:7} {text}"));
        found.is_ok()
    }

    async fn guests_of(&self, architecture: Architecture, images: &[Entry]) -> Result<bool, HostError> {
        let mut fine = true;
        let stored = images
            .iter()
            .find(|e| e.current.is_some_and(|r| r.architecture == architecture.as_str()))
            .map(|e| &e.image);
        let mut tools = host::tools(architecture);
        if !matches!(stored, Some(Ok(_))) {
            tools.extend(host::tools_to_build());
        }
        for tool in &tools {
            let text = format!("{} ({})", tool.name(), tool.purpose);
            let path = tool.path().map(|p| format!("{text}: {}", p.display()));
            fine &= self.line(path.ok_or(text));
        }
        let missing: Vec<Tool> = tools.into_iter().filter(|tool| tool.path().is_none()).collect();
        if !missing.is_empty() {
            (self.print)(&format!("        fix: sudo {}", host::install_command(&missing)));
        }
        self.line(Ok(match stored {
            Some(Ok(image)) => format!("guest image {}", image.digest),
            Some(Err(problem)) => format!("guest image damaged ({problem}); the next run builds it again"),
            None => "guest image not built yet; the next run builds it (minutes)".into(),
        }));
        fine &= self.line(match (LOCAL_HOST.find(architecture), stored) {
            (Ok(emulator), Some(Ok(stored))) => {
                let kernel = Kernel::new(stored, recipe(architecture)?);
                let cache = host::cache_folder();
                let found = accel::find(AccelChoice::Auto, architecture, &kernel, &emulator, &cache).await;
                let clock = match found.accel {
                    Accel::Kvm => "guests live in real time",
                    Accel::Tcg => "guests live in guest time",
                };
                Ok(format!("accelerator {} ({}), {clock}", found.accel.as_str(), found.why))
            }
            (Ok(_), _) => Ok("accelerator: found by booting the guest image, once it is built".into()),
            (Err(e), _) => Err(e.to_string()),
        });
        Ok(fine)
    }
}
