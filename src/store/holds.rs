//! Holds that stand, and the approvals of operators (rule 4.3).

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::db::{Connection, Db, Executor, Row};
use super::lines::write_lines;
use super::numbers::{self, Series};
use super::rows::execute_each;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros, settings};
use crate::domain::assignment::{Include, Selection};
use crate::domain::brake::{MassHistory, missing_grew};
pub use crate::domain::hold::Approval;
use crate::domain::hold::{self, Course, Hold, HoldKind, StandingHold};
use crate::domain::id::{GroupId, PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::news::{Line, Waiting};
use crate::domain::policy::{Enforce, Policy};
use crate::domain::scope::Reach;
use crate::domain::seen::Seen;
use crate::domain::state::State;

/// A hold and the evidence that an approval would cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// The hold.
    pub hold: Hold,
    /// What an approval covers: a size, a moment; empty where people are listed.
    pub evidence: String,
}

impl From<Hold> for Raised {
    fn from(hold: Hold) -> Self {
        Self {
            hold,
            evidence: String::new(),
        }
    }
}

/// What changed among the holds in a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HoldChanges {
    /// Holds that were not there before.
    pub raised: Vec<StandingHold>,
    /// Holds that are over.
    pub cleared: Vec<StandingHold>,
    /// What operators and endpoints are to hear, and from when on it stood or had stood.
    pub told: Vec<(EventKind, StandingHold, Timestamp)>,
    /// The holds that stand now.
    pub standing: Vec<StandingHold>,
}

impl Store {
    /// The holds that stand.
    pub async fn holds(&self) -> Result<Vec<StandingHold>, StoreError> {
        standing_holds(&self.read).await
    }

    /// Says of lines that are about a hold, over or not, which it is.
    pub async fn add_holds(&self, waiting: &mut [Waiting]) -> Result<(), StoreError> {
        for one in waiting.iter_mut().filter(|one| one.since.is_some()) {
            let row = sqlx::query("SELECT id, kind, policy, since, text, approved_at, evidence, told, seen, approved_by, reason FROM holds WHERE id = $1")
                .bind(&one.topic)
                .fetch_one(&self.read)
                .await
                .doing("reading holds")?;
            one.hold = Some(standing_hold(&row)?);
        }
        Ok(())
    }

