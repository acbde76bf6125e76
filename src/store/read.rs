//! What readers and the pass want to know of the store as a whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row;

use super::outbox::EMAIL;
use super::records::user_id;
use super::sources::Source;
use super::totals::Total;
use super::{Doing, Store, StoreError, instant, micros, settings};
use crate::domain::delivery::State;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::policy::Enforce;

/// What is remembered of a policy between passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyMemory {
    /// Its switch at the last pass.
    pub enforce: Enforce,
    /// Since when sign-ins count.
    pub since: Timestamp,
    /// The pass that first saw it on or report-only.
    pub first_pass: Timestamp,
    /// The pass that last saw it switched back from off.
    pub on_again: Option<Timestamp>,
}

/// A line of the journal.
#[derive(Debug, Clone, serde::Serialize)]
pub struct JournalLine {
    /// Its number.
    pub id: i64,
    /// The pass.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// Under which policy.
    pub policy: Option<String>,
    /// The window.
    pub sequence: Option<i64>,
    /// The step.
    pub step: Option<String>,
    /// The deadline as of then.
    pub deadline: Option<Timestamp>,
    /// Only rehearsed: the policy was report-only.
    pub rehearsed: bool,
    /// Why, as decided then.
    pub reasons: serde_json::Value,
}

/// How far the journal and the outbox go.
#[derive(Debug, Clone, Copy)]
pub struct Bookmark {
    journal: i64,
    outbox: i64,
}

/// Something that happened to a person or a policy, and whether a mail says so.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Happening {
    /// What.
    pub event: String,
    /// The step.
    pub step: Option<String>,
    /// Under which policy.
    pub policy: Option<String>,
    /// To whom, by object id.
    pub user: Option<String>,
    /// For display.
    pub user_principal_name: Option<String>,
    /// Only rehearsed: the policy was report-only.
    pub rehearsed: bool,
    /// Whether the person gets a mail that says so.
    pub mail: bool,
    /// Of which hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
}

/// No name of a directory is longer, and patterns have an end.
const LONGEST_NAME: usize = 1_000;

/// Somebody, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The object id.
    pub id: String,
    /// The user principal name.
    pub user_principal_name: String,
    /// The display name.
    pub display_name: Option<String>,
}

impl Store {
    /// How far the journal and the outbox go now.
    pub async fn bookmark(&self) -> Result<Bookmark, StoreError> {
        let (journal, outbox) = sqlx::query_as(
            "SELECT (SELECT COALESCE(MAX(id), 0) FROM journal), (SELECT COALESCE(MAX(position), 0) FROM outbox)",
        )
        .fetch_one(&self.read)
        .await
        .doing("reading how far the journal goes")?;
        Ok(Bookmark { journal, outbox })
    }

