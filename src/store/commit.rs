//! Decisions become windows, journal and mails: one transaction a batch of people, so that a
//! crash leaves all of it or nothing.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::load::{Dossier, SWEEP};
use super::operators::write_lines;
use super::outbox::{EMAIL, next_position};
use super::outcome::{Announcement, Outcome, Tally, delivery_id};
use super::standings::{self, UNLISTED};
use super::webhooks;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};
use crate::domain::decision::Decision;
use crate::domain::effect::{Effect, Event, Message};
use crate::domain::id::UserId;
use crate::domain::message::EventKind;
use crate::domain::standing::Enforcement;

impl Store {
    /// Commits decisions: standings, journal, outbox and what operators should know together.
    pub async fn commit(
        &self,
        outcomes: &[Outcome],
        swept_to: Option<&str>,
        sender: &str,
        now: Timestamp,
    ) -> Result<Tally, StoreError> {
        let mut transaction = self.begin().await?;
        let tally = write(&mut transaction, outcomes, sender, now).await?;
        if let Some(id) = swept_to {
            super::set_meta(&mut transaction, SWEEP, id).await?;
        }
        transaction.commit().await.doing("committing decisions")?;
        Ok(tally)
    }

    /// The same of people who waited for the end of the pass, flagged or not. Whose facts have
    /// changed meanwhile, by an operator's act for example, is left to the next decision.
    pub async fn commit_judged(
        &self,
        mut outcomes: Vec<Outcome>,
        sender: &str,
        now: Timestamp,
    ) -> Result<Tally, StoreError> {
        let mut transaction = self.begin().await?;
        let ids = outcomes
            .iter()
            .map(|outcome| outcome.dossier.person.id.as_str());
        let marks = super::load::marks(&mut transaction, ids).await?;
        outcomes.retain(|outcome| {
            let mark = marks.get(outcome.dossier.person.id.as_str());
            mark.copied() == outcome.dossier.mark
        });
        let tally = write(&mut transaction, &outcomes, sender, now).await?;
        transaction.commit().await.doing("committing decisions")?;
        Ok(tally)
    }

    /// The sweep has been over everybody.
    pub async fn end_sweep(&self) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM meta WHERE key IN ($1, $2)")
            .bind(SWEEP)
            .bind(UNLISTED)
            .execute(&self.write)
            .await
            .doing("ending a sweep")
            .map(drop)
    }
}

/// Writes all that a batch of decisions says.
async fn write(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
    sender: &str,
    now: Timestamp,
) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    standings::write(connection, outcomes).await?;
    write_journal(connection, outcomes, now, &mut tally).await?;
    withdraw(connection, outcomes, now).await?;
    webhooks::withdraw(connection, outcomes, now).await?;
    write_lines(connection, outcomes).await?;
    tally.queued = write_outbox(connection, outcomes, sender, now).await?;
    let announcements: Vec<&Announcement> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.announcements)
        .collect();
    tally.queued += webhooks::announce(connection, &announcements, now).await?;
    forget_marks(connection, outcomes).await?;
    Ok(tally)
}

/// The next free number of a journal line: the writer is alone, so the largest decides.
pub(super) async fn next_journal_id(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) + 1 FROM journal")
        .fetch_one(connection)
        .await
        .doing("numbering the journal")
}

