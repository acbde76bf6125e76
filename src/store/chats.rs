//! What chats hear of: the lines of a pass, folded into one row per chat and event type.
//!
//! A line is written with what it tells of and leaves with the row that says it, so a pass that
//! dies in between leaves it to the next one.

use jiff::Timestamp;
use sqlx::Row;

use super::outcome::Announcement;
use super::webhooks::announce;
use super::{Doing, Store, StoreError, instant};
use crate::domain::id::PolicyName;
use crate::domain::message::EventKind;

/// Lines of one event that are read; a message shows no more.
const LINES_READ: u32 = 50;

/// Everything that waits to be said of one event type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatNews {
    /// The event.
    pub event: EventKind,
    /// How many lines.
    pub count: u64,
    /// The earliest and the latest deadline.
    pub deadlines: Option<(Timestamp, Timestamp)>,
    /// The policies.
    pub policies: Vec<PolicyName>,
    /// The first of the lines.
    pub lines: Vec<String>,
}

impl Store {
    /// What waits to be said to chats.
    pub async fn chat_news(&self) -> Result<Vec<ChatNews>, StoreError> {
        let doing = "reading what chats should hear";
        let groups = sqlx::query(
            "SELECT event, COUNT(*), MIN(deadline), MAX(deadline) FROM chat_lines GROUP BY event ORDER BY MIN(id)",
        )
        .fetch_all(&self.read)
        .await
        .doing(doing)?;
        let mut news = Vec::with_capacity(groups.len());
        for row in groups {
            let event: String = row.try_get(0).doing(doing)?;
            let at = |column| {
                row.try_get::<Option<i64>, _>(column)
                    .map(|at| at.map(instant))
                    .doing(doing)
            };
            let policies: Vec<String> = sqlx::query_scalar(
                "SELECT DISTINCT policy FROM chat_lines WHERE event = $1 AND policy IS NOT NULL ORDER BY policy",
            )
            .bind(&event)
            .fetch_all(&self.read)
            .await
            .doing(doing)?;
            news.push(ChatNews {
                count: u64::try_from(row.try_get::<i64, _>(1).doing(doing)?).unwrap_or(0),
                deadlines: at(2)?.zip(at(3)?),
                policies: policies.iter().map(|name| PolicyName::new(name)).collect(),
                lines: sqlx::query_scalar(
                    "SELECT line FROM chat_lines WHERE event = $1 ORDER BY id LIMIT $2",
                )
                .bind(&event)
                .bind(LINES_READ)
                .fetch_all(&self.read)
                .await
                .doing(doing)?,
                event: EventKind::parse(&event).ok_or_else(|| StoreError::Inconsistent {
                    table: "chat_lines",
                    key: event.clone(),
                    column: "event",
                    value: event.clone(),
                })?,
            });
        }
        Ok(news)
    }

    /// Queues the messages about one event type, and forgets its lines. Where a message of that
    /// type was queued at the same time before, the lines are for the next pass.
    pub async fn tell_chats(
        &self,
        event: EventKind,
        messages: &[&Announcement],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let doing = "queueing what chats should hear";
        let mut transaction = self.begin().await?;
        let queued = announce(&mut transaction, messages, now).await?;
        if queued > 0 || messages.is_empty() {
            sqlx::query("DELETE FROM chat_lines WHERE event = $1")
                .bind(event.as_str())
                .execute(&mut *transaction)
                .await
                .doing(doing)?;
        }
        transaction.commit().await.doing(doing)?;
        Ok(queued)
    }
}