    /// What has happened since, oldest first; mails last that repeat what was said before.
    pub async fn happened_since(&self, mark: Bookmark) -> Result<Vec<Happening>, StoreError> {
        let rows = sqlx::query(
            "SELECT journal.kind AS event, journal.step, journal.policy, journal.user_id AS user, people.user_principal_name,
                    journal.rehearsed, EXISTS (SELECT 1 FROM outbox WHERE outbox.position > $2 AND outbox.destination = $3
                        AND outbox.user_id = journal.user_id AND outbox.policy = journal.policy AND outbox.event = journal.kind) AS mail, journal.hold
             FROM journal LEFT JOIN people ON people.id = journal.user_id WHERE journal.id > $1
             UNION ALL
             SELECT outbox.event, outbox.step, outbox.policy, outbox.user_id, people.user_principal_name, FALSE, TRUE, NULL
             FROM outbox JOIN people ON people.id = outbox.user_id WHERE outbox.position > $2 AND outbox.destination = $3
                 AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.id > $1 AND journal.user_id = outbox.user_id
                     AND journal.policy = outbox.policy AND journal.kind = outbox.event)",
        )
        .bind(mark.journal)
        .bind(mark.outbox)
        .bind(EMAIL)
        .fetch_all(&self.read)
        .await
        .doing("reading what happened")?;
        rows.iter()
            .map(|row| {
                Ok(Happening {
                    event: row.try_get(0)?,
                    step: row.try_get(1)?,
                    policy: row.try_get(2)?,
                    user: row.try_get(3)?,
                    user_principal_name: row.try_get(4)?,
                    rehearsed: row.try_get(5)?,
                    mail: row.try_get(6)?,
                    hold: row.try_get(7)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("reading what happened")
    }

    /// The newest pass in the database.
    pub async fn newest_pass(&self) -> Result<Option<Timestamp>, StoreError> {
        self.setting(&settings::NEWEST_PASS).await
    }

    /// Notes that a pass ended.
    pub async fn note_pass(&self, now: Timestamp) -> Result<(), StoreError> {
        self.set(&settings::NEWEST_PASS, &now).await
    }

    /// Notes that the host's clock told the time of the newest pass, rather than `--as-of`.
    pub async fn note_clocked_pass(&self, now: Timestamp) -> Result<(), StoreError> {
        self.set(&settings::CLOCKED_PASS, &now).await
    }

    /// The newest pass, if the host's clock told its time: only then may the clock say its age.
    pub async fn newest_clocked_pass(&self) -> Result<Option<Timestamp>, StoreError> {
        let clocked = self.setting(&settings::CLOCKED_PASS).await?;
        let newest = self.newest_pass().await?;
        Ok(newest.filter(|newest| clocked == Some(*newest)))
    }

    /// Whether the clock told the time of some pass before.
    pub async fn was_clocked(&self) -> Result<bool, StoreError> {
        Ok(self.setting(&settings::CLOCKED_PASS).await?.is_some())
    }

    /// What is remembered of the policies.
    pub async fn policies(&self) -> Result<BTreeMap<PolicyName, PolicyMemory>, StoreError> {
        let rows = sqlx::query("SELECT name, enforce, since, first_pass, on_again FROM policies")
            .fetch_all(&self.read)
            .await
            .doing("reading policies")?;
        rows.iter()
            .map(|row| {
                let reading = "reading policies";
                let name: String = row.try_get(0).doing(reading)?;
                let enforce: String = row.try_get(1).doing(reading)?;
                let memory = PolicyMemory {
                    enforce: super::parse_name("policies", &name, "enforce", &enforce)?,
                    since: instant(row.try_get(2).doing(reading)?),
                    first_pass: instant(row.try_get(3).doing(reading)?),
                    on_again: row
                        .try_get::<Option<i64>, _>(4)
                        .doing(reading)?
                        .map(instant),
                };
                Ok((PolicyName::new(&name), memory))
            })
            .collect()
    }

    /// Writes down what is remembered of a policy.
    pub async fn remember_policy(
        &self,
        name: &PolicyName,
        memory: &PolicyMemory,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO policies (name, enforce, since, first_pass, on_again) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET enforce = excluded.enforce, since = excluded.since,
                 first_pass = excluded.first_pass, on_again = excluded.on_again",
        )
        .bind(name.as_str())
        .bind(super::name_of(&memory.enforce))
        .bind(micros(memory.since))
        .bind(micros(memory.first_pass))
        .bind(memory.on_again.map(micros))
        .execute(&self.write)
        .await
        .doing("remembering a policy")
        .map(drop)
    }

    /// Policies that began under a clock ahead of this one begin now.
    pub async fn date_policies_by(&self, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE policies SET since = CASE WHEN since > $1 THEN $1 ELSE since END,
                 first_pass = CASE WHEN first_pass > $1 THEN $1 ELSE first_pass END,
                 on_again = CASE WHEN on_again > $1 THEN $1 ELSE on_again END",
        )
        .bind(micros(now))
        .execute(&self.write)
        .await
        .doing("dating policies anew")
        .map(drop)
    }

    /// A policy that left the configuration is off, and nobody under it is looked at again.
    pub async fn retire_policy(&self, name: &PolicyName) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for statement in [
            "UPDATE standings SET next_at = NULL WHERE policy = $1 AND next_at IS NOT NULL",
            "UPDATE policies SET enforce = 'off' WHERE name = $1",
        ] {
            sqlx::query(statement)
                .bind(name.as_str())
                .execute(&mut *transaction)
                .await
                .doing("retiring a policy")?;
        }
        transaction.commit().await.doing("retiring a policy")
    }