    /// The holds that only reading the sources can judge, with what an approval would cover: they
    /// stay as they are while nothing is read.
    pub async fn collected_holds(&self) -> Result<Vec<Raised>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, kind, policy, since, text, approved_at, evidence, told, seen, approved_by, reason FROM holds
             WHERE stands = TRUE AND kind IN ('snapshot', 'exclusion') ORDER BY since, id",
        )
        .fetch_all(&self.read)
        .await
        .doing("reading holds")?;
        rows.iter()
            .map(|row| {
                let hold = standing_hold(row)?;
                Ok(Raised {
                    hold: Hold {
                        id: hold.id,
                        kind: hold.kind,
                        policy: hold.policy,
                        text: hold.text,
                        seen: hold.seen,
                        people: BTreeSet::new(),
                    },
                    evidence: row.try_get(6).doing("reading holds")?,
                })
            })
            .collect()
    }

    /// Approvals that have neither been used nor lapsed.
    pub async fn approvals(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT id, evidence, approved_at FROM holds WHERE stands = TRUE AND approved_at >= $1 ORDER BY id",
        )
        .bind(micros(hold::approvals_since(now)))
        .fetch_all(&self.read)
        .await
        .doing("reading approvals")?;
        Ok(rows
            .into_iter()
            .map(|(hold, evidence, at)| Approval {
                hold,
                evidence,
                at: instant(at),
            })
            .collect())
    }

    /// When an operator last approved a hold that stands.
    pub async fn newest_approval(&self) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar("SELECT MAX(approved_at) FROM holds WHERE stands = TRUE")
                .fetch_one(&self.read)
                .await
                .doing("reading approvals")?;
        Ok(at.map(instant))
    }

    /// Writes down the holds of a pass: new ones are raised, those no longer seen are cleared, and a
    /// line says what is to be told by now; `rare` says that passes are more than an hour apart.
    ///
    /// `used` are the approvals that the pass knew. One that was given while it ran is for the
    /// next pass, and covers whom it was given for; one that another hold kept from being used
    /// stays good for those people who are not flagged yet.
    pub async fn record_holds(
        &self,
        holds: &[Raised],
        used: &[Approval],
        rare: bool,
        now: Timestamp,
    ) -> Result<HoldChanges, StoreError> {
        let mut transaction = self.begin().await?;
        let before = known_holds(&mut transaction).await?;
        let mut changes = HoldChanges::default();
        for raised in holds {
            let known = before.iter().find(|(known, _)| known.id == raised.hold.id);
            let standing = known.filter(|(_, course)| course.ended_at.is_none());
            let unused = standing
                .and_then(|(known, _)| known.approved_at)
                .is_some_and(|at| {
                    hold::is_approved(at, now)
                        && !used
                            .iter()
                            .any(|used| used.hold == raised.hold.id && used.at == at)
                });
            if raised.hold.kind == HoldKind::Mass && unused {
                continue;
            }
            raise(&mut transaction, raised, known, rare, now, &mut changes).await?;
        }
        for known in before {
            if holds.iter().any(|raised| raised.hold.id == known.0.id) {
                continue;
            }
            // Whom an approval let through that was taken back meanwhile is not flagged.
            let is_taken_back =
                |used: &Approval| used.hold == known.0.id && known.0.approved_at != Some(used.at);
            let stands = known.1.ended_at.is_none();
            if known.0.kind == HoldKind::Mass && stands && used.iter().any(is_taken_back) {
                continue;
            }
            clear(&mut transaction, known, rare, now, &mut changes).await?;
        }
        note(&mut transaction, &changes, now).await?;
        changes.standing = standing_holds(&mut *transaction).await?;
        transaction.commit().await.doing("recording holds")?;
        Ok(changes)
    }

    /// Writes down that one hold stands, or that it does not, and leaves the others as they are.
    pub async fn follow_hold(
        &self,
        id: &str,
        raised: Option<&Raised>,
        now: Timestamp,
    ) -> Result<HoldChanges, StoreError> {
        let mut transaction = self.begin().await?;
        let before = known_holds(&mut transaction).await?;
        let known = before.into_iter().find(|(known, _)| known.id == id);
        let mut changes = HoldChanges::default();
        match (raised, known) {
            (Some(raised), known) => {
                let known = known.as_ref();
                raise(&mut transaction, raised, known, false, now, &mut changes).await?;
            }
            (None, Some(known)) => {
                clear(&mut transaction, known, false, now, &mut changes).await?;
            }
            (None, None) => {}
        }
        note(&mut transaction, &changes, now).await?;
        changes.standing = standing_holds(&mut *transaction).await?;
        transaction.commit().await.doing("recording holds")?;
        Ok(changes)
    }

    /// What the mass brake knows of the runs before (rule 7.13), and the approval that it goes by.
    pub async fn mass_history(
        &self,
        policies: &[Policy],
        now: Timestamp,
    ) -> Result<(MassHistory, Option<Approval>), StoreError> {
        let since = micros(hold::approvals_since(now));
        let recent: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT user_id FROM journal
             WHERE kind = 'enforcement.needed' AND at > $1 AND hold IS NULL AND rehearsed = FALSE AND user_id IS NOT NULL",
        )
        .bind(since)
        .fetch_all(&self.read)
        .await
        .doing("reading recent flags")?;
        let approved: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT hold_people.policy, hold_people.user_id, holds.approved_at FROM hold_people JOIN holds ON holds.id = hold_people.hold_id
             WHERE holds.kind = 'mass' AND holds.approved_at >= $1",
        )
        .bind(since)
        .fetch_all(&self.read)
        .await
        .doing("reading approvals")?;
        let user = |id: String| super::records::user_id("journal", &id);
        let relied_on = approved.first().map(|(.., at)| Approval {
            hold: HoldKind::Mass.as_str().to_owned(),
            evidence: String::new(),
            at: instant(*at),
        });
        let history = MassHistory {
            recent: recent
                .into_iter()
                .map(user)
                .collect::<Result<BTreeSet<UserId>, _>>()?,
            approved: approved
                .into_iter()
                .map(|(policy, id, _)| Ok((PolicyName::new(&policy), user(id)?)))
                .collect::<Result<_, StoreError>>()?,
            in_scope: self.in_scope(policies).await?,
        };
        Ok((history, relied_on))
    }

    /// How many people wait for a report dated after their deadline, where that lies between the
    /// newest report and `late_since`.
    pub async fn waiting_for_proof(
        &self,
        newest_report: Timestamp,
        late_since: Timestamp,
    ) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(DISTINCT user_id) FROM standings WHERE is_open = TRUE AND window_deadline > $1 AND window_deadline <= $2 AND state = $3",
        )
        .bind(micros(newest_report))
        .bind(micros(late_since))
        .bind(State::OverdueChecking.as_str())
        .fetch_one(&self.read)
        .await
        .doing("counting who waits for proof")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many people are in scope of any policy that is on.
    pub async fn in_scope(&self, policies: &[Policy]) -> Result<usize, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT COUNT(*) FROM people WHERE gone_at IS NULL AND enabled = TRUE AND (1 = 0",
        );
        for policy in policies
            .iter()
            .filter(|policy| policy.enforce == Enforce::On)
        {
            statement
                .push(" OR (kind IN ('member'")
                .push(if policy.guests { ", 'guest')" } else { ")" });
            if let Include::Selected(selection) = &policy.assignment.include {
                statement.push(" AND ");
                selected(&mut statement, selection, policy.nested);
            }
            statement.push(" AND NOT ");
            selected(&mut statement, &policy.assignment.exclude, policy.nested);
            statement.push(")");
        }
        statement.push(")");
        let count: i64 = statement
            .build_query_scalar()
            .fetch_one(&self.read)
            .await
            .doing("counting people in scope")?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The languages that people who can sign in prefer, as the directory spells them; null where one
    /// prefers none.
    pub async fn languages(&self) -> Result<Vec<Option<String>>, StoreError> {
        sqlx::query_scalar(
            "SELECT DISTINCT preferred_language FROM people WHERE gone_at IS NULL AND enabled = TRUE",
        )
        .fetch_all(&self.read)
        .await
        .doing("reading languages")
    }

    /// How many people a policy reaches, by the snapshot, whether or not it is on. Its twin for exports that
    /// no pass has read is `reach` of `cli/check/roster.rs`; a property beside it (`twins`) holds both to one answer.
    pub async fn reach(&self, policy: &Policy) -> Result<Reach, StoreError> {
        let assignment = &policy.assignment;
        let mut statement =
            QueryBuilder::<Db>::new("SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN ");
        selected(&mut statement, &assignment.exclude, policy.nested);
        statement
            .push(" THEN 1 ELSE 0 END), 0) AS BIGINT) FROM people WHERE gone_at IS NULL AND enabled = TRUE AND kind IN ('member'")
            .push(if policy.guests { ", 'guest')" } else { ")" });
        if let Include::Selected(selection) = &assignment.include {
            statement.push(" AND ");
            selected(&mut statement, selection, policy.nested);
        }
        let (all, excluded): (i64, i64) = statement
            .build_query_as()
            .fetch_one(&self.read)
            .await
            .doing("counting whom a policy reaches")?;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Ok(Reach {
            included: count(all - excluded),
            excluded: count(excluded),
        })
    }

    /// Judges whether the people who lost their registration grew too many (rule R10): compares with
    /// the yardstick, the last report before the growth, which moves on while all is well.
    /// `approved` is how many an operator has accepted: only the rest is judged. With what was
    /// seen comes the number that an approval would accept.
    pub async fn judge_missing_growth(
        &self,
        approved: Option<(&Approval, u64)>,
        now: Timestamp,
    ) -> Result<Option<(Seen, u64)>, StoreError> {
        let mut reader = self.read.acquire().await.doing("reading a source")?;
        let (report, _) =
            super::sources::accepted(&mut reader, super::sources::Source::Registration).await?;
        drop(reader);
        let Some(report) = report else {
            return Ok(None);
        };
        let yardstick = self.setting(&settings::YARDSTICK).await?;
        let dated = self.setting(&settings::LOSSES_DATED).await?;
        let dated = micros(dated.unwrap_or(report));
        if yardstick.is_some_and(|(at, _)| at == dated) {
            return Ok(None);
        }
        let missing: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM registrations WHERE level <> 'capable' AND absent_since IS NULL",
        )
        .fetch_one(&self.read)
        .await
        .doing("counting who is missing")?;
        let newly: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM registrations
             WHERE level <> 'capable' AND capable_done_as_of IS NOT NULL AND absent_since IS NULL AND capable_missing_since > $1",
        )
        .bind(yardstick.map_or(dated, |(at, _)| at))
        .fetch_one(&self.read)
        .await
        .doing("counting who is newly missing")?;
        let newly = u64::try_from(newly).unwrap_or(0);
        if let Some((as_of, before)) = yardstick
            && missing_grew(before, newly)
            && !self
                .is_growth_accepted(before, newly, approved, now)
                .await?
        {
            let seen = Seen::Lost {
                people: newly,
                before: instant(as_of),
                now: report,
                missing: before,
            };
            return Ok(Some((seen, newly)));
        }
        let missing = u64::try_from(missing).unwrap_or(0);
        self.set(&settings::YARDSTICK, &(dated, missing)).await?;
        Ok(None)
    }

    async fn is_growth_accepted(
        &self,
        before: u64,
        newly: u64,
        approved: Option<(&Approval, u64)>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match approved {
            Some((given, accepted)) if !missing_grew(before, newly.saturating_sub(accepted)) => {
                self.rely_on(&[given], now).await
            }
            _ => Ok(false),
        }
    }
}

