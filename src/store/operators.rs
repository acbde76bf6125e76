//! What operators are told: mails, one row of the outbox per address, and webhooks.
//!
//! What they tell of is committed before the pass is over, and a pass can die in between. So a
//! decision leaves lines in its own transaction, and lines leave only with the mail that says them.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::numbers::{self, Series};
use super::outcome::{Announcement, Outcome, delivery_id};
use super::webhooks;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};
use crate::domain::effect::{Effect, Topic};
use crate::domain::id::PolicyName;
use crate::domain::message::EventKind;

/// Who hears of what goes wrong, and from where.
#[derive(Clone, Default)]
pub struct Operators {
    /// Their addresses; none where no mail is configured.
    pub addresses: Vec<String>,
    /// The domain of Message-IDs.
    pub sender: String,
    /// What endpoints are to hear of the same, where there are any.
    pub announcer: Option<Announcer>,
}

/// Writes what endpoints are to hear of some news; none if no endpoint wants it.
pub type Announcer = Arc<dyn Fn(&News) -> Option<Announcement> + Send + Sync>;

/// Something that operators are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Keeps it from being said twice.
    pub key: String,
    /// What it is about: later news of the same follow it.
    pub about: String,
    /// What happened.
    pub event: EventKind,
    /// The policy that it is about.
    pub policy: Option<PolicyName>,
    /// The subject of the mail.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
}

impl Store {
    /// Whether something waits to be told.
    pub async fn operators_wait(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM operator_lines)")
            .fetch_one(&self.read)
            .await
            .doing("looking for what operators should know")
    }

    /// Makes one mail of all lines of an event, and says how many rows that queued. Lines that
    /// nobody is there to read go as well.
    pub async fn tell_operators(
        &self,
        operators: &Operators,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut queued = 0;
        for event in [EventKind::DeliveryDead, EventKind::Digest] {
            let Some((news, topics)) = news(&mut transaction, event, now).await? else {
                continue;
            };
            let mails = queue(&mut transaction, &news, operators, now).await?;
            if mails == 0 && !operators.addresses.is_empty() {
                // A pass repeated at one time has used the key: its lines are for the next mail.
                continue;
            }
            queued += mails + announce(&mut transaction, &news, operators, now).await?;
            for topic in topics {
                sqlx::query("DELETE FROM operator_lines WHERE topic = $1")
                    .bind(topic.as_str())
                    .execute(&mut *transaction)
                    .await
                    .doing("forgetting what operators were told")?;
            }
        }
        transaction.commit().await.doing("telling operators")?;
        Ok(queued)
    }
}

/// All lines that wait to be told as one event, and their topics.
async fn news(
    connection: &mut SqliteConnection,
    event: EventKind,
    now: Timestamp,
) -> Result<Option<(News, Vec<Topic>)>, StoreError> {
    let (mut lines, mut topics, mut titles) = (Vec::new(), Vec::new(), Vec::new());
    for topic in Topic::ALL
        .into_iter()
        .filter(|topic| topic.event() == event)
    {
        let of_topic: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT line FROM operator_lines WHERE topic = $1 ORDER BY line",
        )
        .bind(topic.as_str())
        .fetch_all(&mut *connection)
        .await
        .doing("reading what operators should know")?;
        if !of_topic.is_empty() {
            titles.push(topic.title(of_topic.len()));
            topics.push(topic);
            lines.extend(of_topic);
        }
    }
    let key: Vec<&str> = topics.iter().map(|topic| topic.as_str()).collect();
    let news = News {
        key: format!("{}/{}", key.join("+"), micros(now)),
        about: key.join("+"),
        event,
        policy: None,
        title: titles.join("; "),
        lines,
    };
    Ok((!topics.is_empty()).then_some((news, topics)))
}

/// Has endpoints told as well.
pub(super) async fn announce(
    connection: &mut SqliteConnection,
    news: &News,
    operators: &Operators,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let announcement = operators
        .announcer
        .as_ref()
        .and_then(|announcer| announcer(news));
    match announcement {
        Some(announcement) => webhooks::announce(connection, &[&announcement], now).await,
        None => Ok(0),
    }
}

