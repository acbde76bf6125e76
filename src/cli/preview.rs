//! `preview` and `test`: what people will read, before they do.

mod webhook;

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::Usage;
use super::args::{Preview, Test};
use super::output::Printer;
use crate::config::{Config, Email};
use crate::courier::transport::{Transport, notice};
use crate::delivery::mail;
use crate::domain::fault::Account;
use crate::domain::id::PolicyName;
use crate::domain::message::{EventKind, Shows};
use crate::domain::sign_in::SignInClass;
use crate::exit::{DONE, FAILED};
use crate::private;
use crate::store::outbox::Claimed;
use crate::time::Clock;

pub(super) async fn preview(
    config: &Config,
    command: &Preview,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    let (message, language, days_left, code, file) = match command {
        Preview::Email {
            message,
            language,
            days_left,
            sign_in_code,
            out,
        } => (message, language, days_left, sign_in_code, out),
        Preview::Webhook {
            name,
            message,
            out: file,
        } => {
            return webhook::preview(config, name.as_deref(), *message, file.as_deref(), out).await;
        }
    };
    let email = email(config)?;
    let now = Clock::system().now();
    let mut sample = sample(
        config,
        *message,
        Some(language.code()),
        i64::from(*days_left),
        "preview",
        now,
    );
    if let Some(code) = code {
        sample.shows = shown_by(*code, config)?;
    }
    let letter = mail::letter(&email.sender, &notice(&sample), now)?;
    write(&letter.bytes, file.as_deref(), out)?;
    Ok(DONE)
}

/// What a sign-in with that code shows; whoever hears of people who are kept from registering is
/// taken to have heard.
fn shown_by(code: i64, config: &Config) -> Result<Shows, Usage> {
    match config.result_codes.class(code) {
        SignInClass::RegistrationInterrupt => Ok(Shows::Demand),
        SignInClass::RegistrationBlocked => {
            let operators = config.email.as_ref().map(Email::operator_addresses);
            let desk_knows = operators.is_some_and(|operators| !operators.is_empty())
                || !config.webhooks.is_empty();
            Ok(Shows::Block { code, desk_knows })
        }
        class => Err(Usage(format!(
            "the result code {code} (class {}) changes no mail; 50072 does (told to register), and 53010 (kept from it)",
            class.as_str()
        ))),
    }
}

fn write(bytes: &[u8], file: Option<&Path>, out: &mut Printer) -> anyhow::Result<()> {
    match file {
        Some(path) => {
            private::create(path)
                .and_then(|mut file| file.write_all(bytes))
                .with_context(|| format!("writing {}", path.display()))?;
            out.line(format!("wrote {}", path.display()))?;
        }
        None => out.bytes(bytes)?,
    }
    Ok(())
}

pub(super) async fn test(config: &Config, command: &Test, out: &mut Printer) -> anyhow::Result<u8> {
    let to = match command {
        Test::Email { to } => to,
        Test::Webhook { name } => return webhook::test(config, name, out).await,
    };
    let email = email(config)?;
    let addresses = match to {
        Some(address) => vec![address.clone()],
        None => email.operator_addresses(),
    };
    if addresses.is_empty() {
        return Err(
            Usage("say to whom: --to ADDRESS, or name operators in [email]".to_owned()).into(),
        );
    }
    let transport = Transport::new(email)?;
    let now = Clock::system().now();
    let mut code = DONE;
    for address in addresses {
        let mut claimed = sample(
            config,
            EventKind::Test,
            None,
            7,
            &format!("test-{}", now.as_microsecond()),
            now,
        );
        claimed.address = Some(address.clone());
        let outcome = transport.send(&claimed, now).await;
        if !outcome.is_accepted() {
            code = FAILED;
        }
        out.line(format!("{address}: {outcome}"))?;
    }
    transport.close().await;
    Ok(code)
}

fn email(config: &Config) -> Result<&Email, Usage> {
    config
        .email
        .as_ref()
        .ok_or_else(|| Usage("no [email] is configured".to_owned()))
}

fn sample_policy(config: &Config) -> PolicyName {
    config
        .policies
        .first()
        .map_or_else(|| PolicyName::new("everyone"), |policy| policy.name.clone())
}

/// A mail with facts that nobody can mistake for a person's.
fn sample(
    config: &Config,
    event: EventKind,
    language: Option<&str>,
    days_left: i64,
    id: &str,
    now: Timestamp,
) -> Claimed {
    let operators = event.is_mailed_to_operators();
    let policy = sample_policy(config);
    let days = |count: i64| SignedDuration::from_hours(24 * count);
    Claimed {
        id: id.to_owned(),
        event,
        policy: (!operators).then_some(policy),
        user: None,
        step: None,
        address: Some("alex.example@example.org".to_owned()),
        name: Some("Alex Example".to_owned()),
        language: language.map(ToOwned::to_owned),
        opened_at: (!operators)
            .then(|| crate::domain::window::later(now, -days(14 - days_left.min(14)))),
        deadline: Some(crate::domain::window::later(now, days(days_left))),
        shows: Shows::Nothing,
        title: Some("A message to operators".to_owned()),
        lines: vec!["This line stands for what happened.".to_owned()],
        body: None,
        queued_at: now,
        not_after: None,
        attempt: 1,
        resent: false,
        message_id: format!("<{id}@{}>", config.sender_domain()),
        in_reply_to: None,
        account: Account::default(),
    }
}
