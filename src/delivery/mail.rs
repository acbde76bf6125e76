//! A row of the outbox, rendered as the bytes of a message.
//!
//! [`letter`] is pure: the same [`Sender`], [`Notice`] and moment give the same bytes, which is
//! why the MIME boundary comes from the Message-ID and `Date` is the attempt's. Days left are
//! counted anew at each attempt, under the same Message-ID (rule 5.5).
//!
//! The default texts carry no link, image or tracker: what asks people to register for
//! multi-factor sign-in must not look like the mails that they are warned of.

mod body;
mod templates;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lettre::address::Envelope;
use lettre::message::header::{self, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MultiPart, SinglePart};
use lettre::{Address, Message};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::text;
use crate::domain::id::PolicyName;
pub use crate::domain::language::Language;
use crate::domain::language::Wording;
use crate::domain::message::{EventKind, Shows};
use crate::domain::news;
use crate::domain::policy::Mode;

/// A reminder within this time of the deadline is the last one (rule 7.18).
const LAST_DAY: SignedDuration = SignedDuration::from_hours(24);

/// The longest help text, and the longest line to an operator.
const MAX_LINE: usize = 500;

/// The longest line about a hold, which ends with the command that ends it.
const MAX_HOLD_LINE: usize = 1_000;

/// The most lines of a mail to operators, and one that counts the rest; news has no more.
const MAX_LINES: usize = news::MAX_LINES + 1;

/// Who writes: the settings of `[email]` that a text depends on.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The mailbox in `From`.
    pub from: Mailbox,
    /// The mailbox in `Reply-To`.
    pub reply_to: Option<Mailbox>,
    /// Named in every mail.
    pub organisation: Option<Wording>,
    /// Whom to ask, and how to verify the notice.
    pub help: Option<Wording>,
    /// What closes a mail to a person; none: the name of `from`.
    pub signature: Option<Wording>,
    /// What people read instead of the name of a policy.
    pub titles: BTreeMap<PolicyName, Wording>,
    /// What follows from a flag: a mail promises no more than that (rule 7.27).
    pub mode: Mode,
    /// The language of people without one, as a BCP 47 tag.
    pub language: String,
    /// The zone in which moments are told.
    pub time_zone: TimeZone,
}

/// The facts of an outbox row that its mail tells. Nothing changes them after queuing but the
/// deadline of an announcing mail, which the courier sets at the attempt (rule 7.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The Message-ID with its angle brackets, the same at every attempt.
    pub message_id: String,
    /// The Message-ID of the window's first mail, for later ones.
    pub in_reply_to: Option<String>,
    /// To whom it goes.
    pub to: Recipient,
    /// When the row was queued; part of the file name in a folder.
    pub queued_at: Timestamp,
    /// What it is about.
    pub about: About,
}

/// To whom a mail goes, as the directory spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// The display name.
    pub name: Option<String>,
    /// The preferred language, as a BCP 47 tag.
    pub language: Option<String>,
}

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A person's window.
    Window(WindowNotice),
    /// Something that operators should know.
    Operators(OperatorNotice),
    /// Nothing: somebody tries whether mail arrives.
    Test(TestNotice),
}

/// What a person is told about their window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowNotice {
    /// What happened.
    pub kind: EventKind,
    /// Under which policy; people read its title.
    pub policy: PolicyName,
    /// The sign-in that opened the window.
    pub opened_at: Timestamp,
    /// Until when to register.
    pub deadline: Option<Timestamp>,
    /// What sign-ins of the window showed of registering.
    pub shows: Shows,
}

/// What operators are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorNotice {
    /// What happened.
    pub kind: EventKind,
    /// It in a few words, for the subject.
    pub title: String,
    /// It in detail.
    pub lines: Vec<String>,
}

/// What a test says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestNotice {
    /// Who sent it.
    pub by: String,
    /// On which machine.
    pub host: String,
    /// Whether it goes to an operator, who knows what this program is.
    pub to_operator: bool,
}

