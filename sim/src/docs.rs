//! The facts that the code obeys and cites, as pages: `sim/docs/*.md`.
//!
//! A citation such as `kubevirt-health.md 2.4` means section 2.4 of the page; `tests/citations.rs` keeps them right. Where code
//! and page differ, one of them is wrong.

#[doc = include_str!("../docs/guest-images.md")]
pub mod guest_images {}

#[doc = include_str!("../docs/kubelet-prober.md")]
pub mod kubelet_prober {}

#[doc = include_str!("../docs/kubevirt-health.md")]
pub mod kubevirt_health {}

#[doc = include_str!("../docs/qemu-watchdog.md")]
pub mod qemu_watchdog {}
