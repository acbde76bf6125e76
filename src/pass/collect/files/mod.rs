//! Collecting from a folder of exports: only the files that changed are read again.

mod editions;
mod groups;
mod parts;
pub(super) mod reader;
pub mod survey;

use std::collections::BTreeSet;

use jiff::Timestamp;

use self::editions::older;
use self::parts::{Difference, are_whole, difference, new_part, read_part};
use self::reader::{PartRead, Reader, Step, Weighed};
use super::groups::Wanted;
use super::log::LogRow;
use super::{CollectError, Collected, Collector};
use crate::config::Exports;
use crate::domain::age::Another;
use crate::domain::id::UserId;
use crate::domain::registration::ReportRow;
use crate::domain::seen::Form;
use crate::pass::PassError;
use crate::report::PassReport;
use crate::sources::files::{self, Folder, Part};
use crate::sources::wire::{Report, Who};
use crate::sources::{Collection, Named};
use crate::store::StoreError;
use crate::store::logs::PartEnd;
use crate::store::people::{Import, Imported};
use crate::store::settings::{LAST_REPORT, OTHERS_NAMED, REGISTRATION_JOINED_WITH as JOINED_WITH};
use crate::store::sources::{Source, StoredPart};

/// Log rows that are committed at once: a gigabyte of sign-ins is not one transaction.
const LOG_COMMIT: usize = 20_000;

/// Reads what changed in a folder of exports.
pub(super) async fn collect(
    collector: &Collector<'_>,
    exports: &Exports,
    wanted: &Wanted,
    collected: &mut Collected,
    report: &mut PassReport,
) -> Result<(), PassError> {
    tracing::debug!("looking for exports in {}", exports.path.display());
    let exports = exports.clone();
    let folder = tokio::task::spawn_blocking(move || files::scan(&exports.path, exports.dates))
        .await
        .map_err(|_| PassError::Thread)?;
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => {
            let required = [Source::Users, Source::Registration, Source::SignIns];
            let groups = (!wanted.names.is_empty()).then_some(Source::Groups);
            for source in required.into_iter().chain(groups) {
                collector.fail(source, &error, collected).await?;
                collected.failed.insert(source);
            }
            return Ok(());
        }
    };
    collector.name_others(folder.others()).await?;
    for source in Source::ALL {
        let result = match source {
            Source::Users => collector.users(&folder, collected, report).await,
            Source::Groups => groups::collect(collector, &folder, wanted, collected, report).await,
            Source::Registration => collector.registration(&folder, collected, report).await,
            Source::SignIns => match folder.required(Collection::SignIns) {
                Ok(parts) => collector.log(parts, files::sign_ins, report).await,
                Err(error) => Err(error.into()),
            },
            Source::Audits => match folder.parts(Collection::Audits) {
                Ok(parts) => collector.log(parts, files::audits, report).await,
                Err(error) => Err(error.into()),
            },
        };
        collector.ended(source, result, collected, report).await?;
    }
    Ok(())
}

