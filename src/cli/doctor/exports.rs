//! Exported files: each that is needed is there, is what its name promises, and what it holds is young
//! enough to flag somebody; and every name of the policies means somebody.
//!
//! Files are read as a pass reads them, and once, so that what is good here is good there.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Check, Verdict};
use crate::cli::check::roster::{Read, Roster};
use crate::cli::check::{self, audits, names, prompts};
use crate::cli::times::Times;
use crate::config::{Config, Exports, Fault};
use crate::domain::age::{self, RowDates, Rows};
use crate::errors::chain;
use crate::pass::survey::{self, Aside};
use crate::sources::files::{self, Folder, Part};
use crate::sources::{Collection, SourceError};
use crate::store::Store;
use crate::store::sources::{Source, StoredPart};
use crate::time::format_duration;

pub(super) async fn checks(
    config: &Config,
    exports: &Exports,
    store: Option<&Store>,
    now: Timestamp,
) -> Vec<Check> {
    let folder = match files::scan(&exports.path, exports.dates) {
        Ok(folder) => folder,
        Err(error) => {
            let text = format!(
                "{}: name the folder of exports in directory.files.path; a relative path starts at the configuration's folder, and this user must be allowed to read there",
                chain(&error)
            );
            return vec![Check::new("exports", Err(text))];
        }
    };
    let known = Known::of(store).await;
    let config = Arc::new(config.clone());
    let read = {
        let config = Arc::clone(&config);
        move || read(&config, &folder, &known, now)
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(checks) => checks,
        Err(error) => vec![Check::new("exports", Err(chain(&error)))],
    }
}

/// What passes noted of the files that they read.
#[derive(Default)]
struct Known {
    parts: Vec<(Source, Vec<StoredPart>)>,
    /// What the report before was as of.
    report: Option<Timestamp>,
}

impl Known {
    async fn of(store: Option<&Store>) -> Self {
        let mut known = Self::default();
        let Some(store) = store else { return known };
        for source in [
            Source::Users,
            Source::Groups,
            Source::Registration,
            Source::SignIns,
            Source::Audits,
        ] {
            if let Ok(parts) = store.parts(source).await {
                known.parts.push((source, parts));
            }
        }
        let sources = store.sources().await.unwrap_or_default();
        let report = Source::Registration.as_str();
        let report = sources.into_iter().find(|source| source.name == report);
        known.report = report.and_then(|report| report.as_of);
        known
    }

    fn parts(&self, source: Source) -> Vec<StoredPart> {
        let of = self.parts.iter().find(|(one, _)| *one == source);
        of.map(|(_, parts)| parts.clone()).unwrap_or_default()
    }
}

fn read(config: &Config, folder: &Folder, known: &Known, now: Timestamp) -> Vec<Check> {
    let roster = Roster::read(config, folder, now);
    let desk = Desk { config, known, now };
    let fresh = &config.freshness;
    let users = roster.users().map_err(|error| chain(error));
    let mut checks = vec![desk.judged(Collection::Users, Some(fresh.users), users)];
    checks.push(desk.report(survey::registration(folder, now)));
    let sign_ins = survey::sign_ins(folder, now);
    let sign_ins = sign_ins
        .as_ref()
        .map(Read::of)
        .map_err(|error| chain(error));
    checks.push(desk.judged(Collection::SignIns, Some(fresh.sign_ins), sign_ins));
    if let Some(groups) = roster.groups() {
        let groups = groups.map_err(|error| chain(error));
        checks.push(desk.judged(Collection::Groups, None, groups));
    }
    let audited = Collection::Audits.as_str();
    match survey::audits(folder, now) {
        Err(SourceError::Absent { .. }) => {
            checks.push(Check::of(
                audited,
                Verdict::Good,
                format!("none: {}", audits::UNSEEN),
            ));
        }
        audits => {
            let audits = audits.as_ref().map(Read::of).map_err(|error| chain(error));
            checks.push(desk.judged(Collection::Audits, None, audits));
        }
    }
    if prompts::are_absent(config) {
        checks.push(Check::new("prompts", Ok(prompts::UNSEEN.to_owned())));
    }
    checks.push(if roster.users().is_ok() {
        Check::new("names", names(&names::by_exports(config, &roster)))
    } else {
        Check::of(
            "names",
            Verdict::NotTried,
            "the users have to be read first",
        )
    });
    for group in roster.empty_groups(config) {
        let text = format!(
            "{}; put them in, or name another group",
            check::empty(&group)
        );
        checks.push(Check::of("members", Verdict::Warning, text));
    }
    checks
}

