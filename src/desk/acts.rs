//! What operators order of people's windows. Each act is written down as a fact that the next pass
//! applies; what it will make of it is decided before and said.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{DeskError, Reader, present};
use crate::delivery::text::clean_line;
use crate::domain::decision::Decision;
use crate::domain::facts::{ActKind, Channel, NoticeBy};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::policy::Enforce;
use crate::domain::standing::Enforcement;
use crate::domain::state::State;
use crate::domain::window::{GraceWindow, later};
use crate::pass;
use crate::store::acts::{Actor, NewAct};
use crate::store::load::Dossier;
use crate::store::outcome::Outcome;
use crate::store::{Store, Whom};

/// No extension until a moment reaches further, as none by days does: a slip of the keyboard could not be taken back.
const LONGEST_EXTENSION: SignedDuration = SignedDuration::from_hours(365 * 24);

/// An act on windows, as it was ordered.
#[derive(Debug, Clone)]
pub struct Order {
    /// Object ids, user principal names or mail addresses.
    pub people: Vec<String>,
    /// Under one policy, or under all.
    pub policy: Option<String>,
    /// What.
    pub kind: ActKind,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: Actor,
    /// A ticket.
    pub ticket: Option<String>,
}

/// An act on one person that was noted, and what it does.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// On whom.
    pub user: UserId,
    /// For display.
    pub user_principal_name: String,
    /// For display.
    pub display_name: Option<String>,
    /// Under each policy that it names.
    pub changes: Vec<Change>,
}

/// What an act does under one policy, as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Under which policy.
    pub policy: PolicyName,
    /// Where the person stands, before and after.
    pub state: [State; 2],
    /// The deadline, before and after.
    pub deadline: [Option<Timestamp>; 2],
    /// What is left of the window, also of one that is paused.
    pub left: [Option<SignedDuration>; 2],
    /// The mail that follows, or why none does.
    pub mail: Result<EventKind, Silence>,
}

impl Confirmation {
    /// Whether the act finds nothing to act on.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.all(|change| matches!(change.mail, Err(Silence::Idle(_))))
    }
}

/// Why no mail follows an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// It finds nothing to act on: what it would have needed.
    Idle(&'static str),
    /// The policy is report-only.
    ReportOnly,
    /// The policy is off.
    Off,
    /// There is no way to people.
    NoChannel,
    /// Endpoints give the notice.
    Endpoints,
    /// The clock is stopped: people hear when it runs again.
    Stopped,
    /// Nobody is told of this.
    Untold,
    /// The person has registered, or seems to have.
    Registered,
    /// There is no address.
    NoAddress,
    /// A person gets one mail at a time, and that of this policy goes first.
    After(PolicyName),
    /// None is due now.
    NotDue,
}

impl Silence {
    /// In words, as the reason of "no mail follows".
    #[must_use]
    pub fn words(&self) -> String {
        let words = match self {
            Self::Idle(lacks) => return format!("{lacks}, so nothing changes as things stand"),
            Self::After(policy) => {
                return format!("the mail of the policy {policy} goes first");
            }
            Self::ReportOnly => "the policy is report-only",
            Self::Off => "the policy is off",
            Self::NoChannel => "no [email] is configured",
            Self::Endpoints => "no [email] is configured; endpoints hear of it",
            Self::Stopped => "the clock is stopped; people hear when it runs again",
            Self::Untold => "nobody is told of this",
            Self::Registered => "the person has registered, or the log says so",
            Self::NoAddress => "there is no address",
            Self::NotDue => "none is due now",
        };
        words.to_owned()
    }
}

