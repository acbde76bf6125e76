//! Collecting: what changed in the sources becomes facts in the store.
//!
//! A source that fails is noted with its reason and leaves its last good snapshot; the others
//! go on. Exported files and Graph are read in two ways ([`files`], [`graph`]); what is believed
//! of a snapshot is judged here and in [`groups`], once for both.

mod failures;
mod files;
mod graph;
pub(super) mod groups;
mod log;

pub use self::files::survey;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::failures::Failures;
use self::groups::{Unread, Wanted};
use super::PassError;
use crate::config::{self, Config, Exports};
use crate::domain::brake::Size;
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::seen::{ClockFault, Form, Rows, Seen};
use crate::errors::chain;
use crate::graph::{Client, GraphError};
use crate::report::{PassReport, Progress};
use crate::sources::{Quarantined, SourceError};
use crate::store::holds::{Approval, Raised};
use crate::store::people::Imported;
use crate::store::settings::UNREAD_GROUPS_APPROVED;
use crate::store::sources::Source;
use crate::store::{Store, StoreError};

/// Where facts come from.
#[derive(Debug)]
pub enum Directory {
    /// A folder of exports.
    Files(Exports),
    /// Graph.
    Graph(Box<Client>),
}

impl Directory {
    /// What is configured; nothing is asked for yet.
    pub fn new(config: &config::Directory) -> Result<Self, GraphError> {
        Ok(match config {
            config::Directory::Files(exports) => Self::Files(exports.clone()),
            config::Directory::Graph(graph) => Self::Graph(Box::new(Client::new(graph)?)),
        })
    }

    /// Whether this machine's clock has parted from Graph's (rule R3).
    pub(super) fn clock_fault(&self, accepted: bool) -> Option<ClockFault> {
        match self {
            Self::Files(_) => None,
            Self::Graph(client) => client.clock_fault(accepted),
        }
    }
}

/// What collecting found out beside the facts.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Snapshots that are not believed.
    pub(super) holds: Vec<Raised>,
    /// Sources that could not be read.
    failed: BTreeSet<Source>,
    /// Why.
    failures: Failures,
    /// Sources whose reading goes on in the next pass.
    unfinished: BTreeSet<Source>,
    /// Policies whose groups could not be read whole.
    unread: Vec<Unread>,
}

impl Collected {
    /// What the last collecting held, for a pass that reads nothing.
    pub(super) fn still(holds: Vec<Raised>) -> Self {
        Self {
            holds,
            ..Self::default()
        }
    }

    /// How the import of a snapshot ended.
    fn imported(&mut self, source: Source, imported: Imported, form: Form) {
        match imported {
            Imported::Accepted {
                ahead: Some(rows), ..
            } => {
                tracing::warn!(source = source.as_str(), "{rows}");
            }
            imported => self.holds.extend(collapse(source, &imported, form)),
        }
    }

    /// The source is not judged in this pass: its reading goes on in the next.
    fn is_read_on(&mut self, source: Source) {
        self.unfinished.insert(source);
    }
}

/// What every part of collecting needs.
pub(super) struct Collector<'a> {
    pub(super) store: &'a Store,
    pub(super) config: &'a Config,
    pub(super) now: Timestamp,
    pub(super) approvals: &'a [Approval],
    /// How long one source is read in this pass; none: to its end.
    pub(super) patience: Option<Duration>,
    /// Ends the waiting for Graph at once.
    pub(super) cut: &'a CancellationToken,
    pub(super) progress: &'a Progress,
}

/// Reads what changed.
pub(super) async fn collect(
    collector: &Collector<'_>,
    directory: &Directory,
    wanted: &Wanted,
    report: &mut PassReport,
) -> Result<Collected, PassError> {
    let mut collected = Collected::default();
    match directory {
        Directory::Files(exports) => {
            files::collect(collector, exports, wanted, &mut collected, report).await?;
        }
        Directory::Graph(client) => {
            // On the heap: with the waits for answers it is a large future.
            Box::pin(graph::collect(
                collector,
                client,
                wanted,
                &mut collected,
                report,
            ))
            .await?;
        }
    }
    for failure in collected.failures.told() {
        tracing::error!("could not read {failure}");
        report.errors.push(failure);
    }
    collector.hold_unjudged(wanted, &mut collected).await?;
    collector.hold_unread(&mut collected).await?;
    Ok(collected)
}

/// Why a source could not be absorbed.
#[derive(Debug)]
pub(super) enum CollectError {
    /// The source is to blame: it is noted, the others go on.
    Source(SourceError),
    /// Nobody is to blame: the rest is for the next pass.
    CutShort,
    /// The store is to blame: the pass ends.
    Store(StoreError),
    /// The reading thread died.
    Reader,
}

