//! What else in the tenant asks people to register, as far as Graph shows it: security defaults
//! where that may be read, and edits of policies that no program can read, in the audit log. No pass needs any
//! of it, so what cannot be looked at is said and is no fault.

use serde::Deserialize;

use super::refusal::said;
use super::{Check, Verdict};
use crate::config::Config;
use crate::domain::policy::Mode;
use crate::graph::{Ask, Client, GraphError, Trail};

/// As the audit log names an edit of the registration policy of ID Protection.
const REGISTRATION_POLICY: &str = "Update User Risk and MFA Registration Policy";
/// As it names one of the authentication methods policy, to which the registration campaign belongs.
const METHODS_POLICY: &str = "Authentication Methods Policy Update";

/// `audits_may_be_read`: else nothing of the audit log is asked for again.
pub(super) async fn checks(
    config: &Config,
    client: &Client,
    audits_may_be_read: bool,
) -> Vec<Check> {
    let mut checks = vec![security_defaults(client).await];
    if audits_may_be_read {
        checks.push(registration_policy(config, client).await);
        checks.push(methods_policy(client).await);
    }
    checks
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Defaults {
    is_enabled: bool,
}

async fn security_defaults(client: &Client) -> Check {
    let part = "Graph: security defaults";
    let read = client.object(&Ask::security_defaults()).await;
    let read = match read {
        Ok(row) => serde_json::from_str::<Defaults>(row.get()).map_err(|error| error.to_string()),
        Err(GraphError::Forbidden { .. }) => {
            let text = "whether they are on was not looked at: that takes Policy.Read.All, which nothing else needs";
            return Check::of(part, Verdict::NotLookedAt, text);
        }
        Err(error) => Err(said(&error)),
    };
    match read {
        Ok(Defaults { is_enabled: false }) => Check::of(part, Verdict::Good, "they are off"),
        Ok(Defaults { is_enabled: true }) => Check::of(
            part,
            Verdict::Warning,
            "they are on: Entra itself has everybody register at the next sign-in, whatever windows say here; docs/entra.md says what goes together",
        ),
        Err(text) => Check::of(part, Verdict::NotLookedAt, text),
    }
}

async fn registration_policy(config: &Config, client: &Client) -> Check {
    let part = "Graph: registration policy";
    let edited = edited(
        client,
        "edits of the registration policy",
        REGISTRATION_POLICY,
    )
    .await;
    let is_native = config.mode == Mode::Native;
    match edited {
        Err(text) => Check::of(part, Verdict::NotLookedAt, text),
        Ok(None) => Check::of(
            part,
            Verdict::Good,
            "no edit in the audit log; whether that of ID Protection is on, Graph tells nobody",
        ),
        Ok(Some(day)) if is_native => Check::of(
            part,
            Verdict::Good,
            format!("that of ID Protection was edited on {day}"),
        ),
        Ok(Some(day)) => Check::of(
            part,
            Verdict::Warning,
            format!(
                "that of ID Protection was edited on {day}: if it is on, it asks too, by a clock of its own that nobody can move; docs/entra.md says what goes together"
            ),
        ),
    }
}

async fn methods_policy(client: &Client) -> Check {
    let part = "Graph: methods policy";
    let edited = edited(
        client,
        "edits of the authentication methods policy",
        METHODS_POLICY,
    )
    .await;
    match edited {
        Err(text) => Check::of(part, Verdict::NotLookedAt, text),
        Ok(None) => Check::of(part, Verdict::Good, "no edit in the audit log"),
        Ok(Some(day)) => Check::of(
            part,
            Verdict::Good,
            format!(
                "it was edited on {day}: a registration campaign in it asks people who have a method already"
            ),
        ),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    activity_date_time: String,
}

/// The day of the newest edit that the log still has.
async fn edited(
    client: &Client,
    what: &'static str,
    activity: &'static str,
) -> Result<Option<String>, String> {
    let ask = Ask::activity_named(what, activity);
    let page = client.page(&ask, &mut Trail::default()).await;
    let page = page.map_err(|error| said(&error))?;
    let Some(row) = page.rows.first() else {
        return Ok(None);
    };
    let event: Event = serde_json::from_str(row.get()).map_err(|error| error.to_string())?;
    let at = event.activity_date_time.parse::<jiff::Timestamp>();
    let at = at.map_err(|error| error.to_string())?;
    Ok(Some(at.strftime("%Y-%m-%d").to_string()))
}