/// By what files are judged.
struct Desk<'a> {
    config: &'a Config,
    known: &'a Known,
    now: Timestamp,
}

impl Desk<'_> {
    /// The age of what a collection holds (rule 7.8), against what may flag somebody.
    fn judged(
        &self,
        collection: Collection,
        limit: Option<SignedDuration>,
        read: Result<Read<'_>, String>,
    ) -> Check {
        let judged = read.and_then(|read| {
            let reading = self.reading(collection, read.parts);
            self.young(
                collection,
                limit,
                read.parts,
                reading,
                &put_aside(read.aside),
            )
        });
        Check::new(collection.as_str(), judged)
    }

    /// The report also says by when whoever registered is in it.
    fn report(&self, read: Result<survey::Survey<Option<Timestamp>>, SourceError>) -> Check {
        let collection = Collection::Registration;
        let judged = read.map_err(|error| chain(&error)).and_then(|read| {
            let reading = self.reading(collection, &read.parts);
            let mut rows = Rows::default();
            for dated in read.facts {
                rows.add(dated);
            }
            let dates = rows.read_at(reading);
            let proof = self.proof(reading, &dates) + &put_aside(&read.aside);
            let limit = Some(self.config.freshness.registration);
            self.young(collection, limit, &read.parts, reading, &proof)
        });
        Check::new(collection.as_str(), judged)
    }

    fn proof(&self, reading: Timestamp, dates: &RowDates) -> String {
        let lag = self.config.freshness.registration_lag;
        let before = self.known.report.filter(|before| *before <= reading);
        let as_of = age::as_of(reading, lag, dates.reached, before);
        let ahead = dates.named_ahead().map(|text| format!("; {text}"));
        format!(
            "; it proves who had registered by {}{}",
            self.local(as_of),
            ahead.unwrap_or_default()
        )
    }

    fn reading(&self, collection: Collection, parts: &[Part]) -> Timestamp {
        let (source, is_log) = match collection {
            Collection::Users => (Source::Users, false),
            Collection::Groups => (Source::Groups, false),
            Collection::Registration => (Source::Registration, false),
            Collection::SignIns => (Source::SignIns, true),
            Collection::Audits => (Source::Audits, true),
        };
        let stored = self.known.parts(source);
        let reading = survey::reading(parts, stored, is_log, &self.config.zone, self.now);
        reading.unwrap_or(self.now)
    }

    fn young(
        &self,
        collection: Collection,
        limit: Option<SignedDuration>,
        parts: &[Part],
        reading: Timestamp,
        proof: &str,
    ) -> Result<String, String> {
        let age = self.now.duration_since(reading).max(SignedDuration::ZERO);
        let files = match parts {
            [part] => part.name.clone(),
            parts => format!("{} files", parts.len()),
        };
        let told = format!(
            "{files}: as of {}, {} old",
            self.local(reading),
            format_duration(age)
        );
        match limit {
            Some(limit) if age > limit => Err(format!(
                "{told}: too old to flag anybody; export {collection} anew, or widen [freshness] for exports by hand (now {} h)",
                limit.as_hours()
            )),
            _ => Ok(format!("{told}{proof}")),
        }
    }

    fn local(&self, at: Timestamp) -> String {
        Times::new(self.config, self.now).zoned(at)
    }
}

/// How many rows a pass would put aside, and the first of them.
fn put_aside(aside: &Aside) -> String {
    let rows = match (aside.rows, &aside.first) {
        (_, None) => return String::new(),
        (1, Some(row)) => format!("one row would be put aside ({row})"),
        (rows, Some(row)) => format!("{rows} rows would be put aside (the first: {row})"),
    };
    format!("; but {rows}")
}

/// Whether every name of the policies means somebody.
fn names(faults: &[Fault]) -> Result<String, String> {
    if faults.is_empty() {
        return Ok("every user and group that a policy names is there".to_owned());
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(format!(
        "{}: `fortnight check` shows the lines",
        faults.join("; ")
    ))
}
