//! What is to be said at the end of a pass: lines, each written with what it tells of.
//!
//! What they tell of is committed before the pass is over, and a pass can die in between. So a line
//! is written in the transaction that makes it true, and leaves only with the messages that say it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::db::{Connection, Db};
use super::numbers::{self, Series};
use super::outbox::delivery_id;
use super::outbox::queue::queue;
use super::outcome::{Announcement, Operators, operators_key, rows_of, rows_of_news};
use super::rows::execute_each;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros, settings};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::news::{Audience, Line, MAX_LINES, News, Waiting, with_one_more};

/// Lines for chats of one event that are read; a message shows no more.
const SHOWN_TO_CHATS: u32 = 50;

/// Messages, and the lines that they say.
#[derive(Debug, Default)]
pub struct Telling<'a> {
    /// Mails, one to each operator.
    pub news: Vec<News>,
    /// What endpoints and chats get.
    pub announcements: Vec<Announcement>,
    /// The lines that are said by them.
    pub said: Vec<&'a Waiting>,
    /// Where all of these messages were queued before, the lines are for the next pass, whose
    /// messages have other keys.
    pub waits_if_said: bool,
}

impl Store {
    /// Whether something waits to be said.
    pub async fn lines_wait(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM lines)")
            .fetch_one(&self.read)
            .await
            .doing("looking for what is to be said")
    }

    /// All that waits to be said, by audience, event and topic.
    pub async fn waiting_lines(&self) -> Result<Vec<Waiting>, StoreError> {
        let doing = "reading what is to be said";
        let mut all = Vec::new();
        for audience in Audience::ALL {
            let groups = sqlx::query(
                "SELECT event, topic, since, COUNT(*), MIN(deadline), MAX(deadline), MAX(id) FROM lines WHERE audience = $1
                 GROUP BY event, topic, since ORDER BY MIN(id)",
            )
            .bind(audience.as_str())
            .fetch_all(&self.read)
            .await
            .doing(doing)?;
            for row in groups {
                let at = |column| {
                    row.try_get::<Option<i64>, _>(column)
                        .map(|at| at.map(instant))
                        .doing(doing)
                };
                let event: String = row.try_get(0).doing(doing)?;
                let mut group = Waiting {
                    audience,
                    event: EventKind::parse(&event).ok_or_else(|| StoreError::Inconsistent {
                        table: "lines",
                        key: event.clone(),
                        column: "event",
                        value: event.clone(),
                    })?,
                    topic: row.try_get(1).doing(doing)?,
                    since: at(2)?,
                    count: u64::try_from(row.try_get::<i64, _>(3).doing(doing)?).unwrap_or(0),
                    hold: None,
                    deadlines: at(4)?.zip(at(5)?),
                    last: row.try_get(6).doing(doing)?,
                    policies: Vec::new(),
                    lines: Vec::new(),
                    people: Vec::new(),
                };
                self.read_group(&mut group).await?;
                all.push(group);
            }
        }
        Ok(all)
    }

    /// The policies and the lines of a group.
    async fn read_group(&self, group: &mut Waiting) -> Result<(), StoreError> {
        let doing = "reading what is to be said";
        match group.audience {
            Audience::Operators => self.read_lines_of_operators(group).await?,
            Audience::Chats => {
                group.lines = sqlx::query_scalar(
                    "SELECT line FROM lines WHERE audience = $1 AND event = $2 AND topic = $3 AND COALESCE(since, 0) = $4 AND id <= $5 ORDER BY id LIMIT $6",
                )
                .bind(group.audience.as_str())
                .bind(group.event.as_str())
                .bind(&group.topic)
                .bind(group.since.map_or(0, micros))
                .bind(group.last)
                .bind(SHOWN_TO_CHATS)
                .fetch_all(&self.read)
                .await
                .doing(doing)?;
            }
        }
        let policies: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT policy FROM lines WHERE audience = $1 AND event = $2 AND topic = $3 AND COALESCE(since, 0) = $4 AND id <= $5 AND policy IS NOT NULL ORDER BY policy",
        )
        .bind(group.audience.as_str())
        .bind(group.event.as_str())
        .bind(&group.topic)
        .bind(group.since.map_or(0, micros))
        .bind(group.last)
        .fetch_all(&self.read)
        .await
        .doing(doing)?;
        group.policies = policies.iter().map(|name| PolicyName::new(name)).collect();
        Ok(())
    }

    /// The first of the lines, how many there are, and whom the first name.
    async fn read_lines_of_operators(&self, group: &mut Waiting) -> Result<(), StoreError> {
        let doing = "reading what is to be said";
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(DISTINCT line) FROM lines WHERE audience = $1 AND event = $2 AND topic = $3 AND COALESCE(since, 0) = $4 AND id <= $5",
        )
        .bind(group.audience.as_str())
        .bind(group.event.as_str())
        .bind(&group.topic)
        .bind(group.since.map_or(0, micros))
        .bind(group.last)
        .fetch_one(&self.read)
        .await
        .doing(doing)?;
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT line, MIN(user_id) FROM lines WHERE audience = $1 AND event = $2 AND topic = $3 AND COALESCE(since, 0) = $4 AND id <= $5
             GROUP BY line ORDER BY line LIMIT $6",
        )
        .bind(group.audience.as_str())
        .bind(group.event.as_str())
        .bind(&group.topic)
        .bind(group.since.map_or(0, micros))
        .bind(group.last)
        .bind(i64::try_from(MAX_LINES).unwrap_or(i64::MAX))
        .fetch_all(&self.read)
        .await
        .doing(doing)?;
        group.count = u64::try_from(count).unwrap_or(0);
        for (line, user) in rows {
            let user = user.map(|id| super::records::user_id("lines", &id));
            group.people.extend(user.transpose()?);
            group.lines.push(line);
        }
        Ok(())
    }

    /// Queues messages and forgets the lines that they say; how many rows are new.
    pub async fn tell(
        &self,
        telling: &Telling<'_>,
        operators: &Operators,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut rows = rows_of_news(&telling.news, operators);
        rows.extend(rows_of(telling.announcements.iter()));
        let queued = queue(&mut transaction, &rows, now).await?;
        if queued > 0 {
            note_gathered(&mut transaction, &telling.said, now).await?;
            note_reported(&mut transaction, &telling.news, operators, now).await?;
        }
        if queued > 0 || rows.is_empty() || !telling.waits_if_said {
            for said in &telling.said {
                forget(&mut transaction, said).await?;
            }
        }
        transaction.commit().await.doing("saying what waits")?;
        Ok(queued)
    }
}

