//! A web server for tests that can misbehave in many ways.

#![allow(dead_code)] // Each test program uses a part of it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request of a client.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first requested byte.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// A response of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Claimed length. Without one, the connection closes at the end.
    length: Option<usize>,
    /// Number of bytes after which the connection closes.
    cut: Option<usize>,
    /// Number of bytes between short pauses.
    pace: Option<usize>,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status: 200, length: Some(body.len()), body, ..Self::default() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, length: Some(0), ..Self::default() }
    }

    /// The reply of a server that supports ranges: the missing part, if `etag` is
    /// that of the partial download.
    pub(crate) fn ranged(request: &Request, body: &[u8], etag: &str) -> Self {
        let is_same = request.header("if-range").is_none_or(|requested| requested == etag);
        match request.range_start().filter(|_| is_same) {
            None => Self::ok(body),
            Some(start) if start >= body.len() => Self::status(416),
            Some(start) => Self::partial(body, start),
        }
        .header("ETag", etag)
    }

    /// The rest of `body`, whatever the client has.
    pub(crate) fn partial(body: &[u8], start: usize) -> Self {
        let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
        Self { status: 206, ..Self::ok(&body[start..]) }.header("Content-Range", &range)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The first `n_bytes` bytes, with this length.
    pub(crate) fn shortened(mut self, n_bytes: usize) -> Self {
        self.body.truncate(n_bytes);
        Self { length: Some(self.body.len()), ..self }
    }

    pub(crate) fn claiming(self, length: Option<usize>) -> Self {
        Self { length, ..self }
    }

    pub(crate) fn cut_after(self, n_bytes: usize) -> Self {
        Self { cut: Some(n_bytes), ..self }
    }

    pub(crate) fn paced(self, n_bytes: usize) -> Self {
        Self { pace: Some(n_bytes), ..self }
    }
}

/// A server on a free port, until the test ends.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server that replies with `answer`.
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("the listener is bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        log.lock().expect("no request panics").push(request.clone());
                        // A client may close the connection early.
                        let _ = write(stream, &request, &answer(&request));
                    }
                });
            }
        });
        Self { url, requests }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no request panics").clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let line = lines.next()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some(Request { method, path, headers: headers.collect() })
}

fn write(mut stream: TcpStream, request: &Request, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", reply.status);
    if let Some(length) = reply.length {
        head += &format!("Content-Length: {length}\r\n");
    }
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "HEAD" {
        return Ok(());
    }
    let body = &reply.body[..reply.cut.unwrap_or(usize::MAX).min(reply.body.len())];
    for piece in body.chunks(reply.pace.unwrap_or(body.len().max(1))) {
        stream.write_all(piece)?;
        if reply.pace.is_some() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    stream.flush()
}
