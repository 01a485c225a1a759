//! Downloads from a server that fails, truncates, lies and refuses.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[path = "../../../../tests/common/server.rs"]
mod server;

use server::{Reply, Request, Server};

/// Content in which every number differs.
fn body() -> Vec<u8> {
    (0..50_000u32).flat_map(u32::to_le_bytes).collect()
}

/// A server that knows the index of each request.
fn server(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Server {
    let n_requests = AtomicUsize::new(0);
    Server::start(move |request| answer(n_requests.fetch_add(1, Ordering::SeqCst), request))
}

struct Bench {
    folder: tempfile::TempDir,
    url: String,
    size: Option<u64>,
    limit: u64,
}

impl Bench {
    fn new(server: &Server) -> Self {
        let url = format!("{}/a.bin", server.url);
        Self { folder: tempfile::tempdir().unwrap(), url, size: None, limit: 1 << 20 }
    }

    fn part(&self) -> std::path::PathBuf {
        self.folder.path().join("a.part")
    }

    fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let client = Client { wait: Duration::from_millis(1), ..Client::new(self.limit) };
        let remote = Remote { url: &self.url, token: Some("secret"), size: self.size };
        let target = self.folder.path().join("a.bin");
        let fetched = client.download(&remote, &self.part(), &target);
        assert_eq!(
            fetched.is_ok(),
            target.exists(),
            "there is a file if and only if it is complete"
        );
        fetched.map(|()| fs::read(target).unwrap())
    }

    #[track_caller]
    fn refused(&self, want: &str) -> FetchError {
        let err = self.fetch().unwrap_err();
        let text = err.to_string();
        assert!(text.starts_with(&self.url) || text.contains(&self.url), "{text}");
        assert!(text.ends_with(want), "expected {want:?} in {text}");
        err
    }
}

