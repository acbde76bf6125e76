//! What operators and chats are told at the end of a pass, worded here and nowhere else (rule 5.10).
//!
//! Whatever has something to tell leaves a line in the transaction that makes it true; the pass
//! makes news of all lines when it ends, and a line leaves with the messages that say it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::hold::{HoldKind, ReleasedBy, StandingHold, approval_of};
use super::id::{PolicyName, UserId};
use super::language::{Language, Manner};
use super::message::EventKind;
use super::person::Person;
use super::sign_in::{Block, Blocked};
use super::window::later;

/// News of people are gathered for so long …
const GATHERED: SignedDuration = SignedDuration::from_hours(1);
/// … and after so many mails in a day …
const MANY_A_DAY: usize = 9;
/// … for so long.
const GATHERED_IF_MANY: SignedDuration = SignedDuration::from_hours(24);
/// The most lines of a mail; the rest is counted.
pub const MAX_LINES: usize = 100;

/// Begins a line of a mail about holds that is a heading. All lines of such a mail begin with words of
/// ours, so that nobody else can make one.
pub const HEADING: &str = "## ";

/// What a line of operators is about: all of one topic stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Who cannot be reached by mail.
    Unreachable,
    /// Which endpoint takes nothing any more.
    DeadEndpoint,
    /// Who could not register.
    Blocked,
    /// Who lost a registration again.
    LostAgain,
    /// Whom the registration report leaves out.
    Unreported,
}

impl Topic {
    /// Every topic, in the order in which a mail has them.
    pub const ALL: [Self; 5] = [
        Self::Unreachable,
        Self::DeadEndpoint,
        Self::Blocked,
        Self::LostAgain,
        Self::Unreported,
    ];

    /// The name in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::DeadEndpoint => "dead_endpoint",
            Self::Blocked => "blocked",
            Self::LostAgain => "lost_again",
            Self::Unreported => "unreported",
        }
    }

    /// The topic of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name)
    }

    /// What its mail is in the outbox.
    #[must_use]
    pub fn event(self) -> EventKind {
        match self {
            Self::Unreachable | Self::DeadEndpoint => EventKind::DeliveryDead,
            Self::Blocked => EventKind::RegistrationBlocked,
            Self::LostAgain | Self::Unreported => EventKind::Digest,
        }
    }

    /// Whether it is about people, of whom many are told at once.
    #[must_use]
    pub fn is_gathered(self) -> bool {
        match self {
            Self::Unreachable | Self::Blocked | Self::LostAgain | Self::Unreported => true,
            Self::DeadEndpoint => false,
        }
    }

    /// The subject of its mail.
    #[must_use]
    pub fn title(self, count: u64, language: Language) -> String {
        match language {
            Language::English => match (self, count) {
                (Self::Unreachable, 1) => "One person cannot be reached by mail".to_owned(),
                (Self::Unreachable, _) => format!("{count} people cannot be reached by mail"),
                (Self::DeadEndpoint, 1) => "A webhook needs attention".to_owned(),
                (Self::DeadEndpoint, _) => format!("{count} webhooks need attention"),
                (Self::Blocked, 1) => "One person could not register".to_owned(),
                (Self::Blocked, _) => format!("{count} people could not register"),
                (Self::LostAgain, 1) => "One person lost a registration again".to_owned(),
                (Self::LostAgain, _) => format!("{count} people lost a registration again"),
                (Self::Unreported, 1) => "The registration report leaves one person out".to_owned(),
                (Self::Unreported, _) => {
                    format!("The registration report leaves {count} people out")
                }
            },
            Language::German => match (self, count) {
                (Self::Unreachable, 1) => "Eine Person ist per E-Mail nicht erreichbar".to_owned(),
                (Self::Unreachable, _) => {
                    format!("{count} Personen sind per E-Mail nicht erreichbar")
                }
                (Self::DeadEndpoint, 1) => "Ein Webhook braucht Aufmerksamkeit".to_owned(),
                (Self::DeadEndpoint, _) => format!("{count} Webhooks brauchen Aufmerksamkeit"),
                (Self::Blocked, 1) => "Eine Person konnte sich nicht registrieren".to_owned(),
                (Self::Blocked, _) => format!("{count} Personen konnten sich nicht registrieren"),
                (Self::LostAgain, 1) => {
                    "Eine Person hat ihre Registrierung erneut verloren".to_owned()
                }
                (Self::LostAgain, _) => {
                    format!("{count} Personen haben ihre Registrierung erneut verloren")
                }
                (Self::Unreported, 1) => "Im Registrierungsbericht fehlt eine Person".to_owned(),
                (Self::Unreported, _) => {
                    format!("Im Registrierungsbericht fehlen {count} Personen")
                }
            },
        }
    }
}

