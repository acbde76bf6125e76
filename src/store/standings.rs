//! What was decided last about each person under each policy: what the next decision remembers,
//! and what lists and counts show.
//!
//! Everybody has a row, but most have nothing to remember: theirs is short, and written only when
//! it changes. The counts are kept in the same transaction, by what the row said before.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use sqlx::QueryBuilder;

use super::db::{Connection, Db};
use super::load::{Dossier, Kept};
use super::outcome::Outcome;
use super::rows::execute_each;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};
use crate::domain::decision::Decision;
use crate::domain::delivery::Asks;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::listed::{Listed, ListedWindow, is_in_scope, lost_again};
use crate::domain::standing::Enforcement;
use crate::domain::window::{Deadline, GraceWindow};

/// How whoever any policy that is on reaches is counted: beside the states, under no policy.
const IN_SCOPE: (&str, &str) = ("", "in_scope");

impl Store {
    /// How many people are in each state, by policy.
    pub async fn state_counts(
        &self,
    ) -> Result<BTreeMap<PolicyName, BTreeMap<String, u64>>, StoreError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT policy, state, people FROM counts WHERE people > 0 AND policy <> $1",
        )
        .bind(IN_SCOPE.0)
        .fetch_all(&self.read)
        .await
        .doing("reading counts")?;
        let mut counts: BTreeMap<PolicyName, BTreeMap<String, u64>> = BTreeMap::new();
        for (policy, state, people) in rows {
            let states = counts.entry(PolicyName::new(&policy)).or_default();
            states.insert(state, u64::try_from(people).unwrap_or(0));
        }
        Ok(counts)
    }

    /// How many people any policy that is on reaches, as of the newest decisions.
    pub async fn people_in_scope(&self) -> Result<u64, StoreError> {
        let people: Option<i64> =
            sqlx::query_scalar("SELECT people FROM counts WHERE policy = $1 AND state = $2")
                .bind(IN_SCOPE.0)
                .bind(IN_SCOPE.1)
                .fetch_optional(&self.read)
                .await
                .doing("reading counts")?;
        Ok(people
            .and_then(|people| u64::try_from(people).ok())
            .unwrap_or(0))
    }
}

/// Writes what was decided, and keeps the counts.
pub(super) async fn write(
    connection: &mut Connection,
    outcomes: &[Outcome],
) -> Result<(), StoreError> {
    let (mut plain, mut whole) = (Vec::new(), Vec::new());
    let mut counts = Counts::default();
    for Outcome {
        dossier, decisions, ..
    } in outcomes
    {
        let id = &dossier.person.id;
        let mut in_scope = false;
        for decision in decisions {
            let listed = Listed::of(decision);
            let kept = Kept {
                state: listed.state,
                registered: listed.registered,
                in_scope: is_in_scope(decision),
            };
            in_scope |= kept.in_scope;
            let before = dossier.kept.get(&decision.policy);
            counts.moved(&decision.policy, before, kept);
            if is_remembered(dossier, decision) {
                whole.push(RowOf::new(id, decision, listed, kept.in_scope));
            } else if before != Some(&kept) {
                plain.push((id, &decision.policy, kept));
            }
        }
        counts.in_scope(dossier, in_scope);
    }
    write_plain(connection, &plain).await?;
    write_whole(connection, &whole).await?;
    counts.write(connection).await
}

/// Whether more is to be kept of a person than where they stand: something to remember now, or
/// once.
fn is_remembered(dossier: &Dossier, decision: &Decision) -> bool {
    !decision.standing.is_blank()
        || decision.next.is_some()
        || dossier.standings.contains_key(&decision.policy)
}

async fn write_plain(
    connection: &mut Connection,
    rows: &[(&UserId, &PolicyName, Kept)],
) -> Result<(), StoreError> {
    let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO standings (user_id, policy, state, registered, in_scope, asks) ",
        );
        statement.push_values(rows, |mut row, (id, policy, kept)| {
            row.push_bind(id.as_str())
                .push_bind(policy.as_str())
                .push_bind(kept.state.as_str())
                .push_bind(kept.registered)
                .push_bind(kept.in_scope)
                .push_bind(Asks::of_person(kept.state).map(Asks::as_str));
        });
        statement.push(
            " ON CONFLICT (user_id, policy) DO UPDATE SET state = excluded.state, registered = excluded.registered,
              in_scope = excluded.in_scope, asks = excluded.asks",
        );
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("writing standings")
        .map(drop)
}

/// A row of which something is remembered.
struct RowOf<'a> {
    id: &'a UserId,
    decision: &'a Decision,
    listed: Listed,
    in_scope: bool,
    memory: String,
    next_action: Option<String>,
}

impl<'a> RowOf<'a> {
    fn new(id: &'a UserId, decision: &'a Decision, listed: Listed, in_scope: bool) -> Self {
        let action = |action| serde_json::to_string(&action).unwrap_or_default();
        Self {
            id,
            decision,
            memory: serde_json::to_string(&decision.standing).unwrap_or_default(),
            next_action: listed.next.map(|next| action(next.action)),
            listed,
            in_scope,
        }
    }
}

