//! Which message is due to one person under one policy, and the one mail a person gets over all
//! policies (rules 7.17 and 7.18).

use jiff::Timestamp;

use super::decision::Decision;
use super::effect::{Effect, Message};
use super::facts::{DeliveryFact, DeliveryOutcome, NoticeBy, PersonFacts};
use super::message::EventKind;
use super::policy::{Enforce, Policy, Step};
use super::window::{Run, Told, Unreachable, later};

/// `deadline passed`, the thank-you and the release are still of use this long after they were queued.
const LATE_MESSAGES_USEFUL: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// What the steps of a window ask for now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The message to send.
    pub message: Option<(EventKind, Option<Step>)>,
    /// Steps that are past and will not be sent.
    pub overtaken: Vec<Step>,
}

/// The steps of a policy that lie within a window, with the moments at which they fall due.
pub fn steps(
    run: &Run,
    policy: &Policy,
    deadline: Timestamp,
) -> impl Iterator<Item = (Timestamp, Step)> {
    policy
        .reminders
        .iter()
        .map(move |step| (step.due(run.opened_at, deadline), *step))
        .filter(move |(at, _)| *at >= run.opened_at && *at <= deadline)
}

/// The message that is due. In the first pass of a window or of a move that is the announcement,
/// afterwards the latest step that fell due; what it overtakes is never sent (rule R6), and nothing
/// that names a deadline is sent after it: `strict` may have let it pass untold, and a move may not
/// have reached the present.
#[must_use]
pub fn due(run: &Run, policy: &Policy, now: Timestamp, by: NoticeBy) -> Due {
    let deadline = run.deadline(policy, now);
    let mut past: Vec<(Timestamp, Step)> = steps(run, policy, deadline)
        .filter(|(at, step)| *at <= now && !run.dealt.contains_key(step))
        .collect();
    past.sort_unstable();
    if run.is_over(policy, now) {
        return Due {
            message: None,
            overtaken: past.into_iter().map(|(_, step)| step).collect(),
        };
    }
    if run.begun {
        let latest = past.pop().map(|(_, step)| step);
        return Due {
            message: latest.map(|step| (EventKind::WindowReminder, Some(step))),
            overtaken: past.into_iter().map(|(_, step)| step).collect(),
        };
    }
    let step = (run.notice == EventKind::WindowOpened).then_some(Step::OPENING);
    Due {
        message: announces_at_once(run, policy, now, deadline, by).then_some((run.notice, step)),
        overtaken: past
            .into_iter()
            .map(|(_, step)| step)
            .filter(|past| Some(*past) != step)
            .collect(),
    }
}

/// A move is told at once, a window where `0d` asks for it or no later step could give notice. A
/// webhook says of every window that it opened.
fn announces_at_once(
    run: &Run,
    policy: &Policy,
    now: Timestamp,
    deadline: Timestamp,
    by: NoticeBy,
) -> bool {
    run.retry
        || by == NoticeBy::Webhook
        || run.notice != EventKind::WindowOpened
        || policy.reminders.contains(&Step::OPENING)
        || !a_later_step_tells(run, policy, now, deadline)
}

/// Whether a step lies ahead that falls at least the minimum notice before the deadline.
#[must_use]
pub fn a_later_step_tells(run: &Run, policy: &Policy, now: Timestamp, deadline: Timestamp) -> bool {
    steps(run, policy, deadline).any(|(at, _)| at > now && later(at, policy.min_notice) <= deadline)
}

/// The address of a person: `mail`, or a user principal name whose domain is one of mailboxes.
#[must_use]
pub fn address<'a>(facts: &'a PersonFacts<'_>) -> Option<&'a str> {
    facts.person.mail.as_deref().or_else(|| {
        let name = facts.person.user_principal_name.as_str();
        let (_, domain) = name.rsplit_once('@')?;
        let is_mailbox = facts
            .world
            .upn_domains
            .iter()
            .any(|known| known.eq_ignore_ascii_case(domain));
        is_mailbox.then_some(name)
    })
}

