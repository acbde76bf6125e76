//! A sign-in as `GET /auditLogs/signIns` (v1.0 and beta), Azure Monitor and the portal's
//! sign-in exports spell it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Entry, Row, RowError, Scalar, event_id, event_time, event_user, is_flattened, parse};
use crate::domain::sign_in::{Route, SignIn};
use crate::sources::Skip;

/// An application's name is for display; more than this is noise.
const MAX_APP: usize = 256;

/// Stands for a code that the log leaves out though it has a status, as Microsoft's own sample of
/// `GET /auditLogs/signIns` does (`"status": {}`): no table knows it, so its class is
/// [`Unknown`](crate::domain::sign_in::SignInClass::Unknown), which begins and completes nothing.
const NO_CODE: i64 = -1;

/// The properties of a sign-in that count (rule R15: no address, place or device).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct SignInRow<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub created_date_time: Scalar<'a>,
    #[serde(borrow)]
    pub user_id: Scalar<'a>,
    #[serde(borrow)]
    pub app_display_name: Scalar<'a>,
    #[serde(borrow)]
    pub is_interactive: Scalar<'a>,
    #[serde(borrow)]
    pub sign_in_event_types: Entry<'a>,
    #[serde(borrow)]
    pub client_app_used: Scalar<'a>,
    #[serde(borrow)]
    pub authentication_protocol: Scalar<'a>,
    #[serde(borrow)]
    pub cross_tenant_access_type: Scalar<'a>,
    #[serde(borrow)]
    pub authentication_requirement: Scalar<'a>,
    #[serde(borrow)]
    pub status: Entry<'a, Status<'a>>,
    /// Azure Monitor's time, beside or around the properties.
    #[serde(borrow)]
    pub time: Scalar<'a>,
    /// The same in a table of Log Analytics.
    #[serde(borrow)]
    pub time_generated: Scalar<'a>,
    /// Azure Monitor's category, beside or around the properties.
    #[serde(borrow)]
    pub category: Scalar<'a>,
    /// Azure Monitor's copy of the code, where `status` has none.
    #[serde(borrow)]
    pub result_type: Scalar<'a>,
    /// Azure Monitor's envelope.
    #[serde(borrow)]
    pub properties: Option<&'a RawValue>,
}

/// `status`; a documented sample has it empty.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct Status<'a> {
    #[serde(borrow)]
    pub error_code: Scalar<'a>,
}

/// What a whole file or query says about its sign-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recorded {
    /// Interactive, unless the row says otherwise.
    #[default]
    ByRow,
    /// An export of non-interactive sign-ins: they open nothing, whatever a row says.
    NonInteractive,
}

/// Reads one sign-in, with or without Azure Monitor's envelope.
pub fn sign_in(raw: &[u8], recorded: Recorded, now: Timestamp) -> Result<Row<SignIn>, RowError> {
    let row = parse::<SignInRow<'_>>(raw)?;
    let Some(properties) = row.properties else {
        return row.sign_in(recorded, now);
    };
    let inner = parse::<SignInRow<'_>>(properties.get().as_bytes())?;
    SignInRow {
        time: row.time,
        category: row.category,
        result_type: row.result_type,
        ..inner
    }
    .sign_in(recorded, now)
}

