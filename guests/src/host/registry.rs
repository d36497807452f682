//! The hosts that there are.

use super::container::RELEASES;
use super::interface::Host;
use super::local::LOCAL_HOST;

/// Every host, by the name that the command line has for it.
pub fn all() -> Vec<&'static dyn Host> {
    let containers = RELEASES.iter().map(|release| release as &dyn Host);
    std::iter::once(&LOCAL_HOST as &dyn Host).chain(containers).collect()
}

/// The host of a name; an error lists those that there are.
pub fn named(name: &str) -> Result<&'static dyn Host, String> {
    all().into_iter().find(|host| host.name() == name).ok_or_else(|| {
        let known: Vec<String> = all().iter().map(|host| host.name()).collect();
        format!("{name:?} is not one of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_by_their_names() {
        for host in all() {
            assert_eq!(named(&host.name()).unwrap().name(), host.name());
        }
        let error = named("container:debian-11").unwrap_err();
        let known = "\"container:debian-11\" is not one of local, container:debian-12, container:debian-13";
        assert_eq!(error, known);
    }
}