/// Whether news of people may go now, by when earlier ones of the same event went: at once the first
/// time, then once an hour, after the ninth mail of a day once a day.
#[must_use]
pub fn is_due(earlier: &[Timestamp], now: Timestamp) -> bool {
    // A clock that was ahead dated some in the future.
    let past = || earlier.iter().copied().filter(|at| *at <= now);
    let Some(last) = past().max() else {
        return true;
    };
    let day = later(last, -GATHERED_IF_MANY);
    let wait = if past().filter(|at| *at > day).count() >= MANY_A_DAY {
        GATHERED_IF_MANY
    } else {
        GATHERED
    };
    later(last, wait) <= now
}

/// Those of them that [`is_due`] asks for later, and one of now.
#[must_use]
pub fn with_one_more(mut earlier: Vec<Timestamp>, now: Timestamp) -> Vec<Timestamp> {
    earlier.retain(|at| *at <= now);
    earlier.push(now);
    earlier.sort_unstable();
    earlier.split_off(earlier.len().saturating_sub(MANY_A_DAY))
}

/// The line about somebody whom nobody can reach, and when that leads to a flag.
#[must_use]
pub fn unreachable(
    person: &Person,
    has_address: bool,
    flagged: Option<Timestamp>,
    manner: &Manner,
) -> String {
    let why = match (manner.language, has_address) {
        (Language::English, true) => "the address was refused",
        (Language::English, false) => "there is no address",
        (Language::German, true) => "die Adresse wurde abgelehnt",
        (Language::German, false) => "es gibt keine Adresse",
    };
    let (name, id) = (&person.user_principal_name, &person.id);
    format!("{name} ({id}): {why}{}", unless_reached(flagged, manner))
}

fn unless_reached(flagged: Option<Timestamp>, manner: &Manner) -> String {
    let text = |at| {
        let at = manner.moment(at);
        match manner.language {
            Language::English => format!(
                "; flagged from {at} on, unless a mail is accepted or the person registers before"
            ),
            Language::German => format!(
                "; ab {at} markiert, wenn bis dahin weder eine E-Mail angenommen wird noch die Person sich registriert"
            ),
        }
    };
    flagged.map(text).unwrap_or_default()
}

/// The line about a mail that was refused, before it is known whose fault that is.
#[must_use]
pub fn refused(
    name: &str,
    id: &str,
    answer: &str,
    flagged: Option<Timestamp>,
    manner: &Manner,
) -> String {
    let was_refused = match manner.language {
        Language::English => "the address was refused",
        Language::German => "die Adresse wurde abgelehnt",
    };
    let unless = unless_reached(flagged, manner);
    format!("{name} ({id}): {was_refused} ({answer}){unless}")
}

/// A mail names at most so many.
const NAMED: usize = 100;

/// The mail that operators get as witnesses: whether it is accepted tells the recipients' fault from the channel's (rule 7.11).
#[must_use]
pub fn not_accepted(
    mut lines: Vec<String>,
    doubt: Option<&str>,
    language: Language,
    now: Timestamp,
) -> News {
    let title = match (language, lines.len()) {
        (Language::English, 0) => "Mails are not accepted".to_owned(),
        (Language::English, 1) => "A mail was not accepted".to_owned(),
        (Language::English, count) => format!("{count} mails were not accepted"),
        (Language::German, 0) => "E-Mails werden nicht angenommen".to_owned(),
        (Language::German, 1) => "Eine E-Mail wurde nicht angenommen".to_owned(),
        (Language::German, count) => format!("{count} E-Mails wurden nicht angenommen"),
    };
    if let Some(more @ 1..) = lines.len().checked_sub(NAMED) {
        lines.truncate(NAMED);
        lines.push(and_more(more as u64, language));
    }
    lines.extend(doubt.map(|answer| match language {
        Language::English => format!("Nothing was accepted for a while ({answer}). What waits is kept and sent later, and nobody is flagged before."),
        Language::German => format!("Seit einer Weile wurde nichts angenommen ({answer}). Was wartet, wird aufbewahrt und später verschickt, und vorher wird niemand markiert."),
    }));
    News {
        key: format!("refused/{}", now.as_microsecond()),
        about: "refused".to_owned(),
        event: EventKind::DeliveryDead,
        policy: None,
        title,
        lines,
        people: Vec::new(),
    }
}

/// How many lines a mail leaves out.
fn and_more(count: u64, language: Language) -> String {
    match language {
        Language::English => format!("and {count} more"),
        Language::German => format!("und {count} weitere"),
    }
}