async fn forget(connection: &mut Connection, said: &Waiting) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM lines WHERE audience = $1 AND event = $2 AND topic = $3 AND COALESCE(since, 0) = $4 AND id <= $5")
        .bind(said.audience.as_str())
        .bind(said.event.as_str())
        .bind(&said.topic)
        .bind(said.since.map_or(0, micros))
        .bind(said.last)
        .execute(connection)
        .await
        .doing("forgetting what was said")
        .map(drop)
}

/// When news of people went: the next are gathered from then on.
async fn note_gathered(
    connection: &mut Connection,
    said: &[&Waiting],
    now: Timestamp,
) -> Result<(), StoreError> {
    let events: BTreeSet<&str> = said
        .iter()
        .filter(|one| one.is_gathered())
        .map(|one| one.event.as_str())
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    let told = settings::read(&mut *connection, &settings::GATHERED).await?;
    let mut told = told.unwrap_or_default();
    for event in events {
        let earlier = told.remove(event).unwrap_or_default();
        told.insert(event.to_owned(), with_one_more(earlier, now));
    }
    settings::write(connection, &settings::GATHERED, &told).await
}

/// Whom mails to operators name as kept from registering: once one of them was accepted, the service
/// desk knows (rule 7.2).
async fn note_reported(
    connection: &mut Connection,
    news: &[News],
    operators: &Operators,
    now: Timestamp,
) -> Result<(), StoreError> {
    let about_blocked = news
        .iter()
        .filter(|one| one.event == EventKind::RegistrationBlocked);
    let rows: Vec<(String, &UserId)> = about_blocked
        .flat_map(|one| {
            let people = move || one.people.iter();
            let mails = operators
                .addresses
                .iter()
                .map(|address| operators_key(one, address));
            mails.flat_map(move |key| people().map(move |user| (delivery_id(&key), user)))
        })
        .collect();
    let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
        let mut statement =
            QueryBuilder::<Db>::new("INSERT INTO reported (user_id, delivery_id, at) ");
        statement.push_values(rows, |mut row, (delivery, user)| {
            row.push_bind(user.as_str())
                .push_bind(delivery)
                .push_bind(micros(now));
        });
        statement.push(" ON CONFLICT (user_id, delivery_id) DO NOTHING");
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("noting who was reported")
        .map(drop)
}

