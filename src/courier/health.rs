//! What an answer says about the endpoint itself, and what follows for everything else that waits
//! for it. Pure: the lane asks, the store remembers.

use jiff::{SignedDuration, Timestamp};

use super::retry::retry_at;
use crate::delivery::Outcome;
use crate::domain::language::Language;
use crate::domain::news;
use crate::domain::window::later;
use crate::store::destinations::{Health, HealthState};

/// So many attempts in a row that led to nothing put the endpoint off as a whole.
const FAILURES_IN_A_ROW: u32 = 3;
/// So many rows in a row that were refused for good are no coincidence.
const REFUSALS_IN_A_ROW: u32 = 10;
/// A paused endpoint is tried this often, with one row.
const PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// An endpoint that failed at every attempt for so long is paused, and operators hear of it (rule 5.9).
const FAILING_TOO_LONG: SignedDuration = SignedDuration::from_hours(120);
/// Nobody may put us off for longer (rule 5.9).
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// The endpoint after an attempt, and what operators should hear of it, once each time it stops
/// taking what it is sent.
pub(super) fn after(
    before: &Health,
    outcome: &Outcome,
    name: &str,
    language: Language,
    now: Timestamp,
) -> (Health, Option<String>) {
    let mut next = before.clone();
    if before.state == HealthState::Dead {
        // What was under way when it said so.
        return (next, None);
    }
    match outcome {
        Outcome::Accepted { .. } => {
            // What was under way when it asked for time does not take that back.
            let paused_until = still(before, now);
            next = Health {
                paused_until,
                reason: before.reason.clone().filter(|_| paused_until.is_some()),
                ..Health::default()
            };
            return (next, None);
        }
        Outcome::Deferred {
            text, retry_after, ..
        } => {
            fail(&mut next, text, now);
            let asked = retry_after.map(|wait| later(now, wait.min(LONGEST_WAIT)));
            let until = asked.or_else(|| back_off(&next, name, now));
            put_off(&mut next, until, now);
        }
        Outcome::Unreachable { text, .. } | Outcome::Busy { text, .. } | Outcome::Lost { text } => {
            fail(&mut next, text, now);
            let until = back_off(&next, name, now);
            put_off(&mut next, until, now);
        }
        Outcome::Refused { text, .. } | Outcome::Declined { text, .. } => {
            next.failures = 0;
            next.failing_since = None;
            next.refusals += 1;
            if next.refusals >= REFUSALS_IN_A_ROW {
                pause(&mut next, text.clone(), now);
            }
        }
        Outcome::Unauthorized { text, .. } => pause(&mut next, text.clone(), now),
        Outcome::Gone { text, .. } => {
            next.state = HealthState::Dead;
            next.paused_until = None;
            next.reason = Some(text.clone());
        }
    }
    let told = (next.state != before.state).then(|| line(name, &next, language));
    (next, told)
}

/// One more attempt that led to nothing.
fn fail(health: &mut Health, text: &str, now: Timestamp) {
    health.failures += 1;
    health.reason = Some(text.to_owned());
    let since = *health.failing_since.get_or_insert(now);
    if now.duration_since(since) >= FAILING_TOO_LONG {
        health.state = HealthState::Paused;
    }
}

/// After some failures in a row the endpoint as a whole waits, longer each time.
fn back_off(health: &Health, name: &str, now: Timestamp) -> Option<Timestamp> {
    let beyond = (health.failures + 1).checked_sub(FAILURES_IN_A_ROW)?;
    (beyond > 0).then(|| retry_at(name, beyond, None, PAUSE, now))
}

/// Nothing is sent before; what another answer of the same moment asked for is not taken back.
fn put_off(health: &mut Health, until: Option<Timestamp>, now: Timestamp) {
    health.paused_until = still(health, now).max(until);
}

/// The pause that is not over.
fn still(health: &Health, now: Timestamp) -> Option<Timestamp> {
    health.paused_until.filter(|until| *until > now)
}

fn pause(health: &mut Health, reason: String, now: Timestamp) {
    health.state = HealthState::Paused;
    health.reason = Some(reason);
    put_off(health, Some(later(now, PAUSE)), now);
}

fn line(name: &str, health: &Health, language: Language) -> String {
    let reason = health.reason.as_deref().unwrap_or_default();
    match health.state {
        HealthState::Active => news::endpoint_is_well(name, language),
        HealthState::Paused => news::endpoint_is_paused(name, reason, language),
        HealthState::Dead => news::endpoint_is_dead(name, reason, language),
    }
}

/// Whether it did not take what it was last sent, and not by accident.
pub(super) fn is_in_doubt(health: &Health) -> bool {
    health.state != HealthState::Active || health.failures >= FAILURES_IN_A_ROW
}