/// The line about somebody who could not register.
#[must_use]
pub fn blocked(
    person: &Person,
    policy: &PolicyName,
    blocked: Blocked,
    block: &Block,
    manner: &Manner,
) -> String {
    let (name, id) = (&person.user_principal_name, &person.id);
    let (code, at) = (blocked.code, manner.moment(blocked.at));
    let [meaning, remedy] =
        [&block.meaning, &block.remedy].map(|phrase| phrase.told_in(manner.language));
    match manner.language {
        Language::English => {
            format!(
                "{name} ({id}), at a sign-in on {at}: {meaning} (code {code}, policy {policy}). {remedy}"
            )
        }
        Language::German => {
            format!(
                "{name} ({id}), bei einer Anmeldung am {at}: {meaning} (Code {code}, Richtlinie {policy}). {remedy}"
            )
        }
    }
}

/// The line about somebody whom the registration report leaves out.
#[must_use]
pub fn unreported(
    person: &Person,
    policy: &PolicyName,
    since: Timestamp,
    manner: &Manner,
) -> String {
    let (name, id, since) = (
        &person.user_principal_name,
        &person.id,
        manner.moment(since),
    );
    match manner.language {
        Language::English => format!(
            "{name} ({id}) is in no registration report since {since}: the deadline leads to no flag before one tells (policy {policy})"
        ),
        Language::German => format!(
            "{name} ({id}) steht seit {since} in keinem Registrierungsbericht: Die Frist führt zu keiner Markierung, bevor einer Auskunft gibt (Richtlinie {policy})"
        ),
    }
}

/// The line about somebody who lost a registration again.
#[must_use]
pub fn lost_again(person: &Person, policy: &PolicyName, manner: &Manner) -> String {
    let (name, id) = (&person.user_principal_name, &person.id);
    match manner.language {
        Language::English => format!(
            "{name} ({id}) lost registered methods for the second time within 90 days, not by an administrator (policy {policy})"
        ),
        Language::German => format!(
            "{name} ({id}) hat innerhalb von 90 Tagen zum zweiten Mal registrierte Methoden verloren, nicht durch die Administration (Richtlinie {policy})"
        ),
    }
}

/// The line about an endpoint that takes what it is sent again.
#[must_use]
pub fn endpoint_is_well(name: &str, language: Language) -> String {
    match language {
        Language::English => format!("webhook {name} takes what it is sent again"),
        Language::German => format!("Der Webhook {name} nimmt wieder an, was ihm gesendet wird"),
    }
}

/// The line about an endpoint that is paused.
#[must_use]
pub fn endpoint_is_paused(name: &str, reason: &str, language: Language) -> String {
    match language {
        Language::English => format!(
            "webhook {name} is paused ({reason}): what waits for it is kept, and one row is tried every quarter of an hour"
        ),
        Language::German => format!(
            "Der Webhook {name} pausiert ({reason}): Was auf ihn wartet, wird aufbewahrt, und jede Viertelstunde wird eine Zeile versucht"
        ),
    }
}

/// The line about an endpoint that is dead.
#[must_use]
pub fn endpoint_is_dead(name: &str, reason: &str, language: Language) -> String {
    let command = reopening_of(name);
    match language {
        Language::English => {
            format!("webhook {name} is dead ({reason}): nothing is sent to it until `{command}`")
        }
        Language::German => format!(
            "Den Webhook {name} gibt es nicht mehr ({reason}): Ihm wird nichts gesendet bis „{command}“"
        ),
    }
}

/// The line about a webhook for which rows wait and which is not configured.
#[must_use]
pub fn endpoint_is_not_configured(name: &str, rows: u64, language: Language) -> String {
    let command = reopening_of(name);
    match language {
        Language::English => format!(
            "webhook {name} is not configured any more: {rows} of what waited for it will not be sent, unless it is configured again and `{command}` says so"
        ),
        Language::German => format!(
            "Der Webhook {name} ist nicht mehr konfiguriert: {rows} Nachrichten, die auf ihn warteten, werden nicht gesendet, außer er wird wieder konfiguriert und „{command}“ verlangt es"
        ),
    }
}

/// The command that has rows of an endpoint sent again.
fn reopening_of(name: &str) -> String {
    format!("fortnight deliveries retry --destination {name}")
}

/// Who hears of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Operators by mail; endpoints and chats with them.
    Operators,
    /// Chats alone: everybody else got the event by itself.
    Chats,
}

impl Audience {
    /// Everybody who hears of lines.
    pub const ALL: [Self; 2] = [Self::Operators, Self::Chats];

    /// The name in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operators => "operators",
            Self::Chats => "chats",
        }
    }
}

