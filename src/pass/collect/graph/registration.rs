//! The registration report: whole or not at all, once an hour, and as soon as its reading less the
//! lag can prove a deadline that a flag waits for (rules T8 and 7.12). Between two reports, people of whom an event says that
//! they registered are asked about one by one (rule T7).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Graph, kept, part};
use crate::domain::age::{self, Another};
use crate::domain::registration::{Level, ReportRow};
use crate::domain::seen::Form;
use crate::domain::window::later;
use crate::errors::chain;
use crate::graph::{Ask, GraphError, Link, Page, Trail};
use crate::pass::collect::{CollectError, Collected, Collector};
use crate::report::PassReport;
use crate::sources::graph::Pages;
use crate::sources::wire::{self, Report, Row, RowError, Who};
use crate::store::StoreError;
use crate::store::people::Imported;
use crate::store::sources::Source;

/// Staged rows that are taken over at once.
const BATCH: u32 = 2_000;
/// The report is asked about a person so long after the event: it lags by minutes to a day
/// (rule T7).
const FOLLOW_UP: [SignedDuration; 4] = [
    SignedDuration::from_mins(15),
    SignedDuration::from_hours(1),
    SignedDuration::from_hours(4),
    SignedDuration::from_hours(24),
];
/// People who are asked about in one pass: each is a request of five in ten seconds, and a whole
/// report of as many pages tells of forty thousand.
const PROBES: usize = 40;

/// Where the reading of the report is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Reading {
    /// When the present reading, or else the last, began: that is its time (rule 7.8).
    asked_at: Option<Timestamp>,
    stage: Stage,
    #[serde(default)]
    pages: Pages,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
enum Stage {
    /// The last report was taken over.
    #[default]
    Idle,
    /// Pages are missing.
    Reading { next: Link },
    /// All is there, and was not accepted yet.
    Whole,
}

