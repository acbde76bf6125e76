//! Mails to operators, one row of the outbox per address.
//!
//! What they tell of is committed before the pass is over, and a pass can die in between. So a
//! decision leaves lines in its own transaction, and lines leave only with the mail that says them.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::commit::{Outcome, delivery_id, next_position};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};
use crate::domain::effect::{Effect, Topic};
use crate::domain::message::EventKind;

/// Who hears of what goes wrong, and from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operators {
    /// Their addresses; none where no mail is configured.
    pub addresses: Vec<String>,
    /// The domain of Message-IDs.
    pub sender: String,
}

/// A mail to operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OperatorMail {
    /// Keeps it from being said twice.
    pub(super) key: String,
    pub(super) event: EventKind,
    pub(super) title: String,
    pub(super) lines: Vec<String>,
}

impl Store {
    /// Makes one mail of all lines about a topic, and says how many rows that queued. Lines that
    /// nobody is there to read go as well.
    pub async fn tell_operators(
        &self,
        operators: &Operators,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut queued = 0;
        for topic in Topic::ALL {
            let lines: Vec<String> = sqlx::query_scalar(
                "SELECT DISTINCT line FROM operator_lines WHERE topic = $1 ORDER BY line",
            )
            .bind(topic.as_str())
            .fetch_all(&mut *transaction)
            .await
            .doing("reading what operators should know")?;
            if lines.is_empty() {
                continue;
            }
            let mail = OperatorMail {
                key: format!("{}/{}", topic.as_str(), micros(now)),
                event: topic.event(),
                title: topic.title(lines.len()),
                lines,
            };
            let rows = queue(&mut transaction, &mail, operators, now).await?;
            // A pass repeated at one time has used the key: its lines are for the next mail.
            if rows > 0 || operators.addresses.is_empty() {
                sqlx::query("DELETE FROM operator_lines WHERE topic = $1")
                    .bind(topic.as_str())
                    .execute(&mut *transaction)
                    .await
                    .doing("forgetting what operators were told")?;
            }
            queued += rows;
        }
        transaction.commit().await.doing("telling operators")?;
        Ok(queued)
    }
}

/// Queues a mail for each address.
pub(super) async fn queue(
    connection: &mut SqliteConnection,
    mail: &OperatorMail,
    operators: &Operators,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let lines = serde_json::to_string(&mail.lines).unwrap_or_default();
    let mut queued = 0;
    for address in &operators.addresses {
        let key = format!("operators/{}/{address}", mail.key);
        let id = delivery_id(&key);
        let position = next_position(connection).await?;
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
    let mut id: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) + 1 FROM operator_lines")
        .fetch_one(&mut *connection)
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