/// Notes an act on the windows of people, on all or on none, and says what the next pass makes of
/// it: the same decision.
pub async fn act(
    reader: &Reader,
    order: Order,
    as_of: Option<Timestamp>,
) -> Result<Vec<Confirmation>, DeskError> {
    if let Some(policy) = &order.policy {
        reader.knows_policy(policy)?;
    }
    let users = everybody(reader, &order.people).await?;
    let at = act_time(&reader.store, as_of).await?;
    let policy = order.policy.as_deref().map(PolicyName::new);
    let acts = users.into_iter().map(|user| NewAct {
        user,
        policy: policy.clone(),
        kind: order.kind,
        reason: order.reason.clone(),
        by: order.by.clone(),
        ticket: order.ticket.clone(),
    });
    let acts: Vec<NewAct> = acts.collect();
    let whom = Whom::these(acts.iter().map(|act| act.user.as_str()));
    let dossiers = reader.store.load(&whom).await?.into_iter();
    let mut dossiers: BTreeMap<UserId, Dossier> = dossiers
        .map(|dossier| (dossier.person.id.clone(), dossier))
        .collect();
    let confirmations = acts
        .iter()
        .filter_map(|act| Some(rehearse(reader, dossiers.remove(&act.user)?, act, at)))
        .collect::<Vec<_>>();
    if let ActKind::ExtendUntil { until } = order.kind {
        moves_no_deadline_in(&confirmations, until, at)?;
    }
    reader.store.record_acts(&acts, at).await?;
    Ok(confirmations)
}

/// Each of these people once, in the order in which they were named; all who are unknown are named.
async fn everybody(reader: &Reader, names: &[String]) -> Result<Vec<UserId>, DeskError> {
    let mut users: Vec<UserId> = Vec::with_capacity(names.len());
    let mut unknown = Vec::new();
    for name in names {
        match reader.person(name).await {
            Ok(user) if users.contains(&user) => {}
            Ok(user) => users.push(user),
            Err(DeskError::Unknown(why)) => unknown.push((name, why)),
            Err(error) => return Err(error),
        }
    }
    match unknown.as_slice() {
        [] => Ok(users),
        [(_, why)] if names.len() == 1 => Err(DeskError::Unknown(why.clone())),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|(name, _)| format!("{name:?}"))
                .collect();
            Err(DeskError::Unknown(format!(
                "nobody is known by {}: give object ids, user principal names or mail addresses; nothing was done for the others either",
                names.join(", ")
            )))
        }
    }
}

/// An extension until a moment is refused where the deadline is later already.
fn moves_no_deadline_in(
    confirmations: &[Confirmation],
    until: Timestamp,
    at: Timestamp,
) -> Result<(), DeskError> {
    if until <= at {
        return Err(DeskError::Refused(format!(
            "--until {until} is not ahead of {at}: nobody could make use of it"
        )));
    }
    if until > later(at, LONGEST_EXTENSION) {
        return Err(DeskError::Refused(format!(
            "--until {until} is more than 365 days ahead of {at}: is the year right?"
        )));
    }
    let later = confirmations.iter().flat_map(|confirmation| {
        let later = confirmation.changes.iter().filter_map(move |change| {
            let deadline = change.deadline[0].filter(|deadline| *deadline > until)?;
            let is_open = change.state[0] != State::Registered;
            is_open.then_some((confirmation, change, deadline))
        });
        later.map(|(confirmation, change, deadline)| {
            let name = clean_line(&confirmation.user_principal_name, 120);
            format!("{name} has until {deadline} under {}", change.policy)
        })
    });
    let later: Vec<String> = later.collect();
    if later.is_empty() {
        return Ok(());
    }
    Err(DeskError::Refused(format!(
        "--until {until} would move a deadline in, and an extension never does: {}; nothing was done",
        later.join(", ")
    )))
}

/// What an act would do: the person is decided about without it and with it.
fn rehearse(reader: &Reader, dossier: Dossier, act: &NewAct, at: Timestamp) -> Confirmation {
    let decide = |dossier| pass::look(dossier, &reader.policies, &reader.world, at);
    let mut acted = dossier.clone();
    // Behind all that was decided about: what its number will be is not known before it is kept.
    acted.acts.push(act.as_fact(i64::MAX, at));
    let (before, after) = (decide(dossier), decide(acted));
    let is_named = |policy: &PolicyName| act.policy.as_ref().is_none_or(|name| name == policy);
    let both = before.decisions.iter().zip(&after.decisions);
    let changes = both.filter(|(before, _)| is_named(&before.policy));
    let changes = changes.map(|(was, is)| Change {
        policy: was.policy.clone(),
        state: [was.state, is.state],
        deadline: [was.deadline, is.deadline],
        left: [was.remaining, is.remaining],
        mail: mail(reader, act.kind, [&before, &after], [was, is]),
    });
    Confirmation {
        changes: changes.collect(),
        user: act.user.clone(),
        user_principal_name: after.dossier.person.user_principal_name,
        display_name: after.dossier.person.display_name,
    }
}

