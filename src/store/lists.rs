//! People as lists show them, read from what decisions left, page by page in order of a key.
//!
//! A page begins behind the last row of the one before, so that a slow reader holds nothing open
//! and memory stays flat. Of the rows that have no key there is an order of their own.

use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Row as _};

use super::db::{Db, Row};
use super::settings::UNLISTED;
use super::{Doing, Store, StoreError, Whom, instant, micros};
use crate::domain::decision::{Next, NextAction, Unreached};
use crate::domain::id::PolicyName;
use crate::domain::listed::{Listed, ListedWindow};
use crate::domain::standing::Enforcement;
use crate::domain::state::State;
use crate::domain::window::Deadline;

/// One person under one policy.
#[derive(Debug, Clone)]
pub struct ListedPerson {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// For display.
    pub display_name: Option<String>,
    /// The address.
    pub mail: Option<String>,
    /// Under which policy.
    pub policy: String,
    /// Where they stand.
    pub listed: Listed,
    /// Where the row stands in its order.
    key: Option<Key>,
}

/// Somebody who could not register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedPerson {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: String,
    /// The result code of the sign-in.
    pub code: i64,
    /// When that was.
    pub at: Timestamp,
}

/// Somebody whom nobody can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreachedPerson {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: String,
    /// Since when, and from when on the flag comes all the same.
    pub unreached: Unreached,
}

/// What comes next of all people, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPerson {
    /// When, and for what.
    pub next: Next,
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: String,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Under these policies.
    pub policies: Vec<PolicyName>,
    /// In these states; in all if none is named.
    pub states: Vec<State>,
    /// Only people who cannot register.
    pub blocked: bool,
    /// Only people whom nobody can reach.
    pub unreached: bool,
}

/// Rows that have an index of their own, and its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By the deadline of a window that runs, where it stands or does not move by now.
    Deadline,
    /// Whose deadline moves on with the present: by the notice that it leaves.
    Moving,
    /// Who has no window that runs, by id.
    NoDeadline,
    /// By what comes next.
    Next,
    /// Who is not looked at again by time alone, by id.
    NoNext,
    /// Everybody, by user principal name.
    Name,
    /// Everybody, by id.
    Id,
}

/// What a row is ordered by, before the id and the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Number(i64),
    Text(String),
}

impl Store {
    /// The next rows of an order, behind `after`.
    pub async fn list(
        &self,
        wanted: &Wanted,
        order: Order,
        now: Timestamp,
        after: Option<&ListedPerson>,
        limit: u32,
    ) -> Result<Vec<ListedPerson>, StoreError> {
        let rows = page(wanted, order, now, after, limit)
            .build()
            .fetch_all(&self.read)
            .await
            .doing("reading a list")?;
        rows.iter().map(|row| read(row, order)).collect()
    }

    /// Whether the rows are whole: those of an earlier version are after the next pass.
    pub async fn is_listed(&self) -> Result<bool, StoreError> {
        Ok(self.setting(&UNLISTED).await?.is_none())
    }

    /// How many windows of a policy run, and their first and last deadline before any floor.
    pub async fn windows_that_run(
        &self,
        policy: &PolicyName,
    ) -> Result<Option<(u64, [Timestamp; 2])>, StoreError> {
        let (count, first, last): (i64, Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT COUNT(*), MIN(window_deadline), MAX(window_deadline) FROM standings
             WHERE policy = $1 AND is_open = TRUE AND window_deadline IS NOT NULL",
        )
        .bind(policy.as_str())
        .fetch_one(&self.read)
        .await
        .doing("counting windows that run")?;
        let ends = first.zip(last);
        Ok(ends.map(|(first, last)| {
            let count = u64::try_from(count).unwrap_or(0);
            (count, [first, last].map(instant))
        }))
    }

