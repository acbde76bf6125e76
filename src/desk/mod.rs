//! The desk: whatever is asked or ordered comes here, and is answered by types that are the stable
//! JSON. Parsing what was asked, and printing, are the callers'.

pub mod acts;
pub mod approvals;
pub mod capacity;
pub mod deliveries;
mod error;
pub mod explain;
pub mod history;
pub mod log;
pub mod person;
pub mod plan;
pub mod status;
pub mod users;

use jiff::Timestamp;
use unicode_normalization::UnicodeNormalization as _;

pub use self::error::DeskError;
use crate::config::Config;
use crate::delivery::text::clean_line;
use crate::domain::decision::Next;
use crate::domain::facts::{Channel, World};
use crate::domain::hold::{self, StandingHold};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::policy::{Enforce, Policy};
use crate::pass;
use crate::store::outcome::Outcome;
use crate::store::read::Named;
use crate::store::{Store, StoreError, Whom};
use crate::time::{Clock, cron};

/// What every reader needs: the store, the policies as they are, and the time of the newest pass,
/// by which states are told.
#[derive(Debug)]
pub struct Reader {
    /// The store.
    pub store: Store,
    /// The policies of the configuration, their names resolved.
    pub policies: Vec<Policy>,
    /// The facts that are the same for everybody.
    pub world: World,
    /// The newest pass.
    pub now: Timestamp,
    /// The present, and whether it is that of a rehearsal.
    present: Present,
    /// When the schedule asks for the next pass.
    next_pass: Option<Timestamp>,
}

impl Reader {
    /// Opens the database and reads what holds for everybody.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let store = Store::open_existing(&config.database).await?;
        let now = store
            .newest_pass()
            .await?
            .unwrap_or_else(|| Clock::system().now());
        let present = present(&store).await?;
        let channel = if config.can_tell() {
            Channel::Works
        } else {
            Channel::None
        };
        let policies = pass::policies(&store, config, now).await?;
        let world = pass::world(&store, config, channel, now).await?;
        Ok(Self {
            store,
            policies,
            world,
            now,
            present,
            next_pass: cron::next_after(&config.schedule.poll, &config.zone, present.at),
        })
    }

    /// What stops flags. An approval that no pass used in time is none any more.
    pub async fn holds(&self) -> Result<Vec<StandingHold>, StoreError> {
        let mut holds = self.store.holds().await?;
        for hold in &mut holds {
            hold.approved_at = hold
                .approved_at
                .filter(|at| hold::is_approved(*at, self.present.at));
        }
        Ok(holds)
    }

    /// The present, by which people are told how far off something is; of a rehearsal its newest pass.
    #[must_use]
    pub fn present(&self) -> Timestamp {
        self.present.at
    }

    /// What comes next, which is never past: what is due, and a flag that is checked at every pass, is
    /// for the next one.
    #[must_use]
    pub fn upcoming(&self, next: Option<Next>) -> Option<Next> {
        let next = next?;
        let is_due = next.at <= self.present.at;
        let at = if is_due { self.next_pass? } else { next.at };
        Some(Next { at, ..next })
    }

    /// Decides about some people, the effects thrown away.
    pub async fn look(&self, whom: &Whom) -> Result<Vec<Outcome>, StoreError> {
        let dossiers = self.store.load(whom).await?;
        Ok(dossiers
            .into_iter()
            .map(|dossier| pass::look(dossier, &self.policies, &self.world, self.now))
            .collect())
    }

    /// The policies of the configuration, by name.
    #[must_use]
    pub fn policy_names(&self) -> Vec<PolicyName> {
        let names = self.policies.iter().map(|policy| policy.name.clone());
        names.collect()
    }

    /// The policy of that name, if it is in the configuration.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        let mut policies = self.policies.iter();
        policies.find(|policy| policy.name.as_str() == name)
    }

    /// Whether what the policy asks for is only rehearsed.
    #[must_use]
    pub fn is_rehearsed(&self, name: &str) -> bool {
        self.policy(name)
            .is_some_and(|policy| policy.enforce == Enforce::ReportOnly)
    }

    /// Refuses a policy that is not in the configuration.
    pub fn knows_policy(&self, name: &str) -> Result<(), DeskError> {
        if self.policy(name).is_some() {
            return Ok(());
        }
        let known = self.policies.iter().map(|policy| policy.name.as_str());
        let known: Vec<&str> = known.collect();
        let known = known.join(", ");
        Err(DeskError::Unknown(format!(
            "there is no policy {name:?}; the policies are {known}"
        )))
    }

    /// The one person whom a name means.
    pub async fn person(&self, name: &str) -> Result<UserId, DeskError> {
        one(&self.store, name).await
    }
}

