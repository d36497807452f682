//! What the guest and its pod are called, and whom the pod asks for names (KubeVirt vmi-create-admitter.go).

use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_subdomain;
use crate::check::predicates::{is_dns_label, name_of};
use crate::check::rule::{Check, Rule};
use crate::yaml::Cursor;
use std::net::IpAddr;

// KubeVirt's own; Kubernetes itself takes more search paths by now.
const NAMESERVER_LIMIT: usize = 3;
const SEARCH_LIMIT: usize = 6;
const SEARCH_CHARACTERS: usize = 256;

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-hostname",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A hostname is lowercase letters, digits and dashes, without dots: a domain goes into subdomain.",
        source: "KubeVirt vmi-create-admitter.go validateHostNameNotConformingToDNSLabelRules",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if let Some((at, name)) = text(context.at("hostname")).filter(|(_, name)| !is_dns_label(name)) {
                let message = format!("{} does not conform to the kubernetes DNS_LABEL rules : {name:?}", at.path());
                report.add(at, message, "write lowercase letters, digits and dashes, at most 63");
            }
        }),
    },
    &Rule {
        code: "bad-subdomain",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "A subdomain is lowercase letters, digits, dashes and dots.",
        source: "KubeVirt vmi-create-admitter.go validateSubdomainDNSSubdomainRules",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            if let Some((at, name)) = text(context.at("subdomain")).filter(|(_, name)| !is_subdomain(name)) {
                let message =
                    format!("{} does not conform to the kubernetes DNS_SUBDOMAIN rules : {name:?}", at.path());
                report.add(at, message, "write the name of a headless Service");
            }
        }),
    },
    &Rule {
        code: "subdomain-with-dots",
        layer: Layer::PodValidation,
        rank: Rank::Error,
        story: "KubeVirt takes a subdomain with dots, or one of more than 63 characters, and hands it to the pod as it is; \
            Kubernetes does not.",
        source: "Kubernetes pkg/apis/core/validation ValidatePodSpec; KubeVirt services/template.go",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let name = text(context.at("subdomain"));
            if let Some((at, name)) = name.filter(|(_, name)| is_subdomain(name) && !is_dns_label(name)) {
                let message = format!("{name:?} is not a DNS label: no dots, at most 63 characters");
                report.add_as(
                    "spec.subdomain",
                    at,
                    message,
                    "write the name of a headless Service, without its domain",
                );
            }
        }),
    },
    &Rule {
        code: "bad-dns-config",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "`dnsPolicy: None` needs dnsConfig with a nameserver. At most 3 nameservers, which are IP addresses, and 6 \
            search paths, which are DNS names and 256 characters together.",
        source: "KubeVirt vmi-create-admitter.go validatePodDNSConfig",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let (is_none, config) = (context.text_at("dnsPolicy") == Some("None"), context.at("dnsConfig"));
            let servers: Vec<Cursor<'_>> = context.items_at("dnsConfig.nameservers").collect();
            let searches: Vec<Cursor<'_>> = context.items_at("dnsConfig.searches").collect();
            if is_none && servers.is_empty() {
                let (field, message) = match config {
                    None => (context.place("dnsConfig").path(), "must provide `dnsConfig` when `dnsPolicy` is None"),
                    Some(_) => {
                        ("nameservers".into(), "must provide at least one DNS nameserver when `dnsPolicy` is None")
                    }
                };
                let place = context.place("dnsConfig.nameservers");
                report.add_as(field, place, message, "add dnsConfig.nameservers, a list of IP addresses");
                return;
            }
            let of_config = |path| context.place(path);
            if servers.len() > NAMESERVER_LIMIT {
                let message = format!("must not have more than {NAMESERVER_LIMIT} nameservers");
                report.add_as("nameservers", of_config("dnsConfig.nameservers"), message, "keep three of them");
            }
            for server in servers {
                let address = server.text().unwrap_or_default();
                if address.parse::<IpAddr>().is_err() {
                    let message = format!("must be valid IP address: {address}");
                    report.add_as("nameservers", server, message, "write an IP address, like 192.0.2.53");
                }
            }
            let place = of_config("dnsConfig.searches");
            if searches.len() > SEARCH_LIMIT {
                let message = format!("must not have more than {SEARCH_LIMIT} search paths");
                report.add_as("searchDomains", place.clone(), message, "keep six of them");
            }
            let names = || searches.iter().map(|search| search.text().unwrap_or_default());
            if names().map(str::len).sum::<usize>() + searches.len().saturating_sub(1) > SEARCH_CHARACTERS {
                let message = format!(
                    "must not have more than {SEARCH_CHARACTERS} characters (including spaces) in the search list"
                );
                report.add_as("searchDomains", place, message, "remove some of them");
            }
            for (search, name) in searches.iter().zip(names()).filter(|(_, name)| !is_subdomain(name)) {
                let message =
                    format!("{name:?} is not a DNS name: lowercase letters, digits, dashes and dots, at most 253");
                report.add_as(
                    "searchDomains",
                    *search,
                    message,
                    "write a name like example.com, without a dot at its end",
                );
            }
            for option in context.items_at("dnsConfig.options").filter(|option| name_of(*option).is_empty()) {
                report.add_as(
                    "options",
                    option.place("name"),
                    "Option.Name must not be empty",
                    "add its name, like ndots",
                );
            }
        }),
    },
];

/// A text that is there and not empty.
fn text(at: Option<Cursor<'_>>) -> Option<(Cursor<'_>, &str)> {
    at.and_then(|at| Some((at, at.text()?))).filter(|(_, text)| !text.is_empty())
}
