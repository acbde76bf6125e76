//! Whom to decide about, and all that a decision may look at.
//!
//! A pass costs what changed and what is due: changed people are marked when their facts are
//! absorbed, everybody else has a next-wake time in an index. Everybody at once is decided about
//! only when the configuration changed or after a first import: the sweep, with a cursor.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Row as _};

use super::db::{Connection, Db, Row};
use super::records::{PERSON, PERSON_COLUMNS, REGISTRATION, person, registration};
use super::{Doing, Store, StoreError, Whom, instant, micros, parse_name, settings};
use crate::domain::audit::AuditEvent;
use crate::domain::delivery::State as DeliveryState;
use crate::domain::facts::{
    ActKind, Activity, DeliveryFact, DeliveryOutcome, NoticeBy, OperatorAct, PersonFacts, World,
};
use crate::domain::id::{GroupId, PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::person::Person;
use crate::domain::policy::Step;
use crate::domain::registration::Registration;
use crate::domain::sign_in::SignIn;
use crate::domain::standing::Standing;
use crate::domain::state::State;
use crate::domain::window::later;

/// An act bears the time at which it was ordered, and is written by then: another process may have to
/// wait for the store's one writer.
const WRITTEN_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What is loaded of people at once takes so much memory, whoever they are …
const BATCH_BYTES: i64 = 16 * 1024 * 1024;
/// … and they themselves, with all that is bounded about them, and each sign-in, so much.
const PERSON_BYTES: i64 = 2 * 1024;
const SIGN_IN_BYTES: i64 = 320;

/// Everything stored about one person, whatever the policy.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The account.
    pub person: Person,
    /// What the registration reports said.
    pub registration: Option<Registration>,
    /// Groups that the person is in, transitively.
    pub groups: BTreeSet<GroupId>,
    /// Groups that the person is a direct member of.
    pub direct_groups: BTreeSet<GroupId>,
    /// Stored sign-ins.
    pub sign_ins: Vec<SignIn>,
    /// Sign-ins that cannot be prompts.
    pub activity: Activity,
    /// Audit events.
    pub audits: Vec<AuditEvent>,
    /// What operators did.
    pub acts: Vec<OperatorAct>,
    /// What became of the messages that can be notices.
    pub deliveries: Vec<DeliveryFact>,
    /// What the last decisions remembered.
    pub standings: BTreeMap<PolicyName, Standing>,
    /// Where they left the person.
    pub kept: BTreeMap<PolicyName, Kept>,
    /// The mark of the change that is being decided about.
    pub mark: Option<i64>,
}

/// What the row of one person under one policy says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The state.
    pub state: State,
    /// Whether the person counts as registered.
    pub registered: bool,
    /// The policy is on and reaches the person.
    pub in_scope: bool,
}

impl Dossier {
    /// Somebody of whom nothing but the account is known.
    #[must_use]
    pub fn of(person: Person) -> Self {
        Self {
            person,
            registration: None,
            groups: BTreeSet::new(),
            direct_groups: BTreeSet::new(),
            sign_ins: Vec::new(),
            activity: Activity::default(),
            audits: Vec::new(),
            acts: Vec::new(),
            deliveries: Vec::new(),
            standings: BTreeMap::new(),
            kept: BTreeMap::new(),
            mark: None,
        }
    }

    /// The facts for a policy that counts nested groups, or direct members only.
    #[must_use]
    pub fn facts<'a>(&'a self, world: &'a World, nested: bool) -> PersonFacts<'a> {
        // With mail, an accepted webhook is no notice.
        let counts = |delivery: &&DeliveryFact| {
            world.notice_by == NoticeBy::Webhook || delivery.by == NoticeBy::Mail
        };
        PersonFacts {
            world,
            person: &self.person,
            groups: if nested {
                &self.groups
            } else {
                &self.direct_groups
            },
            registration: self.registration.as_ref(),
            sign_ins: &self.sign_ins,
            activity: self.activity,
            audits: &self.audits,
            acts: &self.acts,
            deliveries: self.deliveries.iter().filter(counts).collect(),
            standings: &self.standings,
        }
    }
}

