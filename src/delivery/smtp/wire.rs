//! Bytes to and from a mail server: whole replies, within limits of size and time.
//!
//! lettre's own reader waits for a line end without limit; here a reply has at most
//! [`MAX_REPLY`] bytes and [`MAX_LINES`] lines, and all of it must arrive in time.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::certificate;

/// The most bytes of a reply: a server must not fill the memory.
const MAX_REPLY: usize = 64 * 1024;

/// The most lines of a reply: an offer, the longest, has some twenty.
const MAX_LINES: usize = 100;

/// A connection in clear or under TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// When the certificate ends that the server showed; none in clear.
    fn certificate_ends_at(&self) -> Option<Timestamp> {
        None
    }
}

impl Stream for TcpStream {}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {}

impl Stream for TlsStream<TcpStream> {
    fn certificate_ends_at(&self) -> Option<Timestamp> {
        let (_, connection) = self.get_ref();
        let shown = connection.peer_certificates()?.first()?;
        certificate::ends_at(shown)
    }
}

impl Stream for Box<dyn Stream> {
    fn certificate_ends_at(&self) -> Option<Timestamp> {
        (**self).certificate_ends_at()
    }
}

/// What went wrong between us and the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("no reply within {}", human(*.0))]
    TimedOut(Duration),
    #[error("the connection was lost: {0}")]
    Lost(#[source] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server sent something that is no reply: {0}")]
    Garbage(&'static str),
}

fn human(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

/// How far a message got that was not written in full.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// Whether its last bytes may have left.
    pub(super) may_have_left: bool,
    pub(super) error: WireError,
}

/// A stream, and what has been read from it but not been asked for.
pub(super) struct Wire<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: Stream> Wire<S> {
    pub(super) fn certificate_ends_at(&self) -> Option<Timestamp> {
        self.stream.certificate_ends_at()
    }

    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::with_capacity(1024),
        }
    }

    /// Whether the server has said nothing that was not asked for. If it has, its replies can
    /// no longer be matched to our commands.
    pub(super) fn is_quiet(&self) -> bool {
        self.unread.is_empty()
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    pub(super) async fn command(
        &mut self,
        line: &str,
        limit: Duration,
    ) -> Result<Response, WireError> {
        self.write(line.as_bytes(), limit)
            .await
            .map_err(|unwritten| unwritten.error)?;
        self.reply(limit).await
    }

    /// Writes all; `limit` is for each block that the server takes.
    pub(super) async fn write(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Unwritten> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let unwritten = |error| Unwritten {
                may_have_left: false,
                error,
            };
            match within(limit, self.stream.write(rest))
                .await
                .map_err(unwritten)?
            {
                0 => return Err(unwritten(WireError::Closed)),
                taken => rest = &rest[taken..],
            }
        }
        let flushed = within(limit, self.stream.flush()).await;
        flushed.map_err(|error| Unwritten {
            may_have_left: true,
            error,
        })
    }

    /// The next reply; `limit` is for all of it.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Response, WireError> {
        timeout(limit, self.read_reply())
            .await
            .unwrap_or(Err(WireError::TimedOut(limit)))
    }

    async fn read_reply(&mut self) -> Result<Response, WireError> {
        let mut text = String::new();
        for _ in 0..MAX_LINES {
            let line = self.read_line(MAX_REPLY.saturating_sub(text.len())).await?;
            let (code, rest) = line
                .split_at_checked(3)
                .ok_or(WireError::Garbage("a line without a code"))?;
            let (last, words) = match rest.chars().next() {
                Some('-') => (false, &rest[1..]),
                Some(' ') => (true, &rest[1..]),
                None => (true, rest),
                Some(_) => return Err(WireError::Garbage("a line without a code")),
            };
            text.push_str(code);
            text.push(if last { ' ' } else { '-' });
            text.push_str(words);
            text.push_str("\r\n");
            if last {
                return text
                    .parse()
                    .map_err(|_| WireError::Garbage("a code that is none"));
            }
        }
        Err(WireError::Garbage("a reply of too many lines"))
    }

    async fn read_line(&mut self, limit: usize) -> Result<String, WireError> {
        let mut searched = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.unread[searched..]) {
                let line: Vec<u8> = self.unread.drain(..=searched + end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).replace('\r', " "));
            }
            searched = self.unread.len();
            if searched > limit {
                return Err(WireError::Garbage("a reply that is too long"));
            }
            match self.stream.read_buf(&mut self.unread).await {
                Ok(0) => return Err(WireError::Closed),
                Ok(_) => {}
                Err(error) => return Err(WireError::Lost(error)),
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, WireError> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(WireError::Lost),
        Err(_) => Err(WireError::TimedOut(limit)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(bytes: &[u8]) -> Result<Response, WireError> {
        let (client, mut server) = tokio::io::duplex(1 << 20);
        server.write_all(bytes).await.unwrap();
        drop(server);
        Wire::new(client).reply(Duration::from_secs(9)).await
    }

    #[tokio::test]
    async fn replies_of_one_and_many_lines() {
        for (bytes, code, lines) in [
            ("250 ok\r\n", 250, 1),
            ("250\r\n", 250, 1),
            ("250-a\r\n250-b\r\n250 c\r\n", 250, 3),
            ("354 go\n", 354, 1),
            ("550 5.1.1 caf\u{e9} unknown\r\n", 550, 1),
        ] {
            let reply = read(bytes.as_bytes()).await.unwrap();
            assert!(reply.has_code(code), "{bytes:?}");
            assert_eq!(reply.message().count(), lines, "{bytes:?}");
        }
        assert!(read(b"250 caf\xe9\r\n").await.unwrap().has_code(250));
    }

    #[tokio::test]
    async fn what_is_no_reply_is_not_taken_for_one() {
        for bytes in [
            "",
            "250",
            "hi\r\n",
            "999 x\r\n",
            "250_x\r\n",
            "250-a\r\n550 b\r\n",
            "\r\n",
        ] {
            assert!(read(bytes.as_bytes()).await.is_err(), "{bytes:?}");
        }
        assert!(read("250-more\r\n".repeat(200).as_bytes()).await.is_err());
        assert!(read(&b"2".repeat(200_000)).await.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_confuse_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _ = runtime.block_on(read(&bytes));
        }
    }
}
