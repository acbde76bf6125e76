//! Mail: connects, logs in and leaves, or tries the folder.

use jiff::Timestamp;

use super::{Check, certificate};
use crate::cli::check::folders;
use crate::config::{Config, EmailTransport};
use crate::courier::transport::Transport;
use crate::delivery::smtp::{Proof, SmtpConfig};
use crate::delivery::text::clean_line;

/// A server's words are no novel.
const SHOWN: usize = 300;

/// The way of mails; and the server's certificate, where it ends soon.
pub(super) async fn checks(config: &Config, now: Timestamp) -> Vec<Check> {
    let Some(email) = &config.email else {
        return Vec::new();
    };
    let good = match &email.transport {
        EmailTransport::Smtp(smtp) => format!("{} lets us in", smtp.host),
        EmailTransport::File(path) => format!("{} can be written to", path.display()),
    };
    let transport = match Transport::new(email) {
        Ok(transport) => transport,
        Err(error) => return vec![Check::new("mail", Err(crate::errors::chain(&error)))],
    };
    if let EmailTransport::File(outbox) = &email.transport
        && let Some(folder) = folders::missing_above(outbox)
    {
        let text = format!("there is no folder {}: {}", folder.display(), folders::MAKE);
        return vec![Check::new("mail", Err(text))];
    }
    let result = transport.probe().await;
    transport.close().await;
    let certificate = match &result {
        Ok(ends_at) => certificate::shown("mail", *ends_at, now),
        Err(_) => None,
    };
    let by_token = match &email.transport {
        EmailTransport::Smtp(smtp) => is_by_token(smtp),
        EmailTransport::File(_) => false,
    };
    let said = result.map(|_| good).map_err(|text| {
        let text = clean_line(&text, SHOWN);
        match remedy(&text, by_token) {
            Some(remedy) => format!("{text}: {remedy}"),
            None => text,
        }
    });
    [Check::new("mail", said)]
        .into_iter()
        .chain(certificate)
        .collect()
}

fn is_by_token(smtp: &SmtpConfig) -> bool {
    let proof = smtp.login.as_ref().map(|login| &login.proof);
    matches!(proof, Some(Proof::Token { .. }))
}

/// What mends a refused login at Exchange Online, by the words that it has for each (Microsoft's pages on
/// SMTP AUTH and on OAuth for SMTP).
fn of_exchange_online(text: &str, by_token: bool) -> Option<&'static str> {
    let says = |words: &str| text.contains(words);
    if says("SmtpClientAuthentication is disabled for the Tenant") {
        Some(
            "SMTP AUTH is off for the whole organisation: switch it on for this one mailbox, Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false in Exchange Online PowerShell",
        )
    } else if says("SmtpClientAuthentication is disabled") {
        Some(
            "SMTP AUTH is off for this mailbox: Set-CASMailbox -Identity MAILBOX -SmtpClientAuthenticationDisabled $false in Exchange Online PowerShell",
        )
    } else if says("security defaults") {
        Some(
            "security defaults take no password for SMTP: say auth = \"xoauth2\", and leave username as it is (docs/graph.md)",
        )
    } else if says("basic authentication is disabled") || says("5.7.139") && !by_token {
        Some(
            "Exchange Online takes no password here: say auth = \"xoauth2\" and leave the password out (docs/graph.md); and switch SMTP AUTH on for the mailbox, Set-CASMailbox -SmtpClientAuthenticationDisabled $false",
        )
    } else if says("5.7.139") {
        Some(
            "it took the token and refuses the mailbox: switch SMTP AUTH on for it (Set-CASMailbox -SmtpClientAuthenticationDisabled $false), and look for a Conditional Access policy or an authentication policy that blocks it",
        )
    } else if says("5.7.3") && by_token {
        Some(
            "Exchange Online does not know the application, or gives it no access to this mailbox: grant SMTP.SendAsApp with admin consent; New-ServicePrincipal with the object id of the enterprise application (not of the app registration); Add-MailboxPermission -User that principal -AccessRights FullAccess; name the mailbox in email.smtp.username; then wait up to half an hour (docs/graph.md has the commands)",
        )
    } else if says("4.7.0") {
        Some("Exchange Online has no time: try again in some minutes")
    } else {
        None
    }
}

/// What mends what the client says; a token's refusal names its own remedy.
fn remedy(text: &str, by_token: bool) -> Option<&'static str> {
    let says = |words: &str| text.contains(words);
    let is_login = says("login refused");
    if let Some(remedy) = of_exchange_online(text, by_token).filter(|_| is_login) {
        Some(remedy)
    } else if says("connecting to") {
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
            "check email.smtp.username and its password; of Exchange Online, that the application has SMTP.SendAsApp and this mailbox (docs/graph.md)",
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