    /// Whose deadline has passed under some policy, by id.
    pub async fn past_deadline(&self, policies: &[PolicyName]) -> Result<Vec<String>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT DISTINCT user_id FROM standings WHERE state IN ('overdue_checking', 'enforcement_needed') AND ",
        );
        Whom::these(policies.iter().map(PolicyName::as_str)).restrict(&mut statement, "policy");
        statement
            .push(" ORDER BY user_id")
            .build_query_scalar()
            .fetch_all(&self.read)
            .await
            .doing("reading whose deadline has passed")
    }

    /// What comes next, of all people.
    pub async fn next_of_all(
        &self,
        policies: &[PolicyName],
    ) -> Result<Option<NextPerson>, StoreError> {
        let reading = "reading what comes next";
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT standings.user_id, next_at, next_action, people.user_principal_name, standings.policy
             FROM standings JOIN people ON people.id = standings.user_id WHERE next_at IS NOT NULL AND ",
        );
        Whom::these(policies.iter().map(PolicyName::as_str))
            .restrict(&mut statement, "standings.policy");
        let row = statement
            .push(" ORDER BY next_at LIMIT 1")
            .build()
            .fetch_optional(&self.read)
            .await
            .doing(reading)?;
        let Some(row) = row else {
            return Ok(None);
        };
        let Some(next) = next(&row, [0, 1, 2])? else {
            return Ok(None);
        };
        Ok(Some(NextPerson {
            next,
            id: row.try_get(0).doing(reading)?,
            user_principal_name: row.try_get(3).doing(reading)?,
            policy: row.try_get(4).doing(reading)?,
        }))
    }

    /// Whom nobody can reach, those first who wait longest; all, or the first so many.
    pub async fn unreached(
        &self,
        policies: &[PolicyName],
        limit: Option<u32>,
    ) -> Result<Vec<UnreachedPerson>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT standings.user_id, people.user_principal_name, standings.policy, standings.unreached_since, standings.unreached_until
             FROM standings JOIN people ON people.id = standings.user_id WHERE standings.unreached_since IS NOT NULL AND ",
        );
        Whom::these(policies.iter().map(PolicyName::as_str))
            .restrict(&mut statement, "standings.policy");
        statement.push(" ORDER BY standings.unreached_since, standings.user_id, standings.policy");
        first(&mut statement, limit);
        let rows: Vec<(String, String, String, i64, Option<i64>)> = statement
            .build_query_as()
            .fetch_all(&self.read)
            .await
            .doing("reading whom nobody can reach")?;
        let people = rows.into_iter();
        Ok(people
            .map(
                |(id, user_principal_name, policy, since, until)| UnreachedPerson {
                    id,
                    user_principal_name,
                    policy,
                    unreached: Unreached {
                        since: instant(since),
                        flagged_from: until.map(instant),
                    },
                },
            )
            .collect())
    }

    /// How many rows they are.
    pub async fn count_unreached(&self, policies: &[PolicyName]) -> Result<u64, StoreError> {
        let statement = "SELECT COUNT(*) FROM standings WHERE unreached_since IS NOT NULL AND ";
        self.count_under(statement, policies).await
    }

    /// People whose newest row of the users could not be believed: what was known of them stays. All,
    /// or the first so many.
    pub async fn unreadable(
        &self,
        limit: Option<u32>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT id, user_principal_name FROM people WHERE unsure = TRUE AND gone_at IS NULL ORDER BY id",
        );
        first(&mut statement, limit);
        statement
            .build_query_as()
            .fetch_all(&self.read)
            .await
            .doing("reading whose rows cannot be read")
    }

    /// How many they are.
    pub async fn count_unreadable(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM people WHERE unsure = TRUE AND gone_at IS NULL",
        )
        .fetch_one(&self.read)
        .await
        .doing("counting whose rows cannot be read")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many rows under these policies a statement counts.
    async fn count_under(
        &self,
        statement: &'static str,
        policies: &[PolicyName],
    ) -> Result<u64, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(statement);
        Whom::these(policies.iter().map(PolicyName::as_str)).restrict(&mut statement, "policy");
        let count: i64 = statement
            .build_query_scalar()
            .fetch_one(&self.read)
            .await
            .doing("counting who needs a person")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many rows [`blocked`](Self::blocked) has.
    pub async fn count_blocked(&self, policies: &[PolicyName]) -> Result<u64, StoreError> {
        let statement = "SELECT COUNT(*) FROM standings WHERE blocked_code IS NOT NULL AND ";
        self.count_under(statement, policies).await
    }

    /// Who could not register at the newest sign-ins, and has completed none since; oldest first. All,
    /// or the first so many.
    pub async fn blocked(
        &self,
        policies: &[PolicyName],
        limit: Option<u32>,
    ) -> Result<Vec<BlockedPerson>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT standings.user_id, people.user_principal_name, standings.policy, standings.blocked_code, standings.blocked_at
             FROM standings JOIN people ON people.id = standings.user_id WHERE standings.blocked_code IS NOT NULL AND ",
        );
        Whom::these(policies.iter().map(PolicyName::as_str))
            .restrict(&mut statement, "standings.policy");
        statement.push(" ORDER BY standings.blocked_at, standings.user_id, standings.policy");
        first(&mut statement, limit);
        let rows: Vec<(String, String, String, i64, i64)> = statement
            .build_query_as()
            .fetch_all(&self.read)
            .await
            .doing("reading who could not register")?;
        let people = rows.into_iter();
        Ok(people
            .map(
                |(id, user_principal_name, policy, code, at)| BlockedPerson {
                    id,
                    user_principal_name,
                    policy,
                    code,
                    at: instant(at),
                },
            )
            .collect())
    }

    /// Who lost registered methods for the second time, by name and policy.
    pub async fn lost_again(
        &self,
        policies: &[PolicyName],
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT people.user_principal_name, standings.policy FROM standings JOIN people ON people.id = standings.user_id
             WHERE standings.lost_again = TRUE AND ",
        );
        Whom::these(policies.iter().map(PolicyName::as_str)).restrict(&mut statement, "policy");
        statement
            .push(" ORDER BY standings.user_id, standings.policy")
            .build_query_as()
            .fetch_all(&self.read)
            .await
            .doing("reading repeated losses")
    }
}