/// People that are shown where a name fits none or several.
const SUGGESTED: u32 = 10;
/// The present, and whether it is that of a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// A rehearsal stands still at its newest pass, a daemon that died does not.
    pub at: Timestamp,
    /// The newest pass was given its time by `--as-of`.
    pub is_rehearsed: bool,
}

/// The present: by the clock of the host, which is never before the newest pass, or of a rehearsal.
pub async fn present(store: &Store) -> Result<Present, StoreError> {
    let newest = store.newest_pass().await?;
    let clocked = store.newest_clocked_pass().await?;
    let rehearsed = newest.filter(|_| clocked.is_none());
    let now = Clock::system().now();
    Ok(Present {
        at: rehearsed.unwrap_or_else(|| clocked.map_or(now, |last| now.max(last))),
        is_rehearsed: rehearsed.is_some(),
    })
}

/// The one person whom an id, a user principal name or a mail address means.
pub async fn one(store: &Store, name: &str) -> Result<UserId, DeskError> {
    let found = store.find(name).await?;
    let key = name.trim().to_lowercase();
    match (found.as_slice(), found.iter().find(|id| id.as_str() == key)) {
        (_, Some(id)) | ([id], None) => Ok(id.clone()),
        ([], None) => Err(nobody(store, name).await?),
        (several, None) => Err(several_fit(store, name, several).await?),
    }
}

/// What to say where a name means nobody: it may be a part of one.
async fn nobody(store: &Store, name: &str) -> Result<DeskError, StoreError> {
    let fit = if name.trim().is_empty() {
        Vec::new()
    } else {
        similar(store, name).await?
    };
    let asked = "give an object id, a user principal name or a mail address";
    if fit.is_empty() {
        let text = format!("nobody is known by {name:?}: {asked}");
        return Ok(DeskError::Unknown(text));
    }
    let more = if fit.len() > SUGGESTED as usize {
        "\n  and more: `fortnight users --search` lists all"
    } else {
        ""
    };
    let lines: Vec<String> = fit
        .iter()
        .take(SUGGESTED as usize)
        .map(suggestion)
        .collect();
    Ok(DeskError::Unknown(format!(
        "nobody is known by just {name:?}: {asked}. It fits:\n{}{more}",
        lines.join("\n")
    )))
}

/// People whose names fit, the letters composed as directories write them, or else as they were given.
async fn similar(store: &Store, name: &str) -> Result<Vec<Named>, StoreError> {
    let composed: String = name.nfc().collect();
    let fit = store.like(&composed, SUGGESTED + 1).await?;
    if fit.is_empty() && composed != name {
        return store.like(name, SUGGESTED + 1).await;
    }
    Ok(fit)
}

fn suggestion(person: &Named) -> String {
    let name = clean_line(person.display_name.as_deref().unwrap_or_default(), 60);
    let upn = clean_line(&person.user_principal_name, 100);
    format!("  {upn}  {name}").trim_end().to_owned()
}

async fn several_fit(
    store: &Store,
    name: &str,
    several: &[UserId],
) -> Result<DeskError, StoreError> {
    let whom = Whom::these(several.iter().map(UserId::as_str));
    let dossiers = store.load(&whom).await?;
    let lines = dossiers.into_iter().map(|dossier| {
        let person = dossier.person;
        let name = clean_line(&person.user_principal_name, 100);
        format!("  {}  {name}", person.id)
    });
    let list: Vec<String> = lines.collect();
    Ok(DeskError::Several(format!(
        "{name:?} fits {} people; say which by object id:\n{}",
        several.len(),
        list.join("\n")
    )))
}