/// The words of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The language they are in.
    pub language: Language,
    /// The subject.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part, with the same facts.
    pub html: String,
}

/// A message as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its Message-ID.
    pub message_id: String,
    /// When its row was queued.
    pub queued_at: Timestamp,
    /// The sender for the server.
    pub from: Address,
    /// The only recipient.
    pub to: Address,
    /// Headers and body.
    pub bytes: Vec<u8>,
}

/// A mail that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The recipient's address is none.
    #[error("{masked} is no address that mail can be sent to")]
    NoAddress {
        /// The address, masked.
        masked: String,
    },
    /// Mails tell of other events.
    #[error("no mail is written for {}", .0.as_str())]
    NoText(EventKind),
    /// It would promise time that is over.
    #[error("the deadline {deadline} that the mail would name has passed")]
    DeadlinePassed {
        /// The deadline.
        deadline: Timestamp,
    },
    /// A template failed.
    #[error("rendering a mail from its template")]
    Template(#[source] minijinja::Error),
    /// The parts do not make a message.
    #[error("building a mail from its parts: {0}")]
    Unbuildable(String),
}

/// The message of a row, as of an attempt.
pub fn letter(
    sender: &Sender,
    notice: &Notice,
    attempt_at: Timestamp,
) -> Result<Letter, MailError> {
    let address =
        text::mailbox_address(&notice.to.address).ok_or_else(|| MailError::NoAddress {
            masked: text::mask_address(&notice.to.address),
        })?;
    let rendered = render(sender, notice, attempt_at)?;
    let to = text::named_mailbox(notice.to.name.as_deref(), address);
    let built = catch_unwind(AssertUnwindSafe(|| {
        build(sender, notice, to, rendered, attempt_at)
    }));
    // lettre has panicked on header text before; one row must not end the rest.
    built.unwrap_or_else(|_| Err(MailError::Unbuildable("a panic".to_owned())))
}

/// The words of a row, as of an attempt.
pub fn render(
    sender: &Sender,
    notice: &Notice,
    attempt_at: Timestamp,
) -> Result<Rendered, MailError> {
    let language = Language::choose(notice.to.language.as_deref(), &sender.language);
    let (template, values) = match &notice.about {
        About::Window(about) => window_values(sender, notice, about, language, attempt_at)?,
        About::Operators(about) => operator_values(about)?,
        About::Test(about) => test_values(sender, about, language, attempt_at),
    };
    let values = context! { ..values, ..sender_values(sender, language) };
    let words = templates::render(template, language, &values).map_err(MailError::Template)?;
    let is_test = notice.about.kind() == EventKind::Test;
    let mark = if is_test { "[TEST] " } else { "" };
    Ok(Rendered {
        language,
        subject: format!("{mark}{}", words.subject),
        text: words.text,
        html: words.html,
    })
}

impl About {
    /// The kind of event.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Window(about) => about.kind,
            Self::Operators(about) => about.kind,
            Self::Test(_) => EventKind::Test,
        }
    }
}

/// What every mail says of who writes.
fn sender_values(sender: &Sender, language: Language) -> Value {
    let name = |text: &str| Some(text::clean_name(text)).filter(|name| !name.is_empty());
    let signature = told(sender.signature.as_ref(), language).or(sender.from.name.as_deref());
    context! {
        organisation => told(sender.organisation.as_ref(), language).and_then(name),
        help => told(sender.help.as_ref(), language).and_then(|help| clean(help, MAX_LINE)),
        signature => signature.and_then(name),
        reply => sender.reply_to.is_some(),
        native => sender.mode == Mode::Native,
    }
}

fn told(wording: Option<&Wording>, language: Language) -> Option<&str> {
    wording.map(|wording| wording.told_in(language))
}

