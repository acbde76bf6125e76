//! Mail: connects, logs in and leaves, or tries the folder.

use super::Check;
use crate::config::{Config, EmailTransport};
use crate::courier::transport::Transport;
use crate::delivery::text::clean_line;

/// A server's words are no novel.
const SHOWN: usize = 300;

pub(super) async fn check(config: &Config) -> Option<Check> {
    let email = config.email.as_ref()?;
    let good = match &email.transport {
        EmailTransport::Smtp(smtp) => format!("{} lets us in", smtp.host),
        EmailTransport::File(path) => format!("{} can be written to", path.display()),
    };
    let transport = match Transport::new(email) {
        Ok(transport) => transport,
        Err(error) => return Some(Check::new("mail", Err(crate::errors::chain(&error)))),
    };
    let result = transport.probe().await;
    transport.close().await;
    let said = result.map(|()| good).map_err(|text| {
        let text = clean_line(&text, SHOWN);
        match remedy(&text) {
            Some(remedy) => format!("{text}: {remedy}"),
            None => text,
        }
    });
    Some(Check::new("mail", said))
}

/// What mends what the client says; a token's refusal names its own remedy.
fn remedy(text: &str) -> Option<&'static str> {
    let says = |words: &str| text.contains(words);
    if says("connecting to") {
        Some("check email.smtp.host and port, and that a firewall lets this machine through")
    } else if says("InvalidContentType") {
        Some(
            "it does not speak TLS from the first byte on this port: say tls = \"starttls\", or name the port that does (465)",
        )
    } else if says("waiting for the greeting") {
        Some(
            "it does not speak first, or is no mail server: if the port takes TLS from the first byte (465), say tls = \"implicit\"",
        )
    } else if says("TLS with") {
        Some(
            "the certificate must bear the name in email.smtp.host and be trusted here; SSL_CERT_FILE can name a private authority",
        )
    } else if says("offers no STARTTLS") {
        Some(
            "say tls = \"implicit\" (port 465) if it protects connections from their first byte, or name another port",
        )
    } else if says("login refused") {
        Some(
            "check email.smtp.username and its password; of Exchange Online, that the application may send as this mailbox (docs/graph.md)",
        )
    } else if says("no login by password") {
        Some(
            "say auth = \"xoauth2\" if it takes tokens, or leave out username and password if it takes mail from this machine",
        )
    } else if says("no login by token") {
        Some("say auth = \"password\", or name a server of Exchange Online")
    } else if says("writing a message to") {
        Some("check that the folder exists and that this user may write there")
    } else {
        None
    }
}
