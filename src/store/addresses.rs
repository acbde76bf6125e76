//! What is known of the addresses of mails and of the way to them, in the words of [`fault`](crate::domain::fault).
//!
//! An address that accepts has no row. Both are written with the outcomes that they were learned from.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::db::{Connection, Db, Row};
use super::outbox::EMAIL;
use super::outbox::queue::queue;
use super::outcome::{Operators, rows_of_news};
use super::rows::execute_each;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, Whom, instant, micros, settings};
use crate::domain::fault::{Account, Memory};
use crate::domain::id::PolicyName;
use crate::domain::news::News;

/// What a delivery has learned of the channel and of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Of the channel.
    pub memory: Memory,
    /// Of addresses; one of which there is nothing to know is forgotten.
    pub accounts: Vec<(String, Account)>,
}

/// A row that was refused, for the mail that asks operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The row.
    pub id: String,
    /// To whom.
    pub user: String,
    /// The name that operators know.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: PolicyName,
    /// The deadline of a window of which nobody was told, as of its attempt.
    pub untold: Option<Timestamp>,
}

const NOTING: &str = "noting what is known of addresses";
const ASKING: &str = "asking operators";

impl Store {
    /// What is remembered of the way to mailboxes.
    pub async fn mail_memory(&self) -> Result<Memory, StoreError> {
        let memory = self.setting(&settings::MAIL.of()).await?;
        Ok(memory.unwrap_or_default())
    }

    /// Remembers that of the way to mailboxes.
    pub async fn remember_mail(&self, memory: &Memory) -> Result<(), StoreError> {
        self.set(&settings::MAIL.of(), memory).await
    }

    /// Those of the addresses that were found at fault.
    pub async fn at_fault(&self, addresses: &[String]) -> Result<Vec<String>, StoreError> {
        if addresses.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT address FROM addresses WHERE at_fault_at IS NOT NULL AND ",
        );
        Whom::these(addresses).restrict(&mut statement, "address");
        statement
            .build_query_scalar()
            .fetch_all(&self.read)
            .await
            .doing("reading what is known of addresses")
    }

    /// Whether a mail to operators waits: it will show whether anything gets through.
    pub async fn operators_wait(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE destination = $1 AND user_id IS NULL AND next_at IS NOT NULL)",
        )
        .bind(EMAIL)
        .fetch_one(&self.read)
        .await
        .doing(ASKING)
    }

    /// Rows that were refused and wait, those of people.
    pub async fn refused(&self, ids: &[String]) -> Result<Vec<Refused>, StoreError> {
        let mut refused = Vec::new();
        for ids in ids.chunks(ROWS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT outbox.id, outbox.user_id, people.user_principal_name, outbox.policy, outbox.deadline, outbox.floats
                 FROM outbox JOIN people ON people.id = outbox.user_id WHERE outbox.policy IS NOT NULL AND ",
            );
            Whom::these(ids).restrict(&mut statement, "outbox.id");
            let rows = statement
                .build()
                .fetch_all(&self.read)
                .await
                .doing(ASKING)?;
            for row in &rows {
                let policy: String = row.try_get(3).doing(ASKING)?;
                let deadline: Option<i64> = row.try_get(4).doing(ASKING)?;
                let floats: bool = row.try_get(5).doing(ASKING)?;
                refused.push(Refused {
                    id: row.try_get(0).doing(ASKING)?,
                    user: row.try_get(1).doing(ASKING)?,
                    user_principal_name: row.try_get(2).doing(ASKING)?,
                    policy: PolicyName::new(&policy),
                    untold: deadline.filter(|_| floats).map(instant),
                });
            }
        }
        Ok(refused)
    }

    /// Queues the mail that asks operators, with what was learned so far; how many rows that are.
    pub async fn ask_operators(
        &self,
        news: News,
        operators: &Operators,
        notes: &Notes,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let news = [news];
        let queued = queue(&mut transaction, &rows_of_news(&news, operators), now).await?;
        note(&mut transaction, notes, now).await?;
        transaction.commit().await.doing(ASKING)?;
        Ok(queued)
    }

    /// Rows that wait are due now.
    pub async fn bring_forward(&self, ids: &[String], now: Timestamp) -> Result<(), StoreError> {
        let doing = "trying deliveries once more";
        let mut transaction = self.begin().await?;
        let statements = ids.chunks(ROWS_PER_STATEMENT).map(|ids| {
            let mut statement = QueryBuilder::<Db>::new("UPDATE outbox SET next_at = ");
            statement
                .push_bind(micros(now))
                .push(" WHERE next_at IS NOT NULL AND ");
            Whom::these(ids).restrict(&mut statement, "id");
            statement
        });
        execute_each(&mut transaction, statements)
            .await
            .doing(doing)?;
        transaction.commit().await.doing(doing)
    }
}

/// Writes down what was learned.
pub(super) async fn note(
    connection: &mut Connection,
    notes: &Notes,
    now: Timestamp,
) -> Result<(), StoreError> {
    settings::write(&mut *connection, &settings::MAIL.of(), &notes.memory).await?;
    let (forgotten, kept): (Vec<_>, Vec<_>) = notes
        .accounts
        .iter()
        .partition(|(_, account)| *account == Account::default());
    let statements = forgotten.chunks(ROWS_PER_STATEMENT).map(|addresses| {
        let mut statement = QueryBuilder::<Db>::new("DELETE FROM addresses WHERE ");
        let addresses = addresses.iter().map(|(address, _)| address.as_str());
        Whom::these(addresses).restrict(&mut statement, "address");
        statement
    });
    execute_each(&mut *connection, statements)
        .await
        .doing(NOTING)?;
    let statements = kept.chunks(ROWS_PER_STATEMENT).map(|accounts| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO addresses (address, at_fault_at, deferrals, deferred_first, deferred_last, told, noted_at) ",
        );
        statement.push_values(accounts, |mut row, (address, account)| {
            row.push_bind(address)
                .push_bind(account.at_fault.map(micros))
                .push_bind(i64::from(account.deferrals))
                .push_bind(account.between.map(|(first, _)| micros(first)))
                .push_bind(account.between.map(|(_, last)| micros(last)))
                .push_bind(account.told)
                .push_bind(micros(now));
        });
        statement.push(
            " ON CONFLICT (address) DO UPDATE SET at_fault_at = excluded.at_fault_at, deferrals = excluded.deferrals,
                 deferred_first = excluded.deferred_first, deferred_last = excluded.deferred_last, told = excluded.told,
                 noted_at = excluded.noted_at",
        );
        statement
    });
    execute_each(connection, statements).await.doing(NOTING)?;
    Ok(())
}

/// The account of a claimed row, in five columns from that one on; none where nothing is known.
pub(super) fn account(row: &Row, from: usize) -> Result<Account, StoreError> {
    let doing = "claiming deliveries";
    let at = |column: usize| {
        row.try_get::<Option<i64>, _>(from + column)
            .map(|at| at.map(instant))
            .doing(doing)
    };
    let deferrals: Option<i64> = row.try_get(from + 1).doing(doing)?;
    let told: Option<bool> = row.try_get(from + 4).doing(doing)?;
    Ok(Account {
        at_fault: at(0)?,
        deferrals: deferrals
            .and_then(|deferrals| u32::try_from(deferrals).ok())
            .unwrap_or_default(),
        between: at(2)?.zip(at(3)?),
        told: told.unwrap_or_default(),
    })
}