fn window_values(
    sender: &Sender,
    notice: &Notice,
    about: &WindowNotice,
    language: Language,
    attempt_at: Timestamp,
) -> Result<(&'static str, Value), MailError> {
    let dates = Dates::of(sender.mode, about, attempt_at);
    let template = template_of(about, &dates, attempt_at)?;
    let zone = &sender.time_zone;
    let moment = |at: Timestamp| language.moment(at, zone);
    let left = |deadline: Timestamp| language.left(deadline.duration_since(attempt_at).as_secs());
    let (code, desk_knows) = match about.shows {
        Shows::Block { code, desk_knows } => (Some(code), desk_knows),
        Shows::Nothing | Shows::Demand => (None, false),
    };
    let title = sender.titles.get(&about.policy);
    let values = context! {
        name => notice.to.name.as_deref().and_then(text::greeting_name),
        title => title.map(|title| text::clean_name(title.told_in(language))),
        opened => language.date(about.opened_at, zone),
        ended => about.deadline.map(moment),
        deadline => dates.named.map(moment),
        short_deadline => dates.named.map(|deadline| language.short_date(deadline, zone)),
        // Of time that a sign-in may end at once nobody has any left.
        left => dates.named.filter(|_| dates.demandable_since.is_none()).map(left),
        own_deadline => dates.own().map(moment),
        demandable_since => dates.demandable_since.map(moment),
        demanded => about.shows == Shows::Demand,
        code,
        desk_knows,
    };
    Ok((template, values))
}

/// The file of a message about a window.
fn template_of(
    about: &WindowNotice,
    dates: &Dates,
    attempt_at: Timestamp,
) -> Result<&'static str, MailError> {
    let is_blocked = matches!(about.shows, Shows::Block { .. });
    let is_last = dates
        .named
        .is_some_and(|at| at.duration_since(attempt_at) <= LAST_DAY);
    Ok(match about.kind {
        EventKind::UserRegistered => "registered",
        EventKind::EnforcementReleased => "released",
        EventKind::EnforcementNeeded if is_blocked => "blocked",
        EventKind::EnforcementNeeded => "deadline_passed",
        kind if kind.announces() && dates.deadline.is_none() => {
            let deadline = about.deadline.unwrap_or(attempt_at);
            return Err(MailError::DeadlinePassed { deadline });
        }
        kind if kind.announces() && is_blocked => "blocked",
        EventKind::WindowOpened => "opened",
        EventKind::WindowReminder if is_last => "last_day",
        EventKind::WindowReminder => "reminder",
        EventKind::WindowExtended => "extended",
        EventKind::WindowResumed => "resumed",
        kind => return Err(MailError::NoText(kind)),
    })
}

/// The dates that a mail about a window names.
struct Dates {
    /// Ours, while it lies ahead.
    deadline: Option<Timestamp>,
    /// The day to register by: where something in Entra asks too, the earlier of both, as long as that
    /// lies ahead (rule 7.27).
    named: Option<Timestamp>,
    /// Entra's own, which is over before ours.
    demandable_since: Option<Timestamp>,
}

impl Dates {
    fn of(mode: Mode, about: &WindowNotice, attempt_at: Timestamp) -> Self {
        // Whoever has no time at all is told the very moment.
        let ahead = |at: &Timestamp| attempt_at <= *at;
        // Whoever is told that it passed is told of no other.
        let is_over = about.kind == EventKind::EnforcementNeeded;
        let deadline = about.deadline.filter(ahead).filter(|_| !is_over);
        let skippable = deadline.and_then(|at| mode.skippable_until(about.opened_at, at));
        Self {
            deadline,
            named: skippable.filter(ahead).or(deadline),
            demandable_since: skippable.filter(|at| !ahead(at)),
        }
    }

    /// Ours, where another one is named.
    fn own(&self) -> Option<Timestamp> {
        self.deadline.filter(|_| self.deadline != self.named)
    }
}

fn test_values(
    sender: &Sender,
    about: &TestNotice,
    language: Language,
    attempt_at: Timestamp,
) -> (&'static str, Value) {
    let template = if about.to_operator {
        "test"
    } else {
        "test_of_mail"
    };
    let values = context! {
        by => text::clean_name(&about.by),
        host => text::clean_name(&about.host),
        from => sender.from.email.to_string(),
        at => language.moment(attempt_at, &sender.time_zone),
    };
    (template, values)
}