/// Something that is to be said at the end of the pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who hears of it.
    pub audience: Audience,
    /// What happened.
    pub event: EventKind,
    /// What it is about: the name of a topic, the id of a hold, nothing for people in chats.
    pub topic: String,
    /// Under which policy.
    pub policy: Option<PolicyName>,
    /// The deadline that it is about.
    pub deadline: Option<Timestamp>,
    /// Since when it is so, of a hold.
    pub since: Option<Timestamp>,
    /// Whom it names, for operators.
    pub user: Option<UserId>,
    /// What is said.
    pub text: String,
}

impl Line {
    /// A line of a topic, for operators.
    #[must_use]
    pub fn of_topic(topic: Topic, text: String) -> Self {
        Self {
            audience: Audience::Operators,
            event: topic.event(),
            topic: topic.as_str().to_owned(),
            policy: None,
            deadline: None,
            since: None,
            user: None,
            text,
        }
    }

    /// A hold was raised, or is over: one that comes back to stay is told anew.
    #[must_use]
    pub fn of_hold(event: EventKind, hold: &StandingHold, stood_from: Timestamp) -> Self {
        Self {
            audience: Audience::Operators,
            event,
            topic: hold.id.clone(),
            policy: hold.policy.clone(),
            deadline: None,
            since: Some(stood_from),
            user: None,
            text: hold.text.clone(),
        }
    }
}

/// The lines of one audience, event and topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Who hears of them.
    pub audience: Audience,
    /// What happened.
    pub event: EventKind,
    /// What they are about.
    pub topic: String,
    /// Since when it is so, of a hold.
    pub since: Option<Timestamp>,
    /// The hold that it is about.
    pub hold: Option<StandingHold>,
    /// How many lines; for operators each once.
    pub count: u64,
    /// The earliest and the latest deadline.
    pub deadlines: Option<(Timestamp, Timestamp)>,
    /// The policies.
    pub policies: Vec<PolicyName>,
    /// The first of the lines, for operators each once.
    pub lines: Vec<String>,
    /// Whom these name, for operators.
    pub people: Vec<UserId>,
    /// The number of the last one: younger ones are for the next pass.
    pub last: i64,
}

impl Waiting {
    /// Whether it waits until many can be told at once.
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.audience == Audience::Operators
            && Topic::parse(&self.topic).is_some_and(Topic::is_gathered)
    }
}

/// Something that operators are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Keeps it from being said twice.
    pub key: String,
    /// What it is about: later news of the same follow it.
    pub about: String,
    /// What happened.
    pub event: EventKind,
    /// The policy that it is about.
    pub policy: Option<PolicyName>,
    /// The subject of the mail.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// Whom they name.
    pub people: Vec<UserId>,
}

impl News {
    /// A hold stands, or is over.
    #[must_use]
    pub fn of_hold(event: EventKind, hold: &StandingHold, manner: &Manner) -> Self {
        let language = manner.language;
        let is_raised = event == EventKind::HoldRaised;
        let title = match &hold.seen {
            Some(seen) if is_raised => seen.title(language),
            _ => title(hold.kind, is_raised, language),
        };
        let mut lines = vec![seen(hold, manner)];
        if is_raised {
            lines.push(means(hold.kind, language));
            lines.push(what_to_do(hold, language));
        } else {
            lines.extend(approved(hold, manner));
        }
        Self {
            key: format!(
                "{}/{}/{}",
                event.as_str(),
                hold.id,
                hold.since.as_microsecond()
            ),
            about: format!("hold/{}", hold.id),
            event,
            policy: hold.policy.clone(),
            title,
            lines,
            people: Vec::new(),
        }
    }
}

/// The subject of a hold of which the kind alone is known, and of its end.
fn title(kind: HoldKind, is_raised: bool, language: Language) -> String {
    let about = match language {
        Language::English => match kind {
            HoldKind::Mass => "many flags at once",
            HoldKind::MissingGrowth => "lost registrations",
            HoldKind::Snapshot => "data that shrank",
            HoldKind::Exclusion => "an exclusion in doubt",
            HoldKind::Assignment => "a name in the configuration",
            HoldKind::Stale => "data that is too old",
            HoldKind::Proof => "a registration report to come",
            HoldKind::Frozen => "a registration report in doubt",
            HoldKind::Channel => "messages that do not arrive",
            HoldKind::Clock => "the clock of this machine",
            HoldKind::Database => "a database that is gone",
        },
        Language::German => match kind {
            HoldKind::Mass => "viele Markierungen auf einmal",
            HoldKind::MissingGrowth => "verlorene Registrierungen",
            HoldKind::Snapshot => "geschrumpfte Daten",
            HoldKind::Exclusion => "ein unklarer Ausschluss",
            HoldKind::Assignment => "ein Name in der Konfiguration",
            HoldKind::Stale => "zu alte Daten",
            HoldKind::Proof => "ein ausstehender Registrierungsbericht",
            HoldKind::Frozen => "ein zweifelhafter Registrierungsbericht",
            HoldKind::Channel => "Nachrichten, die nicht ankommen",
            HoldKind::Clock => "die Uhr dieses Rechners",
            HoldKind::Database => "eine fehlende Datenbank",
        },
    };
    match (language, is_raised) {
        (Language::English, true) => format!("Flags are held: {about}"),
        (Language::English, false) => format!("A hold is over: {about}"),
        (Language::German, true) => format!("Markierungen angehalten: {about}"),
        (Language::German, false) => format!("Sperre beendet: {about}"),
    }
}