async fn write_hold(
    connection: &mut Connection,
    hold: &Hold,
    evidence: &str,
    course: &Course,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO holds (id, kind, policy, since, listed_at, stands, text, evidence, stood_from, told, end_told, seen) VALUES ($1, $2, $3, $4, $5, TRUE, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (id) DO UPDATE SET
             approved_at = CASE WHEN holds.stands = TRUE AND holds.evidence = excluded.evidence AND excluded.kind <> 'mass'
                 THEN holds.approved_at ELSE NULL END,
             used_at = CASE WHEN holds.stands = TRUE AND holds.evidence = excluded.evidence AND excluded.kind <> 'mass'
                 THEN holds.used_at ELSE NULL END,
             since = excluded.since, listed_at = excluded.listed_at, stands = TRUE, text = excluded.text, evidence = excluded.evidence, policy = excluded.policy,
             stood_from = excluded.stood_from, ended_at = NULL, told = excluded.told, end_told = excluded.end_told, seen = excluded.seen",
    )
    .bind(&hold.id)
    .bind(hold.kind.as_str())
    .bind(hold.policy.as_ref().map(PolicyName::as_str))
    .bind(micros(course.since))
    .bind(micros(now))
    .bind(&hold.text)
    .bind(evidence)
    .bind(micros(course.stood_from))
    .bind(course.told)
    .bind(course.end_told)
    .bind(hold.seen.as_ref().and_then(|seen| serde_json::to_string(seen).ok()))
    .execute(connection)
    .await
    .doing("recording holds")
    .map(drop)
}