/// Ends a statement after the first so many rows.
fn first(statement: &mut QueryBuilder<Db>, limit: Option<u32>) {
    if let Some(limit) = limit {
        statement.push(" LIMIT ").push_bind(i64::from(limit));
    }
}

/// The columns that [`read`] reads: each costs something for each of a million rows.
const COLUMNS: &str = "SELECT standings.user_id, people.user_principal_name, people.display_name, people.mail, standings.policy, state, \
     registered, sequence, window_opened_at, window_deadline, window_notice, window_left, bypasses, may_skip, enforcement, enforced_at, \
     next_at, next_action FROM ";

impl Order {
    /// The column of its key.
    fn key(self) -> Option<&'static str> {
        match self {
            Self::Deadline => Some("standings.window_deadline"),
            Self::Moving => Some("standings.window_notice"),
            Self::Next => Some("standings.next_at"),
            Self::Name => Some("people.upn_key"),
            Self::NoDeadline | Self::NoNext | Self::Id => None,
        }
    }

    /// The tables, the one in whose order the rows come first: a cross join keeps it so.
    fn tables(self) -> &'static str {
        match self {
            Self::Name => "people CROSS JOIN standings",
            Self::Deadline
            | Self::Moving
            | Self::NoDeadline
            | Self::Next
            | Self::NoNext
            | Self::Id => "standings CROSS JOIN people",
        }
    }

    /// The column of the id, in the table whose order it is.
    fn id(self) -> &'static str {
        match self {
            Self::Name => "people.id",
            Self::Deadline
            | Self::Moving
            | Self::NoDeadline
            | Self::Next
            | Self::NoNext
            | Self::Id => "standings.user_id",
        }
    }

    fn restrict(self, statement: &mut QueryBuilder<Db>, now: Timestamp) {
        match self {
            Self::Deadline => statement
                .push(" AND is_open = TRUE AND window_deadline IS NOT NULL AND (window_notice IS NULL OR window_deadline - window_notice >= ")
                .push_bind(micros(now))
                .push(")"),
            Self::Moving => statement
                .push(" AND window_notice IS NOT NULL AND window_deadline - window_notice < ")
                .push_bind(micros(now)),
            Self::NoDeadline => statement.push(" AND (is_open = FALSE OR window_deadline IS NULL)"),
            Self::Next => statement.push(" AND next_at IS NOT NULL"),
            Self::NoNext => statement.push(" AND next_at IS NULL"),
            Self::Name | Self::Id => statement,
        };
    }
}

fn page(
    wanted: &Wanted,
    order: Order,
    now: Timestamp,
    after: Option<&ListedPerson>,
    limit: u32,
) -> QueryBuilder<Db> {
    let key = order.key();
    let mut statement = QueryBuilder::new(COLUMNS);
    statement
        .push(order.tables())
        .push(" WHERE people.id = standings.user_id AND ");
    Whom::these(wanted.policies.iter().map(PolicyName::as_str))
        .restrict(&mut statement, "standings.policy");
    if !wanted.states.is_empty() {
        statement.push(" AND ");
        Whom::these(wanted.states.iter().map(|state| state.as_str()))
            .restrict(&mut statement, "standings.state");
    }
    for (is_wanted, column) in [
        (wanted.blocked, " AND standings.blocked_code IS NOT NULL"),
        (
            wanted.unreached,
            " AND standings.unreached_since IS NOT NULL",
        ),
    ] {
        if is_wanted {
            statement.push(column);
        }
    }
    order.restrict(&mut statement, now);
    let columns = [key, Some(order.id()), Some("standings.policy")];
    let columns: Vec<&str> = columns.into_iter().flatten().collect();
    let columns = columns.join(", ");
    // Few deadlines move, and an index says which: their order is made here.
    let sorted = if order == Order::Moving { "+" } else { "" };
    if let Some(after) = after {
        statement.push(format!(" AND ({columns}) > ("));
        match &after.key {
            Some(Key::Number(number)) => statement.push_bind(*number).push(", "),
            Some(Key::Text(text)) => statement.push_bind(text.clone()).push(", "),
            None => &mut statement,
        };
        statement
            .push_bind(after.id.clone())
            .push(", ")
            .push_bind(after.policy.clone())
            .push(")");
    }
    statement
        .push(format!(" ORDER BY {sorted}{columns} LIMIT "))
        .push_bind(limit);
    statement
}