impl Store {
    /// The next people to decide about because their facts changed or they are due, by id, above
    /// the last one of the batch before.
    pub async fn due(
        &self,
        above: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT user_id FROM (
                 SELECT user_id FROM changed WHERE user_id > $1
                 UNION
                 SELECT user_id FROM standings WHERE next_at <= $2 AND user_id > $1
             ) AS due ORDER BY user_id LIMIT $3",
        )
        .bind(above)
        .bind(micros(now))
        .bind(limit)
        .fetch_all(&self.read)
        .await
        .doing("looking for who is due")
    }

    /// Whether operators' acts or settled mails wait to be decided about.
    pub async fn anything_changed(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM changed)")
            .fetch_one(&self.read)
            .await
            .doing("looking for changes")
    }

    /// Whom operators' acts since the last pass are about, if they wait to be decided about.
    pub async fn acted_since_last_pass(&self) -> Result<Vec<String>, StoreError> {
        let newest = self.newest_pass().await?.unwrap_or(Timestamp::MIN);
        let since = later(newest, -WRITTEN_WITHIN);
        sqlx::query_scalar(
            "SELECT DISTINCT acts.user_id FROM acts JOIN changed ON changed.user_id = acts.user_id WHERE acts.at >= $1 ORDER BY 1",
        )
        .bind(micros(since))
        .fetch_all(&self.read)
        .await
        .doing("looking for acts")
    }

    /// Where the sweep over everybody stands, if one is under way.
    pub async fn sweep_cursor(&self) -> Result<Option<String>, StoreError> {
        self.setting(&settings::SWEEP).await
    }

    /// Has these people decided about in the next pass, whatever becomes of this one.
    pub async fn mark(&self, ids: &[UserId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        super::records::mark_changed(&mut transaction, &ids).await?;
        transaction.commit().await.doing("marking who waits")
    }

    /// Has everybody decided about: the configuration changed.
    pub async fn begin_sweep(&self) -> Result<(), StoreError> {
        self.set(&settings::SWEEP, &String::new()).await
    }

    /// The next people by id, for a sweep or a reader of everybody.
    pub async fn ids_above(&self, above: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM people WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(above)
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .doing("walking over people")
    }

    /// How many of these people, who are all whom it means, may be loaded at once: as many as have little
    /// enough stored about them, and one at least.
    pub async fn loadable(&self, ids: &[String], whom: &Whom) -> Result<usize, StoreError> {
        let mut statement =
            QueryBuilder::<Db>::new("SELECT user_id, COUNT(*) FROM sign_ins WHERE ");
        whom.restrict(&mut statement, "user_id");
        let rows: Vec<(String, i64)> = statement
            .push(" GROUP BY user_id")
            .build_query_as()
            .fetch_all(&self.read)
            .await
            .doing("weighing facts")?;
        let rows: HashMap<String, i64> = rows.into_iter().collect();
        let rows = ids.iter().map(|id| rows.get(id).copied().unwrap_or(0));
        Ok(fitting(rows))
    }

    /// Loads everything about some people, ordered by id.
    pub async fn load(&self, whom: &Whom) -> Result<Vec<Dossier>, StoreError> {
        let mut snapshot = self.read.begin().await.doing("reading facts")?;
        let connection = &mut *snapshot;
        let mut statement = QueryBuilder::<Db>::new("SELECT ");
        statement.push(PERSON).push(", ").push(REGISTRATION);
        statement.push(
            " FROM people LEFT JOIN registrations ON registrations.user_id = people.id WHERE ",
        );
        whom.restrict(&mut statement, "people.id");
        statement.push(" ORDER BY people.id");
        let rows = statement
            .build()
            .fetch_all(&mut *connection)
            .await
            .doing("reading people")?;
        let mut dossiers = Vec::with_capacity(rows.len());
        let mut index = HashMap::with_capacity(rows.len());
        for row in &rows {
            let person = person(row)?;
            index.insert(person.id.as_str().to_owned(), dossiers.len());
            let activity = Activity {
                hinted: person.last_sign_in_at,
                ..Activity::default()
            };
            dossiers.push(Dossier {
                registration: registration(row, PERSON_COLUMNS)?
                    .map(|(_, registration)| registration),
                activity,
                ..Dossier::of(person)
            });
        }
        for (select, column, order, put) in PER_PERSON {
            let mut statement = QueryBuilder::<Db>::new(select);
            whom.restrict(&mut statement, column);
            statement.push(order);
            let mut rows = statement.build().fetch(&mut *connection);
            while let Some(row) = rows.try_next().await.doing("reading facts")? {
                let id: String = row.try_get(0).doing("reading facts")?;
                if let Some(at) = index.get(&id) {
                    put(&mut dossiers[*at], &row)?;
                }
            }
        }
        Ok(dossiers)
    }
}

