//! Sign-ins and audit events, slice by slice; how slices follow each other is for
//! [`Reading`] to say.

use jiff::{SignedDuration, Timestamp};

use super::{Graph, kept, part};
use crate::config::Config;
use crate::domain::audit::AuditEvent;
use crate::domain::sign_in::SignIn;
use crate::domain::window::later;
use crate::errors::chain;
use crate::graph::{Ask, GraphError, Trail};
use crate::pass::collect::log::LogRow;
use crate::pass::collect::{CollectError, Collector};
use crate::report::PassReport;
use crate::sources::graph::{Depth, Reading};
use crate::sources::wire::{self, Recorded, Row, RowError};
use crate::store::logs::PartEnd;

/// What a first reading of audit events goes back: so long an event holds reminders (rule T7).
const EVENTS_HOLD: SignedDuration = SignedDuration::from_hours(24);
/// What a first reading of sign-ins goes back where no policy says since when they count.
const ARRIVAL: SignedDuration = SignedDuration::from_hours(1);

impl Graph<'_> {
    pub(super) async fn log<T: Asked>(&self, report: &mut PassReport) -> Result<(), CollectError> {
        let mut reading: Reading = self.reading(T::SOURCE).await?.unwrap_or_default();
        if let Some(table) = T::kept_by(self.collector.config) {
            reading.keep_by(table);
        }
        self.read::<T>(Depth::Recent, &mut reading, report).await?;
        if reading.is_under_way(Depth::Recent) {
            return Ok(());
        }
        self.accept::<T>(&reading).await?;
        self.read::<T>(Depth::Deep, &mut reading, report).await
    }

    /// Reads a run to its end, or for as long as this pass has patience.
    async fn read<T: Asked>(
        &self,
        depth: Depth,
        reading: &mut Reading,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let now = self.collector.now;
        let begin = T::begin(self.collector.config, now);
        let (patience, mut trail) = (self.patience(), Trail::default());
        let mut restarted = false;
        while let Some(slice) = reading.slice(depth, begin, now) {
            let ask = T::ask(slice.from, slice.to).at(slice.link.clone());
            let page = match self.asked(self.client.page(&ask, &mut trail)).await {
                Ok(page) => page,
                // Paging can die in the middle, and old hours go while they are read.
                Err(error) if error.is_of_the_link() && reading.restart_slice(depth) => {
                    trail = Trail::default();
                    continue;
                }
                Err(error) if error.may_be_of_the_link() && slice.link.is_some() => {
                    let given_up = reading.link_failed(depth);
                    T::absorb(self.collector, &[], &[], Some(&kept(reading))).await?;
                    if !given_up || restarted {
                        return Err(error.into());
                    }
                    tracing::warn!(
                        "{}: the slice from {} on is read anew",
                        chain(&error),
                        slice.from
                    );
                    restarted = true;
                    reading.restart_slice(depth);
                    trail = Trail::default();
                    continue;
                }
                Err(GraphError::BadRequest { .. })
                    if slice.link.is_none() && reading.too_old(depth, now) =>
                {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let (rows, _) = self
                .facts(T::SOURCE, &page, |raw| T::row(raw, now), report)
                .await?;
            *T::counter(report) += rows.len() as u64;
            let endless = reading.page_read(depth, page.next, now);
            T::absorb(self.collector, &rows, &[], Some(&kept(reading))).await?;
            if let Some(pages) = endless {
                let what = ask.what;
                return Err(GraphError::Endless { what, pages }.into());
            }
            if reading.is_under_way(depth) && patience.is_over(report) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The log is read up to where it was meant to be read.
    async fn accept<T: Asked>(&self, reading: &Reading) -> Result<(), CollectError> {
        let Collector { store, now, .. } = *self.collector;
        let Some(as_of) = reading.covered_to() else {
            return Ok(());
        };
        let end = PartEnd {
            part: part(String::new()),
            as_of: as_of.min(now),
            rows: 0,
        };
        T::absorb(self.collector, &[], &[end], Some(&kept(reading))).await?;
        let gone = self.files_before(T::SOURCE).await?;
        Ok(store.accept_log(T::SOURCE, &gone, now).await?)
    }
}

/// How a log is asked for.
pub(super) trait Asked: LogRow {
    /// Where a first reading begins.
    fn begin(config: &Config, now: Timestamp) -> Timestamp;
    /// What decides which of its rows are kept, where anything does.
    fn kept_by(_: &Config) -> Option<String> {
        None
    }
    fn ask(from: Timestamp, to: Option<Timestamp>) -> Ask;
    fn row(raw: &[u8], now: Timestamp) -> Result<Row<Self>, RowError>;
}

impl Asked for SignIn {
    /// Sign-ins count from when a policy was switched on (rule 7.1).
    fn begin(config: &Config, now: Timestamp) -> Timestamp {
        let since = config.policies.iter().filter_map(|policy| policy.since);
        since.min().unwrap_or(now).min(later(now, -ARRIVAL))
    }

    fn kept_by(config: &Config) -> Option<String> {
        let table = format!("{:?}", config.result_codes);
        let fingerprint = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, table.as_bytes());
        Some(fingerprint.to_string())
    }

    fn ask(from: Timestamp, to: Option<Timestamp>) -> Ask {
        Ask::sign_ins(from, to)
    }

    fn row(raw: &[u8], now: Timestamp) -> Result<Row<Self>, RowError> {
        wire::sign_in(raw, Recorded::ByRow, now)
    }
}

impl Asked for AuditEvent {
    fn begin(_: &Config, now: Timestamp) -> Timestamp {
        later(now, -EVENTS_HOLD)
    }

    fn ask(from: Timestamp, to: Option<Timestamp>) -> Ask {
        Ask::audits(from, to)
    }

    fn row(raw: &[u8], now: Timestamp) -> Result<Row<Self>, RowError> {
        wire::audit(raw, now)
    }
}
