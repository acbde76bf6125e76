//! One conversation with a mail server: greeting, TLS, login, and messages one after another.
//!
//! [`Connection::send`] takes the connection and gives it back only if both sides are sure to
//! mean the same by the next word. Sent means exactly: 2yz to the final dot.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::outcome::{Outcome, Stage, code_of, is_2yz, is_negative, words};
use super::wire::{Stream, Wire, WireError};
use super::{Login, SmtpConfig, Timeouts, Tls};
use crate::delivery::mail::Letter;

/// How long a goodbye may take; nobody depends on it.
const GOODBYE: Duration = Duration::from_secs(5);

/// A server that has greeted us and let us in.
pub(super) struct Connection {
    wire: Wire<Box<dyn Stream>>,
    offer: Offer,
    timeouts: Timeouts,
    sent: u32,
}

/// What became of a message and of its connection.
pub(super) struct Exchange {
    pub(super) outcome: Outcome,
    /// Fit for the next message.
    pub(super) connection: Option<Connection>,
    /// The server had left before it saw this message, so that it can be sent anew at once.
    pub(super) untouched: bool,
}

/// What the server said it can do (EHLO).
#[derive(Debug, Default, PartialEq, Eq)]
struct Offer {
    starttls: bool,
    pipelining: bool,
    eight_bit: bool,
    utf8: bool,
    /// The longest message; zero or absent means no fixed limit.
    size: Option<usize>,
    plain: bool,
    login: bool,
}

/// Why the envelope was not taken.
struct Stop {
    outcome: Outcome,
    /// Both sides know where they are.
    in_step: bool,
    untouched: bool,
}