/// A hold is over: whom an approval covers that may still be used stays, but for who is flagged.
async fn forget_people(
    connection: &mut Connection,
    hold: &StandingHold,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM hold_people WHERE hold_id = $1 AND ($2 = FALSE OR EXISTS (
             SELECT 1 FROM standings WHERE standings.policy = hold_people.policy
                 AND standings.user_id = hold_people.user_id AND standings.state = 'enforcement_needed'))",
    )
    .bind(&hold.id)
    .bind(hold.is_approved(now))
    .execute(connection)
    .await
    .doing("clearing holds")
    .map(drop)
}

/// Journals what changed, and leaves a line of what is to be told.
async fn note(
    connection: &mut Connection,
    changes: &HoldChanges,
    now: Timestamp,
) -> Result<(), StoreError> {
    let raised = changes
        .raised
        .iter()
        .map(|hold| (EventKind::HoldRaised, hold));
    let cleared = changes
        .cleared
        .iter()
        .map(|hold| (EventKind::HoldCleared, hold));
    let changed: Vec<(EventKind, &StandingHold)> = raised.chain(cleared).collect();
    for (kind, hold) in &changed {
        let line = numbers::take(connection, Series::Journal, 1)
            .await
            .doing("recording holds")?;
        // What ends a hold may be an approval, and then it is told whose.
        let is_cleared = *kind == EventKind::HoldCleared && hold.is_approved(now);
        let [by, reason] = [&hold.approved_by, &hold.approved_because]
            .map(|said| said.as_ref().filter(|_| is_cleared));
        let text = serde_json::json!([{ "code": "held", "text": hold.text, "at": now, "by": by, "reason": reason }]);
        sqlx::query("INSERT INTO journal (id, at, kind, policy, rehearsed, hold, reasons) VALUES ($1, $2, $3, $4, FALSE, $5, $6)")
            .bind(line)
            .bind(micros(now))
            .bind(kind.as_str())
            .bind(hold.policy.as_ref().map(PolicyName::as_str))
            .bind(&hold.id)
            .bind(text.to_string())
            .execute(&mut *connection)
            .await
            .doing("recording holds")?;
    }
    let lines: Vec<Line> = changes
        .told
        .iter()
        .map(|(kind, hold, stood_from)| Line::of_hold(*kind, hold, *stood_from))
        .collect();
    write_lines(connection, &lines).await
}