/// The accepted message that is a notice of this window and so fixes its deadline: its own, or a
/// mail of another policy that names the same or an earlier deadline (rule 7.17). One from
/// before a move is no notice of what came after it, and a rehearsal takes no part in that. A
/// webhook's body was frozen when it was queued: what it names may leave less than the minimum
/// notice by the time it is accepted, or less than a window that grew meanwhile.
#[must_use]
pub fn accepted(
    run: &Run,
    policy: &Policy,
    sequence: u32,
    deliveries: &[&DeliveryFact],
) -> Option<Told> {
    deliveries
        .iter()
        .filter(|delivery| delivery.kind.announces())
        .filter_map(|delivery| {
            let DeliveryOutcome::Accepted(at) = delivery.outcome else {
                return None;
            };
            let named = delivery.deadline?;
            if at < run.untold_since {
                return None;
            }
            if delivery.policy == policy.name {
                let own = delivery.sequence == sequence && delivery.moves == run.moves;
                let deadline = match delivery.by {
                    NoticeBy::Mail => named,
                    NoticeBy::Webhook => named.max(run.base).max(later(at, policy.min_notice)),
                };
                return own.then_some(Told { at, deadline });
            }
            if delivery.by == NoticeBy::Webhook {
                return None;
            }
            let deadline = run.deadline(policy, at);
            (policy.enforce == Enforce::On && named <= deadline).then_some(Told { at, deadline })
        })
        .min_by_key(|told| told.at)
}

/// The first refusal of the present address since the window is untold.
#[must_use]
pub fn refused(
    untold_since: Timestamp,
    address: Option<&str>,
    deliveries: &[&DeliveryFact],
) -> Option<Unreachable> {
    deliveries
        .iter()
        .filter(|delivery| Some(delivery.address.as_str()) == address)
        .filter_map(|delivery| match delivery.outcome {
            DeliveryOutcome::Refused(at) if at >= untold_since => Some(at),
            _ => None,
        })
        .min()
        .map(|since| Unreachable {
            since,
            address: address.map(ToOwned::to_owned),
        })
}

/// A message of a window as of now.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a message, each from another place"
)]
#[must_use]
pub fn message(
    run: &Run,
    policy: &Policy,
    sequence: u32,
    kind: EventKind,
    step: Option<Step>,
    address: String,
    deadline: Timestamp,
    now: Timestamp,
) -> Message {
    let announces = kind.announces() && run.told.is_none();
    Message {
        policy: policy.name.clone(),
        kind,
        step,
        sequence,
        moves: run.moves,
        number: run.messages,
        opened_at: run.opened_at,
        deadline,
        announces,
        address,
        // A deadline that nobody was told of moves on with the present, unless it is fixed all the same.
        not_after: if announces && !run.is_fixed(policy) {
            None
        } else if kind.announces() {
            Some(deadline)
        } else {
            Some(later(now, LATE_MESSAGES_USEFUL))
        },
    }
}

