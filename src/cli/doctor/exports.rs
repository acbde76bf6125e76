//! Exported files: each that is needed is there, is what its name promises, and is young enough to
//! flag somebody; every name of the policies means somebody; and the clock.
//!
//! Files are read as a pass reads them, so that what is good here is good there.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Check;
use crate::cli::check::{audits, names, prompts};
use crate::config::{Config, Exports};
use crate::errors::chain;
use crate::pass::survey;
use crate::sources::Collection;
use crate::sources::files::{self, Part};
use crate::store::Store;
use crate::time::{Clock, format_duration};

pub(super) async fn checks(config: &Config, exports: &Exports) -> Vec<Check> {
    let now = Clock::system().now();
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
    let folder = Arc::new(folder);
    let mut checks = Vec::new();
    for (collection, limit) in needed(config) {
        let (surveyed, folder) = (collection, folder.clone());
        let parts = move || survey::parts(&folder, surveyed, now);
        let result = match tokio::task::spawn_blocking(parts).await {
            Ok(Ok(parts)) => young(&parts, collection, limit, &config.zone, now),
            Ok(Err(error)) => Err(chain(&error)),
            Err(error) => Err(chain(&error)),
        };
        checks.push(Check::new(collection.as_str(), result));
    }
    if audits::are_absent(config, None) {
        let text = format!("none: {}", audits::UNSEEN);
        checks.push(Check::new(Collection::Audits.as_str(), Ok(text)));
    }
    if prompts::are_absent(config) {
        checks.push(Check::new("prompts", Ok(prompts::UNSEEN.to_owned())));
    }
    checks.push(Check::new("names", known(config).await));
    checks.push(Check::new("clock", clock(config, now).await));
    checks
}

/// What a pass needs, and how old it may be to flag somebody.
fn needed(config: &Config) -> Vec<(Collection, Option<SignedDuration>)> {
    let freshness = &config.freshness;
    let mut needed = vec![
        (Collection::Users, Some(freshness.users)),
        (Collection::Registration, Some(freshness.registration)),
        (Collection::SignIns, Some(freshness.sign_ins)),
    ];
    let names_groups = |policy: &crate::config::PolicyConfig| policy.groups().next().is_some();
    if config.policies.iter().any(names_groups) {
        needed.push((Collection::Groups, None));
    }
    needed
}

fn young(
    parts: &[Part],
    collection: Collection,
    limit: Option<SignedDuration>,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<String, String> {
    let written = parts.iter().map(|part| part.written_at(zone));
    // A snapshot of several files is as old as the oldest of them, a log as the newest (rule 7.8).
    let counts = match collection {
        Collection::SignIns | Collection::Audits => written.max(),
        Collection::Users | Collection::Groups | Collection::Registration => written.min(),
    };
    let age = counts.map_or(SignedDuration::ZERO, |at| now.duration_since(at));
    let count = match parts {
        [part] => part.name.clone(),
        parts => format!("{} files", parts.len()),
    };
    let written = format!(
        "{count}, written {} ago",
        format_duration(age.max(SignedDuration::ZERO))
    );
    match limit {
        Some(limit) if age > limit => Err(format!(
            "{written}: too old to flag anybody; export {collection} anew, or widen [freshness] for exports by hand (now {} h)",
            limit.as_hours()
        )),
        _ => Ok(written),
    }
}

/// Whether every name of the policies means somebody.
async fn known(config: &Config) -> Result<String, String> {
    let faults = names::faults(config, None)
        .await
        .map_err(|error| chain(error.as_ref()))?;
    if faults.is_empty() {
        return Ok("every user and group that a policy names is there".to_owned());
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(format!(
        "{}: `fortnight check` shows the lines",
        faults.join("; ")
    ))
}

/// Whether the clock has gone on since the newest pass: no other clock can be asked here.
async fn clock(config: &Config, now: Timestamp) -> Result<String, String> {
    let newest = async {
        let store = Store::open_existing(&config.database).await.ok()?;
        let newest = store.newest_pass().await.ok()?;
        store.close().await;
        newest
    };
    match newest.await {
        Some(newest) if newest > now => Err(format!(
            "it stands at {now}, behind the newest pass of {newest}: set it, by systemd-timesyncd or chrony for example; until then flags are held and nothing is said"
        )),
        _ => Ok(format!("it stands at {now}")),
    }
}