impl SignInRow<'_> {
    /// The sign-in, if a person made it.
    pub fn sign_in(&self, recorded: Recorded, now: Timestamp) -> Result<Row<SignIn>, RowError> {
        let Some(route) = self.route(recorded)? else {
            return Ok(Row::Skipped(Skip::OtherKind));
        };
        let Some(user) = event_user(&self.user_id, "userId")? else {
            return Ok(Row::Skipped(Skip::UnknownUser));
        };
        let code = self.code()?;
        Ok(Row::Fact(SignIn {
            id: event_id(&self.id)?,
            user,
            at: self.at(now)?,
            code,
            route,
            app: self.app(),
            multifactor_met: code == 0
                && matches_word(
                    &self.authentication_requirement,
                    "multifactorauthentication",
                ),
        }))
    }

    /// When it was made: the time of the record where it does not say itself.
    fn at(&self, now: Timestamp) -> Result<Timestamp, RowError> {
        let instead = [
            (&self.time, "time"),
            (&self.time_generated, "TimeGenerated"),
        ];
        let (time, name) = [(&self.created_date_time, "createdDateTime")]
            .into_iter()
            .chain(instead)
            .find(|(time, _)| time.is_present())
            .ok_or(RowError::Missing("createdDateTime"))?;
        event_time(time, name, now)
    }

    /// The route; `None` for what no person made.
    fn route(&self, recorded: Recorded) -> Result<Option<Route>, RowError> {
        let mut interactive = recorded == Recorded::ByRow;
        if let Some(category) = self.category.as_str() {
            let category = word(category);
            match category.strip_prefix("aad").unwrap_or(&category) {
                "signinlogs" => {}
                "noninteractiveusersigninlogs" => interactive = false,
                _ => return Ok(None),
            }
        }
        let kinds = self.kinds()?;
        if !kinds.is_empty() {
            if kinds
                .iter()
                .all(|kind| kind == "serviceprincipal" || kind == "managedidentity")
            {
                return Ok(None);
            }
            interactive &= kinds.iter().any(|kind| kind == "interactiveuser");
        }
        interactive &= self.is_interactive.flag("isInteractive")? != Some(false);
        Ok(Some(if !interactive {
            Route::NonInteractive
        } else if matches_word(&self.cross_tenant_access_type, "passthrough") {
            Route::Passthrough
        } else if matches_word(&self.authentication_protocol, "ropc") {
            Route::Ropc
        } else if self.is_modern() {
            Route::Interactive
        } else {
            Route::Legacy
        }))
    }

    /// What kinds of sign-in it was, also where one text names several. The name of a type, which
    /// some tools write instead, says nothing: then the flag must.
    fn kinds(&self) -> Result<Vec<String>, RowError> {
        let texts: Vec<&str> = self.sign_in_event_types.texts().collect();
        if let Some(text) = texts.iter().find(|text| text.contains(['[', '{', '.'])) {
            return if self.is_interactive.is_present() {
                Ok(Vec::new())
            } else {
                Err(RowError::no_list("signInEventTypes", text))
            };
        }
        let kinds = texts
            .iter()
            .flat_map(|text| text.split([',', ';', '|', ' ', '\n', '\r']));
        Ok(kinds.map(word).filter(|kind| !kind.is_empty()).collect())
    }

    /// Whether the client can show a prompt (case 36).
    fn is_modern(&self) -> bool {
        let client = word(self.client_app_used.as_str().unwrap_or_default());
        matches!(
            client.as_str(),
            "" | "browser" | "mobileappsanddesktopclients"
        ) || client.starts_with("modern")
    }

    fn code(&self) -> Result<i64, RowError> {
        if let Entry::Scalar(Scalar::Text(text)) = &self.status
            && is_flattened(text)
        {
            return Err(RowError::no_object("status", text));
        }
        let status = self.status.object();
        status
            .and_then(|status| status.error_code.number())
            .or_else(|| self.result_type.number())
            .or_else(|| (!status?.error_code.is_present()).then_some(NO_CODE))
            .ok_or(RowError::Missing("status.errorCode"))
    }

    fn app(&self) -> Option<String> {
        let app = self.app_display_name.as_str()?.trim();
        (!app.is_empty()).then(|| app.chars().take(MAX_APP).collect())
    }
}

/// A word of an enumeration, whatever its case and spacing: Graph and the portal differ.
fn word(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn matches_word(value: &Scalar<'_>, expected: &str) -> bool {
    value.as_str().is_some_and(|text| word(text) == expected)
}