impl From<SourceError> for CollectError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<StoreError> for CollectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Collector<'_> {
    /// How the reading of a source ended: one that failed is noted, and the others go on.
    async fn ended(
        &self,
        source: Source,
        result: Result<(), CollectError>,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        match result {
            Ok(()) => Ok(()),
            Err(CollectError::Source(error)) => {
                collected.failed.insert(source);
                // Its reading has ended, and the next one begins.
                self.progress.beat();
                self.fail(source, &error, collected).await
            }
            Err(CollectError::CutShort) => {
                tracing::debug!("{source}: the rest is read in the next pass");
                collected.is_read_on(source);
                report.unfinished = true;
                Ok(())
            }
            Err(CollectError::Store(error)) => Err(error.into()),
            Err(CollectError::Reader) => Err(PassError::Thread),
        }
    }

    async fn fail(
        &self,
        source: Source,
        error: &SourceError,
        collected: &mut Collected,
    ) -> Result<(), PassError> {
        let text = chain(error);
        self.store.source_failed(source, &text, self.now).await?;
        collected.failures.note(source, error, text);
        Ok(())
    }

    /// What was not believed of a source stays so until the source has been read again.
    async fn hold_unjudged(
        &self,
        wanted: &Wanted,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        if collected.failed.contains(&Source::Groups) {
            collected.unread.extend(groups::unread(wanted));
        }
        for raised in self.store.collected_holds().await? {
            let source = match &raised.hold.policy {
                Some(_) => Source::Groups,
                None if raised.hold.id.ends_with(Source::Users.as_str()) => Source::Users,
                None => Source::Registration,
            };
            let stays = if collected.failed.contains(&source) {
                // Whom the groups name is unread under every policy, which is said anew.
                !groups::is_unread(&raised.hold)
            } else {
                collected.unfinished.contains(&source)
            };
            if stays {
                collected.holds.push(raised);
            }
        }
        Ok(())
    }

    /// A policy whose groups cannot be read flags nobody (cases 15 and 16), unless an
    /// operator has approved that.
    async fn hold_unread(&self, collected: &mut Collected) -> Result<(), StoreError> {
        let before = groups::unread_approved(self.store).await?;
        let read = groups::read_for(self.store).await?;
        let mut approvals = Vec::new();
        for given in groups::given(&collected.unread, &read, self.approvals) {
            if self.store.rely_on(&[given], self.now).await? {
                approvals.push(given.clone());
            }
        }
        let (holds, approved) = groups::hold_unread(&collected.unread, &read, &before, &approvals);
        let nobody = collected
            .unread
            .iter()
            .flat_map(|unread| unread.nobody(&approved));
        let nobody: BTreeSet<_> = nobody.collect();
        if !nobody.is_empty() {
            self.store.note_nobody(&nobody).await?;
        }
        collected.holds.extend(holds);
        if approved != before {
            let setting = UNREAD_GROUPS_APPROVED.of();
            self.store.set(&setting, &approved).await?;
        }
        Ok(())
    }

    /// Writes down the rows of a source that could not be read.
    async fn note_quarantined(
        &self,
        source: Source,
        rows: Vec<Quarantined>,
        count: u64,
        report: &mut PassReport,
    ) -> Result<(), StoreError> {
        report.read.quarantined += count;
        let Some(Quarantined { file, line, reason }) = rows.first() else {
            return Ok(());
        };
        tracing::warn!(
            source = source.as_str(),
            rows = count,
            file,
            line,
            reason,
            "put {count} rows of {source} aside, the first at line {line} of {file}: {reason}"
        );
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| (row.file, row.line, row.reason))
            .collect();
        self.store.quarantine(source, &rows, self.now).await
    }

    /// Down to which size an operator accepts a snapshot of a source, and the approval that says so.
    fn approved_size(&self, source: Source) -> Option<(&Approval, Size)> {
        let hold = HoldKind::Snapshot.id_of(source.as_str());
        let given = self.approvals.iter().find(|given| given.hold == hold)?;
        Some((given, given.evidence.parse().ok()?))
    }
}

/// The hold for a snapshot that shrank too much (rule 7.6).
fn collapse(source: Source, imported: &Imported, form: Form) -> Option<Raised> {
    let Imported::Collapsed { before, size } = imported else {
        return None;
    };
    let seen = Seen::Shrunk {
        rows: match source {
            Source::Registration => Rows::Registration,
            Source::Users | Source::Groups => Rows::Users,
            Source::SignIns | Source::Audits => Rows::SignIns,
        },
        form,
        before: *before,
        kept: size.kept,
        others: size.rows.saturating_sub(size.kept),
    };
    Some(Raised {
        hold: Hold::new(HoldKind::Snapshot, source.as_str(), None, seen),
        evidence: size.to_string(),
    })
}
