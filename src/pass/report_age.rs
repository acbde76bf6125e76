//! How old the registration report is, as the store and the operators know it (rule 7.8). What
//! follows from that is in [`age`](crate::domain::age).

use jiff::Timestamp;

use crate::config::Config;
use crate::domain::age::{LastReport, ReportAge, Trust};
use crate::domain::hold::HoldKind;
use crate::store::holds::Approval;
use crate::store::settings::{LAST_REPORT, REPORT_TRUSTED};
use crate::store::sources::Source;
use crate::store::{Store, StoreError};

/// The age of the report that was accepted last.
pub(super) async fn of(
    store: &Store,
    config: &Config,
    now: Timestamp,
) -> Result<Option<ReportAge>, StoreError> {
    let sources = store.sources().await?;
    let source = Source::Registration.as_str();
    let source = sources.into_iter().find(|one| one.name == source);
    let Some(times) = source.and_then(|source| source.reading.zip(source.as_of)) else {
        return Ok(None);
    };
    let report = last(store).await?;
    let event = match report.dates.newest {
        Some(newest) => store.overtaking_event(newest, times.0).await?,
        None => None,
    };
    let trust = store.setting(&REPORT_TRUSTED).await?;
    let lag = config.freshness.registration_lag;
    let age = ReportAge::of(&report, times, lag, event, trust.as_ref(), now);
    Ok(Some(age))
}

/// An approval of the hold `frozen` is an operator's word for the report: for as long as that is
/// good, each reading of it counts by its own time.
pub(super) async fn trust(
    store: &Store,
    config: &Config,
    approvals: &[Approval],
    now: Timestamp,
) -> Result<(), StoreError> {
    let report = last(store).await?;
    let evidence = report.evidence();
    let given = approvals.iter().find(|approval| {
        HoldKind::of_hold(&approval.hold) == Some(HoldKind::Frozen) && approval.evidence == evidence
    });
    if let Some(given) = given
        && store.rely_on(&[given], now).await?
    {
        let trust = Trust {
            evidence,
            at: given.at,
        };
        store.set(&REPORT_TRUSTED, &trust).await?;
    }
    let trust = store.setting(&REPORT_TRUSTED).await?;
    if trust.is_some_and(|trust| trust.covers(&report, now))
        && let Some(age) = of(store, config, now).await?
    {
        // Its own time stays, whatever becomes of the word.
        store.date_report(age.as_of).await?;
    }
    Ok(())
}

/// What an approval of the hold would cover now.
pub(super) async fn evidence(store: &Store) -> Result<String, StoreError> {
    Ok(last(store).await?.evidence())
}

async fn last(store: &Store) -> Result<LastReport, StoreError> {
    Ok(store.setting(&LAST_REPORT).await?.unwrap_or_default())
}
