//! Against a real container engine: third-party peers for the probes, and what a killed run leaves. Ignored by a plain
//! `cargo test`, because they need the engine: `cargo xtask test` runs them where there is one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::net::TcpListener;
use std::time::Duration;
use testcontainers::core::{ExecCommand, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use vmhealth_guests::host::container::{ImageRecipe, connect, here, sweep};
use vmhealth_guests::probe::{self, HttpTarget, Network};
use vmhealth_sim::kubelet::Verdict;
use vmhealth_sim::manifest::Scheme;

const NGINX: ImageRecipe = ImageRecipe {
    repository: "vmhealth-nginx",
    name: "debian-12",
    suite: "bookworm",
    packages: &["nginx-light", "openssl"],
    version: "nginx -v",
};
const LIMIT: Duration = Duration::from_secs(5);

/// Certificates that nobody has signed; a page, a broken one, one that redirects to itself over TLS.
const SETUP: &str = r#"set -e
openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key.pem -out /tmp/cert.pem -days 1 -subj /CN=wrong.example 2>/dev/null
cat >/tmp/nginx.conf <<EOF
daemon off; pid /tmp/pid; error_log stderr;
events {}
http {
    access_log off;
    server { listen 127.0.0.1:$PLAIN; location / { return 301 https://127.0.0.1:$TLS\$request_uri; } }
    server {
        listen 127.0.0.1:$TLS ssl http2; ssl_certificate /tmp/cert.pem; ssl_certificate_key /tmp/key.pem;
        location /healthz { return 200 "over \$server_protocol"; }
        location /broken { return 503 gone; }
        location /elsewhere { return 302 https://other.example/; }
    }
}
EOF
echo configured
exec nginx -c /tmp/nginx.conf
"#;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// nginx on this host's loopback: (plain port, TLS port, container).
async fn nginx() -> (u16, u16, ContainerAsync<GenericImage>) {
    let folder = tempfile::tempdir().unwrap();
    let image = NGINX.ensure(folder.path(), &|line| eprintln!("{line}")).await.unwrap();
    let (plain, tls) = (free_port(), free_port());
    let container = GenericImage::new(image.repository, &image.tag)
        .with_entrypoint("/bin/sh")
        .with_wait_for(WaitFor::message_on_stdout("configured"))
        .with_cmd(["-c", SETUP])
        .with_env_var("PLAIN", plain.to_string())
        .with_env_var("TLS", tls.to_string())
        .with_label("dev.vmhealth.lock", "/nowhere/that/a/run/could/be.lock")
        .with_label("dev.vmhealth.place", here())
        .with_host_config_modifier(|config| config.network_mode = Some("host".into()))
        .start()
        .await
        .unwrap();
    let listening = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", tls)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), listening).await.unwrap();
    (plain, tls, container)
}

/// kubelet-prober.md 9.2 and 9.3 against a server that none of us has written.
#[tokio::test]
#[ignore = "needs a container engine"]
async fn a_real_nginx_with_tls_and_what_a_killed_run_leaves() {
    let (plain, tls, container) = nginx().await;
    for (scheme, port, path, verdict, text) in [
        // Not verified, and HTTP/2 because the server offers it.
        (Scheme::Https, tls, "/healthz", Verdict::Success, "over HTTP/2.0"),
        (Scheme::Http, plain, "/healthz", Verdict::Success, "over HTTP/2.0"),
        (Scheme::Https, tls, "/broken", Verdict::Failure, "HTTP probe failed with statuscode: 503"),
        (Scheme::Https, tls, "/elsewhere", Verdict::Warning, "Probe terminated redirects"),
        // nginx answers a plain request on its TLS port with 400.
        (Scheme::Http, tls, "/healthz", Verdict::Failure, "HTTP probe failed with statuscode: 400"),
    ] {
        let target = HttpTarget { scheme, host: "127.0.0.1".into(), port, path: path.into(), headers: Vec::new() };
        let attempt = probe::get(Network::Host, &target, LIMIT).await;
        assert_eq!(attempt.verdict, verdict, "{scheme:?} {path}: {attempt:?}");
        assert!(attempt.text.contains(text), "{scheme:?} {path}: {attempt:?}");
    }
    // It runs, and no run holds the lock that its label names: to the next run it is left behind.
    container.exec(ExecCommand::new(["true"])).await.unwrap();
    assert!(sweep().await >= 1);
    let docker = connect().await.unwrap();
    assert_eq!(docker.container(container.id()).await.unwrap(), None, "the container is gone");
    assert_eq!(sweep().await, 0);
}