fn read(row: &Row, order: Order) -> Result<ListedPerson, StoreError> {
    let reading = "reading a list";
    let number = |column| row.try_get(column).map(Key::Number).doing(reading);
    let user_principal_name: String = row.try_get(1).doing(reading)?;
    Ok(ListedPerson {
        id: row.try_get(0).doing(reading)?,
        display_name: row.try_get(2).doing(reading)?,
        mail: row.try_get(3).doing(reading)?,
        policy: row.try_get(4).doing(reading)?,
        listed: listed(row)?,
        key: match order {
            Order::Deadline => Some(number(9)?),
            Order::Moving => Some(number(10)?),
            Order::Next => Some(number(16)?),
            Order::Name => Some(Key::Text(user_principal_name.to_lowercase())),
            Order::NoDeadline | Order::NoNext | Order::Id => None,
        },
        user_principal_name,
    })
}

fn listed(row: &Row) -> Result<Listed, StoreError> {
    let reading = "reading a list";
    let state: &str = row.try_get(5).doing(reading)?;
    Ok(Listed {
        state: State::parse(state).ok_or_else(|| inconsistent(row, 0, "state", state))?,
        registered: row.try_get(6).doing(reading)?,
        window: window(row)?,
        next: next(row, [0, 16, 17])?,
    })
}

fn window(row: &Row) -> Result<Option<ListedWindow>, StoreError> {
    let reading = "reading a list";
    let number = |column: usize| row.try_get::<i64, _>(column).doing(reading);
    let some = |column: usize| row.try_get::<Option<i64>, _>(column).doing(reading);
    let Some(opened_at) = some(8)? else {
        return Ok(None);
    };
    let enforcement: Option<&str> = row.try_get(14).doing(reading)?;
    let enforced_at = some(15)?.map(instant);
    Ok(Some(ListedWindow {
        sequence: u32::try_from(number(7)?).unwrap_or(0),
        opened_at: instant(opened_at),
        deadline: deadline(some(9)?, some(10)?),
        left: some(11)?.map(SignedDuration::from_micros),
        bypasses: u32::try_from(number(12)?).unwrap_or(0),
        may_skip: row.try_get(13).doing(reading)?,
        enforcement: match (enforcement, enforced_at) {
            (None, _) => Enforcement::None,
            (Some("needed"), Some(at)) => Enforcement::Needed { at },
            (Some("would_need"), Some(at)) => Enforcement::WouldNeed { at },
            (Some("released"), Some(at)) => Enforcement::Released { at },
            (Some(other), _) => return Err(inconsistent(row, 0, "enforcement", other)),
        },
    }))
}

/// What comes next, of the columns with the id, the moment and the action.
fn next(row: &Row, [id, at, action]: [usize; 3]) -> Result<Option<Next>, StoreError> {
    let reading = "reading what comes next";
    let at: Option<i64> = row.try_get(at).doing(reading)?;
    let action: Option<&str> = row.try_get(action).doing(reading)?;
    let (Some(at), Some(text)) = (at, action) else {
        return Ok(None);
    };
    let action: NextAction =
        serde_json::from_str(text).map_err(|_| inconsistent(row, id, "next_action", text))?;
    let at = instant(at);
    Ok(Some(Next { at, action }))
}

pub(super) fn deadline(at: Option<i64>, notice: Option<i64>) -> Option<Deadline> {
    let at = instant(at?);
    Some(match notice.map(SignedDuration::from_micros) {
        None => Deadline::Fixed(at),
        Some(notice) => Deadline::Untold { base: at, notice },
    })
}

fn inconsistent(row: &Row, id: usize, column: &'static str, value: &str) -> StoreError {
    StoreError::Inconsistent {
        table: "standings",
        key: row.try_get(id).unwrap_or_default(),
        column,
        value: value.to_owned(),
    }
}
