//! The scenario catalogue is part of the binary: it is built again when a file comes, changes or goes.

fn main() {
    println!("cargo::rerun-if-changed=../tests/scenarios");
}