/// The one mail a person gets in this pass, and the steps it overtakes: `deadline passed` before
/// the thank-you before a flag that was taken back before the earliest deadline not yet passed
/// (rule 7.17).
#[must_use]
pub fn choose(decisions: &[Decision]) -> (Option<&Message>, Vec<&Message>) {
    let mut messages: Vec<&Message> = decisions
        .iter()
        .flat_map(|decision| &decision.effects)
        .filter_map(|effect| match effect {
            Effect::Message(message) => Some(message),
            Effect::Event(_) | Effect::WithdrawMessages | Effect::TellOperators { .. } => None,
        })
        .collect();
    messages.sort_by_key(|message| {
        let rank = match message.kind {
            EventKind::EnforcementNeeded => 0,
            EventKind::UserRegistered => 1,
            // Nothing says it again, as a step is said.
            EventKind::EnforcementReleased => 2,
            _ => 3,
        };
        (rank, message.deadline, &message.policy)
    });
    let mut messages = messages.into_iter();
    (messages.next(), messages.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PolicyName;
    use crate::domain::news::Topic;
    use crate::domain::story::{Story, day, days, hour, policy, run, step};
    use crate::domain::window::GraceWindow;

    fn under(reminders: &[&str]) -> Policy {
        let mut policy = policy("everyone");
        policy.reminders = reminders.iter().map(|text| step(text)).collect();
        policy
    }

    const DEFAULT: &[&str] = &["0d", "-7d", "-3d", "-1d"];

    /// What is due, as `window.reminder -3d`, and what was overtaken.
    fn told(due: &Due) -> (String, Vec<String>) {
        let message = due.message.map_or_else(String::new, |(kind, step)| {
            let step = step.map_or_else(String::new, |step| format!(" {step}"));
            format!("{}{step}", kind.as_str())
        });
        (
            message,
            due.overtaken.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn the_first_pass_announces_or_leaves_it_to_a_step_that_is_early_enough() {
        for (reminders, now, message, overtaken) in [
            (DEFAULT, 0, "window.opened 0d", &[] as &[&str]),
            (DEFAULT, 8, "window.opened 0d", &["-7d"]),
            (DEFAULT, 12, "window.opened 0d", &["-7d", "-3d"]),
            (DEFAULT, 30, "window.opened 0d", &["-7d", "-3d"]),
            (&["-7d", "-3d"], 0, "", &[]),
            (&["-7d", "-3d"], 8, "", &["-7d"]),
            (&["-7d", "-3d"], 11, "window.opened 0d", &["-7d", "-3d"]),
            (&["5d"], 0, "", &[]),
            (&["-1d"], 0, "window.opened 0d", &[]),
            (&["-2d", "12d"], 0, "window.opened 0d", &[]),
            (&["-20d", "20d"], 0, "window.opened 0d", &[]),
            (&[], 0, "window.opened 0d", &[]),
            (&["-14d"], 0, "window.opened 0d", &["-14d"]),
        ] {
            let policy = under(reminders);
            let due = due(&run(&policy), &policy, day(now), NoticeBy::Mail);
            let expected = (
                message.to_owned(),
                overtaken.iter().map(ToString::to_string).collect(),
            );
            assert_eq!(told(&due), expected, "{reminders:?} seen on day {now}");
        }
    }

    #[test]
    fn later_passes_send_the_latest_step_that_fell_due() {
        for (reminders, dealt, now, message, overtaken) in [
            (DEFAULT, &["0d"] as &[&str], 6, "", &[] as &[&str]),
            (DEFAULT, &["0d"], 7, "window.reminder -7d", &[]),
            (DEFAULT, &["0d", "-7d"], 8, "", &[]),
            (DEFAULT, &["0d"], 13, "window.reminder -1d", &["-7d", "-3d"]),
            (DEFAULT, &["0d"], 14, "", &["-7d", "-3d", "-1d"]),
            (&["7d", "-7d"], &[], 7, "window.reminder -7d", &["7d"]),
            (&["-7d"], &[], 7, "window.reminder -7d", &[]),
            (&["-20d", "20d", "-3d"], &[], 11, "window.reminder -3d", &[]),
        ] {
            let policy = under(reminders);
            let mut run = run(&policy);
            run.begun = true;
            run.told = Some(Told {
                at: day(0),
                deadline: day(14),
            });
            run.dealt = dealt.iter().map(|text| (step(text), day(0))).collect();
            let due = due(&run, &policy, day(now), NoticeBy::Mail);
            let expected = (
                message.to_owned(),
                overtaken.iter().map(ToString::to_string).collect(),
            );
            assert_eq!(told(&due), expected, "{reminders:?} on day {now}");
        }
    }

    #[test]
    fn a_move_is_told_at_once_whatever_the_steps() {
        for (reminders, kind) in [
            (DEFAULT, EventKind::WindowExtended),
            (&["-3d"], EventKind::WindowResumed),
        ] {
            let policy = under(reminders);
            let mut run = run(&policy);
            run.notice = kind;
            let due = due(&run, &policy, day(8), NoticeBy::Mail);
            assert_eq!(due.message, Some((kind, None)));
            let past: Vec<Step> = steps(&run, &policy, day(14))
                .filter(|(at, _)| *at <= day(8))
                .map(|(_, step)| step)
                .collect();
            assert_eq!(
                due.overtaken, past,
                "steps already past start as superseded"
            );
        }
    }

    #[test]
    fn a_second_try_is_sent_even_where_a_step_lies_ahead() {
        let policy = under(&["-3d"]);
        let mut run = run(&policy);
        run.retry = true;
        let due = due(&run, &policy, day(2), NoticeBy::Mail);
        assert_eq!(
            due.message,
            Some((EventKind::WindowOpened, Some(Step::OPENING)))
        );
    }

    #[test]
    fn the_address_is_mail_or_a_name_in_a_domain_of_mailboxes() {
        for (mail, domains, name, address) in [
            (
                Some("ana@b.org"),
                &[] as &[&str],
                "ana@a.org",
                Some("ana@b.org"),
            ),
            (None, &[], "ana@a.org", None),
            (None, &["A.ORG"], "ana@a.org", Some("ana@a.org")),
            (None, &["a.org"], "ana@b.a.org", None),
            (None, &["a.org"], "ana", None),
        ] {
            let mut story = Story::default_policy();
            story.person.mail = mail.map(ToOwned::to_owned);
            story.person.user_principal_name = name.to_owned();
            story.world.upn_domains = domains.iter().map(ToString::to_string).collect();
            story.sign_in(day(0), 0).pass(day(0));
            let sent = story.sent.first().map(|(_, mail)| mail.address.as_str());
            assert_eq!(sent, address, "{name}");
        }
    }

    fn accepted_on(at: i64, deadline: i64) -> DeliveryFact {
        DeliveryFact {
            by: NoticeBy::Mail,
            policy: PolicyName::new("everyone"),
            sequence: 1,
            moves: 0,
            kind: EventKind::WindowOpened,
            step: Some(Step::OPENING),
            address: "ana@contoso.com".to_owned(),
            deadline: Some(day(deadline)),
            outcome: DeliveryOutcome::Accepted(day(at)),
            told: false,
        }
    }

    #[test]
    fn a_notice_is_an_accepted_mail_that_names_this_or_an_earlier_deadline() {
        let own = || accepted_on(1, 15);
        let other = |deadline| DeliveryFact {
            policy: PolicyName::new("admins"),
            sequence: 7,
            ..accepted_on(1, deadline)
        };
        let table: [(&str, DeliveryFact, Option<i64>); 10] = [
            ("its own, as of the attempt", own(), Some(15)),
            (
                "of another window",
                DeliveryFact {
                    sequence: 2,
                    ..own()
                },
                None,
            ),
            (
                "from before a move",
                DeliveryFact { moves: 1, ..own() },
                None,
            ),
            (
                "not accepted",
                DeliveryFact {
                    outcome: DeliveryOutcome::Open,
                    ..own()
                },
                None,
            ),
            (
                "no announcement",
                DeliveryFact {
                    kind: EventKind::UserRegistered,
                    ..own()
                },
                None,
            ),
            (
                "names nothing",
                DeliveryFact {
                    deadline: None,
                    ..own()
                },
                None,
            ),
            ("before it was untold", accepted_on(-1, 15), None),
            ("another policy's, earlier deadline", other(9), Some(14)),
            ("another policy's, the same deadline", other(14), Some(14)),
            ("another policy's, later deadline", other(15), None),
        ];
        let policy = policy("everyone");
        for (what, delivery, deadline) in table {
            let told = accepted(&run(&policy), &policy, 1, &[&delivery]);
            assert_eq!(told.map(|told| told.deadline), deadline.map(day), "{what}");
        }
    }

    #[test]
    fn the_first_notice_counts() {
        let policy = policy("everyone");
        let (later, first) = (accepted_on(3, 14), accepted_on(1, 14));
        let told = accepted(&run(&policy), &policy, 1, &[&later, &first]).unwrap();
        assert_eq!(told.at, day(1));
    }

    #[test]
    fn a_refusal_of_the_present_address_since_the_window_is_untold_counts() {
        let refused_on = |at: i64| DeliveryFact {
            outcome: DeliveryOutcome::Refused(day(at)),
            ..accepted_on(at, 14)
        };
        let address = Some("ana@contoso.com");
        let since = |address, deliveries: &[DeliveryFact]| {
            let deliveries: Vec<&DeliveryFact> = deliveries.iter().collect();
            refused(day(0), address, &deliveries).map(|refusal| refusal.since)
        };
        assert_eq!(
            since(address, &[refused_on(5), refused_on(3)]),
            Some(day(3))
        );
        assert_eq!(since(address, &[refused_on(-1)]), None);
        assert_eq!(since(address, &[accepted_on(3, 14)]), None);
        assert_eq!(since(Some("anna@contoso.com"), &[refused_on(3)]), None);
        assert_eq!(since(None, &[refused_on(3)]), None);
    }

    #[test]
    fn announcements_do_not_expire_and_others_do() {
        let policy = policy("everyone");
        let untold = run(&policy);
        let mut told = untold.clone();
        told.told = Some(Told {
            at: day(0),
            deadline: day(14),
        });
        for (what, run, kind, announces, not_after) in [
            ("announcing", &untold, EventKind::WindowReminder, true, None),
            (
                "a reminder",
                &told,
                EventKind::WindowReminder,
                false,
                Some(day(14)),
            ),
            (
                "thanks",
                &told,
                EventKind::UserRegistered,
                false,
                Some(day(9)),
            ),
            (
                "passed",
                &untold,
                EventKind::EnforcementNeeded,
                false,
                Some(day(9)),
            ),
        ] {
            let address = "ana@contoso.com".to_owned();
            let mail = message(run, &policy, 1, kind, None, address, day(14), day(2));
            assert_eq!(
                (mail.announces, mail.not_after),
                (announces, not_after),
                "{what}"
            );
        }
    }

    #[test]
    fn one_mail_is_chosen_over_all_policies() {
        let decision = |name: &str, kind: EventKind, deadline: Timestamp| {
            let policy = policy(name);
            let mut decision = Story::new(policy.clone()).pass(day(0));
            let address = "ana@contoso.com".to_owned();
            let mail = message(
                &run(&policy),
                &policy,
                1,
                kind,
                None,
                address,
                deadline,
                day(0),
            );
            decision.effects = vec![
                Effect::WithdrawMessages,
                Effect::TellOperators {
                    topic: Topic::LostAgain,
                    line: String::new(),
                },
                Effect::Message(mail),
            ];
            decision
        };
        let reminder = |name, deadline| decision(name, EventKind::WindowReminder, deadline);
        let table = [
            (vec![reminder("a", day(9)), reminder("b", hour(8, 23))], "b"),
            (vec![reminder("b", day(9)), reminder("a", day(9))], "a"),
            (
                vec![
                    reminder("a", day(1)),
                    decision("b", EventKind::UserRegistered, day(9)),
                ],
                "b",
            ),
            (
                vec![
                    decision("a", EventKind::UserRegistered, day(1)),
                    decision("b", EventKind::EnforcementNeeded, day(9)),
                ],
                "b",
            ),
        ];
        for (decisions, chosen) in table {
            let (mail, overtaken) = choose(&decisions);
            assert_eq!(mail.unwrap().policy.as_str(), chosen);
            assert_eq!(overtaken.len(), decisions.len() - 1);
            assert!(overtaken.iter().all(|mail| mail.policy.as_str() != chosen));
        }
        assert_eq!(choose(&[]), (None, vec![]));
    }

    #[test]
    fn an_extended_remainder_still_counts_steps_from_its_deadline() {
        let policy = under(DEFAULT);
        let short = Run::open(day(0), None, days(4), days(14), day(0));
        let extended = GraceWindow::Open(short)
            .extend(&policy, days(6), day(1))
            .unwrap();
        let run = extended.run().unwrap();
        let at: Vec<Timestamp> = steps(run, &policy, run.base).map(|(at, _)| at).collect();
        assert_eq!(at, [0, 3, 7, 9].map(day));
    }
}
