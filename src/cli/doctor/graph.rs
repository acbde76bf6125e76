//! Graph: the token, each permission by a question that takes it, every person and group that a
//! policy names, and the two clocks.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::refusal::said;
use super::{Check, Verdict, tenant};
use crate::cli::check::{self, audits};
use crate::config::Config;
use crate::domain::id::{GroupId, UserId};
use crate::entra::Credential;
use crate::errors::chain;
use crate::graph::{Ask, Client, GraphConfig, GraphError, Trail};
use crate::time::{Clock, format_duration};

/// What rule 7.8 needs to see a service that stands still.
const AUDITS: &str = "audit events";

pub(super) async fn checks(config: &Config, graph: &GraphConfig) -> Vec<Check> {
    let client = match Client::impatient(graph) {
        Ok(client) => client,
        Err(error) => return vec![Check::new("Graph: token", Err(chain(&error)))],
    };
    if let Err(error) = client.try_token().await {
        let rest = ["users", "registration report", "sign-ins", AUDITS];
        let not_tried = rest.map(|part| {
            Check::of(
                format!("Graph: {part}"),
                Verdict::NotTried,
                "it takes a token",
            )
        });
        let token = Check::new("Graph: token", Err(chain(&error)));
        return [token].into_iter().chain(not_tried).collect();
    }
    let ends = match &graph.application.credential {
        Credential::Secret(_) => "; when the client secret ends, only the app registration shows",
        Credential::Certificate(_)
        | Credential::ManagedIdentity
        | Credential::FederatedToken(_) => "",
    };
    let granted = format!("{} gives one{ends}", graph.application.authority);
    let mut checks = vec![Check::new("Graph: token", Ok(granted))];
    let now = Clock::system().now();
    for (part, ask) in questions(now) {
        let result = unseen(part, answered(&client, &ask).await);
        checks.push(Check::new(format!("Graph: {part}"), result));
    }
    let audits = checks
        .last()
        .is_some_and(|audits| audits.verdict.is_sound());
    checks.extend(tenant::checks(config, &client, audits).await);
    let named: BTreeSet<&String> = config
        .policies
        .iter()
        .flat_map(crate::config::PolicyConfig::users)
        .collect();
    for name in named {
        let result = user(&client, name).await;
        checks.push(Check::new(format!("Graph: user {name:?}"), result));
    }
    let named: BTreeSet<&String> = config
        .policies
        .iter()
        .flat_map(crate::config::PolicyConfig::groups)
        .collect();
    for name in named {
        let part = format!("Graph: group {name:?}");
        checks.push(match group(&client, name).await {
            Ok(true) => Check::of(part, Verdict::Good, "is there, and its members may be read"),
            Ok(false) => Check::of(
                part,
                Verdict::Warning,
                format!("{}; put them in, or name another group", check::empty(name)),
            ),
            Err(text) => Check::of(part, Verdict::Bad, text),
        });
    }
    checks.push(Check::new("clock", clock(&client)));
    checks
}

/// What each permission is for, and a question that takes it.
fn questions(now: Timestamp) -> [(&'static str, Ask); 4] {
    [
        ("users", Ask::any_user()),
        ("registration report", Ask::registrations().for_one_row()),
        ("sign-ins", Ask::sign_ins(now, None).for_one_row()),
        (AUDITS, Ask::audits(now, None).for_one_row()),
    ]
}

async fn answered(client: &Client, ask: &Ask) -> Result<String, String> {
    match client.page(ask, &mut Trail::default()).await {
        Ok(_) => Ok("may be read".to_owned()),
        Err(error) => Err(said(&error)),
    }
}

/// What follows where the audit log may not be read.
fn unseen(part: &str, result: Result<String, String>) -> Result<String, String> {
    match part {
        AUDITS => result.map_err(|error| format!("{error}; {}", audits::UNSEEN)),
        _ => result,
    }
}

/// Whether a name means a person.
async fn user(client: &Client, name: &str) -> Result<String, String> {
    let id = UserId::parse(name).map_err(|error| error.to_string())?;
    match client.object(&Ask::user(&id)).await {
        Ok(_) => Ok("is there".to_owned()),
        Err(GraphError::NotFound { .. }) => Err(
            "nobody has this object id or user principal name: mend the name in the policy"
                .to_owned(),
        ),
        Err(error) => Err(said(&error)),
    }
}

/// Whether a name means one group, and its members may be read; and whether there are any.
async fn group(client: &Client, name: &str) -> Result<bool, String> {
    let found = client
        .groups_named(name)
        .await
        .map_err(|error| said(&error))?;
    let ids: Vec<GroupId> = found.into_iter().map(|(id, _)| id).collect();
    let [id] = ids.as_slice() else {
        let text = match ids.len() {
            0 => "no group has this id or display name: mend the name in the policy".to_owned(),
            several => format!("{several} groups have this name: name the one by its object id"),
        };
        return Err(text);
    };
    let ask = Ask::members(id, true).for_one_row();
    match client.page(&ask, &mut Trail::default()).await {
        Ok(page) => Ok(!page.rows.is_empty()),
        Err(error @ GraphError::Forbidden { .. }) => Err(format!(
            "{}; a group with hidden membership takes Member.Read.Hidden too",
            chain(&error)
        )),
        Err(error) => Err(said(&error)),
    }
}

fn clock(client: &Client) -> Result<String, String> {
    let Some(ahead) = client.clock_ahead() else {
        return Err("Graph did not say what time it is".to_owned());
    };
    let by = format_duration(ahead.abs());
    match client.clock_fault(false) {
        None => Ok(format!("within {by} of Graph's")),
        Some(fault) => Err(format!(
            "{fault}: flags are held; set the clock, by systemd-timesyncd or chrony for example"
        )),
    }
}
