//! The facts of previews: of a person who does not exist, in the words that real ones are told with.

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::domain::hold::{HoldKind, StandingHold};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::language::Manner;
use crate::domain::message::EventKind;
use crate::domain::news::{self, News, Topic};
use crate::domain::person::{AccountKind, Person, Presence};
use crate::domain::seen::Seen;
use crate::domain::sign_in::Blocked;
use crate::domain::window::later;

/// The account of a person who does not exist.
pub(super) const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
/// That person's name.
pub(super) const NAME: &str = "Alex Example";
/// That person's address.
pub(super) const ADDRESS: &str = "alex.example@example.org";
/// The result code of a sign-in that a risk kept from registering.
pub(super) const CODE: i64 = 53004;

/// The first policy of the configuration.
pub(super) fn policy(config: &Config) -> PolicyName {
    config
        .policies
        .first()
        .map_or_else(|| PolicyName::new("everyone"), |policy| policy.name.clone())
}

/// What operators are told, where an event is for them: the title and its lines.
pub(super) fn news(
    config: &Config,
    kind: EventKind,
    manner: &Manner,
    code: i64,
    now: Timestamp,
) -> Option<(String, Vec<String>)> {
    let days = |count: i64| later(now, SignedDuration::from_hours(24 * count));
    let of_topic = |topic: Topic, line: String| Some((topic.title(1, manner.language), vec![line]));
    let person = person()?;
    match kind {
        EventKind::HoldRaised | EventKind::HoldCleared => {
            let News { title, lines, .. } = News::of_hold(kind, &hold(now), manner);
            Some((title, lines))
        }
        EventKind::DeliveryDead => {
            let line = news::unreachable(&person, true, Some(days(10)), manner);
            of_topic(Topic::Unreachable, line)
        }
        EventKind::RegistrationBlocked => {
            let blocked = Blocked { at: now, code };
            let block = config.result_codes.block(code);
            let line = news::blocked(&person, &policy(config), blocked, block, manner);
            of_topic(Topic::Blocked, line)
        }
        EventKind::Digest => {
            let line = news::lost_again(&person, &policy(config), manner);
            of_topic(Topic::LostAgain, line)
        }
        EventKind::WindowOpened
        | EventKind::WindowReminder
        | EventKind::WindowExtended
        | EventKind::WindowPaused
        | EventKind::WindowResumed
        | EventKind::UserRegistered
        | EventKind::EnforcementNeeded
        | EventKind::EnforcementReleased
        | EventKind::Test => None,
    }
}

fn person() -> Option<Person> {
    Some(Person {
        id: UserId::parse(NOBODY).ok()?,
        user_principal_name: ADDRESS.to_owned(),
        display_name: Some(NAME.to_owned()),
        mail: Some(ADDRESS.to_owned()),
        kind: AccountKind::Member,
        enabled: true,
        created_at: None,
        preferred_language: None,
        last_sign_in_at: None,
        presence: Presence::Present,
    })
}

/// The one that most rollouts meet.
fn hold(now: Timestamp) -> StandingHold {
    let seen = Seen::Mass {
        people: 22,
        recent: 0,
        in_scope: 200,
    };
    StandingHold {
        id: HoldKind::Mass.id_of(""),
        kind: HoldKind::Mass,
        policy: None,
        since: now,
        text: seen.text(),
        seen: Some(seen),
        released_by: HoldKind::Mass.released_by(),
        approved_at: None,
        approved_by: None,
        approved_because: None,
        told: true,
    }
}