/// How many rows it may be sent beside those under way: one in all, while it is in doubt.
pub(super) fn at_once(health: &Health, usual: u32, under_way: usize) -> u32 {
    match (is_in_doubt(health), under_way) {
        (false, _) => usual,
        (true, 0) => 1,
        (true, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn lived_through(outcomes: &[Outcome]) -> (Health, Vec<String>) {
        let mut told = Vec::new();
        let health = outcomes.iter().fold(Health::default(), |before, outcome| {
            let (next, line) = after(&before, outcome, "desk", Language::English, NOW);
            told.extend(line);
            next
        });
        (health, told)
    }

    fn text() -> String {
        "why".to_owned()
    }

    fn refused() -> Outcome {
        Outcome::refused(Some(400), "why")
    }

    fn lost() -> Outcome {
        Outcome::lost("why")
    }

    #[test]
    fn retry_after_puts_the_whole_endpoint_off_in_full() {
        for (asked, hours) in [(1, 1), (23, 23), (300, 24)] {
            let (health, told) = lived_through(&[Outcome::Deferred {
                code: Some(429),
                text: text(),
                retry_after: Some(SignedDuration::from_hours(asked)),
            }]);
            let until = later(NOW, SignedDuration::from_hours(hours));
            assert_eq!(health.paused_until, Some(until), "{asked} h");
            assert_eq!(health.state, HealthState::Active);
            assert_eq!(told, Vec::<String>::new(), "that is no trouble yet");
        }
    }

    #[test]
    fn what_was_under_way_does_not_take_back_the_time_that_it_asked_for() {
        let asked = || Outcome::Deferred {
            code: Some(429),
            text: text(),
            retry_after: Some(SignedDuration::from_hours(1)),
        };
        let failed = || Outcome::Deferred {
            code: Some(500),
            text: text(),
            retry_after: None,
        };
        let unauthorized = || Outcome::Unauthorized {
            code: Some(401),
            text: text(),
        };
        for other in [
            Outcome::Accepted { code: 204 },
            failed(),
            lost(),
            refused(),
            unauthorized(),
        ] {
            let what = format!("{other:?}");
            let (health, _) = lived_through(&[asked(), other]);
            let until = later(NOW, SignedDuration::from_hours(1));
            assert_eq!(health.paused_until, Some(until), "{what}");
        }
    }

    #[test]
    fn a_few_failures_in_a_row_put_it_off_and_one_success_makes_it_well() {
        let (health, _) = lived_through(&[lost(), lost()]);
        assert_eq!((health.paused_until, at_once(&health, 20, 0)), (None, 20));
        let (health, told) = lived_through(&[lost(), lost(), lost()]);
        assert!(health.paused_until.is_some_and(|until| until > NOW));
        assert_eq!((at_once(&health, 20, 0), told.len()), (1, 0));
        let later = health.paused_until.unwrap();
        let (well, _) = after(
            &health,
            &Outcome::Accepted { code: 204 },
            "desk",
            Language::English,
            later,
        );
        assert_eq!(well, Health::default());
        let (still, _) = after(
            &health,
            &Outcome::Accepted { code: 204 },
            "desk",
            Language::English,
            NOW,
        );
        assert_eq!(still.paused_until, Some(later), "it was under way before");
    }

    #[test]
    fn a_secret_that_is_not_accepted_pauses_it_and_is_told_once() {
        let unauthorized = || Outcome::Unauthorized {
            code: Some(401),
            text: text(),
        };
        let (health, told) = lived_through(&[unauthorized(), unauthorized()]);
        assert_eq!(health.state, HealthState::Paused);
        assert_eq!(health.paused_until, Some(later(NOW, PAUSE)));
        assert_eq!(told.len(), 1, "{told:?}");
        let (_, again) = lived_through(&[
            unauthorized(),
            Outcome::Accepted { code: 200 },
            unauthorized(),
        ]);
        assert_eq!(again.len(), 2, "{again:?}");
    }

    #[test]
    fn ten_refusals_in_a_row_pause_it_and_an_accepted_row_between_starts_anew() {
        let ten: Vec<Outcome> = (0..10).map(|_| refused()).collect();
        let (health, told) = lived_through(&ten);
        assert_eq!(health.state, HealthState::Paused);
        assert_eq!(told.len(), 1, "{told:?}");
        let mut broken = ten;
        broken.insert(5, Outcome::Accepted { code: 200 });
        assert_eq!(lived_through(&broken).0.state, HealthState::Active);
    }

    #[test]
    fn failing_for_five_days_pauses_it_and_keeps_what_waits() {
        let mut health = Health::default();
        let mut told = Vec::new();
        for hours in 0..=130 {
            let now = later(NOW, SignedDuration::from_hours(hours));
            let (next, line) = after(&health, &lost(), "desk", Language::English, now);
            told.extend(line.map(|line| (hours, line)));
            health = next;
        }
        assert_eq!(health.state, HealthState::Paused);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, 120);
    }

    #[test]
    fn an_endpoint_that_is_gone_is_dead() {
        let (health, told) = lived_through(&[Outcome::Gone {
            code: Some(410),
            text: text(),
        }]);
        assert_eq!(health.state, HealthState::Dead);
        assert!(
            told[0].contains("deliveries retry --destination desk"),
            "{told:?}"
        );
    }
}