    /// People whose object id, user principal name or mail is this, in that order of trust.
    pub async fn find(&self, name: &str) -> Result<Vec<UserId>, StoreError> {
        let key = name.trim().to_lowercase();
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM people WHERE id = $1 UNION SELECT id FROM people WHERE upn_key = $1
             UNION SELECT id FROM people WHERE LOWER(mail) = $1 AND LOWER(mail) <> upn_key ORDER BY 1",
        )
        .bind(&key)
        .fetch_all(&self.read)
        .await
        .doing("looking for a person")?;
        ids.iter().map(|id| user_id("people", id)).collect()
    }

    /// People a word of whose name, user principal name or mail begins like this, by name.
    pub async fn like(&self, beginning: &str, limit: u32) -> Result<Vec<Named>, StoreError> {
        let beginning = beginning.trim().to_lowercase();
        if beginning.len() > LONGEST_NAME {
            return Ok(Vec::new());
        }
        let plain = beginning
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        let rows: Vec<(String, String, Option<String>)> = sqlx::query_as(
            "SELECT id, user_principal_name, display_name FROM people
             WHERE upn_key LIKE $1 ESCAPE '\\' OR upn_key LIKE $2 ESCAPE '\\' OR LOWER(display_name) LIKE $1 ESCAPE '\\'
                 OR LOWER(display_name) LIKE $3 ESCAPE '\\' OR LOWER(mail) LIKE $1 ESCAPE '\\' OR LOWER(mail) LIKE $2 ESCAPE '\\'
             ORDER BY upn_key, id LIMIT $4",
        )
        .bind(format!("{plain}%"))
        .bind(format!("%.{plain}%"))
        .bind(format!("% {plain}%"))
        .bind(limit)
        .fetch_all(&self.read)
        .await
        .doing("looking for people")?;
        let people = rows.into_iter();
        Ok(people
            .map(|(id, user_principal_name, display_name)| Named {
                id,
                user_principal_name,
                display_name,
            })
            .collect())
    }

    /// The user principal names of everybody who is there.
    pub async fn user_principal_names(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT user_principal_name FROM people WHERE gone_at IS NULL ORDER BY id",
        )
        .fetch_all(&self.read)
        .await
        .doing("reading user principal names")
    }

    /// The journal of one person, oldest first.
    pub async fn history(&self, user: &UserId) -> Result<Vec<JournalLine>, StoreError> {
        let rows = sqlx::query("SELECT id, at, kind, policy, sequence, step, deadline, rehearsed, reasons FROM journal WHERE user_id = $1 ORDER BY id")
            .bind(user.as_str())
            .fetch_all(&self.read)
            .await
            .doing("reading the journal")?;
        rows.iter()
            .map(|row| {
                let reasons: String = row.try_get(8)?;
                Ok(JournalLine {
                    id: row.try_get(0)?,
                    at: instant(row.try_get(1)?),
                    kind: row.try_get(2)?,
                    policy: row.try_get(3)?,
                    sequence: row.try_get(4)?,
                    step: row.try_get(5)?,
                    deadline: row.try_get::<Option<i64>, _>(6)?.map(instant),
                    rehearsed: row.try_get(7)?,
                    reasons: serde_json::from_str(&reasons).unwrap_or_default(),
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("reading the journal")
    }

    /// How many deliveries are in each state. Of those in hand only the few are looked at that are
    /// under way or in doubt; the others wait.
    pub async fn delivery_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let totals = self.totals().await?;
        let total = |total: Total| totals.get(total.name()).copied().unwrap_or(0);
        let unsettled: Vec<(String, i64)> = sqlx::query_as(
            "SELECT state, COUNT(*) FROM outbox WHERE settled_at IS NULL AND state IN ($1, $2) GROUP BY state",
        )
        .bind(State::Leased.as_str())
        .bind(State::Ambiguous.as_str())
        .fetch_all(&self.read)
        .await
        .doing("counting deliveries")?;
        let mut counts: BTreeMap<String, u64> = unsettled
            .into_iter()
            .map(|(state, rows)| (state, u64::try_from(rows).unwrap_or(0)))
            .collect();
        for state in State::ALL.into_iter().filter(|state| state.is_over()) {
            counts.insert(state.as_str().to_owned(), total(Total::Ended(state)));
        }
        let waiting = total(Total::Queued).saturating_sub(counts.values().sum());
        counts.insert(State::Pending.as_str().to_owned(), waiting);
        counts.retain(|_, rows| *rows > 0);
        Ok(counts)
    }

    /// How many events of a log are kept: those that a decision may still look at.
    pub async fn events_kept(&self, log: Source) -> Result<u64, StoreError> {
        let total = match log {
            Source::SignIns => Total::SignIns,
            Source::Audits => Total::Audits,
            Source::Users | Source::Groups | Source::Registration => return Ok(0),
        };
        Ok(self.totals().await?.get(total.name()).copied().unwrap_or(0))
    }

    /// The quarantined rows that are known, newest first.
    pub async fn quarantined(
        &self,
        limit: u32,
    ) -> Result<Vec<(String, String, i64, String)>, StoreError> {
        sqlx::query_as("SELECT source, file, line, reason FROM quarantine ORDER BY at DESC, source, file, line LIMIT $1")
            .bind(limit)
            .fetch_all(&self.read)
            .await
            .doing("reading the quarantine")
    }
}
