//! What happened, a page at a time in order of time: lines of the journal, and mails that were
//! accepted. Each way of asking goes along one index, however long ago it began.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::db::{Db, Row};
use super::{Doing, Store, StoreError, instant, micros};
use crate::domain::delivery::State;
use crate::domain::id::UserId;

/// Along which index to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lane {
    /// The whole journal, or all of it about a person.
    Journal,
    /// Lines of one kind.
    Kind(String),
    /// Mails that were accepted.
    Mails,
}

/// What is wanted of each lane.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Only about this person.
    pub user: Option<UserId>,
    /// The newest first; else the oldest.
    pub newest_first: bool,
}

impl Wanted {
    fn range(&self) -> [i64; 2] {
        let since = self.since.unwrap_or(Timestamp::MIN);
        [since, self.until.unwrap_or(Timestamp::MAX)].map(micros)
    }
}

/// Where something stands in its lane.
pub type Place = (Timestamp, i64);

/// Something that happened, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// When, and its number among what came at that moment.
    pub place: Place,
    /// What; of a mail, what it says.
    pub kind: String,
    /// Under which policy.
    pub policy: Option<String>,
    /// To whom, by object id.
    pub user: Option<String>,
    /// For display.
    pub user_principal_name: Option<String>,
    /// For display.
    pub display_name: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// The deadline as of then.
    pub deadline: Option<Timestamp>,
    /// What else a line of the journal says; none of a mail.
    pub line: Option<LoggedLine>,
    /// The address of a mail, for callers that mask it.
    pub address: Option<String>,
}

/// What only the journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedLine {
    /// Only rehearsed: the policy was report-only.
    pub rehearsed: bool,
    /// The hold.
    pub hold: Option<String>,
    /// Why, as decided then.
    pub reasons: serde_json::Value,
}

