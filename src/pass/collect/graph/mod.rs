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
use crate::sources::graph::Pages;
use crate::sources::wire::{self, Row, RowError};
use crate::sources::{Named, Quarantined};
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
    Ok(graph.ask_for_named().await?)
}

/// A source is read for so long in one pass at most, and goes on in the next from its last stored
/// page (rule 7.29).
const READING: Duration = Duration::from_hours(2);

/// The name of what Graph gives among the parts of a source; users have one for each reading.
const PART: &str = "graph";

/// Reading from Graph into the store.
struct Graph<'a> {
    collector: &'a Collector<'a>,
    client: &'a Client,
}

/// How long the present source may still be read in this pass.
struct Patience {
    until: Instant,
}

impl Patience {
    /// Whether the rest is for the next pass. It is said in the report, so that the next one
    /// comes at once.
    fn is_over(&self, report: &mut PassReport) -> bool {
        let over = Instant::now() >= self.until;
        report.unfinished |= over;
        over
    }
}

impl From<GraphError> for CollectError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::CutShort => Self::CutShort,
            error => Self::Source(error.into()),
        }
    }
}

impl Graph<'_> {
    fn patience(&self) -> Patience {
        Patience {
            until: Instant::now() + self.collector.patience.unwrap_or(READING),
        }
    }

    /// An answer of Graph's. That one came is a sign of life; that one is waited for is none.
    async fn asked<T>(
        &self,
        answer: impl Future<Output = Result<T, GraphError>>,
    ) -> Result<T, GraphError> {
        let Some(answer) = self.collector.cut.run_until_cancelled(answer).await else {
            return Err(GraphError::CutShort);
        };
        self.collector.progress.beat();
        answer
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
                    let named = wire::named(row.get().as_bytes());
                    let row = Quarantined {
                        file: format!("Graph: {source}"),
                        line,
                        reason: error.to_string(),
                    };
                    aside.push(row.about(named.as_ref()));
                    if let Some(Named::Id(id)) = named {
                        unbelieved.push(id);
                    }
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
        names_next: false,
        name: PART.to_owned(),
        fingerprint,
    }
}

/// A reading that has more pages than any that ends (rule 7.29).
fn endless(what: &'static str, pages: &Pages) -> GraphError {
    GraphError::Endless {
        what,
        pages: pages.count(),
    }
}

/// A page from which nothing leads on.
fn dead_end(what: &'static str) -> GraphError {
    GraphError::Malformed {
        what,
        reason: "it has neither a next page nor an end".to_owned(),
    }
}