/// What was seen, under which name, since when.
fn seen(hold: &StandingHold, manner: &Manner) -> String {
    let (id, since) = (&hold.id, manner.moment(hold.since));
    let seen = hold.seen.as_ref();
    let seen = seen.map_or_else(|| hold.text.clone(), |seen| seen.told(manner));
    match manner.language {
        Language::English => format!("Seen: {seen}. That is the hold \"{id}\", since {since}."),
        Language::German => format!("Gesehen: {seen}. Das ist die Sperre „{id}“, seit {since}."),
    }
}

/// Who let through what a hold held, and why.
fn approved(hold: &StandingHold, manner: &Manner) -> Option<String> {
    let (at, by) = (manner.moment(hold.approved_at?), hold.approved_by.as_ref()?);
    let why = hold.approved_because.as_deref().unwrap_or_default();
    Some(match manner.language {
        Language::English => format!("Approved by {by} on {at}: {why}"),
        Language::German => format!("Freigegeben von {by} am {at}: {why}"),
    })
}

/// What a hold means.
fn means(kind: HoldKind, language: Language) -> String {
    match language {
        Language::English => {
            let text = match kind {
                HoldKind::Mass => {
                    "That is more than 10 people and more than 5 % of those in scope. The first wave of a rollout looks like that, and so does a fault in the data. None of them is flagged until somebody has looked."
                }
                HoldKind::MissingGrowth => {
                    "So many rarely lose what they registered. The report may be incomplete, so nobody is flagged on it."
                }
                HoldKind::Snapshot => {
                    "So much rarely goes at once. What was read may be incomplete, so the last good one counts, and nobody is flagged on it."
                }
                HoldKind::Exclusion => {
                    "Whoever the exclusion is meant to protect could be flagged, so nobody is under this policy."
                }
                HoldKind::Assignment => {
                    "Whom the policy means is not certain, so nobody is flagged under it."
                }
                HoldKind::Stale => {
                    "Somebody may have registered since, so nobody is flagged on it."
                }
                HoldKind::Proof => {
                    "They may have registered in time, so they are not flagged before a report can tell."
                }
                HoldKind::Frozen => {
                    "Who registered since may be missing from it, so nobody is flagged on it."
                }
                HoldKind::Channel => {
                    "Who cannot be told is not flagged. What waits is kept and sent later."
                }
                HoldKind::Clock => {
                    "Deadlines would be judged by a wrong time, so nobody is flagged."
                }
                HoldKind::Database => {
                    "Who was told what is not known, so nobody is told or flagged."
                }
            };
            format!("What it means: {text}")
        }
        Language::German => {
            let text = match kind {
                HoldKind::Mass => {
                    "Das sind mehr als 10 Personen und mehr als 5 % derer im Geltungsbereich. So sieht die erste Welle einer Einführung aus, aber auch ein Fehler in den Daten. Niemand davon wird markiert, bevor jemand nachgesehen hat."
                }
                HoldKind::MissingGrowth => {
                    "So viele verlieren selten, was sie registriert haben. Der Bericht ist vielleicht unvollständig; auf ihn hin wird niemand markiert."
                }
                HoldKind::Snapshot => {
                    "So viel verschwindet selten auf einmal. Das Gelesene ist vielleicht unvollständig; der letzte gute Stand gilt weiter, und auf ihn hin wird niemand markiert."
                }
                HoldKind::Exclusion => {
                    "Wen der Ausschluss schützen soll, könnte markiert werden; deshalb wird unter dieser Richtlinie niemand markiert."
                }
                HoldKind::Assignment => {
                    "Es ist nicht sicher, wen die Richtlinie meint; deshalb wird unter ihr niemand markiert."
                }
                HoldKind::Stale => {
                    "Seither kann sich jemand registriert haben; deshalb wird niemand markiert."
                }
                HoldKind::Proof => {
                    "Sie können sich rechtzeitig registriert haben und werden erst markiert, wenn ein Bericht Auskunft gibt."
                }
                HoldKind::Frozen => {
                    "Wer sich seither registriert hat, fehlt darin vielleicht; auf ihn hin wird niemand markiert."
                }
                HoldKind::Channel => {
                    "Wer nicht informiert werden kann, wird nicht markiert. Was wartet, wird aufbewahrt und später gesendet."
                }
                HoldKind::Clock => {
                    "Fristen würden nach einer falschen Zeit beurteilt; deshalb wird niemand markiert."
                }
                HoldKind::Database => {
                    "Es ist nicht bekannt, wem was mitgeteilt wurde; deshalb wird niemand informiert oder markiert."
                }
            };
            format!("Was das heißt: {text}")
        }
    }
}