#[test]
fn a_file_is_downloaded_with_the_token_and_only_once() {
    let server = server(|_, _| Reply::ok(body()));
    let bench = Bench::new(&server);
    assert!(bench.fetch().unwrap() == body());
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(server.requests()[0].header("range"), None);
    assert!(bench.fetch().unwrap() == body());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_broken_download_is_resumed() {
    let server = server(|idx, request| {
        let reply = Reply::ranged(request, &body(), "\"a\"");
        if idx < 2 { reply.cut_after(70_000) } else { reply }
    });
    assert!(Bench::new(&server).fetch().unwrap() == body());
    let ranges: Vec<_> =
        server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=70000-".into()), Some("bytes=140000-".into())]);
    assert_eq!(server.requests()[2].header("if-range"), Some("\"a\""));
}

#[test]
fn a_short_response_is_continued() {
    let server = server(|_, request| match request.range_start() {
        None => Reply::ok(body()).cut_after(80_000),
        Some(start) => Reply::partial(&body(), start).shortened(80_000),
    });
    assert!(Bench::new(&server).fetch().unwrap() == body());
    assert_eq!(server.requests()[2].range_start(), Some(160_000));
}

#[test]
fn only_progress_allows_more_attempts() {
    let drip = server(|_, request| Reply::ranged(request, &body(), "\"a\"").cut_after(20_000));
    assert!(Bench::new(&drip).fetch().unwrap() == body());
    assert_eq!(drip.requests().len(), 10);

    let dry = server(|_, request| Reply::ranged(request, &body(), "\"a\"").cut_after(0));
    let bench = Bench::new(&dry);
    let err = bench.refused("expected 200000 bytes, received 0");
    assert!(matches!(err, FetchError::Truncated { found: 0, .. }));
    assert_eq!(dry.requests().len(), N_TRIES as usize);
}

#[test]
fn without_ranges_the_download_starts_again() {
    let server = server(|idx, _| {
        let reply = Reply::ok(body());
        if idx == 0 { reply.cut_after(70_000) } else { reply }
    });
    assert!(Bench::new(&server).fetch().unwrap() == body());
    assert_eq!(server.requests()[1].range_start(), Some(70_000));
}

#[test]
fn a_changed_file_is_not_mixed_with_the_old_one() {
    let other: Vec<u8> = body().into_iter().rev().collect();
    // One server respects the entity tag. One ignores it and sends the rest of the
    // new file. One has no tags, and a new file of another size.
    let answers: [fn(usize, &Request) -> Reply; 3] = [
        |idx, request| match idx {
            0 => Reply::ranged(request, &body(), "\"a\"").cut_after(70_000),
            _ => {
                let other: Vec<u8> = body().into_iter().rev().collect();
                Reply::ranged(request, &other, "\"b\"")
            }
        },
        |idx, request| match (idx, request.range_start()) {
            (0, _) => Reply::ok(body()).header("ETag", "\"a\"").cut_after(70_000),
            (_, None) => Reply::ok(body().into_iter().rev().collect::<Vec<_>>()),
            (_, Some(start)) => {
                let other: Vec<u8> = body().into_iter().rev().collect();
                Reply::partial(&other, start).header("ETag", "\"b\"")
            }
        },
        |idx, request| match (idx, request.range_start()) {
            (0, _) => Reply::ok(&body()[..100_000]).cut_after(70_000),
            (_, None) => Reply::ok(body().into_iter().rev().collect::<Vec<_>>()),
            (_, Some(start)) => {
                let other: Vec<u8> = body().into_iter().rev().collect();
                Reply::partial(&other, start)
            }
        },
    ];
    for answer in answers {
        let server = server(answer);
        assert!(Bench::new(&server).fetch().unwrap() == other);
    }
}

#[test]
fn a_file_that_has_become_shorter_is_downloaded_again() {
    let server = server(|idx, request| match idx {
        0 => Reply::ok(body()).cut_after(70_000),
        _ => Reply::ranged(request, b"short", "\"b\""),
    });
    let bench = Bench::new(&server);
    assert_eq!(bench.fetch().unwrap(), b"short");
    assert_eq!(server.requests().len(), 3, "the second answer is status 416");
}

#[test]
fn a_file_from_another_address_is_replaced() {
    let server = server(|idx, request| {
        let reply = Reply::ranged(request, &body(), "\"a\"");
        if idx == 0 { Reply::status(403) } else { reply.cut_after(100_000) }
    });
    let bench = Bench::new(&server);
    let target = bench.folder.path().join("a.bin");
    let mirror = self::server(|_, _| Reply::ok("from a mirror"));
    let elsewhere = Bench { url: mirror.url.clone(), ..bench };
    assert_eq!(elsewhere.fetch().unwrap(), b"from a mirror");
    let bench = Bench { url: format!("{}/a.bin", server.url), ..elsewhere };
    let client = Client::new(1 << 20);
    let remote = Remote { url: &bench.url, token: None, size: None };
    client.download(&remote, &bench.part(), &target).unwrap_err();
    assert_eq!(fs::read(&target).unwrap(), b"from a mirror", "until there is another");
    assert!(bench.fetch().unwrap() == body());
}

#[test]
fn a_complete_partial_file_is_not_requested_again() {
    let server = server(|_, _| Reply::ok(body()));
    let bench = Bench::new(&server);
    let record = Record { url: bench.url.clone(), size: Some(3), etag: None };
    Partial::at(&bench.part()).start(&record).unwrap();
    fs::write(bench.part(), "abc").unwrap();
    assert_eq!(bench.fetch().unwrap(), b"abc");
    assert!(server.requests().is_empty());
}

#[test]
fn a_claimed_length_that_is_too_large_is_an_error() {
    let server = server(|_, request| {
        let body = body();
        match request.range_start() {
            Some(start) if start < body.len() => Reply::partial(&body, start),
            _ => Reply::ok(body.clone()).claiming(Some(body.len() + 10)),
        }
    });
    Bench::new(&server).refused("expected 200010 bytes, received 200000");
}

#[test]
fn a_wrong_length_is_refused_before_the_download() {
    for claimed in [100, 200_001] {
        let server = server(move |_, _| Reply::ok(body()).claiming(Some(claimed)));
        let bench = Bench { size: Some(200_000), ..Bench::new(&server) };
        let err = bench.refused(&format!("expected 200000 bytes, found {claimed}"));
        assert!(matches!(err, FetchError::Size { .. }));
        assert_eq!((server.requests().len(), bench.part().exists()), (1, false));
    }
}

#[test]
fn a_file_above_the_limit_is_refused() {
    let server = server(|_, _| Reply::ok(body()).claiming(None));
    assert!(
        Bench::new(&server).fetch().unwrap() == body(),
        "without a length, everything is taken"
    );
    let bench = Bench { limit: 1000, ..Bench::new(&server) };
    bench.refused("expected at most 1000 bytes, found more");
    assert!(!bench.part().exists());
    let bench = Bench { size: Some(1000), ..Bench::new(&server) };
    bench.refused("expected at most 1000 bytes, found more");

    let declared = self::server(|_, _| Reply::ok(body()));
    Bench { limit: 1000, ..Bench::new(&declared) }
        .refused("expected at most 1000 bytes, found 200000");
}

#[test]
fn a_busy_server_is_retried_and_a_missing_file_is_not() {
    for status in [429, 500, 503] {
        let server = server(move |idx, _| match idx {
            0 | 1 => Reply::status(status).header("Retry-After", "0"),
            _ => Reply::ok(body()),
        });
        assert!(Bench::new(&server).fetch().unwrap() == body());
    }
    for status in [401, 403, 404, 410] {
        let server = server(move |_, _| Reply::status(status));
        Bench::new(&server).refused(&format!("expected the file, found status {status}"));
        assert_eq!(server.requests().len(), 1);
    }
    let down = server(|_, _| Reply::status(503));
    let err = Bench::new(&down).refused("found status 503");
    assert!(err.is_network_failure());
    assert_eq!(down.requests().len(), N_TRIES as usize);
}

#[test]
fn a_server_may_request_a_longer_wait() {
    let server = server(|idx, _| match idx {
        0 => Reply::status(429).header("Retry-After", "1"),
        _ => Reply::ok(body()),
    });
    let since = std::time::Instant::now();
    Bench::new(&server).fetch().unwrap();
    assert!(since.elapsed() >= Duration::from_secs(1));
}

#[test]
fn redirects_are_followed_without_the_token() {
    let store = server(|_, request| Reply::ranged(request, &body(), "\"a\""));
    // Another name of the same machine is another host.
    let away = store.url.replace("127.0.0.1", "localhost");
    let hub = server(move |_, _| Reply::status(302).header("Location", &format!("{away}/b?c=d")));
    let bench = Bench::new(&hub);
    assert!(bench.fetch().unwrap() == body());
    assert_eq!(hub.requests()[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(store.requests()[0].path, "/b?c=d");
    assert_eq!(store.requests()[0].header("authorization"), None);

    let circle = server(|_, _| Reply::status(302).header("Location", "/again"));
    let err = Bench::new(&circle).fetch().unwrap_err();
    assert!(matches!(err, FetchError::Unreachable { .. }), "{err:?}");
}

#[test]
fn an_encoded_response_is_refused() {
    let packed = server(|_, _| Reply::ok("xx").header("Content-Encoding", "br"));
    Bench::new(&packed).refused("expected the file without encoding, found encoding br");
    assert_eq!(packed.requests()[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn an_unreachable_server_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.bin", listener.local_addr().unwrap());
    drop(listener);
    let bench = Bench { folder: tempfile::tempdir().unwrap(), url, size: None, limit: 9 };
    let err = bench.fetch().unwrap_err();
    assert_eq!(err.to_string(), format!("no response from {}", bench.url));
}

#[test]
fn the_hub_announces_size_and_hash_of_large_files() {
    let hash = "0f".repeat(32);
    let etag = format!("\"{hash}\"");
    let hub = server(move |_, request| {
        assert_eq!(request.method, "HEAD");
        match request.path.as_str() {
            "/large" => Reply::status(302)
                .header("Location", "http://127.0.0.1:1/")
                .header("X-Linked-Size", "12")
                .header("X-Linked-Etag", &etag),
            "/small" => Reply::status(200).header("ETag", "\"abc\""),
            "/mirror" => Reply::status(405),
            _ => Reply::status(404),
        }
    });
    let client = Client { wait: Duration::from_millis(1), ..Client::new(9) };
    let announced = |path: &str| client.announced(&format!("{}{path}", hub.url), None);
    assert_eq!(announced("/large").unwrap(), Announced { size: Some(12), sha256: Some(hash) });
    assert_eq!(announced("/small").unwrap(), Announced::default());
    assert_eq!(announced("/mirror").unwrap(), Announced::default());
    assert!(matches!(announced("/none"), Err(FetchError::Status { found: 404, .. })));
}