impl Connection {
    /// Connects and logs in; a failure says nothing about any recipient.
    pub(super) async fn open(
        config: &SmtpConfig,
        trust: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, Outcome> {
        let tcp = connect(config).await?;
        let peer = tcp.peer_addr().ok().map(|peer| peer.ip());
        let hello = Ehlo::new(hello_name(&tcp)).to_string();
        let command = config.timeouts.command;
        let (wire, offer) = match config.tls {
            Tls::Implicit => {
                let mut wire = Wire::new(handshake(config, trust, tcp).await?);
                greeting(&mut wire, command).await?;
                let offer = ehlo(&mut wire, &hello, command).await?;
                (wire, offer)
            }
            Tls::StartTls => {
                let mut wire = Wire::new(tcp);
                greeting(&mut wire, command).await?;
                let offer = ehlo(&mut wire, &hello, command).await?;
                start_tls(&mut wire, &offer, config).await?;
                let mut wire = Wire::new(handshake(config, trust, wire.into_stream()).await?);
                let offer = ehlo(&mut wire, &hello, command).await?;
                (wire, offer)
            }
            Tls::None => {
                let mut wire = Wire::new(Box::new(tcp) as Box<dyn Stream>);
                greeting(&mut wire, command).await?;
                let offer = ehlo(&mut wire, &hello, command).await?;
                (wire, offer)
            }
        };
        let mut connection = Self {
            wire,
            offer,
            timeouts: config.timeouts,
            sent: 0,
        };
        if let Some(login) = &config.login {
            if config.tls == Tls::None && !peer.is_some_and(|peer| peer.is_loopback()) {
                return Err(Outcome::transport(
                    None,
                    "no password is sent without TLS to another machine",
                ));
            }
            connection.log_in(login).await?;
        }
        Ok(connection)
    }

    /// How many messages it has carried.
    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Hands over one message.
    pub(super) async fn send(mut self, letter: &Letter) -> Exchange {
        let mail = match self.mail_command(letter) {
            Ok(mail) => mail,
            Err(outcome) => return Exchange::over(outcome, Some(self)),
        };
        self.sent += 1;
        let rcpt = Rcpt::new(letter.to.clone(), Vec::new()).to_string();
        let offered = if self.offer.pipelining {
            self.offer_at_once(&mail, &rcpt).await
        } else {
            self.offer_in_turn(&mail, &rcpt).await
        };
        match offered {
            Ok(()) => self.hand_over(&letter.bytes).await,
            Err(stop) => {
                let connection = if stop.in_step {
                    self.reset().await
                } else {
                    None
                };
                Exchange {
                    outcome: stop.outcome,
                    connection,
                    untouched: stop.untouched,
                }
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) {
        let _ = self.wire.command(&Quit.to_string(), GOODBYE).await;
    }

    fn mail_command(&self, letter: &Letter) -> Result<String, Outcome> {
        let mut parameters = Vec::new();
        if let Some(most) = self.offer.size {
            if most > 0 && letter.bytes.len() > most {
                let text = format!(
                    "the message has {} bytes, the server takes {most}",
                    letter.bytes.len()
                );
                return Err(Outcome::refused(&text));
            }
            parameters.push(MailParameter::Size(letter.bytes.len()));
        }
        let utf8 = !(is_ascii(&letter.from) && is_ascii(&letter.to));
        if utf8 && !self.offer.utf8 {
            return Err(Outcome::refused("smtputf8_unsupported"));
        }
        if utf8 || !letter.bytes.is_ascii() {
            if !self.offer.eight_bit {
                return Err(Outcome::refused("the server takes no 8-bit messages"));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if utf8 {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        Ok(Mail::new(Some(letter.from.clone()), parameters).to_string())
    }

    /// MAIL, RCPT and DATA in one write (RFC 2920).
    async fn offer_at_once(&mut self, mail: &str, rcpt: &str) -> Result<(), Stop> {
        let group = format!("{mail}{rcpt}{Data}");
        let limits = self.timeouts;
        let written = self.wire.write(group.as_bytes(), limits.command).await;
        written.map_err(|unwritten| Stop::unreached(&unwritten.error))?;
        let sender = self
            .wire
            .reply(limits.command)
            .await
            .map_err(|error| Stop::unreached(&error))?;
        if code_of(&sender) == 421 {
            return Err(Stop::leaving(&sender));
        }
        let recipient = self.wire.reply(limits.command).await;
        let data = match &recipient {
            Ok(reply) if code_of(reply) != 421 => self.wire.reply(limits.data).await,
            _ => Err(WireError::Closed),
        };
        // A server that takes DATA after refusing the rest waits for a message that must not
        // come; only if it refused DATA too is it clear where both are.
        let in_step = data.as_ref().is_ok_and(is_negative) && self.wire.is_quiet();
        let stop = |outcome| Stop {
            outcome,
            in_step,
            untouched: false,
        };
        if !is_2yz(&sender) {
            return Err(stop(Outcome::of(Stage::Sender, &sender)));
        }
        let recipient = recipient.map_err(|error| stop(Outcome::deferred(&error)))?;
        if !is_2yz(&recipient) {
            return Err(stop(Outcome::of(Stage::Recipient, &recipient)));
        }
        let data = data.map_err(|error| stop(Outcome::deferred(&error)))?;
        if !data.has_code(354) {
            return Err(stop(Outcome::of(Stage::Content, &data)));
        }
        self.expect_quiet()
    }

    async fn offer_in_turn(&mut self, mail: &str, rcpt: &str) -> Result<(), Stop> {
        let limits = self.timeouts;
        let steps = [
            (Stage::Sender, mail, limits.command),
            (Stage::Recipient, rcpt, limits.command),
            (Stage::Content, "DATA\r\n", limits.data),
        ];
        for (stage, line, limit) in steps {
            let first = stage == Stage::Sender;
            let reply = match self.wire.command(line, limit).await {
                Ok(reply) => reply,
                Err(error) if first => return Err(Stop::unreached(&error)),
                Err(error) => return Err(Stop::lost(Outcome::deferred(&error))),
            };
            if first && code_of(&reply) == 421 {
                return Err(Stop::leaving(&reply));
            }
            let hoped = if stage == Stage::Content {
                reply.has_code(354)
            } else {
                is_2yz(&reply)
            };
            if !hoped {
                let in_step = is_negative(&reply) && self.wire.is_quiet() && code_of(&reply) != 421;
                let outcome = Outcome::of(stage, &reply);
                return Err(Stop {
                    outcome,
                    in_step,
                    untouched: false,
                });
            }
            self.expect_quiet()?;
        }
        Ok(())
    }

    fn expect_quiet(&self) -> Result<(), Stop> {
        if self.wire.is_quiet() {
            return Ok(());
        }
        Err(Stop::lost(Outcome::out_of_step()))
    }

    /// The message and its final dot, in one write: two would wait for each other (Nagle).
    async fn hand_over(mut self, message: &[u8]) -> Exchange {
        let written = self
            .wire
            .write(&stuffed(message), self.timeouts.block)
            .await;
        if let Err(unwritten) = written {
            let outcome = if unwritten.may_have_left {
                Outcome::ambiguous(&unwritten.error.to_string())
            } else {
                Outcome::deferred(&unwritten.error)
            };
            return Exchange::over(outcome, None);
        }
        match self.wire.reply(self.timeouts.done).await {
            Ok(reply) if is_2yz(&reply) => {
                let code = code_of(&reply);
                Exchange::over(Outcome::Sent { code }, self.if_quiet())
            }
            Ok(reply) if is_negative(&reply) => {
                let outcome = Outcome::of(Stage::Content, &reply);
                let connection = if code_of(&reply) == 421 {
                    None
                } else {
                    self.if_quiet()
                };
                Exchange::over(outcome, connection)
            }
            Ok(reply) => Exchange::over(Outcome::ambiguous(&words(&reply)), None),
            Err(error) => Exchange::over(Outcome::ambiguous(&error.to_string()), None),
        }
    }

    fn if_quiet(self) -> Option<Self> {
        self.wire.is_quiet().then_some(self)
    }

    /// Back to the state after login, so that a refused recipient costs no new login.
    async fn reset(mut self) -> Option<Self> {
        let reply = self
            .wire
            .command(&Rset.to_string(), self.timeouts.command)
            .await;
        if reply.is_ok_and(|reply| is_2yz(&reply)) {
            self.if_quiet()
        } else {
            None
        }
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), Outcome> {
        let mechanism = match (self.offer.plain, self.offer.login) {
            (true, _) => Mechanism::Plain,
            (false, true) => Mechanism::Login,
            (false, false) => {
                return Err(Outcome::transport(
                    None,
                    "the server offers no login by password (AUTH PLAIN or LOGIN)",
                ));
            }
        };
        let password = login.password.expose_secret().to_owned();
        let credentials = Credentials::new(login.username.clone(), password);
        let mut auth = Auth::new(mechanism, credentials.clone(), None);
        // LOGIN asks twice; whatever asks more often never ends.
        for _ in 0..3 {
            let line = auth
                .map_err(|error| Outcome::transport(None, &error.to_string()))?
                .to_string();
            let reply = self.wire.command(&line, self.timeouts.command).await;
            let reply = reply.map_err(|error| failed("logging in", &error))?;
            if reply.has_code(334) {
                auth = Auth::new_from_response(mechanism, credentials.clone(), &reply);
                continue;
            }
            if is_2yz(&reply) && self.wire.is_quiet() {
                return Ok(());
            }
            return Err(login_refused(&reply, login, &line));
        }
        Err(Outcome::transport(
            None,
            "the server asks for more than a user and a password",
        ))
    }
}

impl Exchange {
    fn over(outcome: Outcome, connection: Option<Connection>) -> Self {
        Self {
            outcome,
            connection,
            untouched: false,
        }
    }
}

impl Stop {
    fn lost(outcome: Outcome) -> Self {
        Self {
            outcome,
            in_step: false,
            untouched: false,
        }
    }

    /// Not a word came back.
    fn unreached(error: &WireError) -> Self {
        let untouched = matches!(error, WireError::Closed | WireError::Lost(_));
        Self {
            untouched,
            ..Self::lost(Outcome::deferred(error))
        }
    }

    /// The server closes an old connection.
    fn leaving(reply: &Response) -> Self {
        Self {
            untouched: true,
            ..Self::lost(Outcome::of(Stage::Sender, reply))
        }
    }
}

async fn connect(config: &SmtpConfig) -> Result<TcpStream, Outcome> {
    let address = (config.host.as_str(), config.port());
    let place = format!("connecting to {} port {}", address.0, address.1);
    let limit = config.timeouts.connect;
    let tcp = match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(Outcome::transport(None, &format!("{place}: {error}"))),
        Err(_) => return Err(failed(&place, &WireError::TimedOut(limit))),
    };
    // Without it every message waits 40 ms for an acknowledgement.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

async fn greeting<S: Stream>(wire: &mut Wire<S>, limit: Duration) -> Result<(), Outcome> {
    let reply = wire
        .reply(limit)
        .await
        .map_err(|error| failed("waiting for the greeting", &error))?;
    if reply.has_code(220) && wire.is_quiet() {
        return Ok(());
    }
    Err(turned_away("the server does not greet", &reply))
}

async fn ehlo<S: Stream>(
    wire: &mut Wire<S>,
    hello: &str,
    limit: Duration,
) -> Result<Offer, Outcome> {
    let reply = wire
        .command(hello, limit)
        .await
        .map_err(|error| failed("saying EHLO", &error))?;
    if is_2yz(&reply) && wire.is_quiet() {
        return Ok(Offer::read(&reply));
    }
    Err(turned_away("the server refuses EHLO", &reply))
}

/// Never downgraded: a server, or somebody between, that hides STARTTLS gets no mail.
async fn start_tls(
    wire: &mut Wire<TcpStream>,
    offer: &Offer,
    config: &SmtpConfig,
) -> Result<(), Outcome> {
    if !offer.starttls {
        let text = format!(
            "{} offers no STARTTLS, and nothing is sent in clear",
            config.host
        );
        return Err(Outcome::transport(None, &text));
    }
    let reply = wire
        .command(&Starttls.to_string(), config.timeouts.command)
        .await;
    let reply = reply.map_err(|error| failed("saying STARTTLS", &error))?;
    // What came along in clear would be taken for the protected server's word.
    if reply.has_code(220) && wire.is_quiet() {
        return Ok(());
    }
    Err(turned_away("the server refuses STARTTLS", &reply))
}

async fn handshake(
    config: &SmtpConfig,
    trust: Option<&Arc<ClientConfig>>,
    tcp: TcpStream,
) -> Result<Box<dyn Stream>, Outcome> {
    let place = format!("TLS with {}", config.host);
    let failure =
        |cause: &dyn std::fmt::Display| Outcome::transport(None, &format!("{place}: {cause}"));
    let trust = trust.ok_or_else(|| failure(&"no certificates are trusted"))?;
    let name = ServerName::try_from(config.host.clone()).map_err(|error| failure(&error))?;
    let connector = TlsConnector::from(Arc::clone(trust));
    let limit = config.timeouts.connect;
    match timeout(limit, connector.connect(name, tcp)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(failure(&WireError::TimedOut(limit))),
    }
}

fn failed(doing: &str, error: &WireError) -> Outcome {
    Outcome::transport(None, &format!("{doing}: {error}"))
}

fn turned_away(what: &str, reply: &Response) -> Outcome {
    let text = format!("{what}: {}", words(reply));
    Outcome::transport(Some(code_of(reply)), &text)
}

/// The server's words, unless it repeats what we told it.
fn login_refused(reply: &Response, login: &Login, line: &str) -> Outcome {
    let said: Vec<&str> = reply.message().collect();
    let said = said.join(" ");
    let token = line.split_whitespace().last().unwrap_or_default();
    let repeats = |secret: &str| secret.len() > 5 && said.contains(secret);
    if repeats(login.password.expose_secret()) || repeats(token) {
        let text = "login refused; the server's words are withheld, as they repeat the password";
        return Outcome::transport(Some(code_of(reply)), text);
    }
    turned_away("login refused", reply)
}

/// Our name for EHLO: this machine's if it can be one, else our address.
fn hello_name(tcp: &TcpStream) -> ClientId {
    match ClientId::default() {
        ClientId::Domain(name) if is_host_name(&name) => ClientId::Domain(name),
        _ => match tcp.local_addr().as_ref().map(SocketAddr::ip) {
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Err(_) => ClientId::Ipv4([127, 0, 0, 1].into()),
        },
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn is_ascii(address: &lettre::Address) -> bool {
    AsRef::<str>::as_ref(address).is_ascii()
}

/// The message with its lines' leading dots doubled, and the dot that ends it.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut from = 0;
    if message.first() == Some(&b'.') {
        out.push(b'.');
    }
    for end in memchr::memchr_iter(b'\n', message) {
        if message.get(end + 1) == Some(&b'.') {
            out.extend_from_slice(&message[from..=end]);
            out.push(b'.');
            from = end + 1;
        }
    }
    out.extend_from_slice(&message[from..]);
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

impl Offer {
    fn read(reply: &Response) -> Self {
        let mut offer = Self::default();
        for line in reply.message().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next().unwrap_or_default() {
                "STARTTLS" => offer.starttls = true,
                "PIPELINING" => offer.pipelining = true,
                "8BITMIME" => offer.eight_bit = true,
                "SMTPUTF8" => offer.utf8 = true,
                "SIZE" => {
                    offer.size = Some(words.next().and_then(|most| most.parse().ok()).unwrap_or(0))
                }
                "AUTH" => {
                    for mechanism in words {
                        offer.plain |= mechanism == "PLAIN";
                        offer.login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        offer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_dots_are_doubled_and_the_end_is_one_dot() {
        for (message, wire) in [
            ("", "\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.\r\n.b\r\nc.", "a\r\n..\r\n..b\r\nc.\r\n.\r\n"),
            ("a\n.\nb", "a\n..\nb\r\n.\r\n"),
        ] {
            assert_eq!(
                String::from_utf8(stuffed(message.as_bytes())).unwrap(),
                wire
            );
        }
    }

    #[test]
    fn the_offer_is_read_whatever_its_case() {
        let reply = "250-mail.contoso.com\r\n250-size 100\r\n250-PIPELINING\r\n250-AUTH LOGIN XOAUTH2\r\n\
                     250-auth=plain\r\n250-8BITMIME\r\n250 smtputf8\r\n";
        let offer = Offer::read(&reply.parse().unwrap());
        let expected = Offer {
            starttls: false,
            pipelining: true,
            eight_bit: true,
            utf8: true,
            size: Some(100),
            plain: true,
            login: true,
        };
        assert_eq!(offer, expected);
    }
}
