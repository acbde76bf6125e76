//! From nothing to a server that lets us in: connecting, greeting, TLS, login.
//!
//! Whatever fails here fails for every message alike, so each failure is one of the transport.
//! TLS is never traded for reaching the server, and a password never leaves without it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Ehlo, Starttls};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::offer::Offer;
use super::replies::{code_of, is_2yz, words};
use super::wire::{Stream, Wire, WireError};
use super::{Login, Proof, SmtpConfig, Tls};
use crate::delivery::Outcome;
use crate::delivery::outcome::repeats;
use crate::errors::chain;

/// Connects and logs in; a failure says nothing about any recipient.
pub(super) async fn open(
    config: &SmtpConfig,
    trust: Option<&Arc<ClientConfig>>,
) -> Result<(Wire<Box<dyn Stream>>, Offer), Outcome> {
    let tcp = connect(config).await?;
    tracing::debug!("connected to {} port {}", config.host, config.port());
    let peer = tcp.peer_addr().ok().map(|peer| peer.ip());
    let hello = Ehlo::new(hello_name(&tcp)).to_string();
    let command = config.timeouts.command;
    let (mut wire, offer) = match config.tls {
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
    if let Some(login) = &config.login {
        let here = peer.is_some_and(|peer| peer.is_loopback());
        if config.tls == Tls::None && !here {
            let text = "no password is sent without TLS to another machine";
            return Err(Outcome::unreachable(None, text));
        }
        log_in(&mut wire, &offer, login, command).await?;
        tracing::debug!("logged in at {}", config.host);
    }
    Ok((wire, offer))
}

async fn connect(config: &SmtpConfig) -> Result<TcpStream, Outcome> {
    let address = (config.host.as_str(), config.port());
    let place = format!("connecting to {} port {}", address.0, address.1);
    let limit = config.timeouts.connect;
    let tcp = match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(Outcome::unreachable(None, &format!("{place}: {error}"))),
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
    if !offer.has("STARTTLS") {
        let text = format!(
            "{} offers no STARTTLS, and nothing is sent in clear",
            config.host
        );
        return Err(Outcome::unreachable(None, &text));
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
        |cause: &dyn std::fmt::Display| Outcome::unreachable(None, &format!("{place}: {cause}"));
    let trust = trust.ok_or_else(|| failure(&"no certificates are trusted"))?;
    let name = ServerName::try_from(config.host.clone()).map_err(|error| failure(&error))?;
    let connector = TlsConnector::from(Arc::clone(trust));
    let limit = config.timeouts.connect;
    match timeout(limit, connector.connect(name, tcp)).await {
        Ok(Ok(stream)) => {
            tracing::debug!("{place}: the certificate is trusted");
            Ok(Box::new(stream))
        }
        Ok(Err(error)) => Err(failure(&error)),
        Err(_) => Err(failure(&WireError::TimedOut(limit))),
    }
}

async fn log_in<S: Stream>(
    wire: &mut Wire<S>,
    offer: &Offer,
    login: &Login,
    limit: Duration,
) -> Result<(), Outcome> {
    match &login.proof {
        Proof::Password(password) => {
            let mechanism = match (offer.logs_in_by("PLAIN"), offer.logs_in_by("LOGIN")) {
                (true, _) => Mechanism::Plain,
                (false, true) => Mechanism::Login,
                (false, false) => {
                    let text = "the server offers no login by password (AUTH PLAIN or LOGIN)";
                    return Err(Outcome::unreachable(None, text));
                }
            };
            prove(wire, mechanism, &login.username, password, limit).await
        }
        Proof::Token { tokens, resource } => {
            if !offer.logs_in_by("XOAUTH2") {
                let text = "the server offers no login by token (AUTH XOAUTH2)";
                return Err(Outcome::unreachable(None, text));
            }
            let token = tokens.get(resource).await.map_err(|error| {
                Outcome::unreachable(None, &format!("logging in: {}", chain(&error)))
            })?;
            let result = prove(wire, Mechanism::Xoauth2, &login.username, &token, limit).await;
            if result.is_err() {
                // It may have been revoked: the next connection comes with a fresh one.
                tokens.forget(resource).await;
            }
            result
        }
    }
}

async fn prove<S: Stream>(
    wire: &mut Wire<S>,
    mechanism: Mechanism,
    username: &str,
    secret: &SecretString,
    limit: Duration,
) -> Result<(), Outcome> {
    let credentials = Credentials::new(username.to_owned(), secret.expose_secret().to_owned());
    let auth = Auth::new(mechanism, credentials.clone(), None);
    let mut line = auth
        .map_err(|error| Outcome::unreachable(None, &error.to_string()))?
        .to_string();
    // LOGIN asks twice; whatever asks more often never ends.
    for _ in 0..3 {
        let reply = wire.command(&line, limit).await;
        let reply = reply.map_err(|error| failed("logging in", &error))?;
        if reply.has_code(334) {
            line = match mechanism {
                // It asks nothing: it says why not, and an empty line brings the refusal.
                Mechanism::Xoauth2 => "\r\n".to_owned(),
                Mechanism::Plain | Mechanism::Login => {
                    Auth::new_from_response(mechanism, credentials.clone(), &reply)
                        .map_err(|error| Outcome::unreachable(None, &error.to_string()))?
                        .to_string()
                }
            };
            continue;
        }
        if is_2yz(&reply) && wire.is_quiet() {
            return Ok(());
        }
        return Err(login_refused(&reply, secret, &line));
    }
    Err(Outcome::unreachable(
        None,
        "the server asks for more than a user and a proof",
    ))
}

fn failed(doing: &str, error: &WireError) -> Outcome {
    Outcome::unreachable(None, &format!("{doing}: {error}"))
}

fn turned_away(what: &str, reply: &Response) -> Outcome {
    let text = format!("{what}: {}", words(reply));
    Outcome::unreachable(Some(code_of(reply)), &text)
}

/// The server's words, unless it repeats what we told it.
fn login_refused(reply: &Response, secret: &SecretString, line: &str) -> Outcome {
    let said: Vec<&str> = reply.message().collect();
    let said = said.join(" ");
    let token = line.split_whitespace().last().unwrap_or_default();
    if repeats(&said, &[secret.expose_secret(), token]) {
        let text = "login refused; the server's words are withheld, as they repeat the secret";
        return Outcome::unreachable(Some(code_of(reply)), text);
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