async fn write_journal(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let mut rows: Vec<(&Outcome, &Decision, &Event, String)> = Vec::new();
    for outcome in outcomes {
        for decision in &outcome.decisions {
            let mut reasons = None;
            for effect in &decision.effects {
                let Effect::Event(event) = effect else {
                    continue;
                };
                count(event.kind, decision, tally);
                let reasons = reasons.get_or_insert_with(|| {
                    serde_json::to_string(&decision.reasons).unwrap_or_default()
                });
                rows.push((outcome, decision, event, reasons.clone()));
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let mut id = next_journal_id(connection).await?;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO journal (id, at, kind, policy, user_id, sequence, step, deadline, rehearsed, hold, reasons) ",
        );
        statement.push_values(rows, |mut row, (outcome, decision, event, reasons)| {
            let flag = event.kind == EventKind::EnforcementNeeded;
            row.push_bind(id)
                .push_bind(micros(now))
                .push_bind(event.kind.as_str())
                .push_bind(decision.policy.as_str().to_owned())
                .push_bind(outcome.dossier.person.id.as_str().to_owned())
                .push_bind(i64::from(event.sequence))
                .push_bind(event.step.map(|step| step.to_string()))
                .push_bind(event.deadline.map(micros))
                .push_bind(event.rehearsed)
                .push_bind(outcome.approved_by_hold.clone().filter(|_| flag))
                .push_bind(reasons.clone());
            id += 1;
        });
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("writing the journal")?;
    }
    Ok(())
}

fn count(kind: EventKind, decision: &Decision, tally: &mut Tally) {
    match kind {
        EventKind::WindowOpened => tally.opened += 1,
        EventKind::UserRegistered => tally.closed += 1,
        EventKind::WindowPaused => tally.paused += 1,
        EventKind::WindowResumed => tally.resumed += 1,
        EventKind::EnforcementNeeded
            if matches!(decision.standing.enforcement, Enforcement::Needed { .. }) =>
        {
            tally.flagged += 1;
        }
        EventKind::EnforcementReleased => tally.released += 1,
        _ => {}
    }
}

/// Mails that still wait and are no longer true, or are overtaken by the one that is due now.
async fn withdraw(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut untrue = Vec::new();
    for outcome in outcomes {
        for decision in &outcome.decisions {
            let withdrawn = decision.effects.contains(&Effect::WithdrawMessages);
            let overtaken = outcome
                .mail
                .as_ref()
                .is_some_and(|mail| mail.policy == decision.policy);
            let waiting = outcome
                .dossier
                .deliveries
                .iter()
                .any(|delivery| delivery.policy == decision.policy);
            if waiting && (withdrawn || overtaken) {
                untrue.push((&outcome.dossier.person.id, &decision.policy));
            }
        }
    }
    for untrue in untrue.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new("WITH untrue (user_id, policy) AS (");
        statement.push_values(untrue, |mut row, (user, policy)| {
            row.push_bind(user.as_str()).push_bind(policy.as_str());
        });
        statement
            .push(") UPDATE outbox SET state = 'superseded', next_at = NULL, settled_at = ")
            .push_bind(micros(now))
            .push(
                " FROM untrue WHERE outbox.user_id = untrue.user_id AND outbox.policy = untrue.policy
                  AND outbox.state IN ('pending', 'ambiguous') AND outbox.channel = 'email'",
            );
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("withdrawing mails")?;
    }
    Ok(())
}

async fn write_outbox(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
    sender: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let rows: Vec<(&Dossier, &Message)> = outcomes
        .iter()
        .filter_map(|outcome| outcome.mail.as_ref().map(|mail| (&outcome.dossier, mail)))
        .collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let mut position = next_position(connection).await?;
    let mut queued = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO outbox (id, dedup_key, position, channel, event, policy, user_id, sequence, moves, step, address, name, language,
             opened_at, deadline, announces, must_register, queued_at, not_after, urgent_at, state, attempts, resent, next_at, message_id) ",
        );
        statement.push_values(rows, |mut row, (dossier, message)| {
            let key = message.key(&dossier.person.id);
            let id = delivery_id(&key);
            row.push_bind(id.clone())
                .push_bind(key)
                .push_bind(position)
                .push_bind(EMAIL)
                .push_bind(message.kind.as_str())
                .push_bind(message.policy.as_str().to_owned())
                .push_bind(dossier.person.id.as_str().to_owned())
                .push_bind(i64::from(message.sequence))
                .push_bind(i64::from(message.moves))
                .push_bind(message.step.map(|step| step.to_string()))
                .push_bind(message.address.clone())
                .push_bind(dossier.person.display_name.clone())
                .push_bind(dossier.person.preferred_language.clone())
                .push_bind(micros(message.opened_at))
                .push_bind(micros(message.deadline))
                .push_bind(message.announces)
                .push_bind(message.must_register)
                .push_bind(micros(now))
                .push_bind(message.not_after.map(micros))
                .push_bind(micros(message.deadline))
                .push_bind("pending")
                .push_bind(0_i64)
                .push_bind(false)
                .push_bind(micros(now))
                .push_bind(format!("<{id}@{sender}>"));
            position += 1;
        });
        statement.push(" ON CONFLICT (dedup_key) DO NOTHING");
        queued += statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("queueing mails")?
            .rows_affected();
    }
    Ok(queued)
}

/// The marks that were decided about; one that grew meanwhile stays.
async fn forget_marks(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
) -> Result<(), StoreError> {
    let marks: Vec<(&UserId, i64)> = outcomes
        .iter()
        .filter_map(|outcome| {
            outcome
                .dossier
                .mark
                .map(|mark| (&outcome.dossier.person.id, mark))
        })
        .collect();
    for marks in marks.chunks(ROWS_PER_STATEMENT) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("DELETE FROM changed WHERE (user_id, mark) IN (");
        statement.push_values(marks, |mut row, (id, mark)| {
            row.push_bind(id.as_str().to_owned()).push_bind(*mark);
        });
        statement.push(")");
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("forgetting marks")?;
    }
    Ok(())
}