/// What an operator can do about a hold.
fn what_to_do(hold: &StandingHold, language: Language) -> String {
    let is_approved = hold.released_by == ReleasedBy::Approval;
    match (language, is_approved) {
        (Language::English, true) => format!("What to do: {}", hold.remedy()),
        (Language::English, false) => {
            format!(
                "What to do: {} No approval can end this hold.",
                hold.remedy()
            )
        }
        (Language::German, true) => format!("Was zu tun ist: {}", remedy_in_german(hold)),
        (Language::German, false) => format!(
            "Was zu tun ist: {} Freigeben lässt sich diese Sperre nicht.",
            remedy_in_german(hold)
        ),
    }
}

fn remedy_in_german(hold: &StandingHold) -> String {
    let approve = || approval_of(&hold.id);
    match hold.kind {
        HoldKind::Mass => format!(
            "„fortnight enforcement plan“ nennt die Personen; um sie zu markieren: {}",
            approve()
        ),
        HoldKind::MissingGrowth => format!(
            "Ein besserer Bericht beendet die Sperre. Stimmt dieser: {}",
            approve()
        ),
        HoldKind::Snapshot | HoldKind::Exclusion => format!(
            "Vollständige Daten beenden die Sperre. Stimmen diese: {}",
            approve()
        ),
        HoldKind::Frozen => format!(
            "Ein Bericht mit neueren Zeilen oder anderem Inhalt beendet die Sperre: Sehen Sie nach, ob der Export neu erzeugt wird. Ist dieser neu, für sieben Tage: {}",
            approve()
        ),
        HoldKind::Clock => format!("Stellen Sie die Uhr. Geht sie richtig: {}", approve()),
        HoldKind::Assignment => {
            "Berichtigen Sie den Namen in der Konfiguration; „fortnight check“ zeigt die Zeile."
                .to_owned()
        }
        HoldKind::Stale => {
            "Neuere Daten beenden die Sperre; „fortnight doctor“ sagt, ob sie zu bekommen sind."
                .to_owned()
        }
        HoldKind::Proof => "Ein neuerer Registrierungsbericht beendet die Sperre.".to_owned(),
        HoldKind::Channel if hold.released_by == ReleasedBy::Approval => format!(
            "Die Sperre endet, wenn eine Nachricht an jemanden angenommen wird. Sind es diese Adressen, die falsch sind: {}",
            approve()
        ),
        HoldKind::Channel => {
            "Die Sperre endet, wenn eine Nachricht ankommt; „fortnight doctor“ versucht den Weg dorthin."
                .to_owned()
        }
        HoldKind::Database => {
            "Stellen Sie die Datenbank aus einer Sicherung wieder her.".to_owned()
        }
    }
}

/// The news that waiting lines of operators make, each with the lines that it says: one of each
/// event, and one of each hold.
#[must_use]
pub fn news<'a>(
    waiting: &'a [Waiting],
    manner: &Manner,
    now: Timestamp,
) -> Vec<(News, Vec<&'a Waiting>)> {
    let to_operators = || {
        waiting
            .iter()
            .filter(|one| one.audience == Audience::Operators)
    };
    let holds = to_operators().filter_map(|one| {
        let since = one.since?;
        let hold = StandingHold {
            since,
            ..one.hold.clone()?
        };
        Some((News::of_hold(one.event, &hold, manner), vec![one]))
    });
    let events: BTreeSet<EventKind> = Topic::ALL.into_iter().map(Topic::event).collect();
    let topics = events
        .into_iter()
        .filter_map(|event| of_topics(&to_operators(), event, manner.language, now));
    holds.chain(topics).collect()
}

