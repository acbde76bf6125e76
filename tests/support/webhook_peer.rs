//! A web server that follows a script: each request takes the next act, and is answered 200 `ok`
//! when none is left.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the peer does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// These bytes are the answer.
    Say(String),
    /// The connection ends before anything is read.
    DropUnread,
    /// The connection ends when the request was read.
    DropRead,
    /// These bytes, and then nothing, for ever.
    Stall(String),
    /// These bytes, and then letters without end.
    Endless(String),
}

/// A status, header lines that each end with CRLF, and a body.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    ))
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The request line.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    acts: Mutex<VecDeque<Act>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
}

impl Peer {
    pub(crate) async fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                served.connections.fetch_add(1, Ordering::SeqCst);
                let (state, tls) = (Arc::clone(&served), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(tcp, &state).await,
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(tcp).await {
                                serve(stream, &state).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, state }
    }

    /// Sets what happens at the next request; several queue up.
    pub(crate) fn then(&self, act: Act) -> &Self {
        self.state.acts.lock().unwrap().push_back(act);
        self
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl State {
    fn next(&self) -> Option<Act> {
        self.acts.lock().unwrap().pop_front()
    }

    fn drops_next(&self) -> bool {
        matches!(self.acts.lock().unwrap().front(), Some(Act::DropUnread))
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, state: &State) {
    loop {
        if state.drops_next() {
            state.next();
            return;
        }
        let Some(received) = read(&mut stream).await else {
            return;
        };
        state.received.lock().unwrap().push(received);
        let act = state.next().unwrap_or_else(|| answer(200, "", "ok"));
        match act {
            Act::Say(bytes) => {
                if stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
            Act::DropUnread | Act::DropRead => return,
            Act::Stall(bytes) => {
                let _ = stream.write_all(bytes.as_bytes()).await;
                let _ = stream.flush().await;
                return std::future::pending().await;
            }
            Act::Endless(bytes) => {
                let _ = stream.write_all(bytes.as_bytes()).await;
                while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                return;
            }
        }
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut received = Received {
        line,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    let length: usize = received.header("content-length").parse().unwrap_or(0);
    while received.body.len() < length {
        if stream.read_buf(&mut received.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(received)
}