fn selected(statement: &mut QueryBuilder<Db>, selection: &Selection, nested: bool) {
    statement.push("(1 = 0");
    if !selection.users.is_empty() {
        statement.push(" OR ");
        super::Whom::these(selection.users.iter().map(UserId::as_str))
            .restrict(statement, "people.id");
    }
    if !selection.groups.is_empty() {
        statement.push(" OR EXISTS (SELECT 1 FROM memberships WHERE memberships.user_id = people.id AND direct = ").push_bind(!nested).push(" AND ");
        super::Whom::these(selection.groups.iter().map(GroupId::as_str))
            .restrict(statement, "memberships.group_id");
        statement.push(")");
    }
    statement.push(")");
}

/// Writes down whom an approval of the hold would cover.
async fn list_people(connection: &mut Connection, hold: &Hold) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM hold_people WHERE hold_id = $1")
        .bind(&hold.id)
        .execute(&mut *connection)
        .await
        .doing("recording holds")?;
    let people: Vec<_> = hold.people.iter().collect();
    let statements = people.chunks(ROWS_PER_STATEMENT).map(|people| {
        let mut statement =
            QueryBuilder::<Db>::new("INSERT INTO hold_people (hold_id, policy, user_id) ");
        statement.push_values(people, |mut row, (policy, user)| {
            row.push_bind(hold.id.clone())
                .push_bind(policy.as_str().to_owned())
                .push_bind(user.as_str().to_owned());
        });
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("recording holds")?;
    Ok(())
}

/// Writes down that a hold stands, and what of that is to be told.
async fn raise(
    connection: &mut Connection,
    raised: &Raised,
    known: Option<&(StandingHold, Course)>,
    rare: bool,
    now: Timestamp,
    changes: &mut HoldChanges,
) -> Result<(), StoreError> {
    let Raised { hold, evidence } = raised;
    let mut course = known.map_or(Course::begin(now), |(_, course)| course.seen(now));
    let told = course.tell(hold.kind, rare, now);
    write_hold(connection, hold, evidence, &course, now).await?;
    list_people(connection, hold).await?;
    let seen = || StandingHold {
        id: hold.id.clone(),
        kind: hold.kind,
        policy: hold.policy.clone(),
        since: course.since,
        text: hold.text.clone(),
        seen: hold.seen.clone(),
        released_by: hold.kind.released_by_with(evidence),
        approved_at: None,
        approved_by: None,
        approved_because: None,
        told: course.told,
    };
    let stood = known.is_some_and(|(_, course)| course.ended_at.is_none());
    changes.raised.extend((!stood).then(seen));
    changes
        .told
        .extend(told.map(|event| (event, seen(), course.stood_from)));
    Ok(())
}

/// Writes down that a hold is over, and what of that is to be told.
async fn clear(
    connection: &mut Connection,
    (known, before): (StandingHold, Course),
    rare: bool,
    now: Timestamp,
    changes: &mut HoldChanges,
) -> Result<(), StoreError> {
    let mut course = before.unseen(now);
    let told = course.tell(known.kind, rare, now);
    if course == before {
        return Ok(());
    }
    sqlx::query("UPDATE holds SET stands = FALSE, ended_at = $2, end_told = $3 WHERE id = $1")
        .bind(&known.id)
        .bind(course.ended_at.map(micros))
        .bind(course.end_told)
        .execute(&mut *connection)
        .await
        .doing("clearing holds")?;
    changes
        .told
        .extend(told.map(|event| (event, known.clone(), course.stood_from)));
    if before.ended_at.is_none() {
        forget_people(connection, &known, now).await?;
        changes.cleared.push(known);
    }
    Ok(())
}

async fn standing_holds<'e>(executor: impl Executor<'e>) -> Result<Vec<StandingHold>, StoreError> {
    let rows = sqlx::query("SELECT id, kind, policy, since, text, approved_at, evidence, told, seen, approved_by, reason FROM holds WHERE stands = TRUE ORDER BY since, id")
        .fetch_all(executor)
        .await
        .doing("reading holds")?;
    rows.iter().map(standing_hold).collect()
}

