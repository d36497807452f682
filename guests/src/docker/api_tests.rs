use super::super::fake::{FakeEngine, Reply};
use super::*;
use std::fmt::Debug;

const NO_CONTENT: Reply = Reply::Bytes("HTTP/1.1 204 No Content\r\n\r\n");
const NOT_FOUND: Reply = Reply::Answer(404, r#"{"message":"No such one"}"#);

/// What a call sends, and what it makes of the answer; an error is held by a part of its text.
async fn check<T: Debug + PartialEq>(
    reply: Reply,
    call: impl AsyncFnOnce(&Docker, &Path) -> Result<T, DockerError>,
    request: &str,
    expected: Result<T, &str>,
) {
    let engine = FakeEngine::start(vec![reply]);
    let docker = Docker { socket: engine.socket(), quick: Duration::from_millis(200) };
    let result = call(&docker, engine.folder()).await.map_err(|e| e.to_string());
    assert_eq!(engine.requests(), [request], "{reply:?}");
    match expected {
        Ok(expected) => assert_eq!(result, Ok(expected), "{reply:?}"),
        Err(part) => assert!(result.as_ref().is_err_and(|e| e.contains(part)), "{part:?}: {result:?}"),
    }
}

#[tokio::test]
async fn what_is_asked_of_a_container() {
    let state = async |d: &Docker, _: &Path| d.container("1f").await;
    let shown = "GET /containers/1f/json HTTP/1.1";
    let running = ContainerState { running: true, pid: 7 };
    check(Reply::Answer(200, r#"{"State":{"Running":true,"Pid":7,"New":[]}}"#), state, shown, Ok(Some(running))).await;
    let ended = ContainerState { running: false, pid: 0 };
    check(Reply::Answer(200, r#"{"State":{"Running":false,"Pid":0}}"#), state, shown, Ok(Some(ended))).await;
    check(NOT_FOUND, state, shown, Ok(None)).await;
    let create = async |d: &Docker, _: &Path| d.create(&serde_json::json!({"Image": "a:b"})).await;
    let made = r#"POST /containers/create HTTP/1.1 {"Image":"a:b"}"#;
    check(Reply::Answer(201, r#"{"Id":"1f","Warnings":null}"#), create, made, Ok("1f".into())).await;
    check(NOT_FOUND, create, made, Err("cannot make a container (status 404): No such one")).await;
    let start = async |d: &Docker, _: &Path| d.start("1f").await;
    check(NO_CONTENT, start, "POST /containers/1f/start HTTP/1.1", Ok(())).await;
    let wait = async |d: &Docker, _: &Path| d.wait("1f").await;
    let waited = "POST /containers/1f/wait?condition=not-running HTTP/1.1";
    // Chunked, as the engine sends it: its head comes long before its body.
    let killed =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{\"StatusC\r\nb\r\node\":137}\r\n\r\n0\r\n\r\n";
    check(Reply::Bytes(killed), wait, waited, Ok(137)).await;
    check(NOT_FOUND, wait, waited, Err("cannot wait for a container (status 404)")).await;
    let logs = async |d: &Docker, _: &Path| d.logs("1f", 30).await;
    let logged = "GET /containers/1f/logs?stdout=true&stderr=true HTTP/1.1";
    let framed = "HTTP/1.1 200 OK\r\n\r\n\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n";
    check(Reply::Bytes(framed), logs, logged, Ok(b"out\nerr\n".to_vec())).await;
    let cut = "HTTP/1.1 200 OK\r\n\r\n\x02\0\0\0\0\0\0\x40more than is read, by some";
    check(Reply::Bytes(cut), logs, logged, Ok(b"more than is read, by ".to_vec())).await;
    let remove = async |d: &Docker, _: &Path| d.remove("1f").await;
    let removed = "DELETE /containers/1f?force=true&v=true HTTP/1.1";
    check(NO_CONTENT, remove, removed, Ok(())).await;
    check(NOT_FOUND, remove, removed, Ok(())).await;
    let list = async |d: &Docker, _: &Path| {
        let listed = d.list(&["lock", "place=a b"]).await?;
        Ok(listed.iter().map(|c| (c.id.clone(), c.label("lock").map(str::to_owned))).collect::<Vec<_>>())
    };
    let listed =
        "GET /containers/json?all=true&filters=%7B%22label%22%3A%5B%22lock%22%2C%22place%3Da+b%22%5D%7D HTTP/1.1";
    let two = Reply::Answer(200, r#"[{"Id":"1f","Labels":{"lock":"/tmp/x"}},{"Id":"2e","Labels":null}]"#);
    check(two, list, listed, Ok(vec![("1f".into(), Some("/tmp/x".into())), ("2e".into(), None)])).await;
}

#[tokio::test]
async fn what_is_asked_of_an_image() {
    let image = async |d: &Docker, _: &Path| d.image("vmhealth-qemu:debian-13-1f").await;
    let shown = "GET /images/vmhealth-qemu:debian-13-1f/json HTTP/1.1";
    let labels = HashMap::from([("v".to_owned(), "QEMU 7".to_owned())]);
    let found = Some(ImageInfo { id: "sha256:1".into(), labels });
    check(Reply::Answer(200, r#"{"Id":"sha256:1","Config":{"Labels":{"v":"QEMU 7"}}}"#), image, shown, Ok(found)).await;
    let bare = Some(ImageInfo { id: "sha256:1".into(), labels: HashMap::new() });
    check(Reply::Answer(200, r#"{"Id":"sha256:1","Config":{"Labels":null}}"#), image, shown, Ok(bare)).await;
    check(NOT_FOUND, image, shown, Ok(None)).await;
    let import = async |d: &Docker, folder: &Path| {
        let archive = folder.join("root.tar");
        std::fs::write(&archive, "a tar").unwrap();
        d.import(&archive, "a:b", &["LABEL v=\"1 2\"".into()]).await
    };
    let imported = "POST /images/create?fromSrc=-&repo=a%3Ab&changes=LABEL+v%3D%221+2%22 HTTP/1.1 5\r\na tar\r\n0";
    check(Reply::Answer(200, "{\"status\":\"Importing\"}\r\n{\"status\":\"sha256:1\"}\r\n"), import, imported, Ok(()))
        .await;
    let full = Reply::Answer(200, "{\"status\":\"Importing\"}\n{\"errorDetail\":{},\"error\":\"no space left\"}\n");
    check(full, import, imported, Err("cannot import an image (status 200): no space left")).await;
}

#[tokio::test]
async fn answers_that_are_none() {
    let info = async |d: &Docker, _: &Path| d.info().await;
    let asked = "GET /info HTTP/1.1";
    check(Reply::Answer(200, r#"{"Name":"here","ID":"x"}"#), info, asked, Ok(Info { name: "here".into() })).await;
    for (reply, part) in [
        (
            Reply::Answer(500, "{\"message\":\"driver is broken\"}\n"),
            "cannot say who it is (status 500): driver is broken",
        ),
        (Reply::Answer(502, "lost"), "(status 502): lost"),
        (Reply::Bytes("HTTP/1.1 301 Moved\r\ncontent-length: 0\r\n\r\n"), "(status 301)"),
        (Reply::Bytes("SSH-2.0-OpenSSH_9.2\r\n"), "invalid HTTP version"),
        (Reply::Bytes(""), "connection closed"),
        (Reply::Bytes("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"), "end of file before message length reached"),
        (Reply::Answer(200, r#"{"Name":"#), "EOF while parsing"),
        (Reply::Answer(200, r#""text""#), "invalid type: string \"text\""),
        (Reply::Never, "start it: sudo systemctl start docker"),
    ] {
        check(reply, info, asked, Err(part)).await;
    }
    let state = async |d: &Docker, _: &Path| d.container("1f").await;
    let shown = "GET /containers/1f/json HTTP/1.1";
    check(Reply::Never, state, shown, Err("did not show a container within 200ms")).await;
    // Endless, and cut off: 5 MiB.
    let endless = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &" ".repeat(5 << 20);
    check(Reply::Bytes(endless.leak()), state, shown, Err("longer than 4 MiB")).await;
}

#[tokio::test]
async fn an_engine_that_has_gone_is_said_to_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let docker = Docker { socket: folder.path().join("gone"), quick: QUICK };
    let error = docker.info().await.unwrap_err().to_string();
    assert!(error.contains("does not answer") && error.contains("gone: No such file"), "{error}");
}
