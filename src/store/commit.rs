//! Decisions become windows, journal and mails: one transaction a batch of people, so that a
//! crash leaves all of it or nothing.

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::approvals::rely_on;
use super::db::{Connection, Db};
use super::lines::write_lines;
use super::numbers::{self, Series};
use super::outbox::queue::queue;
use super::outbox::withdraw::withdraw;
use super::outcome::{Outcome, Tally, lines_of, rows_of, rows_of_mails};
use super::rows::{Column, execute_each, with_rows};
use super::standings;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros, settings};
use crate::domain::decision::Decision;
use crate::domain::effect::{Effect, Event};
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
            settings::write(&mut transaction, &settings::SWEEP, &id.to_owned()).await?;
        }
        transaction.commit().await.doing("committing decisions")?;
        Ok(tally)
    }

    /// The same of people who waited for the end of the pass, flagged or not. Whose facts have
    /// changed meanwhile, by an operator's act for example, is left to the next decision; so is whoever
    /// was let through by an approval that was taken back.
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
        drop_taken_back(&mut transaction, &mut outcomes, now).await?;
        let tally = write(&mut transaction, &outcomes, sender, now).await?;
        transaction.commit().await.doing("committing decisions")?;
        Ok(tally)
    }

    /// The sweep has been over everybody.
    pub async fn end_sweep(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        settings::forget(&mut *transaction, &settings::SWEEP).await?;
        settings::forget(&mut *transaction, &settings::UNLISTED).await?;
        transaction.commit().await.doing("ending a sweep")
    }
}

/// Leaves out whom an approval let through that does not stand any more.
async fn drop_taken_back(
    connection: &mut Connection,
    outcomes: &mut Vec<Outcome>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut approvals = outcomes.iter().map(|outcome| &outcome.approved_by_hold);
    let Some(given) = approvals.find_map(Clone::clone) else {
        return Ok(());
    };
    if !rely_on(connection, &given, now).await? {
        tracing::warn!(
            hold.id = given.hold,
            "the approval of {} was taken back: nobody is flagged by it",
            given.hold
        );
        outcomes.retain(|outcome| outcome.approved_by_hold.is_none());
    }
    Ok(())
}

/// Writes all that a batch of decisions says.
async fn write(
    connection: &mut Connection,
    outcomes: &[Outcome],
    sender: &str,
    now: Timestamp,
) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    standings::write(connection, outcomes).await?;
    write_journal(connection, outcomes, now, &mut tally).await?;
    withdraw(connection, outcomes, now).await?;
    write_lines(connection, &lines_of(outcomes)).await?;
    let announcements = outcomes.iter().flat_map(|outcome| &outcome.announcements);
    let mut rows = rows_of_mails(outcomes, sender);
    rows.extend(rows_of(announcements));
    tally.queued = queue(connection, &rows, now).await?;
    forget_marks(connection, outcomes).await?;
    Ok(tally)
}

async fn write_journal(
    connection: &mut Connection,
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
    let mut id = numbers::take(&mut *connection, Series::Journal, rows.len())
        .await
        .doing("writing the journal")?;
    let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO journal (id, at, kind, policy, user_id, sequence, step, deadline, rehearsed, hold, reasons) ",
        );
        statement.push_values(rows, |mut row, (outcome, decision, event, reasons)| {
            let flag = event.kind == EventKind::EnforcementNeeded;
            let hold = outcome.approved_by_hold.as_ref();
            row.push_bind(id)
                .push_bind(micros(now))
                .push_bind(event.kind.as_str())
                .push_bind(decision.policy.as_str().to_owned())
                .push_bind(outcome.dossier.person.id.as_str().to_owned())
                .push_bind(i64::from(event.sequence))
                .push_bind(event.step.map(|step| step.to_string()))
                .push_bind(event.deadline.map(micros))
                .push_bind(event.rehearsed)
                .push_bind(hold.filter(|_| flag).map(|given| given.hold.clone()))
                .push_bind(reasons.clone());
            id += 1;
        });
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("writing the journal")
        .map(drop)
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

/// The marks that were decided about; one that grew meanwhile stays.
async fn forget_marks(connection: &mut Connection, outcomes: &[Outcome]) -> Result<(), StoreError> {
    let marks: Vec<(&UserId, i64)> = outcomes
        .iter()
        .filter_map(|outcome| {
            outcome
                .dossier
                .mark
                .map(|mark| (&outcome.dossier.person.id, mark))
        })
        .collect();
    let statements = marks.chunks(ROWS_PER_STATEMENT).map(|marks| {
        let columns = &[("user_id", Column::Text), ("mark", Column::Bigint)];
        let mut statement = with_rows("decided", columns, marks, |row, (id, mark)| {
            row.bind(id.as_str()).bind(*mark);
        });
        statement.push(
            "DELETE FROM changed WHERE (user_id, mark) IN (SELECT decided.user_id, decided.mark FROM decided)",
        );
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("forgetting marks")?;
    Ok(())
}
