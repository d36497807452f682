//! A small client of Docker's HTTP API, which Podman serves too, over the engine's unix socket: only the calls that hosts of
//! vmhealth need.
//!
//! Every call is bounded in time and size. It must not know what runs in the containers.

mod api;
mod error;
#[cfg(test)]
mod fake;
mod http;
mod socket;

pub use api::{ContainerState, Docker, ListedContainer};
pub use error::DockerError;
