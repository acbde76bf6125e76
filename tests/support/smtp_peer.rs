//! A mail server that follows a script: it behaves until an act is set for a verb.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What the peer does instead of behaving.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// These bytes are the answer.
    Say(&'static str),
    /// The connection ends without an answer.
    Drop,
    /// Nothing, for ever.
    Stall,
    /// Lines of one reply, without end.
    Endless,
    /// Bytes without a line end, without end.
    EndlessLine,
    /// The message is kept and the answer is not given (after the final dot).
    KeepAndDrop,
}

/// How the peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Clear,
    StartTls,
    Implicit,
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    offers: Vec<&'static str>,
    protection: Protection,
    tls: Option<Arc<ServerConfig>>,
    acts: Mutex<HashMap<&'static str, VecDeque<Act>>>,
    /// Tokens that are good at the moment.
    tokens: Mutex<Vec<String>>,
    seen: Mutex<Vec<String>>,
    kept: Mutex<Vec<String>>,
    changed: Notify,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

impl Peer {
    /// A server in clear that offers these extensions.
    pub(crate) async fn start(offers: &[&'static str]) -> Self {
        Self::start_with(offers, Protection::Clear, None).await
    }

    pub(crate) async fn start_with(
        offers: &[&'static str],
        protection: Protection,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            offers: offers.to_vec(),
            protection,
            tls,
            acts: Mutex::default(),
            tokens: Mutex::default(),
            seen: Mutex::default(),
            kept: Mutex::default(),
            changed: Notify::new(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        });
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, Arc::clone(&served)));
            }
        });
        Self { address, state }
    }

    /// Sets what happens the next time the verb comes; several queue up.
    pub(crate) fn on(&self, verb: &'static str, act: Act) -> &Self {
        let mut acts = self.state.acts.lock().unwrap();
        acts.entry(verb).or_default().push_back(act);
        drop(acts);
        self
    }

    /// Only these tokens are good from now on.
    pub(crate) fn accept_tokens(&self, tokens: &[&str]) {
        *self.state.tokens.lock().unwrap() =
            tokens.iter().map(|token| (*token).to_owned()).collect();
    }

    /// The commands received so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }

    /// The messages kept so far, as they came over the wire.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.state.kept.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }

    /// Waits until a command that begins so has come.
    pub(crate) async fn wait_for(&self, verb: &str) {
        loop {
            let changed = self.state.changed.notified();
            if self.seen().iter().any(|line| line.starts_with(verb)) {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    fn act(&self, verb: &str) -> Option<Act> {
        self.acts
            .lock()
            .unwrap()
            .get_mut(verb)
            .and_then(VecDeque::pop_front)
    }
}

async fn serve(tcp: TcpStream, state: Arc<State>) {
    state.connections.fetch_add(1, Ordering::SeqCst);
    let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
    state.most_open.fetch_max(open, Ordering::SeqCst);
    let acceptor = state.tls.clone().map(TlsAcceptor::from);
    match state.protection {
        Protection::Clear => {
            talk(tcp, &state, true, false).await;
        }
        Protection::StartTls => {
            if let Some(tcp) = talk(tcp, &state, true, false).await
                && let Ok(stream) = acceptor.unwrap().accept(tcp).await
            {
                talk(stream, &state, false, true).await;
            }
        }
        Protection::Implicit => {
            if let Ok(stream) = acceptor.unwrap().accept(tcp).await {
                talk(stream, &state, true, true).await;
            }
        }
    }
    state.open.fetch_sub(1, Ordering::SeqCst);
}

/// Talks until the end, or until TLS is to start.
async fn talk<S>(stream: S, state: &State, greet: bool, protected: bool) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    if greet && !answer(&mut stream, state, "CONNECT", "220 peer ready\r\n").await {
        return None;
    }
    let (mut mail, mut rcpt) = (false, false);
    while let Some(line) = read_line(&mut stream).await {
        state.seen.lock().unwrap().push(line.clone());
        state.changed.notify_waiters();
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => ehlo(state, protected),
            "STARTTLS" => "220 go ahead\r\n".to_owned(),
            "AUTH" if login(&mut stream, state, &line).await => "235 2.7.0 welcome\r\n".to_owned(),
            "AUTH" => "535 5.7.8 wrong user or password\r\n".to_owned(),
            "RCPT" if !mail => "503 5.5.1 MAIL first\r\n".to_owned(),
            "DATA" if !rcpt => "503 5.5.1 RCPT first\r\n".to_owned(),
            "DATA" => "354 go on\r\n".to_owned(),
            "QUIT" => "221 bye\r\n".to_owned(),
            "MAIL" | "RCPT" | "RSET" => "250 2.0.0 ok\r\n".to_owned(),
            _ => "500 5.5.1 what\r\n".to_owned(),
        };
        let act = state.act(&verb);
        let said = match &act {
            Some(Act::Say(text)) => (*text).to_owned(),
            _ => reply,
        };
        if !perform(&mut stream, act, &said).await {
            return None;
        }
        let positive = said.starts_with('2');
        match verb.as_str() {
            "MAIL" => mail = positive,
            "RCPT" => rcpt |= positive,
            "RSET" => (mail, rcpt) = (false, false),
            "QUIT" => return None,
            "STARTTLS" if positive => return Some(stream.into_inner()),
            "DATA" if said.starts_with('3') => {
                let message = read_message(&mut stream).await?;
                (mail, rcpt) = (false, false);
                let act = state.act("DOT");
                let said = match &act {
                    Some(Act::Say(text)) => *text,
                    _ => "250 2.0.0 kept\r\n",
                };
                let kept = matches!(act, None | Some(Act::KeepAndDrop)) || said.starts_with('2');
                if kept
                    && !matches!(
                        act,
                        Some(Act::Drop | Act::Stall | Act::Endless | Act::EndlessLine)
                    )
                {
                    state.kept.lock().unwrap().push(message);
                }
                if !perform(&mut stream, act, said).await {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

async fn answer<S>(stream: &mut BufReader<S>, state: &State, verb: &str, reply: &str) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let act = state.act(verb);
    let said = match &act {
        Some(Act::Say(text)) => text,
        _ => reply,
    };
    perform(stream, act.clone(), said).await
}

/// Whether the conversation goes on.
async fn perform<S>(stream: &mut BufReader<S>, act: Option<Act>, said: &str) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match act {
        None | Some(Act::Say(_)) => {
            stream.write_all(said.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
        }
        Some(Act::Drop | Act::KeepAndDrop) => false,
        Some(Act::Stall) => std::future::pending().await,
        Some(Act::Endless) => endless(stream, b"250-and more\r\n").await,
        Some(Act::EndlessLine) => endless(stream, b"250 and more ").await,
    }
}

async fn endless<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> bool {
    while stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() {}
    false
}

fn ehlo(state: &State, protected: bool) -> String {
    let mut lines = vec!["peer"];
    lines.extend(&state.offers);
    if state.protection == Protection::StartTls && !protected {
        lines.push("STARTTLS");
    }
    let (last, first) = lines.split_last().unwrap();
    let mut reply = String::new();
    for line in first {
        reply += &["250-", line, "\r\n"].concat();
    }
    reply + &["250 ", last, "\r\n"].concat()
}

/// Only `ana` with `secret-word`, or with a good token, is let in.
async fn login<S>(stream: &mut BufReader<S>, state: &State, line: &str) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(proof) = line.strip_prefix("AUTH XOAUTH2 ") {
        let proof = String::from_utf8(STANDARD.decode(proof).unwrap()).unwrap();
        let good = state
            .tokens
            .lock()
            .unwrap()
            .iter()
            .any(|token| proof == format!("user=ana\x01auth=Bearer {token}\x01\x01"));
        if !good {
            // What is wrong comes as a challenge; its answer is an empty line.
            let _ = stream.write_all(b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n").await;
            let _ = stream.flush().await;
            assert_eq!(read_line(stream).await.as_deref(), Some(""));
        }
        return good;
    }
    if line == "AUTH PLAIN AGFuYQBzZWNyZXQtd29yZA==" {
        return true;
    }
    if line != "AUTH LOGIN" {
        return false;
    }
    let mut given = Vec::new();
    for prompt in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
        let _ = stream.write_all(prompt.as_bytes()).await;
        let _ = stream.flush().await;
        given.push(read_line(stream).await.unwrap_or_default());
    }
    given == ["YW5h", "c2VjcmV0LXdvcmQ="]
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(read) if read > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

async fn read_message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut message = String::new();
    loop {
        let mut line = String::new();
        match stream.read_line(&mut line).await {
            Ok(read) if read > 0 => {}
            _ => return None,
        }
        if line == ".\r\n" {
            return Some(message);
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
