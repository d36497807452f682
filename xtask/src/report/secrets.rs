//! What user data keeps secret, and its absence from whatever leaves a run's folder: results, reports, printed lines.
//!
//! Found by the names that cloud-init and people give to secrets, in its own keys and in the files and commands that it holds.
//! It errs on the side of hiding: a word that is hidden too often costs less than a password in a CI's log.

use super::results::Results;
use serde_json::Value;
use std::cell::Cell;
use std::path::Path;
use std::{fs, io};
use vmhealth_sim::manifest::VirtualMachine;
use vmhealth_sim::yaml;

/// In the run folder, which is its owner's alone: what is hidden in a report that is made of it later.
const FILE: &str = "secrets.json";
/// Stands in a secret's place.
const HIDDEN: &str = "[hidden]";
/// A shorter one is part of too many words to be taken out of a text.
const SHORTEST: usize = 3;
/// A key with one of these in its name, whatever else is in it, has a secret as its value ...
const NAMES: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "private", "apikey", "api_key", "credential"];
/// ... but for these, which say something about a password.
const NO_SECRETS: [&str; 3] = ["lock_passwd", "ssh_pwauth", "lock-passwd"];
/// chpasswd's words for a password that cloud-init makes up.
const RANDOM: [&str; 3] = ["R", "RANDOM", "random"];

/// The secrets of a run's manifests.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The longest first: one may be a part of another.
    values: Vec<String>,
}

