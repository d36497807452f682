//! `doctor`: what this host can do.

use super::exit::{Failure, Status};
use crate::doctor::examine;

pub(super) async fn run() -> Result<Status, Failure> {
    let fine = examine(&|line| println!("{line}")).await?;
    Ok(if fine { Status::Passed } else { Status::Infra })
}
