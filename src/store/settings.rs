//! Small things that are true of the whole database, each under a key, and what each holds.
//!
//! A key is written down here alone, with its type, so that nobody reads what another wrote in
//! other words. What cannot be read is as good as absent: whoever wants it looks again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::db::{Connection, Executor};
use super::{Doing, Store, StoreError, instant, micros};
use crate::domain::age::{LastReport, Trust};

/// The newest pass.
pub(super) const NEWEST_PASS: Setting<Timestamp> = Setting::moment("newest_pass");
/// The newest pass whose time the host's clock told, rather than `--as-of`.
pub(super) const CLOCKED_PASS: Setting<Timestamp> = Setting::moment("clocked_pass");
/// The last id that a sweep has decided about; absent: no sweep is under way.
pub(super) const SWEEP: Setting<String> = Setting::text("sweep");
/// That rows of an earlier version are not whole yet: everybody is decided about first.
pub(super) const UNLISTED: Setting<String> = Setting::text("unlisted");
/// The date of what the last report said was lost.
pub(super) const LOSSES_DATED: Setting<Timestamp> = Setting::moment("losses_dated");
/// The report before the missing grew: the date of its losses in microseconds, and how many were
/// missing then.
pub(super) const YARDSTICK: Setting<(i64, u64)> = Setting::json("yardstick");
/// The last of the sign-ins stored by an earlier version that were sorted; absent: all are.
pub const UNSORTED_SIGN_INS: Setting<String> = Setting::text("unsorted_sign_ins");

/// What is remembered of the registration report that was accepted last.
pub const LAST_REPORT: Setting<LastReport> = Setting::json("last_report");
/// An operator's word that a registration report is what it says.
pub const REPORT_TRUSTED: Setting<Trust> = Setting::json("report_trusted");

/// Which configuration everybody was decided under.
pub const CONFIGURATION: Setting<String> = Setting::text("configuration");
/// When what is no longer needed was removed last.
pub const PRUNED: Setting<Timestamp> = Setting::date("pruned");
/// When news of people went to operators, by the event; as many as decide on the next.
pub const GATHERED: Setting<BTreeMap<String, Vec<Timestamp>>> = Setting::json("gathered");
/// The addresses of operators in the last pass: of the holds that stand only others are told.
pub const OPERATORS: Setting<Vec<String>> = Setting::json("operators");
/// The name of this installation, for receivers of several.
pub const INSTANCE: Setting<String> = Setting::text("instance");
/// With which users snapshot a report that names people by user principal name was joined; empty
/// for a report that has object ids.
pub const REGISTRATION_JOINED_WITH: Setting<String> = Setting::text("registration_joined_with");
/// The begin of the gap of the sign-in logs for which the directory was asked.
pub const ACTIVITY_ASKED_FOR: Setting<Timestamp> = Setting::date("activity_asked_for");
/// What is remembered of the way to mailboxes, between deliveries.
pub const MAIL: Json = Json("mail");
/// What names of the configuration meant the last time they meant something: a renamed emergency
/// account stays exempt, and its policy is held, until the name is mended.
pub const NAMES: Json = Json("names");
/// For which names the groups were read last; of files also, where members are named by user
/// principal name, with which users snapshot, and which names count with the groups within.
pub const GROUPS_READ_FOR: Json = Json("groups_read_for");
/// Files that are left alone because a newer edition of them is there.
pub const LEFT_ALONE: Json = Json("left_alone");
/// Files of other names that look like exports and were named.
pub const OTHERS_NAMED: Json = Json("others_named");
/// The groups that cannot be read of which operators have approved that.
pub const UNREAD_GROUPS_APPROVED: Json = Json("unread_groups_approved");

/// Where the reading of a source is, in the words of whoever reads it.
pub(super) fn reading(source: &str) -> Setting<String> {
    Setting {
        key: Cow::Owned(format!("reading:{source}")),
        ..Setting::text("")
    }
}

/// Whether an id was in two parts of a source when it was read last.
pub(super) fn duplicates(source: &str) -> Setting<bool> {
    Setting {
        key: Cow::Owned(format!("duplicates:{source}")),
        ..Setting::json("")
    }
}

/// A key, and how what it holds is written.
#[derive(Debug)]
pub struct Setting<T> {
    key: Cow<'static, str>,
    parse: fn(&str) -> Option<T>,
    print: fn(&T) -> String,
}

/// A key whose JSON has a form that a floor above knows.
#[derive(Debug, Clone, Copy)]
pub struct Json(&'static str);

impl Json {
    /// The setting in that form.
    #[must_use]
    pub fn of<T: Serialize + DeserializeOwned>(self) -> Setting<T> {
        Setting::json(self.0)
    }
}

impl Setting<String> {
    const fn text(key: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            parse: |text| Some(text.to_owned()),
            print: String::clone,
        }
    }
}

impl Setting<Timestamp> {
    /// An instant in microseconds, as columns have them.
    const fn moment(key: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            parse: |text| text.parse().ok().map(instant),
            print: |at| micros(*at).to_string(),
        }
    }

    /// An instant in RFC 3339.
    const fn date(key: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            parse: |text| text.parse().ok(),
            print: Timestamp::to_string,
        }
    }
}

impl<T: Serialize + DeserializeOwned> Setting<T> {
    const fn json(key: &'static str) -> Self {
        Self {
            key: Cow::Borrowed(key),
            parse: |text| serde_json::from_str(text).ok(),
            print: |value| serde_json::to_string(value).unwrap_or_default(),
        }
    }
}

impl Store {
    /// What a setting holds.
    pub async fn setting<T>(&self, setting: &Setting<T>) -> Result<Option<T>, StoreError> {
        read(&self.read, setting).await
    }

    /// Writes a setting.
    pub async fn set<T>(&self, setting: &Setting<T>, value: &T) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        write(&mut transaction, setting, value).await?;
        transaction.commit().await.doing("writing a setting")
    }
}

pub(super) async fn read<'e, T>(
    executor: impl Executor<'e>,
    setting: &Setting<T>,
) -> Result<Option<T>, StoreError> {
    let text: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(&*setting.key)
        .fetch_optional(executor)
        .await
        .doing("reading a setting")?;
    Ok(text.and_then(|text| (setting.parse)(&text)))
}

pub(super) async fn write<T>(
    connection: &mut Connection,
    setting: &Setting<T>,
    value: &T,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(&*setting.key)
        .bind((setting.print)(value))
        .execute(connection)
        .await
        .doing("writing a setting")
        .map(drop)
}

pub(super) async fn forget<'e, T>(
    executor: impl Executor<'e>,
    setting: &Setting<T>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM meta WHERE key = $1")
        .bind(&*setting.key)
        .execute(executor)
        .await
        .doing("forgetting a setting")
        .map(drop)
}

/// Tries whether the database takes writes: a row that was there only for the trial stays nowhere.
pub(super) async fn try_write(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ('trial', '')")
        .execute(connection)
        .await
        .map(drop)
}
