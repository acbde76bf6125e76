//! `preview` and `test`: what people will read, before they do.

mod sample;
mod webhook;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use lettre::transport::smtp::extension::ClientId;

use super::Usage;
use super::args::{Preview, Test};
use super::operator::operator;
use super::output::Printer;
use crate::config::{Config, Email, EmailTransport};
use crate::courier::transport::Transport;
use crate::delivery::mail::{
    self, About, Notice, OperatorNotice, Recipient, Rendered, Sender, TestNotice, WindowNotice,
};
use crate::domain::language::{Language, Manner};
use crate::domain::message::{EventKind, Shows};
use crate::domain::sign_in::SignInClass;
use crate::domain::window::later;
use crate::exit::{DONE, FAILED};
use crate::private;
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
        } => (message, language, *days_left, sign_in_code, out),
        Preview::Webhook {
            name,
            message,
            out: file,
        } => {
            return webhook::preview(config, name.as_deref(), *message, file.as_deref(), out).await;
        }
    };
    let email = email(config)?;
    let shows = match code {
        Some(code) => shown_by(*code, config)?,
        None => Shows::Nothing,
    };
    let now = Clock::system().now();
    let notice = Notice {
        message_id: format!("<preview@{}>", config.sender_domain()),
        in_reply_to: None,
        to: Recipient {
            address: sample::ADDRESS.to_owned(),
            name: Some(sample::NAME.to_owned()),
            language: language.map(|language| language.code().to_owned()),
        },
        queued_at: now,
        about: about(config, *message, *language, days_left, shows, now)?,
    };
    if file.is_none() && io::stdout().is_terminal() {
        let rendered = mail::render(&email.sender, &notice, now)?;
        show(&email.sender, &notice, &rendered, out)?;
        out.note("--out FILE.eml has the whole message, --out FILE.html its HTML part.")?;
        return Ok(DONE);
    }
    let wants_html = file
        .as_deref()
        .and_then(Path::extension)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    let bytes = if wants_html {
        mail::render(&email.sender, &notice, now)?.html.into_bytes()
    } else {
        mail::letter(&email.sender, &notice, now)?.bytes
    };
    write(&bytes, file.as_deref(), out)?;
    Ok(DONE)
}

/// Prints what a mail program shows of a mail first, and its text.
fn show(
    sender: &Sender,
    notice: &Notice,
    rendered: &Rendered,
    out: &mut Printer,
) -> io::Result<()> {
    let name = notice.to.name.as_deref().unwrap_or_default();
    let headers = [
        ("From", Some(sender.from.to_string())),
        (
            "Reply-To",
            sender.reply_to.as_ref().map(ToString::to_string),
        ),
        ("To", Some(format!("{name} <{}>", notice.to.address))),
        ("Subject", Some(rendered.subject.clone())),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            out.item(&format!("{name}: "), &value)?;
        }
    }
    out.line("")?;
    for line in rendered.text.trim_end().lines() {
        out.text(line)?;
    }
    out.line("")
}

/// What a preview tells: facts that nobody can mistake for a person's.
fn about(
    config: &Config,
    kind: EventKind,
    language: Option<Language>,
    days_left: Option<u32>,
    shows: Shows,
    now: Timestamp,
) -> Result<About, Usage> {
    let manner = config.manner();
    let manner = Manner {
        language: language.unwrap_or(manner.language),
        ..manner
    };
    if kind == EventKind::Test {
        return Ok(About::Test(test_notice(true)));
    }
    let code = match shows {
        Shows::Block { code, .. } => code,
        Shows::Nothing | Shows::Demand => sample::CODE,
    };
    if let Some((title, lines)) = sample::news(config, kind, &manner, code, now) {
        return Ok(About::Operators(OperatorNotice { kind, title, lines }));
    }
    let (opened_days, deadline_days) = match (kind, days_left) {
        (EventKind::EnforcementNeeded, Some(1..)) => {
            let text = "enforcement.needed goes out after the deadline: no days are left then";
            return Err(Usage(text.to_owned()));
        }
        // What says that the deadline has passed, or takes that back, comes the day after.
        (EventKind::EnforcementNeeded, _) | (EventKind::EnforcementReleased, None) => (15, -1),
        (_, left) => {
            let left = i64::from(left.unwrap_or(7));
            (14 - left.min(14), left)
        }
    };
    let days = |count: i64| SignedDuration::from_hours(24 * count);
    Ok(About::Window(WindowNotice {
        kind,
        policy: sample::policy(config),
        opened_at: later(now, -days(opened_days)),
        deadline: Some(later(now, days(deadline_days))),
        shows,
    }))
}

fn test_notice(to_operator: bool) -> TestNotice {
    TestNotice {
        by: operator().name,
        host: host(),
        to_operator,
    }
}

/// The name of this machine, as mail servers are greeted with it.
fn host() -> String {
    ClientId::default().to_string()
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
    let operators = email.operator_addresses();
    let is_operator = |address: &str| {
        let mut all = operators.iter();
        all.any(|operator| operator.eq_ignore_ascii_case(address))
    };
    let addresses = match to {
        Some(address) => vec![address.clone()],
        None => operators.clone(),
    };
    if addresses.is_empty() {
        return Err(
            Usage("say to whom: --to ADDRESS, or name operators in [email]".to_owned()).into(),
        );
    }
    let transport = Transport::new(email)?;
    let now = Clock::system().now();
    let id = format!("test-{}", now.as_microsecond());
    let mut code = DONE;
    for address in addresses {
        let notice = Notice {
            message_id: format!("<{id}@{}>", config.sender_domain()),
            in_reply_to: None,
            to: Recipient {
                address: address.clone(),
                name: None,
                language: None,
            },
            queued_at: now,
            about: About::Test(test_notice(is_operator(&address))),
        };
        let outcome = transport.post(&id, &notice, now).await;
        if !outcome.is_accepted() {
            code = FAILED;
        }
        match &email.transport {
            EmailTransport::File(folder) if outcome.is_accepted() => out.text(&format!(
                "{address}: written into {}; nothing has left this machine",
                folder.display()
            ))?,
            EmailTransport::File(_) | EmailTransport::Smtp(..) => {
                out.line(format!("{address}: {outcome}"))?;
            }
        }
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
