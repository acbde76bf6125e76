//! Collecting from Graph: each source is read page by page, and each page is kept with the place
//! where its reading goes on, so that a stop in the middle costs one page.
//!
//! The order is by urgency: the directory and the logs come in seconds, a whole registration
//! report can take many minutes at five requests in ten seconds, so it comes last.

mod activity;
mod groups;
mod logs;
mod registration;
mod users;

use std::pin::pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::groups::Wanted;
use super::{CollectError, Collected, Collector};
use crate::domain::audit::AuditEvent;
use crate::domain::sign_in::SignIn;
use crate::graph::{Client, GraphError, Page};
use crate::pass::PassError;
use crate::report::PassReport;
use crate::sources::Quarantined;
use crate::sources::wire::{Row, RowError, object_id};
use crate::store::StoreError;
use crate::store::sources::{NewPart, Source, StoredPart};

/// Reads what Graph has to tell.
pub(super) async fn collect(
    collector: &Collector<'_>,
    client: &Client,
    wanted: &Wanted,
    collected: &mut Collected,
    report: &mut PassReport,
) -> Result<(), PassError> {
    let graph = Graph { collector, client };
    for source in [
        Source::Users,
        Source::Groups,
        Source::SignIns,
        Source::Audits,
        Source::Registration,
    ] {
        let result = match source {
            Source::Users => graph.users(collected, report).await,
            Source::Groups => graph.groups(wanted, collected, report).await,
            Source::SignIns => match graph.log::<SignIn>(report).await {
                Ok(()) => graph.activity_in_gap(report).await,
                failed => failed,
            },
            Source::Audits => graph.log::<AuditEvent>(report).await,
            Source::Registration => graph.registration(collected, report).await,
        };
        collector.ended(source, result, collected, report).await?;
    }
    Ok(())
}

/// A wait for Graph is a sign of life this often: it has an end of its own.
const BEAT: Duration = Duration::from_secs(1);

/// The name of what Graph gives among the parts of a source; users have one for each reading.
const PART: &str = "graph";

/// Reading from Graph into the store.
struct Graph<'a> {
    collector: &'a Collector<'a>,
    client: &'a Client,
}

/// How long the present source may still be read in this pass.
struct Patience {
    until: Option<Instant>,
}

impl Patience {
    /// Whether the rest is for the next pass. It is said in the report, so that the next one
    /// comes at once.
    fn is_over(&self, report: &mut PassReport) -> bool {
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        report.unfinished |= over;
        over
    }
}

impl From<GraphError> for CollectError {
    fn from(error: GraphError) -> Self {
        Self::Source(error.into())
    }
}

impl Graph<'_> {
    fn patience(&self) -> Patience {
        let patience = self.collector.patience;
        Patience {
            until: patience.map(|patience| Instant::now() + patience),
        }
    }

    /// An answer of Graph's. It may be long in coming, with the waits that the service asks for.
    async fn asked<T>(
        &self,
        answer: impl Future<Output = Result<T, GraphError>>,
    ) -> Result<T, GraphError> {
        let mut answer = pin!(answer);
        loop {
            match tokio::time::timeout(BEAT, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) => self.collector.progress.beat(),
            }
        }
    }

    /// Where the reading of a source is; what cannot be understood begins anew.
    async fn reading<T: DeserializeOwned>(&self, source: Source) -> Result<Option<T>, StoreError> {
        let text = self.collector.store.reading(source).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The parts of a source that files gave before.
    async fn files_before(&self, source: Source) -> Result<Vec<StoredPart>, StoreError> {
        let mut parts = self.collector.store.parts(source).await?;
        parts.retain(|part| part.name != PART);
        Ok(parts)
    }

    /// Rows of a page as facts; those that cannot be believed are put aside, with the ids that they
    /// name.
    async fn facts<T>(
        &self,
        source: Source,
        page: &Page,
        read: impl Fn(&[u8]) -> Result<Row<T>, RowError>,
        report: &mut PassReport,
    ) -> Result<(Vec<T>, Vec<String>), StoreError> {
        let mut facts = Vec::with_capacity(page.rows.len());
        let (mut aside, mut unbelieved) = (Vec::new(), Vec::new());
        for (row, line) in page.rows.iter().zip(1..) {
            match read(row.get().as_bytes()) {
                Ok(Row::Fact(fact)) => facts.push(fact),
                Ok(Row::Skipped(_)) => {}
                Err(error) => {
                    unbelieved.extend(object_id(row.get().as_bytes()));
                    aside.push(Quarantined {
                        file: format!("Graph: {source}"),
                        line,
                        reason: error.to_string(),
                    });
                }
            }
        }
        self.collector.progress.absorbed(facts.len());
        let count = aside.len() as u64;
        self.collector
            .note_quarantined(source, aside, count, report)
            .await?;
        Ok((facts, unbelieved))
    }
}

/// A reading as it is kept.
fn kept<T: Serialize>(reading: &T) -> String {
    serde_json::to_string(reading).unwrap_or_default()
}

/// What Graph gives as a part of its source; the fingerprint tells one snapshot from another.
fn part(fingerprint: String) -> NewPart {
    NewPart {
        name: PART.to_owned(),
        fingerprint,
    }
}

/// A page from which nothing leads on.
fn dead_end(what: &'static str) -> GraphError {
    GraphError::Malformed {
        what,
        reason: "it has neither a next page nor an end".to_owned(),
    }
}