/// How many people fit into a batch, by how many sign-ins each has.
fn fitting(rows: impl Iterator<Item = i64>) -> usize {
    let mut bytes = 0;
    let fits = rows.take_while(|rows| {
        bytes += PERSON_BYTES + rows * SIGN_IN_BYTES;
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
}

type Put = fn(&mut Dossier, &Row) -> Result<(), StoreError>;

/// What is stored per person beside the account: the statement, the column of the person's id,
/// the order, and how a row enters the dossier.
const PER_PERSON: [(&str, &str, &str, Put); 9] = [
    (
        "SELECT user_id, group_id, direct FROM memberships WHERE ",
        "user_id",
        "",
        put_membership,
    ),
    (
        "SELECT user_id, id, at, code, route, app, multifactor_met FROM sign_ins WHERE ",
        "user_id",
        " ORDER BY at, id",
        put_sign_in,
    ),
    (
        "SELECT user_id, id, at, code, route, app, multifactor_met FROM newest_sign_ins WHERE ",
        "user_id",
        "",
        put_sign_in,
    ),
    (
        "SELECT user_id, non_interactive_at, legacy_at FROM activity WHERE ",
        "user_id",
        "",
        put_activity,
    ),
    (
        "SELECT user_id, id, at, kind FROM audits WHERE ",
        "user_id",
        " ORDER BY at, id",
        put_audit,
    ),
    (
        "SELECT user_id, id, policy, kind, at, reason, actor, ticket FROM acts WHERE ",
        "user_id",
        " ORDER BY id",
        put_act,
    ),
    (
        "SELECT user_id, policy, sequence, moves, event, step, address, deadline, state, settled_at,
             (SELECT addresses.told FROM addresses WHERE addresses.address = outbox.address AND addresses.at_fault_at IS NOT NULL)
         FROM outbox WHERE is_fact = TRUE AND ",
        "user_id",
        " ORDER BY position",
        put_delivery,
    ),
    (
        "SELECT user_id, policy, state, registered, in_scope, memory FROM standings WHERE ",
        "user_id",
        "",
        put_standing,
    ),
    (
        "SELECT user_id, mark FROM changed WHERE ",
        "user_id",
        "",
        put_mark,
    ),
];

/// The marks of some people, as they are now.
pub(super) async fn marks<'a>(
    connection: &mut Connection,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<String, i64>, StoreError> {
    let mut statement = QueryBuilder::<Db>::new("SELECT user_id, mark FROM changed WHERE ");
    Whom::these(ids).restrict(&mut statement, "user_id");
    let marks: Vec<(String, i64)> = statement
        .build_query_as()
        .fetch_all(connection)
        .await
        .doing("reading marks")?;
    Ok(marks.into_iter().collect())
}

fn put_mark(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    dossier.mark = Some(row.try_get(1).doing("reading marks")?);
    Ok(())
}

fn put_membership(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let group: String = row.try_get(1).doing("reading memberships")?;
    let direct: bool = row.try_get(2).doing("reading memberships")?;
    if let Ok(group) = GroupId::stored(&group) {
        if direct {
            dossier.direct_groups.insert(group)
        } else {
            dossier.groups.insert(group)
        };
    }
    Ok(())
}

fn put_sign_in(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let sign_in = sign_in(dossier.person.id.clone(), row)?;
    dossier.sign_ins.push(sign_in);
    Ok(())
}

/// A sign-in of a person, as both of its tables have it.
pub(super) fn sign_in(user: UserId, row: &Row) -> Result<SignIn, StoreError> {
    let reading = "reading sign-ins";
    let id: String = row.try_get(1).doing(reading)?;
    let route: String = row.try_get(4).doing(reading)?;
    Ok(SignIn {
        user,
        at: instant(row.try_get(2).doing(reading)?),
        code: row.try_get(3).doing(reading)?,
        route: parse_name("sign_ins", &id, "route", &route)?,
        app: row.try_get(5).doing(reading)?,
        multifactor_met: row.try_get(6).doing(reading)?,
        id,
    })
}

fn put_activity(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let at = |column: usize| {
        row.try_get::<Option<i64>, _>(column)
            .map(|at| at.map(instant))
            .doing("reading activity")
    };
    dossier.activity.non_interactive = at(1)?;
    dossier.activity.legacy = at(2)?;
    Ok(())
}

fn put_audit(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let reading = "reading audit events";
    let id: String = row.try_get(1).doing(reading)?;
    let kind: String = row.try_get(3).doing(reading)?;
    dossier.audits.push(AuditEvent {
        user: dossier.person.id.clone(),
        at: instant(row.try_get(2).doing(reading)?),
        kind: parse_name("audits", &id, "kind", &kind)?,
        id,
    });
    Ok(())
}

fn put_act(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let reading = "reading operators' acts";
    let kind: String = row.try_get(3).doing(reading)?;
    let id: i64 = row.try_get(1).doing(reading)?;
    let kind: ActKind = serde_json::from_str(&kind).map_err(|_| StoreError::Inconsistent {
        table: "acts",
        key: id.to_string(),
        column: "kind",
        value: kind.clone(),
    })?;
    dossier.acts.push(OperatorAct {
        id,
        policy: row
            .try_get::<Option<String>, _>(2)
            .doing(reading)?
            .map(|name| PolicyName::new(&name)),
        kind,
        at: instant(row.try_get(4).doing(reading)?),
        reason: row.try_get(5).doing(reading)?,
        by: row.try_get(6).doing(reading)?,
        ticket: row.try_get(7).doing(reading)?,
    });
    Ok(())
}

fn put_delivery(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let reading = "reading deliveries";
    let inconsistent = |column, value: &str| StoreError::Inconsistent {
        table: "outbox",
        key: dossier.person.id.to_string(),
        column,
        value: value.to_owned(),
    };
    let policy: String = row.try_get(1).doing(reading)?;
    let event: String = row.try_get(4).doing(reading)?;
    let step: Option<String> = row.try_get(5).doing(reading)?;
    let state: String = row.try_get(8).doing(reading)?;
    let settled_at = row
        .try_get::<Option<i64>, _>(9)
        .doing(reading)?
        .map(instant);
    let state = DeliveryState::parse(&state).ok_or_else(|| inconsistent("state", &state))?;
    let address: Option<String> = row.try_get(6).doing(reading)?;
    let told: Option<bool> = row.try_get(10).doing(reading)?;
    let outcome = match (state, settled_at) {
        (DeliveryState::Pending | DeliveryState::Leased | DeliveryState::Ambiguous, _) => {
            DeliveryOutcome::Open
        }
        (DeliveryState::Sent, Some(at)) => DeliveryOutcome::Accepted(at),
        // A refusal is the recipient's only while the address is known to be at fault.
        (DeliveryState::Failed, Some(at)) if address.is_some() && told.is_none() => {
            DeliveryOutcome::Dropped(at)
        }
        (DeliveryState::Failed, Some(at)) => DeliveryOutcome::Refused(at),
        (DeliveryState::Superseded | DeliveryState::Expired | DeliveryState::Dead, Some(at)) => {
            DeliveryOutcome::Dropped(at)
        }
        (_, None) => return Err(inconsistent("settled_at", "")),
    };
    dossier.deliveries.push(DeliveryFact {
        by: if address.is_some() {
            NoticeBy::Mail
        } else {
            NoticeBy::Webhook
        },
        policy: PolicyName::new(&policy),
        sequence: u32::try_from(row.try_get::<i64, _>(2).doing(reading)?).unwrap_or(0),
        moves: u32::try_from(row.try_get::<i64, _>(3).doing(reading)?).unwrap_or(0),
        kind: EventKind::parse(&event).ok_or_else(|| inconsistent("event", &event))?,
        step: step
            .map(|step| Step::try_from(step.clone()).map_err(|_| inconsistent("step", &step)))
            .transpose()?,
        address: address.unwrap_or_default(),
        deadline: row
            .try_get::<Option<i64>, _>(7)
            .doing(reading)?
            .map(instant),
        outcome,
        told: told.unwrap_or_default(),
    });
    Ok(())
}

fn put_standing(dossier: &mut Dossier, row: &Row) -> Result<(), StoreError> {
    let reading = "reading standings";
    let policy: &str = row.try_get(1).doing(reading)?;
    let state: &str = row.try_get(2).doing(reading)?;
    let memory: Option<&str> = row.try_get(5).doing(reading)?;
    let inconsistent = |column, value: String| StoreError::Inconsistent {
        table: "standings",
        key: format!("{policy} / {}", dossier.person.id),
        column,
        value,
    };
    let kept = Kept {
        state: State::parse(state).ok_or_else(|| inconsistent("state", state.to_owned()))?,
        registered: row.try_get(3).doing(reading)?,
        in_scope: row.try_get(4).doing(reading)?,
    };
    let standing: Option<Standing> = memory
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| inconsistent("memory", error.to_string()))?;
    let policy = PolicyName::new(policy);
    if let Some(standing) = standing {
        dossier.standings.insert(policy.clone(), standing);
    }
    dossier.kept.insert(policy, kept);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_large_as_what_is_stored_about_its_people_allows() {
        assert_eq!(fitting([0; 2_000].into_iter()), 2_000);
        assert_eq!(fitting([1_000; 2_000].into_iter()), 52);
        assert_eq!(fitting([1_000_000, 0].into_iter()), 1, "one at least");
    }
}
