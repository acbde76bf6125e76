//! Our own SMTP client on lettre's commands and replies.
//!
//! lettre's transport sends 22 messages per second on a link without delay, does not cap its
//! connections, has no time-out after connecting, and can report a message as sent that the
//! server refused once a send was cancelled. Here a send owns its connection and
//! gives it back only after a clean end: whatever is cancelled or fails half-way takes the
//! connection with it. An [`Outcome`] says what became of the message; deciding when to try again, and rate
//! limits, are the courier's.

mod connection;
mod offer;
mod opening;
mod replies;
mod wire;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use self::connection::Connection;

use super::Outcome;
use super::mail::Letter;
pub use super::trust::{TrustError, system_trust};
use crate::entra::Tokens;

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// In clear at first, protected before anything is said; refused where the server does not
    /// offer it.
    StartTls,
    /// Protected from the first byte.
    Implicit,
    /// In clear, to this machine only.
    None,
}

/// Who logs in, and how.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user; of Exchange Online the mailbox that mails come from.
    pub username: String,
    /// What proves it.
    pub proof: Proof,
}

impl Login {
    /// A server may repeat what it was told, in any answer.
    fn withheld_from(&self, outcome: Outcome) -> Outcome {
        let Proof::Password(password) = &self.proof else {
            return outcome;
        };
        if outcome.is_accepted() {
            return outcome;
        }
        let password = password.expose_secret();
        let username = &self.username;
        let plain = STANDARD.encode(format!("\0{username}\0{password}"));
        outcome.withholding(&[password, &STANDARD.encode(password), &plain])
    }
}

/// What proves who logs in.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A password (PLAIN or LOGIN).
    Password(SecretString),
    /// A token of the identity platform (XOAUTH2).
    Token {
        /// Where tokens come from.
        tokens: Arc<Tokens>,
        /// What they are for, `https://outlook.office365.com` for example.
        resource: &'static str,
    },
}

/// How to reach a mail server.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// The server's name, which its certificate must bear.
    pub host: String,
    /// The port; else that of the protection: 587, 465 or 25.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: Tls,
    /// Who logs in.
    pub login: Option<Login>,
    /// How many connections may be open at once.
    pub connections: usize,
    /// After how many messages a connection is renewed.
    pub per_connection: Option<u32>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

impl SmtpConfig {
    /// That server with what is usual otherwise.
    #[must_use]
    pub fn new(host: &str, tls: Tls) -> Self {
        Self {
            host: host.to_owned(),
            port: None,
            tls,
            login: None,
            connections: 3,
            per_connection: None,
            timeouts: Timeouts::default(),
        }
    }

    /// The port that is used.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::StartTls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        })
    }
}

/// How long to wait in each phase. The defaults are those of RFC 5321, 4.5.3.2; cutting the last
/// one short makes duplicates (RFC 1047).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, and for the TLS handshake.
    pub connect: Duration,
    /// For the greeting and the reply to a command.
    pub command: Duration,
    /// For the reply to DATA.
    pub data: Duration,
    /// For the server to take a block of the message.
    pub block: Duration,
    /// For the reply to the final dot.
    pub done: Duration,
    /// How long an unused connection stays open.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_mins(5),
            data: Duration::from_mins(2),
            block: Duration::from_mins(3),
            done: Duration::from_mins(10),
            idle: Duration::from_secs(30),
        }
    }
}

/// A mail server and the open connections to it. Clones share them.
#[derive(Clone)]
pub struct Smtp {
    shared: Arc<Shared>,
}

struct Shared {
    config: SmtpConfig,
    trust: Option<Arc<ClientConfig>>,
    /// One per connection that is in use, or being closed.
    permits: Semaphore,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The most recently used last.
    connections: Vec<(Connection, Instant)>,
    watched: bool,
}

impl Smtp {
    /// That server, trusted by the system's certificates.
    pub fn new(config: SmtpConfig) -> Result<Self, TrustError> {
        let trust = match config.tls {
            Tls::None => None,
            Tls::StartTls | Tls::Implicit => Some(system_trust()?),
        };
        Ok(Self::build(config, trust))
    }