impl Store {
    /// The next page of a lane, after that place.
    pub async fn log_page(
        &self,
        lane: &Lane,
        wanted: &Wanted,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Logged>, StoreError> {
        let rows = page(lane, wanted, after, limit)
            .build()
            .fetch_all(&self.read)
            .await
            .doing("reading what happened")?;
        let read = match lane {
            Lane::Journal | Lane::Kind(_) => line,
            Lane::Mails => mail,
        };
        rows.iter()
            .map(read)
            .collect::<Result<_, _>>()
            .doing("reading what happened")
    }
}

fn page(lane: &Lane, wanted: &Wanted, after: Option<Place>, limit: u32) -> QueryBuilder<Db> {
    let mut statement = match lane {
        Lane::Journal => lines(wanted),
        Lane::Kind(kind) => {
            let mut statement = lines(wanted);
            statement
                .push(" AND journal.kind = ")
                .push_bind(kind.clone());
            statement
        }
        Lane::Mails => mails(wanted),
    };
    let is_of_mails = *lane == Lane::Mails;
    if let Some((at, number)) = after {
        statement.push(match (is_of_mails, wanted.newest_first) {
            (false, false) => " AND (journal.at, journal.id) > (",
            (false, true) => " AND (journal.at, journal.id) < (",
            (true, false) => " AND (outbox.settled_at, outbox.position) > (",
            (true, true) => " AND (outbox.settled_at, outbox.position) < (",
        });
        statement.push_bind(micros(at)).push(", ");
        statement.push_bind(number).push(")");
    }
    statement.push(match (is_of_mails, wanted.newest_first) {
        (false, false) => " ORDER BY journal.at, journal.id LIMIT ",
        (false, true) => " ORDER BY journal.at DESC, journal.id DESC LIMIT ",
        (true, false) => " ORDER BY outbox.settled_at, outbox.position LIMIT ",
        (true, true) => " ORDER BY outbox.settled_at DESC, outbox.position DESC LIMIT ",
    });
    statement.push_bind(i64::from(limit));
    statement
}

fn lines(wanted: &Wanted) -> QueryBuilder<Db> {
    let mut statement = QueryBuilder::<Db>::new(
        "SELECT journal.at, journal.id, journal.kind, journal.policy, journal.user_id, people.user_principal_name, people.display_name,
                journal.step, journal.deadline, journal.rehearsed, journal.hold, journal.reasons
         FROM journal LEFT JOIN people ON people.id = journal.user_id WHERE 1 = 1",
    );
    if let Some(user) = &wanted.user {
        let id = user.as_str().to_owned();
        statement.push(" AND journal.user_id = ").push_bind(id);
    }
    // A range leads along the index, also one that is open.
    let [since, until] = wanted.range();
    statement.push(" AND journal.at >= ").push_bind(since);
    statement.push(" AND journal.at < ").push_bind(until);
    statement
}

fn mails(wanted: &Wanted) -> QueryBuilder<Db> {
    let mut statement = QueryBuilder::<Db>::new(
        "SELECT outbox.settled_at, outbox.position, outbox.event, outbox.policy, outbox.user_id, people.user_principal_name, people.display_name,
                outbox.step, outbox.deadline, outbox.address
         FROM outbox LEFT JOIN people ON people.id = outbox.user_id
         WHERE outbox.address IS NOT NULL AND outbox.settled_at IS NOT NULL AND outbox.state = ",
    );
    statement.push_bind(State::Sent.as_str());
    if let Some(user) = &wanted.user {
        let id = user.as_str().to_owned();
        statement.push(" AND outbox.user_id = ").push_bind(id);
    }
    let [since, until] = wanted.range();
    statement
        .push(" AND outbox.settled_at >= ")
        .push_bind(since);
    statement.push(" AND outbox.settled_at < ").push_bind(until);
    statement
}

fn line(row: &Row) -> Result<Logged, sqlx::Error> {
    let reasons: String = row.try_get(11)?;
    Ok(Logged {
        line: Some(LoggedLine {
            rehearsed: row.try_get(9)?,
            hold: row.try_get(10)?,
            reasons: serde_json::from_str(&reasons).unwrap_or_default(),
        }),
        ..said(row)?
    })
}

fn mail(row: &Row) -> Result<Logged, sqlx::Error> {
    Ok(Logged {
        address: row.try_get(9)?,
        ..said(row)?
    })
}

/// What both say, in the same columns.
fn said(row: &Row) -> Result<Logged, sqlx::Error> {
    Ok(Logged {
        place: (instant(row.try_get(0)?), row.try_get(1)?),
        kind: row.try_get(2)?,
        policy: row.try_get(3)?,
        user: row.try_get(4)?,
        user_principal_name: row.try_get(5)?,
        display_name: row.try_get(6)?,
        step: row.try_get(7)?,
        deadline: row.try_get::<Option<i64>, _>(8)?.map(instant),
        line: None,
        address: None,
    })
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::domain::story::{day, user};

    /// How SQLite goes about a page.
    async fn plan(store: &Store, lane: &Lane, wanted: &Wanted, after: Option<Place>) -> String {
        let statement = page(lane, wanted, after, 50);
        let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql().as_str());
        let steps = sqlx::query(AssertSqlSafe(explain))
            .fetch_all(&store.read)
            .await
            .unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        steps.join("; ")
    }

    #[tokio::test]
    async fn what_happened_is_read_along_an_index_and_never_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a.db")).await.unwrap();
        let kind = || Lane::Kind("hold.approved".to_owned());
        for newest_first in [false, true] {
            for (since, until, after) in [
                (None, None, None),
                (Some(day(0)), Some(day(9)), None),
                (Some(day(0)), Some(day(9)), Some((day(4), 7))),
            ] {
                let wanted = Wanted {
                    since,
                    until,
                    user: None,
                    newest_first,
                };
                for (lane, index) in [
                    (Lane::Journal, "USING INDEX journal_by_time"),
                    (kind(), "USING INDEX journal_by_kind (kind=?"),
                    (Lane::Mails, "USING INDEX outbox_settled"),
                ] {
                    let plan = plan(&store, &lane, &wanted, after).await;
                    assert!(plan.contains(index), "{lane:?} {wanted:?}: {plan}");
                    assert!(!plan.contains("TEMP B-TREE"), "{lane:?} {wanted:?}: {plan}");
                    assert!(!plan.contains("SCAN people"), "{lane:?} {wanted:?}: {plan}");
                }
                let of_one = Wanted {
                    user: Some(user("ana")),
                    ..wanted
                };
                for (lane, index) in [
                    (Lane::Journal, "USING INDEX journal_by_user (user_id=?"),
                    (Lane::Mails, "USING INDEX outbox_by_user (user_id=?"),
                ] {
                    let plan = plan(&store, &lane, &of_one, after).await;
                    assert!(plan.contains(index), "{lane:?} {of_one:?}: {plan}");
                }
            }
        }
    }
}
