//! The user's own `kubevirt.io/v1` manifest: the parts about health typed, everything else listed.
//!
//! [`read`] never guesses: what it cannot use is a [`Problem`] with file, line, column, field path and what was expected.
//! It must not know how a guest is booted. Validation in the cluster's layers (kubevirt-health.md 2) comes on top.

mod architecture;
mod base64;
mod boot;
mod calls;
mod cloud_config;
mod decode;
mod destination;
mod places;
mod probe;
mod quantity;
mod settings;
mod types;
mod user_data;

pub use crate::devices::{WatchdogAction, WatchdogModel};
pub use crate::yaml::{Problem, Problems, Severity};
pub use architecture::Architecture;
pub(crate) use base64::go_base64;
pub use boot::{Boot, Firmware, Volume, VolumeKind};
pub(crate) use decode::decode;
pub use decode::{go_bool, only_vm, read, read_for_own_image, read_probe};
pub use destination::Destination;
pub use places::{NAMESPACE, Places};
pub use probe::{Handler, HttpGet, PodProbe, Port, Probe, Scheme, Timings, as_received};
pub(crate) use probe::{LIBVIRT_STARTUP_DELAY, VIRT_PROBE, is_header_name};
pub(crate) use quantity::{Quantity, bytes, is_quantity};
pub use types::*;
pub use user_data::{Petter, UserData, WatchdogHolder};
