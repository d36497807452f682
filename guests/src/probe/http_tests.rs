//! The HTTP probe against real sockets with scripted answers; each row is a sentence of kubelet-prober.md 9.

use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vmhealth_sim::manifest::Scheme;

/// Serves `answers` one a connection (the last one again and again); returns the requests seen.
async fn serve(answers: Vec<String>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = seen.clone();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answers[number.min(answers.len() - 1)].replace("PORT", &port.to_string());
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                requests.lock().unwrap().push(String::from_utf8_lossy(&head).replace(&port.to_string(), "PORT"));
                if answer == "HANG" {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.ends_with("HOLD") {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    (port, seen)
}

fn target(port: u16, headers: &[(&str, &str)]) -> HttpTarget {
    HttpTarget {
        scheme: Scheme::Http,
        host: "127.0.0.1".into(),
        port,
        path: "/healthz".into(),
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn verdicts() {
    let redirect = |to: &str| response("302 Found", &format!("Location: {to}\r\n"), "");
    let rows: Vec<(&str, Vec<String>, Verdict, &str)> = vec![
        ("200", vec![response("200 OK", "", "fine")], Verdict::Success, "fine"),
        (
            "399 is a warning",
            vec![response("399 Odd", "", "x")],
            Verdict::Warning,
            "Probe terminated redirects, Response body: x",
        ),
        ("500", vec![response("500 No", "", "body")], Verdict::Failure, "HTTP probe failed with statuscode: 500"),
        ("304 without a body", vec!["HTTP/1.1 304 Not Modified\r\n\r\n".into()], Verdict::Warning, "Probe terminated"),
        (
            "followed to the same host",
            vec![redirect("http://127.0.0.1:PORT/b"), response("200 OK", "", "there")],
            Verdict::Success,
            "there",
        ),
        (
            "the body of a followed redirect does not matter",
            vec![
                "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 99\r\n\r\nshort".into(),
                response("200 OK", "", "there"),
            ],
            Verdict::Success,
            "there",
        ),
        (
            "another host is not followed",
            vec![redirect("http://localhost:PORT/b")],
            Verdict::Warning,
            "Probe terminated redirects",
        ),
        ("the tenth redirect", vec![redirect("/again")], Verdict::Failure, "stopped after 10 redirects"),
        ("302 without Location", vec![response("302 Found", "", "")], Verdict::Warning, "Probe terminated"),
        (
            "no headers in time",
            vec!["HANG".into()],
            Verdict::Failure,
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        ),
        (
            "a body that never ends is an error",
            vec!["HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nHOLD".into()],
            Verdict::Error,
            "while reading body",
        ),
        (
            "a broken 500 is an error too",
            vec!["HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nshort".into()],
            Verdict::Error,
            "unexpected EOF",
        ),
        ("an empty reply", vec![String::new()], Verdict::Failure, "/healthz\": EOF"),
        ("no status line", vec!["hello\r\n\r\n".into()], Verdict::Failure, "malformed HTTP response"),
        (
            "a Location that is none",
            vec![redirect("/%zz")],
            Verdict::Failure,
            "failed to parse Location header \"/%zz\"",
        ),
        (
            "a status below 100",
            vec![response("099 Odd", "", "x")],
            Verdict::Failure,
            "HTTP probe failed with statuscode: 99",
        ),
        ("none at all", vec![response("000 Odd", "", "x")], Verdict::Failure, "HTTP probe failed with statuscode: 0"),
        ("two digits", vec![response("99 Odd", "", "x")], Verdict::Failure, "malformed HTTP response"),
        ("a status above 599", vec![response("999 Odd", "", "x")], Verdict::Failure, "statuscode: 999"),
        (
            "a broken 099 is an error too",
            vec!["HTTP/1.1 099 No\r\nContent-Length: 99\r\n\r\nshort".into()],
            Verdict::Error,
            "unexpected EOF",
        ),
        (
            "a Location without a host is not followed",
            vec![redirect("mailto:ops@example.org")],
            Verdict::Warning,
            "Probe terminated redirects",
        ),
        ("nor is one of http", vec![redirect("http:/b")], Verdict::Warning, "Probe terminated redirects"),
        (
            "another scheme on the same host is followed",
            vec![redirect("ftp://127.0.0.1/b")],
            Verdict::Failure,
            "unsupported protocol scheme \"ftp\"",
        ),
        ("the raw Location is shown", vec![redirect("/again?x")], Verdict::Failure, "Get \"/again?x\": stopped after"),
        (
            "thousands of header lines",
            vec![response("200 OK", &"X-Long: 1\r\n".repeat(3000), "fine")],
            Verdict::Success,
            "fine",
        ),
        (
            "10 KiB are enough",
            vec![format!("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{}HOLD", "x".repeat(20_000))],
            Verdict::Success,
            "xxx",
        ),
    ];
    for (name, answers, verdict, text) in rows {
        let (port, _) = serve(answers).await;
        let attempt = get(Network::Host, &target(port, &[]), Duration::from_millis(500)).await;
        assert_eq!(attempt.verdict, verdict, "{name}: {attempt:?}");
        assert!(attempt.text.contains(text), "{name}: {attempt:?}");
    }
    let refused = get(Network::Host, &target(1, &[]), Duration::from_millis(500)).await;
    assert_eq!(
        refused,
        failure("Get \"http://127.0.0.1:1/healthz\": dial tcp 127.0.0.1:1: connect: connection refused")
    );
}

/// How a server ends that never reads: what it has to say is sent to whoever connects.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// As `nc` does.
    Close,
    /// The kernel does that where a request arrived and nobody read it.
    Reset,
}

/// kubelet-prober.md 9.4: `echo ... | nc -l` answers before it has read the request.
#[tokio::test]
async fn answers_that_come_before_the_request() {
    const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const TO_THE_END: &str = "HTTP/1.1 200 OK\n\nok\n";
    for (answer, end, waits, verdict, text) in [
        (WHOLE, End::Close, false, Verdict::Success, "ok"),
        (TO_THE_END, End::Close, false, Verdict::Success, "ok\n"),
        ("HTTP/1.1 500 No\n\nno\n", End::Close, false, Verdict::Failure, "statuscode: 500"),
        ("", End::Close, false, Verdict::Failure, ": EOF"),
        (WHOLE, End::Reset, true, Verdict::Success, "ok"),
        (TO_THE_END, End::Reset, true, Verdict::Error, "read: connection reset by peer"),
        ("", End::Reset, true, Verdict::Failure, "read: connection reset by peer"),
    ] {
        for round in 0..20 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                if waits {
                    // The request is there, and is not read.
                    stream.peek(&mut [0]).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                if end == End::Close {
                    stream.shutdown().await.unwrap();
                }
            });
            let attempt = get(Network::Host, &target(port, &[]), Duration::from_secs(1)).await;
            server.await.unwrap();
            let named = format!("{answer:?}, {end:?}, round {round}: {attempt:?}");
            assert_eq!(attempt.verdict, verdict, "{named}");
            assert!(attempt.text.contains(text), "{named}");
        }
    }
}

#[tokio::test]
async fn requests_on_the_wire() {
    let ok = response("200 OK", "", "");
    let chain = response("301 Moved", "Location: /b\r\n", "");
    let mut shown = String::new();
    for (name, headers, answers) in [
        ("minimal", vec![], vec![ok.clone()]),
        ("the seed's header", vec![("custom-header", "Awesome")], vec![ok.clone()]),
        (
            "host, agent, accept",
            vec![("Host", "app.example"), ("User-Agent", ""), ("Accept", ""), ("X-A", "1"), ("x-a", "2")],
            vec![ok.clone()],
        ),
        ("never sent", vec![("Content-Length", "5"), ("Transfer-Encoding", "chunked")], vec![ok.clone()]),
        ("a relative redirect keeps Host", vec![("Host", "app.example")], vec![chain, ok.clone()]),
    ] {
        let (port, seen) = serve(answers).await;
        let attempt = get(Network::Host, &target(port, &headers), Duration::from_secs(2)).await;
        assert_eq!(attempt.verdict, Verdict::Success, "{name}: {attempt:?}");
        shown.push_str(&format!("# {name}\n{}", seen.lock().unwrap().concat().replace('\r', "")));
    }
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn every_request_of_a_chain_is_logged_as_it_went_out() {
    let redirect =
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:PORT/next?a=1\r\nContent-Length: 0\r\n\r\n".to_owned();
    let (port, seen) = serve(vec![redirect, response("200 OK", "", "fine")]).await;
    let sent = RefCell::default();
    let attempt = get_logged(Network::Host, &target(port, &[("x-health", "1")]), Duration::from_secs(1), &sent).await;
    assert_eq!((attempt.verdict, attempt.text.as_str()), (Verdict::Success, "fine"));
    let wire = |s: &Sent| {
        let headers: String = s.headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", s.line).replace(&port.to_string(), "PORT").to_lowercase()
    };
    let logged: Vec<String> = sent.borrow().iter().map(wire).collect();
    let seen: Vec<String> = seen.lock().unwrap().iter().map(|r| r.to_lowercase()).collect();
    assert_eq!(logged, seen);
    assert!(sent.borrow()[0].headers.contains(&("X-Health".into(), "1".into())));
}

/// The first URL always has its port, an absolute Location only its own; what is written is not rewritten.
#[test]
fn ports_and_hosts_as_they_are_written() {
    for (host, port, shown) in [
        ("127.0.0.1", 80, "http://127.0.0.1:80/healthz"),
        ("LOCALHOST", 1500, "http://LOCALHOST:1500/healthz"),
        ("::ffff:127.0.0.1", 80, "http://[::ffff:127.0.0.1]:80/healthz"),
    ] {
        let hop = first_hop(&HttpTarget { host: host.into(), ..target(port, &[]) }).unwrap();
        assert_eq!(hop.shown(), shown);
        let head = head(&target(port, &[]), &hop, false).unwrap();
        assert_eq!(head.headers()["host"], shown["http://".len()..shown.len() - "/healthz".len()]);
    }
}

#[tokio::test]
async fn the_host_line_and_referer_of_redirects() {
    let redirect = |to: &str| response("302 Found", &format!("Location: {to}\r\n"), "");
    let (port, seen) =
        serve(vec![redirect("rel"), redirect("http://127.0.0.1:PORT/abs"), response("200 OK", "", "")]).await;
    get(Network::Host, &target(port, &[("Connection", "upgrade, close")]), Duration::from_secs(1)).await;
    let seen = seen.lock().unwrap();
    let lines =
        |i: usize, name: &str| seen[i].lines().filter(|l| l.starts_with(name)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(1, "Referer"), ["Referer: http://127.0.0.1:PORT/healthz"]);
    assert_eq!(lines(2, "Referer"), ["Referer: http://127.0.0.1:PORT/rel"]);
    assert_eq!(lines(2, "Host"), ["Host: 127.0.0.1:PORT"]);
    assert_eq!(lines(0, "Connection"), ["Connection: upgrade, close"]);
}

#[test]
fn hosts_of_locations_are_text() {
    for (location, host) in [
        ("http://LOCALHOST:80/x", Some("LOCALHOST")),
        ("http://127.1/x", Some("127.1")),
        ("//other:8080/x", Some("other")),
        ("http://user@h?q", Some("h")),
        ("https://[::1]:443/", Some("::1")),
        ("/x//y", None),
        ("x?to=http://h/", None),
        ("mailto:a@b", Some("")),
        ("http:/x", Some("")),
        ("app:x//y", Some("")),
        ("1x:y", None),
        ("", None),
    ] {
        assert_eq!(named_host(location), host, "{location}");
    }
}

/// A server that accepts and never speaks TLS ends the attempt before the probe's own timeout does.
#[tokio::test]
async fn a_handshake_has_a_limit_of_its_own() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(silent.local_addr().unwrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let shaken = shake_hands(name, stream, Duration::from_millis(50)).await;
    assert_eq!(shaken.err().as_deref(), Some("net/http: TLS handshake timeout"));
}