impl Collector<'_> {
    /// Nothing of a log is to be read. Its parts may have been read in a pass that died, or failed
    /// at another part, before it accepted the log.
    async fn log_unchanged(
        &self,
        source: Source,
        parts: &[StoredPart],
    ) -> Result<(), CollectError> {
        are_whole(parts.iter().map(page))?;
        let newest = parts.iter().map(|part| part.as_of.min(self.now)).max();
        let sources = self.store.sources().await?;
        let accepted = sources
            .iter()
            .find(|status| status.name == source.as_str())
            .and_then(|status| status.as_of);
        if accepted < newest {
            self.store.accept_log(source, &[], self.now).await?;
        } else {
            self.store.source_unchanged(source).await?;
        }
        Ok(())
    }

    /// The time of the reading of a part (rule 7.8).
    fn reading_of(&self, part: &Part, change: &Difference<'_>) -> Timestamp {
        change.reading(part, &self.config.zone, self.now)
    }

    async fn differs<'a>(
        &self,
        source: Source,
        parts: &'a [Part],
    ) -> Result<Difference<'a>, StoreError> {
        let stored = self.store.parts(source).await?;
        let change = difference(parts, stored.clone(), false);
        if !change.is_empty() && self.store.has_duplicates(source).await? {
            return Ok(difference(parts, stored, true));
        }
        Ok(change)
    }

    async fn users(
        &self,
        folder: &Folder,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let all = folder.required(Collection::Users)?;
        let (source, rows) = (Source::Users, files::users);
        let imported = loop {
            let parts = &self.current(source, all).await?;
            let change = self.differs(source, parts).await?;
            if change.is_empty() {
                return Ok(self.store.source_unchanged(source).await?);
            }
            let absorb = async |import: &mut Import, batch| {
                import.people(batch).await?;
                Ok(0)
            };
            let imported = self.import(source, parts, change, rows, absorb, report);
            if let Some(imported) = imported.await? {
                break imported;
            }
        };
        report.read.users += imported.0;
        collected.imported(Source::Users, imported.1, Form::Export);
        Ok(())
    }

    /// Imports the changed parts of a snapshot: how many facts they have, and how it ended; none
    /// where some are older editions of others, which are left alone from now on. `absorb` says how
    /// many rows it could not tell whose they are.
    async fn import<T: Weighed + Send + 'static>(
        &self,
        source: Source,
        parts: &[Part],
        mut change: Difference<'_>,
        rows: fn(&Part, Timestamp) -> files::Rows<T>,
        mut absorb: impl AsyncFnMut(&mut Import, Vec<T>) -> Result<usize, StoreError>,
        report: &mut PassReport,
    ) -> Result<Option<(u64, Imported)>, CollectError> {
        loop {
            let mut import = self.store.import(source, &change.reread, self.now).await?;
            import.replace_reading().await?;
            if let Some(another) = &change.report {
                import.is_report(another.clone(), self.config.freshness.registration_lag);
            }
            let mut reader = Reader::start(&change.read, self.now, rows);
            let (mut facts, mut aside) = (0, 0);
            let mut pages: Vec<(&str, bool)> = change.unchanged.iter().map(page).collect();
            for part in &change.read {
                import.begin_part(new_part(part)).await?;
                let mut nameless = 0;
                let mut read = loop {
                    match reader.next().await? {
                        Step::Facts(batch) => {
                            self.progress.absorbed(batch.len());
                            nameless += absorb(&mut import, batch).await?;
                        }
                        Step::PartRead(read) => break read,
                    }
                };
                facts += read.facts;
                import.end_part(self.reading_of(part, &change));
                if read.names_next {
                    import.names_next();
                }
                pages.push((&part.name, read.names_next));
                quarantine_nameless(&mut import, part, nameless, &mut aside);
                let unbelieved = self.ids(&read.unbelieved).await?;
                if source == Source::Users {
                    import.still_there(&unbelieved).await?;
                } else {
                    import.unsettle(&unbelieved).await?;
                }
                Self::remember_quarantined(&mut import, &mut read, &mut aside);
            }
            let pairs = import.editions(&change.unchanged).await?;
            let names: Vec<&str> = pages.iter().map(|(name, _)| *name).collect();
            let older = older(&names, &pairs)?;
            if !older.is_empty() {
                drop(import);
                self.leave_alone(source, parts, &older).await?;
                return Ok(None);
            }
            are_whole(pages)?;
            let gone: Vec<i64> = change.gone.iter().map(|part| part.id).collect();
            let approved = self.approved_size(source);
            match import.finish(&change.unchanged, &gone, approved).await? {
                Imported::ReadAll => {
                    let report = change.report.take();
                    change = difference(parts, self.store.parts(source).await?, true);
                    change.report = report;
                }
                imported => {
                    report.read.quarantined += aside;
                    return Ok(Some((facts, imported)));
                }
            }
        }
    }

    /// The ids of those whom rows are about that could not be believed.
    async fn ids(&self, unbelieved: &BTreeSet<Named>) -> Result<BTreeSet<String>, StoreError> {
        let (mut ids, mut names) = (BTreeSet::new(), Vec::new());
        for named in unbelieved {
            match named {
                Named::Id(id) => {
                    ids.extend(UserId::parse(id).map(|id| id.as_str().to_owned()));
                }
                Named::Upn(name) => names.push(name.clone()),
            }
        }
        if !names.is_empty() {
            let known = self.store.users_by_name(&names).await?;
            let known = known.values().flatten();
            ids.extend(known.map(|id| id.as_str().to_owned()));
        }
        Ok(ids)
    }

    /// An import holds the store's writer: its quarantined rows are written down after it.
    fn remember_quarantined(import: &mut Import, read: &mut PartRead, aside: &mut u64) {
        *aside += read.quarantined_count;
        import.quarantine(
            read.quarantined
                .drain(..)
                .map(|row| (row.file, row.line, row.reason)),
        );
    }

    /// The users snapshot that user principal names are looked up in, by its acceptance. What
    /// names people that way is read again when there is another.
    async fn users_snapshot(&self) -> Result<String, StoreError> {
        let accepted_at = self.accepted_at(Source::Users).await?;
        Ok(accepted_at.map_or("none".to_owned(), |at| at.to_string()))
    }

    async fn accepted_at(&self, source: Source) -> Result<Option<Timestamp>, StoreError> {
        let sources = self.store.sources().await?;
        let source = sources.into_iter().find(|one| one.name == source.as_str());
        Ok(source.and_then(|source| source.accepted_at))
    }

    async fn registration(
        &self,
        folder: &Folder,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let all = folder.required(Collection::Registration)?;
        while !self.report_of(all, collected, report).await? {}
        Ok(())
    }

    /// Reads the report; not, where some of its files turn out to be older editions of others.
    async fn report_of(
        &self,
        all: &[Part],
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<bool, CollectError> {
        let parts = &self.current(Source::Registration, all).await?;
        let stored = self.store.parts(Source::Registration).await?;
        let is_new = !difference(parts, stored.clone(), false).is_empty();
        let users = self.users_snapshot().await?;
        let joined_with = self.store.setting(&JOINED_WITH).await?.unwrap_or_default();
        if !is_new && (joined_with.is_empty() || joined_with == users) {
            self.store.source_unchanged(Source::Registration).await?;
            return Ok(true);
        }
        // One report, whatever it is cut into: its dates and its bytes are those of all parts.
        let mut change = difference(parts, stored, true);
        change.report = Some(if is_new {
            self.another(parts, &change).await?
        } else {
            Another::No
        });
        let mut by_name = false;
        let absorb = async |import: &mut Import, batch: Vec<Report>| {
            by_name |= batch.iter().any(|row| matches!(row.who, Who::Upn(_)));
            let read = batch.len();
            for row in &batch {
                import.dated(row.refreshed_at);
            }
            let rows = self.with_ids(batch).await?;
            let nameless = read - rows.len();
            import.registrations(rows).await?;
            Ok(nameless)
        };
        let (source, rows) = (Source::Registration, files::registration);
        let imported = self.import(source, parts, change, rows, absorb, report);
        let Some(imported) = imported.await? else {
            return Ok(false);
        };
        let joined_with = if by_name { users } else { String::new() };
        self.store.set(&JOINED_WITH, &joined_with).await?;
        report.read.registrations += imported.0;
        collected.imported(source, imported.1, Form::Export);
        Ok(true)
    }

    /// Files that have together the bytes of the report before and are not younger are that report:
    /// they were moved, renamed or restored (rule 7.8).
    async fn another(
        &self,
        parts: &[Part],
        change: &Difference<'_>,
    ) -> Result<Another, CollectError> {
        let digest = Some(digest_of(parts).await?);
        let before = self.store.setting(&LAST_REPORT).await?.unwrap_or_default();
        let sources = self.store.sources().await?;
        let read = sources
            .into_iter()
            .find(|one| one.name == Source::Registration.as_str())
            .and_then(|source| source.reading);
        let reading = parts.iter().map(|part| self.reading_of(part, change)).min();
        Ok(if before.digest == digest && reading <= read {
            Another::No
        } else {
            Another::Yes { digest }
        })
    }

    /// Names files that look meant and are none of ours, each once while it is there.
    async fn name_others(&self, others: &[String]) -> Result<(), StoreError> {
        let setting = OTHERS_NAMED.of::<BTreeSet<String>>();
        let named = self.store.setting(&setting).await?.unwrap_or_default();
        let others: BTreeSet<String> = others.iter().cloned().collect();
        for other in others.difference(&named) {
            tracing::warn!(
                file = other,
                "{other} is not read: its name is that of no export (users, groups, registration, sign-ins or audits)"
            );
        }
        if others != named {
            self.store.set(&setting, &others).await?;
        }
        Ok(())
    }

    /// Rows that name people by user principal name only get the id of the users snapshot; a name
    /// that means nobody there, or two people, says nothing about anybody.
    async fn with_ids(&self, batch: Vec<Report>) -> Result<Vec<ReportRow>, StoreError> {
        let names: BTreeSet<String> = batch
            .iter()
            .filter_map(|row| match &row.who {
                Who::Upn(name) => Some(name.to_lowercase()),
                Who::Id(_) => None,
            })
            .collect();
        let known = self
            .store
            .users_by_name(&names.into_iter().collect::<Vec<_>>())
            .await?;
        Ok(batch
            .into_iter()
            .filter_map(|row| {
                let id = match &row.who {
                    Who::Id(id) => id.clone(),
                    Who::Upn(name) => match known.get(&name.to_lowercase()).map(Vec::as_slice) {
                        Some([id]) => id.clone(),
                        _ => return None,
                    },
                };
                Some(row.about(id))
            })
            .collect())
    }

    /// Reads the changed parts of a log, in commits of bounded size.
    async fn log<T: LogRow>(
        &self,
        parts: &[Part],
        rows_of: fn(&Part, Timestamp) -> files::Rows<T>,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let change = difference(parts, self.store.parts(T::SOURCE).await?, false);
        if change.is_empty() {
            return self.log_unchanged(T::SOURCE, &change.unchanged).await;
        }
        let mut reader = Reader::start(&change.read, self.now, rows_of);
        let mut pages: Vec<(&str, bool)> = change.unchanged.iter().map(page).collect();
        let (mut rows, mut ended) = (Vec::new(), Vec::new());
        for part in &change.read {
            let mut whole = rows.len();
            let read = loop {
                match reader.next().await {
                    Ok(Step::Facts(batch)) => {
                        self.progress.absorbed(batch.len());
                        rows.extend(batch);
                    }
                    Ok(Step::PartRead(read)) => break read,
                    Err(error) => {
                        // The parts before this one are good.
                        rows.truncate(whole);
                        self.absorb(&mut rows, &mut ended, report).await?;
                        return Err(error);
                    }
                }
                if rows.len() >= LOG_COMMIT {
                    self.absorb(&mut rows, &mut ended, report).await?;
                    whole = 0;
                }
            };
            *T::counter(report) += read.facts;
            pages.push((&part.name, read.names_next));
            ended.push((self.part_end(part, &read, &change), read));
        }
        self.absorb(&mut rows, &mut ended, report).await?;
        are_whole(pages)?;
        let gone = &change.gone;
        Ok(self.store.accept_log(T::SOURCE, gone, self.now).await?)
    }

    fn part_end(&self, part: &Part, read: &PartRead, change: &Difference<'_>) -> PartEnd {
        PartEnd {
            part: read_part(part, read),
            as_of: self.reading_of(part, change),
            rows: read.facts,
        }
    }

    /// Absorbs what was read of a log, and the parts that ended with it.
    async fn absorb<T: LogRow>(
        &self,
        rows: &mut Vec<T>,
        ended: &mut Vec<(PartEnd, PartRead)>,
        report: &mut PassReport,
    ) -> Result<(), StoreError> {
        let (ends, reads): (Vec<_>, Vec<_>) = ended.drain(..).unzip();
        T::absorb(self, rows, &ends, None).await?;
        rows.clear();
        for read in reads {
            self.note_quarantined(T::SOURCE, read.quarantined, read.quarantined_count, report)
                .await?;
        }
        Ok(())
    }
}

/// What tells whether the files have together the bytes of those before.
async fn digest_of(parts: &[Part]) -> Result<String, CollectError> {
    let parts = parts.to_vec();
    let digest = tokio::task::spawn_blocking(move || files::digest(&parts)).await;
    Ok(digest.map_err(|_| CollectError::Reader)??)
}

/// A part as a page: its name, and whether it names a next one.
fn page(part: &StoredPart) -> (&str, bool) {
    (&part.name, part.names_next)
}

/// Rows of a report that name nobody of the users export, or two people.
fn quarantine_nameless(import: &mut Import, part: &Part, rows: usize, aside: &mut u64) {
    if rows == 0 {
        return;
    }
    let reason = format!("{rows} rows name nobody, or two people, of the users export");
    tracing::warn!(file = part.name, rows, "{}: {reason}", part.name);
    *aside += rows as u64;
    import.quarantine([(part.name.clone(), 0, reason)]);
}