fn operator_values(about: &OperatorNotice) -> Result<(&'static str, Value), MailError> {
    let template = match about.kind {
        EventKind::HoldRaised => "hold_raised",
        EventKind::HoldCleared => "hold_cleared",
        EventKind::DeliveryDead => "delivery_dead",
        EventKind::RegistrationBlocked => "registration_blocked",
        EventKind::Digest => "digest",
        kind @ (EventKind::WindowOpened
        | EventKind::WindowReminder
        | EventKind::WindowExtended
        | EventKind::WindowPaused
        | EventKind::WindowResumed
        | EventKind::UserRegistered
        | EventKind::EnforcementNeeded
        | EventKind::EnforcementReleased
        | EventKind::Test) => return Err(MailError::NoText(kind)),
    };
    let told = about.lines.iter().take(MAX_LINES);
    let lines: Vec<Value> = match about.kind {
        EventKind::HoldRaised | EventKind::HoldCleared => {
            told.filter_map(|line| line_of_hold(line)).collect()
        }
        _ => told
            .filter_map(|line| clean(line, MAX_LINE).map(Value::from))
            .collect(),
    };
    let values = context! {
        title => text::clean_line(&about.title, MAX_LINE / 2),
        more => about.lines.len().saturating_sub(MAX_LINES),
        lines,
    };
    Ok((template, values))
}

/// A heading, or what stands below one.
fn line_of_hold(line: &str) -> Option<Value> {
    let (text, heading) = match line.strip_prefix(news::HEADING) {
        Some(text) => (text, true),
        None => (line, false),
    };
    clean(text, MAX_HOLD_LINE).map(|text| context! { text, heading })
}

fn clean(line: &str, limit: usize) -> Option<String> {
    Some(text::clean_line(line, limit)).filter(|line| !line.is_empty())
}

fn build(
    sender: &Sender,
    notice: &Notice,
    to: Mailbox,
    rendered: Rendered,
    attempt_at: Timestamp,
) -> Result<Letter, MailError> {
    let unbuildable = |error: lettre::error::Error| MailError::Unbuildable(error.to_string());
    let (from, recipient) = (sender.from.email.clone(), to.email.clone());
    let envelope =
        Envelope::new(Some(from.clone()), vec![recipient.clone()]).map_err(unbuildable)?;
    let message_id = text::clean_line(&notice.message_id, MAX_LINE);
    let boundary = format!("fortnight-{}", id_of(&message_id).simple());
    let mut builder = Message::builder()
        .envelope(envelope)
        .date(attempt_at.into())
        .header(header::From::from(Mailboxes::from(sender.from.clone())))
        .header(header::To::from(Mailboxes::from(to)))
        .subject(rendered.subject)
        .message_id(Some(message_id.clone()));
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.header(header::ReplyTo::from(Mailboxes::from(reply_to.clone())));
    }
    if let Some(first) = &notice.in_reply_to {
        let first = text::clean_line(first, MAX_LINE);
        builder = builder.in_reply_to(first.clone()).references(first);
    }
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        // Not `All`: reports of non-delivery are wanted.
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ("Content-Language", rendered.language.code()),
    ] {
        let name = HeaderName::new_from_ascii_str(name);
        builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    let part = |kind, body: String| SinglePart::builder().header(kind).body(body);
    let parts = MultiPart::alternative()
        .boundary(boundary)
        .singlepart(part(ContentType::TEXT_PLAIN, rendered.text))
        .singlepart(part(ContentType::TEXT_HTML, rendered.html));
    let message = builder.multipart(parts).map_err(unbuildable)?;
    Ok(Letter {
        bytes: message.formatted(),
        queued_at: notice.queued_at,
        message_id,
        from,
        to: recipient,
    })
}

/// A short name for a Message-ID, for boundaries and files.
pub(super) fn id_of(message_id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, message_id.as_bytes())
}

#[cfg(test)]
mod tests;
