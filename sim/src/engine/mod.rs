//! The engine: one VM, its controllers, its kubelet, its scenario, without any I/O.
//!
//! Contract of [`Engine`]: bring an [`Input`] with [`Engine::handle`] (times never go back), then take
//! [`Engine::next_command`] until there is none, then wait until [`Engine::next_wakeup`] or the next input, then call
//! [`Engine::advance`]. It ends when [`Engine::verdict`] is there. [`crate::world::Driver`] does all of that.

mod io;
mod run;
mod timer;

pub use io::{Command, Connection, FaultNews, GuestReport, Input, Request, VmiInput};
pub use run::{Config, Engine};