async fn write_whole(connection: &mut Connection, rows: &[RowOf<'_>]) -> Result<(), StoreError> {
    let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO standings (user_id, policy, state, registered, in_scope, asks, sequence, is_open, window_opened_at, window_deadline, window_notice, window_left,
                 bypasses, may_skip, enforcement, enforced_at, lost_again, must_register, blocked_code, blocked_at, unreached_since, unreached_until,
                 next_at, next_action, memory) ",
        );
        statement.push_values(rows, |mut row, one| {
            let (listed, standing) = (&one.listed, &one.decision.standing);
            let window = listed.window.as_ref();
            let (deadline, notice) = split(window.and_then(|window| window.deadline));
            let (enforcement, enforced_at) = enforcement(standing.enforcement);
            let unreached = one.decision.unreached;
            row.push_bind(one.id.as_str())
                .push_bind(one.decision.policy.as_str())
                .push_bind(listed.state.as_str())
                .push_bind(listed.registered)
                .push_bind(one.in_scope)
                .push_bind(Asks::of_person(listed.state).map(Asks::as_str))
                .push_bind(i64::from(standing.sequence))
                .push_bind(is_open(&standing.window))
                .push_bind(window.map(|window| micros(window.opened_at)))
                .push_bind(deadline)
                .push_bind(notice)
                .push_bind(window.and_then(left))
                .push_bind(window.map_or(0, |window| i64::from(window.bypasses)))
                .push_bind(window.is_some_and(|window| window.may_skip))
                .push_bind(enforcement)
                .push_bind(enforced_at)
                .push_bind(lost_again(one.decision))
                .push_bind(one.decision.shown.demanded_at.is_some())
                .push_bind(one.decision.shown.blocked.map(|blocked| blocked.code))
                .push_bind(one.decision.shown.blocked.map(|blocked| micros(blocked.at)))
                .push_bind(unreached.map(|unreached| micros(unreached.since)))
                .push_bind(unreached.and_then(|unreached| unreached.flagged_from).map(micros))
                .push_bind(listed.next.map(|next| micros(next.at)))
                .push_bind(one.next_action.as_deref())
                .push_bind(one.memory.as_str());
        });
        statement.push(
            " ON CONFLICT (user_id, policy) DO UPDATE SET state = excluded.state, registered = excluded.registered,
              in_scope = excluded.in_scope, asks = excluded.asks, sequence = excluded.sequence, is_open = excluded.is_open, window_opened_at = excluded.window_opened_at,
              window_deadline = excluded.window_deadline, window_notice = excluded.window_notice, window_left = excluded.window_left, bypasses = excluded.bypasses,
              may_skip = excluded.may_skip, enforcement = excluded.enforcement, enforced_at = excluded.enforced_at,
              lost_again = excluded.lost_again, must_register = excluded.must_register, blocked_code = excluded.blocked_code, blocked_at = excluded.blocked_at,
              unreached_since = excluded.unreached_since, unreached_until = excluded.unreached_until, next_at = excluded.next_at, next_action = excluded.next_action, memory = excluded.memory",
        );
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("writing standings")
        .map(drop)
}

/// Whether sign-ins and audit events can still matter to the window.
fn is_open(window: &GraceWindow) -> bool {
    match window {
        GraceWindow::Open(_) | GraceWindow::Elapsed(_) | GraceWindow::Paused { .. } => true,
        GraceWindow::NotOpened { .. } | GraceWindow::Closed { .. } => false,
    }
}

/// A deadline in two columns.
fn split(deadline: Option<Deadline>) -> (Option<i64>, Option<i64>) {
    match deadline {
        None => (None, None),
        Some(Deadline::Fixed(at)) => (Some(micros(at)), None),
        Some(Deadline::Untold { base, notice }) => (Some(micros(base)), Some(length(notice))),
    }
}

fn left(window: &ListedWindow) -> Option<i64> {
    window.left.map(length)
}

/// Microseconds, as instants are kept.
fn length(length: SignedDuration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

fn enforcement(enforcement: Enforcement) -> (Option<&'static str>, Option<i64>) {
    match enforcement {
        Enforcement::None => (None, None),
        Enforcement::Needed { at } => (Some("needed"), Some(micros(at))),
        Enforcement::WouldNeed { at } => (Some("would_need"), Some(micros(at))),
        Enforcement::Released { at } => (Some("released"), Some(micros(at))),
    }
}

/// By how much the counts change.
#[derive(Default)]
struct Counts<'a>(BTreeMap<(&'a str, &'a str), i64>);

impl<'a> Counts<'a> {
    fn moved(&mut self, policy: &'a PolicyName, before: Option<&Kept>, kept: Kept) {
        if before.is_some_and(|before| before.state == kept.state) {
            return;
        }
        if let Some(before) = before {
            *self
                .0
                .entry((policy.as_str(), before.state.as_str()))
                .or_default() -= 1;
        }
        *self
            .0
            .entry((policy.as_str(), kept.state.as_str()))
            .or_default() += 1;
    }

    fn in_scope(&mut self, dossier: &Dossier, now: bool) {
        let before = dossier.kept.values().any(|kept| kept.in_scope);
        if before != now {
            *self.0.entry(IN_SCOPE).or_default() += i64::from(now) - i64::from(before);
        }
    }

    async fn write(self, connection: &mut Connection) -> Result<(), StoreError> {
        let changes: Vec<_> = self.0.into_iter().filter(|(_, by)| *by != 0).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let mut statement = QueryBuilder::<Db>::new("INSERT INTO counts (policy, state, people) ");
        statement.push_values(changes, |mut row, ((policy, state), by)| {
            row.push_bind(policy).push_bind(state).push_bind(by);
        });
        statement
            .push(" ON CONFLICT (policy, state) DO UPDATE SET people = counts.people + excluded.people")
            .build()
            .execute(connection)
            .await
            .doing("keeping counts")
            .map(drop)
    }
}