/// Every hold that ever stood, with its course.
async fn known_holds(
    connection: &mut Connection,
) -> Result<Vec<(StandingHold, Course)>, StoreError> {
    let reading = "reading holds";
    let rows = sqlx::query(
        "SELECT id, kind, policy, since, text, approved_at, evidence, told, seen, approved_by, reason, stood_from, ended_at, end_told FROM holds ORDER BY since, id",
    )
    .fetch_all(connection)
    .await
    .doing(reading)?;
    rows.iter()
        .map(|row| {
            let hold = standing_hold(row)?;
            let ended_at: Option<i64> = row.try_get(12).doing(reading)?;
            let course = Course {
                since: hold.since,
                stood_from: instant(row.try_get(11).doing(reading)?),
                ended_at: ended_at.map(instant),
                told: hold.told,
                end_told: row.try_get(13).doing(reading)?,
            };
            Ok((hold, course))
        })
        .collect()
}

pub(super) fn standing_hold(row: &Row) -> Result<StandingHold, StoreError> {
    let reading = "reading holds";
    let id: String = row.try_get(0).doing(reading)?;
    let kind: String = row.try_get(1).doing(reading)?;
    let kind = HoldKind::parse(&kind).ok_or_else(|| StoreError::Inconsistent {
        table: "holds",
        key: id.clone(),
        column: "kind",
        value: kind.clone(),
    })?;
    let evidence: String = row.try_get(6).doing(reading)?;
    Ok(StandingHold {
        kind,
        policy: row
            .try_get::<Option<String>, _>(2)
            .doing(reading)?
            .map(|name| PolicyName::new(&name)),
        since: instant(row.try_get(3).doing(reading)?),
        text: row.try_get(4).doing(reading)?,
        // One that another version wrote is told by its words alone.
        seen: row
            .try_get::<Option<String>, _>(8)
            .doing(reading)?
            .and_then(|seen| serde_json::from_str(&seen).ok()),
        released_by: kind.released_by_with(&evidence),
        approved_at: row
            .try_get::<Option<i64>, _>(5)
            .doing(reading)?
            .map(instant),
        approved_by: row.try_get(9).doing(reading)?,
        approved_because: row.try_get(10).doing(reading)?,
        told: row.try_get(7).doing(reading)?,
        id,
    })
}
