//! An audit event as `GET /auditLogs/directoryAudits` and its copies spell it, as far as it
//! speaks of security info. `resultReason` is prose for people and never read.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Entry, Row, RowError, Scalar, event_id, event_time, event_user, is_flattened, parse};
use crate::domain::audit::{AuditEvent, AuditKind};
use crate::sources::Skip;

/// The properties of an audit event that count.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct AuditRow<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub activity_date_time: Scalar<'a>,
    #[serde(borrow)]
    pub activity_display_name: Scalar<'a>,
    #[serde(borrow)]
    pub result: Scalar<'a>,
    #[serde(borrow)]
    pub target_resources: Entry<'a, Target<'a>>,
    /// Azure Monitor's time, around the properties.
    #[serde(borrow)]
    pub time: Scalar<'a>,
    /// Azure Monitor's envelope.
    #[serde(borrow)]
    pub properties: Option<&'a RawValue>,
}

/// What an event was done to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct Target<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    /// Lower case in Graph's metadata, capitalised in its documentation.
    #[serde(borrow, rename = "type", alias = "Type", alias = "TYPE")]
    pub kind: Scalar<'a>,
}

/// Reads one audit event, with or without Azure Monitor's envelope.
pub fn audit(raw: &[u8], now: Timestamp) -> Result<Row<AuditEvent>, RowError> {
    let row = parse::<AuditRow<'_>>(raw)?;
    match row.properties {
        Some(properties) => {
            let inner = parse::<AuditRow<'_>>(properties.get().as_bytes())?;
            AuditRow {
                time: row.time,
                ..inner
            }
            .event(now)
        }
        None => row.event(now),
    }
}

impl AuditRow<'_> {
    /// The event, if it is a successful one about somebody's security info.
    pub fn event(&self, now: Timestamp) -> Result<Row<AuditEvent>, RowError> {
        let name = "activityDisplayName";
        let activity = self
            .activity_display_name
            .text(name)?
            .ok_or(RowError::Missing(name))?;
        let Some(kind) = kind(activity) else {
            return Ok(Row::Skipped(Skip::OtherKind));
        };
        let result = self
            .result
            .text("result")?
            .ok_or(RowError::Missing("result"))?;
        if !result.trim().eq_ignore_ascii_case("success") {
            return Ok(Row::Skipped(Skip::NotSuccessful));
        }
        if let Some(text) = self
            .target_resources
            .texts()
            .find(|text| is_flattened(text))
        {
            return Err(RowError::no_object("targetResources", text));
        }
        let mut targets = self
            .target_resources
            .items()
            .iter()
            .filter_map(Entry::object);
        let target = targets
            .find(|target| {
                target
                    .kind
                    .as_str()
                    .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("user"))
            })
            .ok_or(RowError::Missing("targetResources of type User"))?;
        let Some(user) = event_user(&target.id, "targetResources.id")? else {
            return Ok(Row::Skipped(Skip::UnknownUser));
        };
        Ok(Row::Fact(AuditEvent {
            id: event_id(&self.id)?,
            user,
            at: if self.activity_date_time.is_present() || !self.time.is_present() {
                event_time(&self.activity_date_time, "activityDateTime", now)?
            } else {
                event_time(&self.time, "time", now)?
            },
            kind,
        }))
    }
}

fn kind(activity: &str) -> Option<AuditKind> {
    match activity.trim().to_ascii_lowercase().as_str() {
        "user registered security info"
        | "user registered all required security info"
        | "admin registered security info" => Some(AuditKind::Registered),
        "admin deleted security info" => Some(AuditKind::AdminDeleted),
        "user deleted security info" => Some(AuditKind::UserDeleted),
        _ => None,
    }
}