/// Queues a mail for each address.
pub(super) async fn queue(
    connection: &mut SqliteConnection,
    mail: &News,
    operators: &Operators,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let lines = serde_json::to_string(&mail.lines).unwrap_or_default();
    let mut queued = 0;
    for address in &operators.addresses {
        let key = format!("operators/{}/{address}", mail.key);
        let id = delivery_id(&key);
        let position = numbers::take(connection, Series::Outbox, 1)
            .await
            .doing("queueing a mail to operators")?;
        queued += sqlx::query(
            "INSERT INTO outbox (id, dedup_key, position, channel, event, sequence, moves, address, announces, must_register, title, lines,
                 queued_at, urgent_at, state, attempts, resent, next_at, message_id)
             VALUES ($1, $2, $3, 'email', $4, 0, 0, $5, FALSE, FALSE, $6, $7, $8, $8, 'pending', 0, FALSE, $8, $9)
             ON CONFLICT (dedup_key) DO NOTHING",
        )
        .bind(&id)
        .bind(&key)
        .bind(position)
        .bind(mail.event.as_str())
        .bind(address)
        .bind(&mail.title)
        .bind(&lines)
        .bind(micros(now))
        .bind(format!("<{id}@{}>", operators.sender))
        .execute(&mut *connection)
        .await
        .doing("queueing a mail to operators")?
        .rows_affected();
    }
    Ok(queued)
}

/// Keeps a line until it is mailed.
pub(super) async fn write_line(
    connection: &mut SqliteConnection,
    topic: Topic,
    line: &str,
) -> Result<(), StoreError> {
    let id = numbers::take(connection, Series::OperatorLines, 1)
        .await
        .doing("keeping what operators should know")?;
    sqlx::query("INSERT INTO operator_lines (id, topic, line) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(topic.as_str())
        .bind(line)
        .execute(connection)
        .await
        .doing("keeping what operators should know")
        .map(drop)
}

/// Keeps what operators should know of a batch until it is mailed.
pub(super) async fn write_lines(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
) -> Result<(), StoreError> {
    let lines: Vec<(Topic, &String)> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.decisions)
        .flat_map(|decision| &decision.effects)
        .filter_map(|effect| match effect {
            Effect::TellOperators { topic, line } => Some((*topic, line)),
            Effect::Event(_) | Effect::Message(_) | Effect::WithdrawMessages => None,
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let mut id = numbers::take(connection, Series::OperatorLines, lines.len())
        .await
        .doing("keeping what operators should know")?;
    for lines in lines.chunks(ROWS_PER_STATEMENT) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("INSERT INTO operator_lines (id, topic, line) ");
        statement.push_values(lines, |mut row, (topic, line)| {
            row.push_bind(id)
                .push_bind(topic.as_str())
                .push_bind((*line).clone());
            id += 1;
        });
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("keeping what operators should know")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    async fn store_with_a_line(folder: &tempfile::TempDir) -> Store {
        let store = Store::open(&folder.path().join("fortnight.db"))
            .await
            .unwrap();
        add_line(&store, 1, "ana").await;
        store
    }

    /// Twice, as two policies may say the same of a person.
    async fn add_line(store: &Store, id: i64, line: &str) {
        sqlx::query(
            "INSERT INTO operator_lines (id, topic, line) VALUES ($1, 'unreachable', $2), ($1 + 1, 'unreachable', $2)",
        )
        .bind(id)
        .bind(line)
        .execute(&store.write)
        .await
        .unwrap();
    }

    async fn waiting(store: &Store) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM operator_lines")
            .fetch_one(&store.read)
            .await
            .unwrap()
    }

    async fn mails(store: &Store) -> Vec<(String, String)> {
        sqlx::query_as("SELECT title, lines FROM outbox ORDER BY position")
            .fetch_all(&store.read)
            .await
            .unwrap()
    }

    fn one_operator() -> Operators {
        Operators {
            addresses: vec!["oncall@contoso.com".to_owned()],
            sender: "contoso.com".to_owned(),
            announcer: None,
        }
    }

    #[tokio::test]
    async fn lines_that_nobody_is_there_to_read_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with_a_line(&folder).await;
        let nobody = Operators::default();
        assert_eq!(store.tell_operators(&nobody, NOW).await.unwrap(), 0);
        assert_eq!((waiting(&store).await, mails(&store).await), (0, vec![]));
    }

    #[tokio::test]
    async fn a_line_is_said_once_also_when_passes_repeat_at_one_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with_a_line(&folder).await;
        let title = "One person cannot be reached by mail".to_owned();
        let said = |line: &str| (title.clone(), format!("[\"{line}\"]"));
        for _ in 0..2 {
            store.tell_operators(&one_operator(), NOW).await.unwrap();
            assert_eq!(mails(&store).await, [said("ana")]);
        }
        add_line(&store, 1, "bo").await;
        store.tell_operators(&one_operator(), NOW).await.unwrap();
        assert_eq!(mails(&store).await, [said("ana")]);
        let later = NOW + jiff::SignedDuration::from_secs(1);
        store.tell_operators(&one_operator(), later).await.unwrap();
        assert_eq!(mails(&store).await, [said("ana"), said("bo")]);
        assert_eq!(waiting(&store).await, 0);
    }
}
