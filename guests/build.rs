//! Builds the object that is loaded into QEMU (`clock/`), which the library carries within itself.
//!
//! By a cargo of its own: the object is another kind of library, with other features, than what is linked here.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// What a wrapper of this build (clippy) or its flags would do to that one.
const NOT_INHERITED: [&str; 5] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

fn main() {
    println!("cargo::rerun-if-changed=clock");
    let set = |name: &str| env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let out = PathBuf::from(set("OUT_DIR"));
    let folder = out.join("clock");
    let mut cargo = Command::new(set("CARGO"));
    cargo.args([
        "rustc",
        "--quiet",
        "--locked",
        "--release",
        "--lib",
        "--crate-type",
        "cdylib",
        "--features",
        "preload",
    ]);
    cargo.arg("--manifest-path").arg(PathBuf::from(set("CARGO_MANIFEST_DIR")).join("clock/Cargo.toml"));
    cargo.arg("--target-dir").arg(&folder).arg("--target").arg(set("TARGET"));
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    let status = cargo.status().unwrap_or_else(|e| panic!("cannot run cargo: {e}"));
    assert!(status.success(), "the object for QEMU's clock cannot be built");
    let built = folder.join(set("TARGET")).join("release/libvmhealth_clock.so");
    std::fs::copy(&built, out.join("clock.so")).unwrap_or_else(|e| panic!("{}: {e}", built.display()));
}