/// Keeps lines until they are said.
pub(super) async fn write_lines(
    connection: &mut Connection,
    lines: &[Line],
) -> Result<(), StoreError> {
    let doing = "keeping what is to be said";
    if lines.is_empty() {
        return Ok(());
    }
    let mut id = numbers::take(connection, Series::Lines, lines.len())
        .await
        .doing(doing)?;
    let statements = lines.chunks(ROWS_PER_STATEMENT).map(|lines| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO lines (id, audience, event, topic, policy, deadline, since, user_id, line) ",
        );
        statement.push_values(lines, |mut row, line| {
            row.push_bind(id)
                .push_bind(line.audience.as_str())
                .push_bind(line.event.as_str())
                .push_bind(&line.topic)
                .push_bind(line.policy.as_ref().map(PolicyName::as_str))
                .push_bind(line.deadline.map(micros))
                .push_bind(line.since.map(micros))
                .push_bind(line.user.as_ref().map(UserId::as_str))
                .push_bind(&line.text);
            id += 1;
        });
        statement
    });
    execute_each(connection, statements).await.doing(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Manner;
    use crate::domain::news::{Topic, news};
    use crate::store::outbox::DeliveryRow;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    async fn store_with_a_line(folder: &tempfile::TempDir) -> Store {
        let store = Store::open(&folder.path().join("fortnight.db"))
            .await
            .unwrap();
        add_line(&store, "ana").await;
        store
    }

    /// Twice, as two policies may say the same of a person.
    async fn add_line(store: &Store, line: &str) {
        let line = || Line::of_topic(Topic::Unreachable, line.to_owned());
        let mut transaction = store.begin().await.unwrap();
        write_lines(&mut transaction, &[line(), line()])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    /// What a pass does at its end; the mails of the outbox after it.
    async fn say(store: &Store, operators: &Operators, now: Timestamp) -> usize {
        let waiting = store.waiting_lines().await.unwrap();
        for (news, said) in news(&waiting, &Manner::default(), now) {
            let telling = Telling {
                news: vec![news],
                said,
                waits_if_said: true,
                ..Telling::default()
            };
            store.tell(&telling, operators, now).await.unwrap();
        }
        let rows: Vec<DeliveryRow> = store.deliveries(&[], None).await.unwrap();
        rows.len()
    }

    fn one_operator() -> Operators {
        Operators {
            addresses: vec!["oncall@contoso.com".to_owned()],
            sender: "contoso.com".to_owned(),
        }
    }

    #[tokio::test]
    async fn lines_that_nobody_is_there_to_read_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with_a_line(&folder).await;
        assert_eq!(say(&store, &Operators::default(), NOW).await, 0);
        assert!(!store.lines_wait().await.unwrap());
    }

    #[tokio::test]
    async fn a_line_is_said_once_also_when_passes_repeat_at_one_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with_a_line(&folder).await;
        let waiting = store.waiting_lines().await.unwrap();
        assert_eq!(
            waiting[0].lines,
            ["ana"],
            "what two policies say is one line"
        );
        for _ in 0..2 {
            assert_eq!(say(&store, &one_operator(), NOW).await, 1);
        }
        add_line(&store, "bo").await;
        assert_eq!(say(&store, &one_operator(), NOW).await, 1);
        assert!(
            store.lines_wait().await.unwrap(),
            "it waits for the next pass"
        );
        let later = NOW + jiff::SignedDuration::from_secs(1);
        assert_eq!(say(&store, &one_operator(), later).await, 2);
        assert!(!store.lines_wait().await.unwrap());
    }
}