/// The mail that an act brings under a policy, or why none.
fn mail(
    reader: &Reader,
    kind: ActKind,
    [before, after]: [&Outcome; 2],
    [was, is]: [&Decision; 2],
) -> Result<EventKind, Silence> {
    let mail = after.mail.as_ref().filter(|_| before.mail != after.mail);
    if let Some(mail) = mail.filter(|mail| mail.policy == is.policy) {
        return Ok(mail.kind);
    }
    let policy = reader.policy(is.policy.as_str());
    let enforce = policy.map_or(Enforce::Off, |policy| policy.enforce);
    let (world, person) = (&reader.world, &after.dossier.person);
    let has_moved = is.deadline != was.deadline;
    Err(match idle(kind, was) {
        Some(lacks) => Silence::Idle(lacks),
        None if enforce == Enforce::Off => Silence::Off,
        None if enforce == Enforce::ReportOnly => Silence::ReportOnly,
        None if world.channel == Channel::None => Silence::NoChannel,
        None if world.notice_by == NoticeBy::Webhook => Silence::Endpoints,
        None if matches!(kind, ActKind::Reset | ActKind::Close) => Silence::Untold,
        None if matches!(is.standing.window, GraceWindow::Paused { .. }) => Silence::Stopped,
        None if matches!(is.state, State::Registered | State::RegistrationReported) => {
            Silence::Registered
        }
        None => match mail {
            Some(mail) => Silence::After(mail.policy.clone()),
            None if has_moved && person.mail.is_none() => Silence::NoAddress,
            None => Silence::NotDue,
        },
    })
}

/// Why an act finds nothing to act on.
fn idle(kind: ActKind, before: &Decision) -> Option<&'static str> {
    let window = &before.standing.window;
    let runs = window.run().is_some() && before.state != State::Registered;
    match kind {
        ActKind::Extend { .. } | ActKind::ExtendUntil { .. } | ActKind::Reset if !runs => {
            Some("no window is open")
        }
        ActKind::ExtendUntil { .. } if matches!(window, GraceWindow::Paused { .. }) => Some(
            "the clock is stopped and there is no deadline to move (--days adds to what is left)",
        ),
        ActKind::ExtendUntil { until }
            if before.deadline == Some(until)
                && !matches!(before.standing.enforcement, Enforcement::Needed { .. }) =>
        {
            Some("that is the deadline already")
        }
        ActKind::Reopen if !before.standing.closed_by_operator => {
            Some("no operator closed the window")
        }
        ActKind::Close if before.standing.closed_by_operator => {
            Some("an operator closed the window before")
        }
        ActKind::Extend { .. }
        | ActKind::ExtendUntil { .. }
        | ActKind::Reset
        | ActKind::Close
        | ActKind::Reopen => None,
    }
}

/// The moment of an operator's act: the one given, or the present, which in a rehearsal is its newest
/// pass and is never before one.
pub async fn act_time(store: &Store, as_of: Option<Timestamp>) -> Result<Timestamp, DeskError> {
    let Some(at) = as_of else {
        return Ok(present(store).await?.at);
    };
    match store.newest_clocked_pass().await? {
        // There a date of its own would void what is told: a lapse, a notice, an order of acts.
        Some(newest) => Err(DeskError::Refused(format!(
            "--as-of is for rehearsals, and the clock told the time of the newest pass here, {newest}: leave it out"
        ))),
        None => Ok(at),
    }
}
