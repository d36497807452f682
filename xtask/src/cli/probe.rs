//! `probe`: one probe as the kubelet makes it.

use super::arguments::{Format, parse_header};
use super::exit::{Failure, Status, infra};
use super::output::out;
use crate::probe::{self, Handler, parse_address, parse_url};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use vmhealth_guests::probe::HttpTarget;

#[derive(Debug, Args)]
pub(super) struct Probe {
    #[command(subcommand)]
    pub(super) handler: HandlerArg,
    /// The probe's timeoutSeconds
    #[arg(long, global = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) timeout: u32,
    /// What to print
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum HandlerArg {
    /// Probe with httpGet
    Http {
        /// http://HOST[:PORT]/PATH or https://...; the path is parsed as the kubelet parses a probe's path
        #[arg(value_parser = parse_url)]
        url: HttpTarget,
        /// A header, NAME:VALUE; may be repeated
        #[arg(long = "header", value_parser = parse_header)]
        headers: Vec<(String, String)>,
    },
    /// Probe with tcpSocket
    Tcp {
        /// HOST:PORT
        #[arg(value_parser = parse_address)]
        address: (String, u16),
    },
    /// Probe with guestAgentPing, or with exec if there is a command
    Agent {
        /// The unix socket of a running guest's agent port on this host; no other program may have it open
        socket: PathBuf,
        /// The program and its arguments, run without a shell
        #[arg(last = true)]
        command: Vec<String>,
    },
}

impl Probe {
    pub(super) async fn run(self) -> Result<Status, Failure> {
        let handler = match self.handler {
            HandlerArg::Http { url, headers } => Handler::Http(HttpTarget { headers, ..url }),
            HandlerArg::Tcp { address: (host, port) } => Handler::Tcp(host, port),
            HandlerArg::Agent { socket, command } => Handler::Agent { socket, command },
        };
        let report = probe::run(&handler, Duration::from_secs(self.timeout.into())).await?;
        match self.format {
            Format::Json => out(&(serde_json::to_string_pretty(&report).map_err(infra)? + "\n"))?,
            Format::Human => out(&report.to_string())?,
        }
        Ok(if report.succeeded() { Status::Passed } else { Status::Failed })
    }
}