impl Graph<'_> {
    pub(super) async fn registration(
        &self,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        self.follow_up(report).await?;
        let mut reading: Reading = self
            .reading(Source::Registration)
            .await?
            .unwrap_or_default();
        if reading.asked_at > Some(self.collector.now) {
            // A clock that was ahead dated it: nobody knows how old it is (rule 7.16).
            reading = Reading::default();
        }
        let approved = self.collector.approved_size(Source::Registration);
        let is_awaited = matches!(reading.stage, Stage::Whole) && approved.is_some();
        if !is_awaited && self.is_due(&reading).await? {
            self.read_report(&mut reading, report).await?;
        }
        match reading.stage {
            Stage::Whole => self.take_over(reading, collected).await?,
            Stage::Reading { .. } => collected.is_read_on(Source::Registration),
            Stage::Idle => {}
        }
        Ok(())
    }

    async fn is_due(&self, reading: &Reading) -> Result<bool, CollectError> {
        let Collector {
            config, now, store, ..
        } = *self.collector;
        Ok(match (&reading.stage, reading.asked_at) {
            (Stage::Reading { .. }, _) | (_, None) => true,
            (Stage::Idle | Stage::Whole, Some(asked_at)) => {
                let since = now.duration_since(asked_at);
                if since >= config.schedule.registration {
                    return Ok(true);
                }
                // A reading of now would prove what neither the accepted one does nor one that waits
                // to be accepted.
                let lag = config.freshness.registration_lag;
                let proven = self
                    .accepted_as_of()
                    .await?
                    .max(Some(later(asked_at, -lag)));
                let waiting = store.newest_waiting_deadline(later(now, -lag), now);
                waiting.await? > proven
            }
        })
    }

    /// What the report that was accepted last is as of.
    async fn accepted_as_of(&self) -> Result<Option<Timestamp>, StoreError> {
        let sources = self.collector.store.sources().await?;
        let source = Source::Registration.as_str();
        let report = sources.into_iter().find(|one| one.name == source);
        Ok(report.and_then(|report| report.as_of))
    }

    /// Reads the pages that are missing; one link that has expired begins the report anew.
    async fn read_report(
        &self,
        reading: &mut Reading,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let mut begun_anew = false;
        let (patience, mut trail) = (self.patience(), Trail::default());
        loop {
            let next = match &reading.stage {
                Stage::Reading { next } => Some(next.clone()),
                Stage::Idle | Stage::Whole => None,
            };
            let first = next.is_none();
            let ask = Ask::registrations().at(next);
            let page = match self.asked(self.client.page(&ask, &mut trail)).await {
                Err(error)
                    if !first
                        && !begun_anew
                        && self.is_report_link_dead(&error, reading).await? =>
                {
                    tracing::warn!("{}: the registration report is read anew", chain(&error));
                    begun_anew = true;
                    trail = Trail::default();
                    // Kept only with the first page: if there is none, the link may be good after
                    // all.
                    reading.stage = Stage::Idle;
                    continue;
                }
                page => page?,
            };
            if first {
                reading.asked_at = Some(self.collector.now);
                reading.pages.anew();
            }
            self.stage(first, page, reading, report).await?;
            if matches!(reading.stage, Stage::Whole) || patience.is_over(report) {
                return Ok(());
            }
        }
    }

    /// Whether the report is to be read anew, because the link has died; that it may have is
    /// remembered.
    async fn is_report_link_dead(
        &self,
        error: &GraphError,
        reading: &mut Reading,
    ) -> Result<bool, StoreError> {
        if error.is_of_the_link() {
            return Ok(true);
        }
        if !error.may_be_of_the_link() {
            return Ok(false);
        }
        let given_up = reading.pages.fail();
        let store = self.collector.store;
        store
            .stage_registrations(false, &[], &kept(reading))
            .await?;
        Ok(given_up)
    }

    async fn stage(
        &self,
        first: bool,
        page: Page,
        reading: &mut Reading,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let (rows, _) = self
            .facts(Source::Registration, &page, with_id, report)
            .await?;
        report.read.registrations += rows.len() as u64;
        reading.stage = match page.next {
            Some(next) => Stage::Reading { next },
            None => Stage::Whole,
        };
        let is_whole = matches!(reading.stage, Stage::Whole);
        let endless = reading.pages.read() && !is_whole;
        if endless {
            // Nothing of it counts, and so it is due.
            reading.stage = Stage::Idle;
            reading.asked_at = None;
        } else if is_whole {
            reading.pages.whole();
        }
        let store = self.collector.store;
        store
            .stage_registrations(first, &rows, &kept(reading))
            .await?;
        if endless {
            return Err(super::endless("the registration report", &reading.pages).into());
        }
        Ok(())
    }

    /// The whole report becomes what is known, if it is believed (rule 7.6).
    async fn take_over(
        &self,
        reading: Reading,
        collected: &mut Collected,
    ) -> Result<(), CollectError> {
        let Collector { store, now, .. } = *self.collector;
        let parts = store.parts(Source::Registration).await?;
        let reread: Vec<i64> = parts.iter().map(|part| part.id).collect();
        let before = self.files_before(Source::Registration).await?;
        let gone: Vec<i64> = before.iter().map(|part| part.id).collect();
        let asked_at = reading.asked_at.unwrap_or(now);
        let mut import = store.import(Source::Registration, &reread, now).await?;
        let lag = self.collector.config.freshness.registration_lag;
        import.is_report(Another::Yes { digest: None }, lag);
        import.begin_part(part(asked_at.to_string())).await?;
        let mut above = String::new();
        loop {
            let rows = store.staged_registrations(&above, BATCH).await?;
            let Some((last, _)) = rows.last() else { break };
            last.user.as_str().clone_into(&mut above);
            for (_, dated) in &rows {
                import.dated(*dated);
            }
            let rows = rows.into_iter().map(|(row, _)| row);
            import.registrations(rows).await?;
        }
        import.end_part(asked_at);
        let approved = self.collector.approved_size(Source::Registration);
        let imported = import.finish(&[], &gone, approved).await?;
        // All parts were read again, so that none is left to be read too.
        if matches!(imported, Imported::Accepted { .. }) {
            let reading = Reading {
                stage: Stage::Idle,
                ..reading
            };
            store.clear_staged_registrations(&kept(&reading)).await?;
        }
        collected.imported(Source::Registration, imported, Form::Report);
        Ok(())
    }

    /// Asks about people of whom an event says that they registered.
    async fn follow_up(&self, report: &mut PassReport) -> Result<(), StoreError> {
        let Collector {
            store, now, config, ..
        } = *self.collector;
        let lag = config.freshness.registration_lag;
        let mut due = store.probes_due(&FOLLOW_UP, now).await?;
        due.truncate(PROBES);
        let (mut asked, mut found) = (Vec::new(), Vec::new());
        for id in due {
            match self
                .asked(self.client.object(&Ask::registration(&id)))
                .await
            {
                Ok(row) => {
                    if let Ok(Row::Fact((row, dated))) = with_id(row.get().as_bytes())
                        && row.user == id
                        && row.level > Level::Missing
                    {
                        found.push((row, age::as_of(now, lag, dated, None)));
                    }
                    asked.push(id);
                }
                // Not in the report yet: it is asked again later.
                Err(GraphError::NotFound { .. }) => asked.push(id),
                Err(GraphError::CutShort) => break,
                // The whole report will tell, and say what is wrong if it cannot.
                Err(error) => {
                    tracing::warn!(user.id = %id, "following up a reported registration: {}", chain(&error));
                    break;
                }
            }
        }
        report.read.registrations += asked.len() as u64;
        if !asked.is_empty() {
            store.absorb_probes(&asked, &found, now).await?;
        }
        Ok(())
    }
}

/// A row of the report and its date; Graph's rows always have ids.
fn with_id(raw: &[u8]) -> Result<Row<(ReportRow, Option<Timestamp>)>, RowError> {
    Ok(match wire::registration(raw)? {
        Row::Fact(row) => {
            let Report {
                who, refreshed_at, ..
            } = &row;
            let Who::Id(id) = who else {
                return Err(RowError::Missing("id"));
            };
            Row::Fact((row.about(id.clone()), *refreshed_at))
        }
        Row::Skipped(why) => Row::Skipped(why),
    })
}
