//! A headless Chromium, driven by its DevTools protocol over two pipes: no port, no driver program.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A busy host is slow to start a browser.
const ANSWER: Duration = Duration::from_secs(60);

/// A browser with one page; ends with this value.
pub(super) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    /// What the page complained of.
    pub(super) complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`: there is no Chromium on this host, which is said.
    pub(super) fn start() -> Option<Browser> {
        let found = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
        let Some(program) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(found) else {
            eprintln!("SKIPPED in a browser: there is no Chromium; type: apt-get install chromium");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // The protocol is on the descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (send, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let _ = serde_json::from_slice(&message).map(|message| send.send(message));
            }
        });
        let (session, complaints) = (String::new(), Vec::new());
        let mut browser = Browser { child, input, messages, session, last: 0, complaints, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.next(method);
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The next message; what the page complains of is kept.
    fn next(&mut self, waiting_for: &str) -> Value {
        let message = self.messages.recv_timeout(ANSWER).unwrap_or_else(|e| panic!("{waiting_for}: {e}"));
        let complains = match message["method"].as_str() {
            Some("Runtime.exceptionThrown" | "Log.entryAdded") => true,
            Some("Runtime.consoleAPICalled") => message["params"]["type"] == "error",
            _ => false,
        };
        if complains {
            self.complaints.push(message["params"].to_string());
        }
        message
    }

    /// Opens a file; returns when it is loaded.
    pub(super) fn open(&mut self, file: &Path) {
        self.call("Page.navigate", json!({"url": format!("file://{}", file.display())}));
        while self.next("Page.loadEventFired")["method"] != "Page.loadEventFired" {}
    }

    /// A window of this size, in light or dark.
    pub(super) fn appear(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// The value of an expression, which may be a promise.
    pub(super) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Presses a key like `Tab`.
    pub(super) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "ArrowRight" => 39,
            _ => 0,
        };
        for what in ["rawKeyDown", "char", "keyUp"] {
            let mut params = json!({"type": what, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if key == "Enter" && what == "char" {
                params["text"] = json!("\r");
            } else if what == "char" {
                continue;
            }
            self.call("Input.dispatchKeyEvent", params);
        }
        // What the key does may come a frame later.
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
    }

    /// Keeps a picture of the window.
    pub(super) fn picture(&mut self, file: &Path) {
        let data = self.call("Page.captureScreenshot", json!({"format": "png"}))["data"].as_str().unwrap().to_owned();
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its renderers are in its group.
        let group = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Rules that axe-core finds broken in the page as it is now, each with the first element.
pub(super) fn broken_rules(browser: &mut Browser, axe: &str) -> String {
    browser.value(&format!("{axe}; 0"));
    let rules = browser.value(
        "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes[0].html).join('; '))",
    );
    rules.as_str().unwrap().to_owned()
}

/// axe-core's script: where VMHEALTH_AXE says, or from npm; `None`: neither has it, which is said.
pub(super) fn axe(folder: &Path) -> Option<String> {
    if let Ok(file) = std::env::var("VMHEALTH_AXE") {
        return Some(std::fs::read_to_string(file).unwrap());
    }
    let done = |command: &mut Command| command.current_dir(folder).output().is_ok_and(|o| o.status.success());
    let got = done(Command::new("npm").args(["pack", "axe-core@4.14.1"]))
        && done(Command::new("tar").args(["xzf", "axe-core-4.14.1.tgz", "package/axe.min.js"]));
    if !got {
        eprintln!("SKIPPED the rules of accessibility: neither npm nor VMHEALTH_AXE=axe.min.js gives axe-core");
    }
    got.then(|| std::fs::read_to_string(folder.join("package/axe.min.js")).unwrap())
}