/// The mails of news: holds that are told together are one mail, because they have one cause more
/// often than not.
#[must_use]
pub fn of_one_cause(mut news: Vec<News>, language: Language) -> Vec<News> {
    let is_hold = |one: &News| matches!(one.event, EventKind::HoldRaised | EventKind::HoldCleared);
    if news.len() < 2 || !news.iter().all(is_hold) {
        return news;
    }
    let joined =
        |part: fn(&News) -> &str, between| news.iter().map(part).collect::<Vec<_>>().join(between);
    let together = News {
        key: joined(|one| &one.key, "+"),
        about: joined(|one| &one.about, "+"),
        event: news[0].event,
        policy: None,
        title: match (language, news[0].event) {
            (Language::English, EventKind::HoldCleared) => {
                format!("{} holds are over", news.len())
            }
            (Language::English, _) => {
                format!("Flags are held for {} reasons: please look", news.len())
            }
            (Language::German, EventKind::HoldCleared) => {
                format!("{} Sperren sind beendet", news.len())
            }
            (Language::German, _) => format!(
                "Markierungen sind aus {} Gründen angehalten: bitte nachsehen",
                news.len()
            ),
        },
        lines: Vec::new(),
        people: Vec::new(),
    };
    let lines = news.drain(..).flat_map(|one| {
        let heading = format!("{HEADING}{}", one.title);
        [heading].into_iter().chain(one.lines)
    });
    vec![News {
        lines: lines.collect(),
        ..together
    }]
}