    /// That server, trusted by other certificates than the system's.
    #[must_use]
    pub fn with_trust(config: SmtpConfig, trust: Arc<ClientConfig>) -> Self {
        Self::build(config, Some(trust))
    }

    fn build(config: SmtpConfig, trust: Option<Arc<ClientConfig>>) -> Self {
        let permits = Semaphore::new(config.connections.max(1));
        let idle = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                config,
                trust,
                permits,
                idle,
            }),
        }
    }

    /// Sends a message over an open connection, or a new one.
    ///
    /// Cancelling this closes the connection; whether the message went out is then unknown.
    pub async fn send(&self, letter: &Letter) -> Outcome {
        self.withheld(self.exchange(letter).await)
    }

    fn withheld(&self, outcome: Outcome) -> Outcome {
        match &self.shared.config.login {
            Some(login) => login.withheld_from(outcome),
            None => outcome,
        }
    }

    async fn exchange(&self, letter: &Letter) -> Outcome {
        let shared = &self.shared;
        let Ok(_permit) = shared.permits.acquire().await else {
            return Outcome::unreachable(None, "the connections to the mail server are closed");
        };
        if let Some(connection) = shared.reuse().await {
            let exchange = connection.send(letter).await;
            if !exchange.untouched {
                self.keep(exchange.connection).await;
                return exchange.outcome;
            }
        }
        match shared.open().await {
            Ok(connection) => {
                let exchange = connection.send(letter).await;
                self.keep(exchange.connection).await;
                exchange.outcome
            }
            Err(failure) => failure,
        }
    }

    /// Connects, logs in and leaves: whether the channel works (rule 7.11). While mails take every connection, they show that.
    /// Says when the server's certificate ends.
    pub async fn probe(&self) -> Result<Option<Timestamp>, Outcome> {
        let Ok(_permit) = self.shared.permits.try_acquire() else {
            return Ok(None);
        };
        let opened = self.shared.open().await;
        let connection = opened.map_err(|failure| self.withheld(failure))?;
        let ends_at = connection.certificate_ends_at();
        connection.quit().await;
        Ok(ends_at)
    }

    /// Closes what is open and unused, with QUIT.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut self.shared.idle().connections);
        for (connection, _) in idle {
            connection.quit().await;
        }
    }

    async fn keep(&self, connection: Option<Connection>) {
        let Some(connection) = connection else { return };
        let config = &self.shared.config;
        if config
            .per_connection
            .is_some_and(|most| connection.sent() >= most)
        {
            connection.quit().await;
            return;
        }
        let mut idle = self.shared.idle();
        idle.connections.push((connection, Instant::now()));
        if !std::mem::replace(&mut idle.watched, true) {
            tokio::spawn(close_unused(
                Arc::downgrade(&self.shared),
                config.timeouts.idle,
            ));
        }
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<Connection, Outcome> {
        Connection::open(&self.config, self.trust.as_ref()).await
    }

    /// An open connection that has not been unused for too long.
    async fn reuse(&self) -> Option<Connection> {
        let (connection, since) = self.idle().connections.pop()?;
        if since.elapsed() < self.config.timeouts.idle {
            return Some(connection);
        }
        connection.quit().await;
        None
    }

    /// The connection that has been unused for longest, if for too long.
    fn unused(&self) -> Option<Connection> {
        let mut idle = self.idle();
        let (_, since) = idle.connections.first()?;
        (since.elapsed() >= self.config.timeouts.idle).then(|| idle.connections.remove(0).0)
    }

    fn next_unused(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let next = idle.connections.first().map(|(_, since)| *since);
        idle.watched = next.is_some();
        next
    }
}

/// Closes connections as they have been unused for too long; ends when none is left.
async fn close_unused(shared: Weak<Shared>, limit: Duration) {
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next + limit).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        // The permit keeps a closing connection among those that the server counts.
        while let Ok(_permit) = shared.permits.acquire().await
            && let Some(connection) = shared.unused()
        {
            connection.quit().await;
        }
        match shared.next_unused() {
            Some(since) => next = since,
            None => return,
        }
    }
}
