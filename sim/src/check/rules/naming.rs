//! Names of the guest and of the account that its pod has, and whom it asks for other names (kubevirt-health.md 2.9).

use super::object::is_subdomain;
use crate::check::layer::{Layer, Rank};
use crate::check::predicates::is_dns_label;
use crate::check::rule::{Check, Rule};
use crate::yaml::Cursor;
use std::net::IpAddr;

/// Of name servers, of search domains and of all search domains' characters.
const LIMITS: (usize, usize, usize) = (3, 6, 256);

pub(super) static RULES: &[&Rule] = &[
    &Rule {
        code: "bad-host-name",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "hostname is one label (lowercase letters, digits, dashes, at most 63: no dots); subdomain and \
            serviceAccountName may have dots.",
        source: "KubeVirt vmi-create-admitter.go validateHostNameNotConformingToDNSLabelRules, \
            validateSubdomainDNSSubdomainRules, validateServiceAccountName",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            for field in ["hostname", "subdomain", "serviceAccountName"] {
                let Some(name) = context.text_at(field).filter(|name| !name.is_empty()) else { continue };
                let is_fine = if field == "hostname" { is_dns_label(name) } else { is_subdomain(name) };
                if !is_fine {
                    let message = format!("{name:?} is no {field}: lowercase letters, digits and dashes");
                    let help = "write a name like web-1; a host's domain is the subdomain";
                    report.add(context.place(field), message, help);
                }
            }
        }),
    },
    &Rule {
        code: "bad-dns-config",
        layer: Layer::VmWebhook,
        rank: Rank::Error,
        story: "dnsPolicy: None needs a dnsConfig with a name server; there are at most 3 name servers, IP addresses, \
            and at most 6 search domains, of 256 characters together; an option has a name.",
        source: "KubeVirt vmi-create-admitter.go validatePodDNSConfig",
        shown_by: &[],
        check: Check::Manifest(|context, report| {
            let config = context.at("dnsConfig");
            let list = |key: &'static str| config.into_iter().flat_map(move |config| config.items_at(key));
            let texts = |key| list(key).filter_map(Cursor::text);
            let mut add = |field: &str, key: &str, message: String| {
                let help = "see https://kubernetes.io/docs/concepts/services-networking/dns-pod-service";
                report.add_as(field, context.place(key), message, help);
            };
            let servers = list("nameservers").count();
            if context.text_at("dnsPolicy") == Some("None") && servers == 0 {
                let field = if config.is_some() { "nameservers".into() } else { context.place("dnsConfig").path() };
                return add(&field, "dnsConfig.nameservers", "dnsPolicy None needs a name server".to_owned());
            }
            if servers > LIMITS.0 {
                add("nameservers", "dnsConfig.nameservers", format!("{servers} name servers are more than 3"));
            }
            for server in texts("nameservers").filter(|server| server.parse::<IpAddr>().is_err()) {
                add("nameservers", "dnsConfig.nameservers", format!("{server:?} is no IP address"));
            }
            let searches: Vec<&str> = texts("searches").collect();
            if searches.len() > LIMITS.1 || searches.join(" ").len() > LIMITS.2 {
                let message = "there are more than 6 search domains, or more than 256 characters in them".to_owned();
                add("searchDomains", "dnsConfig.searches", message);
            }
            for search in searches.iter().filter(|search| !is_subdomain(search)) {
                add("searchDomains", "dnsConfig.searches", format!("{search:?} is no domain"));
            }
            if list("options").any(|option| option.text_at("name").unwrap_or_default().is_empty()) {
                add("options", "dnsConfig.options", "an option has no name".to_owned());
            }
        }),
    },
];