/// All lines that wait to be told as one event.
fn of_topics<'a>(
    waiting: &(impl Iterator<Item = &'a Waiting> + Clone),
    event: EventKind,
    language: Language,
    now: Timestamp,
) -> Option<(News, Vec<&'a Waiting>)> {
    let topics = Topic::ALL
        .into_iter()
        .filter(|topic| topic.event() == event);
    let said: Vec<(Topic, &Waiting)> = topics
        .filter_map(|topic| {
            let mut waiting = waiting.clone();
            Some((topic, waiting.find(|one| one.topic == topic.as_str())?))
        })
        .collect();
    let names: Vec<&str> = said.iter().map(|(topic, _)| topic.as_str()).collect();
    let about = names.join("+");
    let titles: Vec<String> = said
        .iter()
        .map(|(topic, one)| topic.title(one.count, language))
        .collect();
    let all = || said.iter().map(|(_, one)| one);
    let mut lines: Vec<String> = all().flat_map(|one| one.lines.clone()).collect();
    lines.truncate(MAX_LINES);
    let left_out = all().map(|one| one.count).sum::<u64>();
    let left_out = left_out.saturating_sub(lines.len() as u64);
    lines.extend((left_out > 0).then(|| and_more(left_out, language)));
    let news = News {
        key: format!("{about}/{}", now.as_microsecond()),
        about,
        event,
        policy: None,
        title: titles.join("; "),
        lines,
        people: all().flat_map(|one| one.people.clone()).collect(),
    };
    (!said.is_empty()).then(|| (news, said.into_iter().map(|(_, one)| one).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::seen::{Rows, Seen};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn waiting(topic: Topic, lines: &[&str]) -> Waiting {
        Waiting {
            audience: Audience::Operators,
            event: topic.event(),
            topic: topic.as_str().to_owned(),
            since: None,
            hold: None,
            count: lines.len() as u64,
            deadlines: None,
            policies: Vec::new(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            people: Vec::new(),
            last: 1,
        }
    }

    #[test]
    fn lines_of_one_event_are_one_news_and_each_topic_says_how_many() {
        let waiting = [
            waiting(Topic::LostAgain, &["cleo"]),
            waiting(Topic::DeadEndpoint, &["desk"]),
            waiting(Topic::Unreachable, &["ana", "bo"]),
        ];
        let said = news(&waiting, &Manner::default(), NOW);
        let texts: Vec<(&str, &str, usize)> = said
            .iter()
            .map(|(news, said)| (news.title.as_str(), news.about.as_str(), said.len()))
            .collect();
        assert_eq!(
            texts,
            [
                (
                    "2 people cannot be reached by mail; A webhook needs attention",
                    "unreachable+dead_endpoint",
                    2
                ),
                ("One person lost a registration again", "lost_again", 1),
            ]
        );
        assert_eq!(said[0].0.lines, ["ana", "bo", "desk"]);
    }

    #[test]
    fn what_was_refused_is_told_in_the_language_and_zone_of_operators() {
        let manner = Manner {
            language: Language::German,
            zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
        };
        let flagged = "2026-10-08T08:00:00Z".parse().unwrap();
        let line = refused("ana@contoso.example", "1", "550 no", Some(flagged), &manner);
        assert_eq!(
            line,
            format!(
                "ana@contoso.example (1): die Adresse wurde abgelehnt (550 no); ab {} markiert, wenn bis dahin weder eine E-Mail angenommen wird noch die Person sich registriert",
                manner.moment(flagged)
            )
        );
        let told = |count| {
            not_accepted(
                vec![line.clone(); count],
                Some("421"),
                Language::German,
                NOW,
            )
        };
        let titles = [0, 1, 102].map(|count| told(count).title);
        assert_eq!(
            titles,
            [
                "E-Mails werden nicht angenommen",
                "Eine E-Mail wurde nicht angenommen",
                "102 E-Mails wurden nicht angenommen"
            ]
        );
        let lines = told(102).lines;
        assert_eq!((lines.len(), lines[100].as_str()), (102, "und 2 weitere"));
        assert!(lines[101].starts_with("Seit einer Weile"), "{}", lines[101]);
    }

    fn manner(language: Language) -> Manner {
        Manner {
            language,
            zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
        }
    }

    fn standing(kind: HoldKind, subject: &str, seen: Option<Seen>) -> StandingHold {
        StandingHold {
            id: kind.id_of(subject),
            kind,
            policy: None,
            since: NOW,
            text: "what was seen".to_owned(),
            seen,
            released_by: kind.released_by(),
            approved_at: None,
            approved_by: None,
            approved_because: None,
            told: true,
        }
    }

    fn old_users() -> StandingHold {
        let seen = Seen::Stale {
            rows: Rows::Users,
            reading: Some(NOW),
            limit_h: 24,
        };
        standing(HoldKind::Stale, "users", Some(seen))
    }

    #[test]
    fn a_hold_is_told_with_what_it_means_and_what_to_do_and_its_end_without() {
        let raised = Waiting {
            event: EventKind::HoldRaised,
            topic: "stale:users".to_owned(),
            since: Some(NOW),
            hold: Some(old_users()),
            ..waiting(Topic::Unreachable, &["the users are old"])
        };
        let cleared = Waiting {
            event: EventKind::HoldCleared,
            ..raised.clone()
        };
        let approved = Waiting {
            hold: Some(StandingHold {
                approved_at: Some(NOW),
                approved_by: Some("anna".to_owned()),
                approved_because: Some("looked into".to_owned()),
                ..old_users()
            }),
            ..cleared.clone()
        };
        let waiting = [raised, cleared, approved];
        let said = news(&waiting, &manner(Language::English), NOW);
        let told: Vec<(&str, &[String])> = said
            .iter()
            .map(|(news, _)| (news.title.as_str(), news.lines.as_slice()))
            .collect();
        insta::assert_debug_snapshot!(told);
        assert_eq!(said[0].0.key, "hold.raised/stale:users/0");
        assert_eq!(said[1].0.about, "hold/stale:users");
    }

    #[test]
    fn holds_of_one_cause_are_one_mail_with_a_heading_each() {
        let manner = manner(Language::German);
        let kinds = [old_users(), standing(HoldKind::Proof, "", None)];
        let news = kinds.map(|hold| News::of_hold(EventKind::HoldRaised, &hold, &manner));
        let together = of_one_cause(news.to_vec(), Language::German);
        assert_eq!(together.len(), 1);
        insta::assert_debug_snapshot!((&together[0].title, &together[0].lines));
    }

    /// Of every hold in every language, what ends it: an approval by its command, or data alone.
    #[test]
    fn whoever_reads_of_a_hold_reads_what_ends_it() {
        for language in Language::ALL {
            for kind in HoldKind::ALL {
                for approvable in [ReleasedBy::Approval, ReleasedBy::Data] {
                    let hold = StandingHold {
                        released_by: approvable,
                        ..standing(kind, "my policy/x", None)
                    };
                    if hold.released_by != kind.released_by() && kind != HoldKind::Channel {
                        continue;
                    }
                    let lines =
                        News::of_hold(EventKind::HoldRaised, &hold, &manner(language)).lines;
                    let command = format!(
                        "fortnight enforcement approve \"{}\" --reason TEXT",
                        hold.id
                    );
                    let by_data = [
                        "No approval can end",
                        "Freigeben lässt sich diese Sperre nicht",
                    ];
                    let is_approved = approvable == ReleasedBy::Approval;
                    assert_eq!(lines[2].contains(&command), is_approved, "{lines:?}");
                    assert_eq!(
                        by_data.iter().any(|text| lines[2].contains(text)),
                        !is_approved,
                        "{lines:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn trouble_of_webhooks_is_told_in_the_language_of_operators() {
        let told = Language::ALL.map(|language| {
            [
                endpoint_is_well("desk", language),
                endpoint_is_paused("desk", "503", language),
                endpoint_is_dead("desk", "410", language),
                endpoint_is_not_configured("desk", 3, language),
            ]
        });
        insta::assert_debug_snapshot!(told);
    }
}