impl Secrets {
    /// Those of the user data and network data of these manifests.
    pub fn of<'a>(manifests: impl IntoIterator<Item = &'a VirtualMachine>) -> Secrets {
        let mut found = Secrets::default();
        for manifest in manifests {
            let cloud_init = &manifest.vmi.cloud_init;
            for data in [&cloud_init.user_data, &cloud_init.network_data].into_iter().flatten() {
                found.read(&String::from_utf8_lossy(data));
            }
        }
        found.sorted()
    }

    /// Those of several runs.
    pub(super) fn together(of_runs: impl IntoIterator<Item = Secrets>) -> Secrets {
        Secrets { values: of_runs.into_iter().flat_map(|secrets| secrets.values).collect() }.sorted()
    }

    fn sorted(mut self) -> Secrets {
        self.values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.values.dedup();
        self
    }

    /// Those of a run that was made before; none where it had none, or kept them.
    pub(super) fn of_run(folder: &Path) -> io::Result<Secrets> {
        let file = folder.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => match serde_json::from_str(&text) {
                Ok(values) => Ok(Secrets { values }),
                Err(e) => Err(io::Error::other(format!("{}: {e}", file.display()))),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Secrets::default()),
            Err(e) => Err(e),
        }
    }

    /// Leaves them in a run's folder.
    pub(super) fn leave_in(&self, folder: &Path) -> io::Result<()> {
        if self.values.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_string(&self.values).map_err(io::Error::other)?;
        fs::write(folder.join(FILE), json)
    }

    fn read(&mut self, text: &str) {
        match yaml::read::<Value>(text) {
            Ok(config @ (Value::Object(_) | Value::Array(_))) => self.walk(&config),
            // A script, or MIME parts; to YAML a script may be one long text.
            _ => self.lines(text),
        }
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if names_a_secret(key) {
                        self.take(value);
                    }
                    if key == "chpasswd" {
                        self.chpasswd(&value["list"]);
                    }
                    self.walk(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::String(text) => self.lines(text),
            _ => {}
        }
    }

    /// All that is in a secret's value.
    fn take(&mut self, value: &Value) {
        match value {
            Value::String(text) => text.lines().for_each(|line| self.keep(line)),
            Value::Number(number) => self.keep(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.take(item)),
            Value::Object(map) => map.values().for_each(|value| self.take(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// `USER:PASSWORD`, a line each or an item each.
    fn chpasswd(&mut self, list: &Value) {
        let lines: Vec<&str> = match list {
            Value::String(text) => text.lines().collect(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for (_, password) in lines.iter().filter_map(|line| line.split_once(':')) {
            self.keep(password);
        }
    }

    /// `NAME=VALUE` and `name: value` in files and commands, and private keys.
    fn lines(&mut self, text: &str) {
        let mut in_key = false;
        for line in text.lines() {
            if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
                in_key = true;
            } else if line.contains("-----END ") {
                in_key = false;
            } else if in_key {
                self.keep(line);
            }
            for (at, separator) in line.match_indices(['=', ':']) {
                let name = line[..at].rsplit([' ', '\t', '"', '\'', '-', '{', ',', ';', '/']).find(|n| !n.is_empty());
                if name.is_some_and(names_a_secret) {
                    let value = line[at + separator.len()..].trim_start();
                    let quote = value.chars().next().filter(|c| ['"', '\''].contains(c));
                    let value = match quote {
                        Some(quote) => value[1..].split(quote).next(),
                        None => value.split([' ', '\t', ',', ';', '}', '&', '"', '\'']).next(),
                    };
                    self.keep(value.unwrap_or_default());
                }
            }
        }
    }

    fn keep(&mut self, value: &str) {
        let value = value.trim();
        if value.len() >= SHORTEST && !RANDOM.contains(&value) {
            self.values.push(value.to_owned());
        }
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        self.hide_counting(text, &Cell::default())
    }

    fn hide_counting(&self, text: &str, count: &Cell<usize>) -> String {
        let mut text = text.to_owned();
        for value in self.values.iter() {
            let found = text.matches(value.as_str()).count();
            if found > 0 {
                count.set(count.get() + found);
                text = text.replace(value.as_str(), HIDDEN);
            }
        }
        text
    }

    /// The results without them, and how often one was there.
    pub fn hide_in(&self, results: &Results) -> Results {
        let (mut results, count) = (results.clone(), Cell::default());
        for text in results.scenarios.iter_mut().flat_map(|scenario| scenario.texts_mut()) {
            *text = self.hide_counting(text, &count);
        }
        results.hidden += count.get();
        results
    }
}

fn names_a_secret(key: &str) -> bool {
    let key = key.trim().to_ascii_lowercase();
    NAMES.iter().any(|name| key.contains(name)) && !NO_SECRETS.contains(&key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(user_data: &str) -> Secrets {
        let mut found = Secrets::default();
        found.read(user_data);
        found
    }

    #[test]
    fn what_user_data_keeps_secret() {
        for (user_data, printed, expected) in [
            ("#cloud-config\npassword: hunter2\n", "login hunter2 failed", "login [hidden] failed"),
            ("#cloud-config\npassword: 123456\n", "is 123456", "is [hidden]"),
            ("#cloud-config\nusers: [{name: u, hashed_passwd: $6$abc}]\n", "u:$6$abc:", "u:[hidden]:"),
            ("#cloud-config\nusers: [{name: ubuntu, plain_text_passwd: 'a b'}]\n", "ubuntu a b", "ubuntu [hidden]"),
            ("#cloud-config\nusers: [{name: u, lock_passwd: 'false'}]\n", "false", "false"),
            (
                "#cloud-config\nchpasswd: {expire: false, list: \"root:toor\\nu:RANDOM\"}\n",
                "toor RANDOM",
                "[hidden] RANDOM",
            ),
            ("#cloud-config\nchpasswd: {list: [\"root:toor\"]}\n", "root toor", "root [hidden]"),
            ("#cloud-config\nchpasswd: {users: [{name: u, password: pass1}]}\n", "pass1", "[hidden]"),
            ("#cloud-config\nssh_keys: {rsa_private: |\n    line1\n    line2\n  }\n", "x", "x"),
            ("#cloud-config\nssh_keys:\n  rsa_private: |\n    line1\n    line2\n", "see line2", "see [hidden]"),
            ("#cloud-config\nssh_authorized_keys: [ssh-ed25519 AAAA]\n", "AAAA", "AAAA"),
            ("#cloud-config\nwrite_files: [{path: /a, content: \"DB_PASSWORD=s3cret\\n\"}]\n", "s3cret!", "[hidden]!"),
            ("#cloud-config\nruncmd: [\"curl -H 'x-token: abcdef' http://a\"]\n", "abcdef", "[hidden]"),
            ("#!/bin/sh\nexport API_TOKEN=\"a b c\"\n", "got a b c", "got [hidden]"),
            (
                "#!/bin/sh\ncat <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nb64b64\n-----END X-----\nE\n",
                "b64b64",
                "[hidden]",
            ),
            // The longer one first, and none so short that it tears words.
            ("#cloud-config\npassword: ab\nsecret: abc\ntoken: abcdef\n", "abcdef abc ab", "[hidden] [hidden] ab"),
        ] {
            let mut found = secrets(user_data);
            found.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
            assert_eq!(found.hide(printed), expected, "{user_data}");
        }
    }
}
