//! Mail as a destination: its claims follow its budgets, a server that asks for time gets it, and whose fault it is
//! that something was not accepted is for [`fault`](crate::domain::fault) to say.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::lane::Lane;
use super::transport::Transport;
use crate::config::{Config, Email};
use crate::delivery::Outcome;
use crate::domain::delivery::Disposition;
use crate::domain::fault::{Answer, Attempt, Judge, Next, Order, Verdict};
use crate::domain::news;
use crate::domain::window::{UNREACHABLE_AFTER, later};
use crate::store::addresses::Notes;
use crate::store::destinations::Health;
use crate::store::outbox::{Claimed, EMAIL};
use crate::store::outcome::Operators;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// No retry of a mail to a person waits longer (rule 5.6) …
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_mins(30);
/// … and none of one to operators, which is what is tried while nothing gets through (rule 7.11).
const OPERATORS_AT_MOST: SignedDuration = SignedDuration::from_mins(60);
/// So many failures of the way itself in a row end the deliveries of a pass.
const FAILURES_IN_A_ROW: u32 = 5;
/// A server is never left alone for longer.
const LEFT_ALONE_AT_MOST: SignedDuration = SignedDuration::from_mins(15);

/// The way to mailboxes.
pub(super) struct MailLane<'a> {
    transport: &'a Transport,
    store: &'a Store,
    config: &'a Config,
    /// Who can be asked.
    operators: Operators,
    judge: Mutex<Judge>,
}

impl<'a> MailLane<'a> {
    /// The way as it is known by now.
    pub(super) async fn new(
        transport: &'a Transport,
        store: &'a Store,
        config: &'a Config,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let addresses = witnesses(store, config).await?;
        let memory = store.mail_memory().await?.dated_by(now);
        Ok(Self {
            transport,
            store,
            config,
            judge: Mutex::new(Judge::new(memory, !addresses.is_empty())),
            operators: Operators {
                addresses,
                sender: config.sender_domain(),
            },
        })
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the mail to operators that decides, unless another one to them waits and will.
    async fn ask(&self, now: Timestamp) -> Result<bool, StoreError> {
        if self.store.operators_wait().await? {
            return Ok(false);
        }
        let (refused, notes, doubt) = {
            let mut judge = self.judge();
            let refused = judge.ask(now);
            let doubt = judge.memory().doubt.clone();
            (refused, notes_of(&mut judge), doubt)
        };
        let ids: Vec<String> = refused.iter().map(|(id, _)| id.clone()).collect();
        let mut rows = self.store.refused(&ids).await?;
        rows.sort_by_cached_key(|row| row.user_principal_name.to_lowercase());
        let manner = self.config.manner();
        let line = |row: &crate::store::addresses::Refused| {
            let (_, answer) = refused.iter().find(|(id, _)| *id == row.id)?;
            let mut policies = self.config.policies.iter();
            let is_strict = policies.any(|known| known.name == row.policy && known.strict);
            let flagged = row.untold.filter(|_| !is_strict);
            let flagged = flagged.map(|deadline| later(deadline, UNREACHABLE_AFTER));
            Some(news::refused(
                &row.user_principal_name,
                &row.user,
                answer,
                flagged,
                &manner,
            ))
        };
        let lines = rows.iter().filter_map(line).collect();
        let doubt = doubt.as_ref().map(|doubt| doubt.text.as_str());
        let news = news::not_accepted(lines, doubt, manner.language, now);
        let store = self.store;
        let queued = store.ask_operators(news, &self.operators, &notes, now);
        Ok(queued.await? > 0)
    }
}

/// The operators who can be asked whether mail gets through: whose own address is at fault cannot tell.
pub(crate) async fn witnesses(store: &Store, config: &Config) -> Result<Vec<String>, StoreError> {
    let email = config.email.as_ref();
    let mut addresses = email.map(Email::operator_addresses).unwrap_or_default();
    let at_fault = store.at_fault(&addresses).await?;
    addresses.retain(|address| !at_fault.contains(address));
    Ok(addresses)
}

/// What is new to be written down.
fn notes_of(judge: &mut Judge) -> Notes {
    Notes {
        accounts: judge.changed_accounts(),
        memory: judge.memory().clone(),
    }
}

impl Lane for MailLane<'_> {
    fn name(&self) -> &str {
        EMAIL
    }

    fn connections(&self) -> usize {
        match self.judge().left() {
            None => self.transport.connections(),
            Some(_) => 1,
        }
    }

    async fn allows(
        &self,
        _: &Health,
        usual: u32,
        _: usize,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let mut left = usual;
        if self.order() == Order::Operators {
            // One an hour at most, which decides about all the others.
            return Ok(left);
        }
        let budgets = self.config.email.as_ref().map(|email| email.budgets);
        for (limit, length) in budgets.unwrap_or_default().limits() {
            let spent = self.store.attempts_since(later(now, -length)).await?;
            let spent = u32::try_from(spent).unwrap_or(u32::MAX);
            left = left.min(limit.saturating_sub(spent));
        }
        Ok(left)
    }

    fn is_closed(&self, health: &Health, in_vain: u32, now: Timestamp) -> bool {
        in_vain >= FAILURES_IN_A_ROW || health.paused_until.is_some_and(|until| until > now)
    }

    fn order(&self) -> Order {
        self.judge().order()
    }

    fn most(&self, usual: u32) -> u32 {
        self.judge().left().map_or(usual, |left| left.min(usual))
    }

    async fn send(&self, row: &Claimed, _: Clock) -> Outcome {
        self.transport.send(row).await
    }

    /// A server that says 421 or hangs up is left alone, longer each time; what was under way then does not take that back.
    fn after(
        &self,
        before: &Health,
        outcome: &Outcome,
        now: Timestamp,
    ) -> (Health, Option<String>) {
        let still = before.paused_until.filter(|until| *until > now);
        let failed = |paused_until| Health {
            failures: before.failures + 1,
            failing_since: before.failing_since.or(Some(now)),
            reason: Some(outcome.reason()),
            paused_until,
            ..Health::default()
        };
        let health = match outcome {
            Outcome::Accepted { .. } => Health {
                paused_until: still,
                reason: before.reason.clone().filter(|_| still.is_some()),
                ..Health::default()
            },
            Outcome::Busy { .. } => match still {
                None => failed(Some(left_alone(before, SignedDuration::from_mins(1), now))),
                Some(_) => before.clone(),
            },
            Outcome::Deferred {
                retry_after: Some(wait),
                ..
            } if still.is_none() => failed(Some(left_alone(before, *wait, now))),
            Outcome::Unreachable { .. } | Outcome::Unauthorized { .. } | Outcome::Gone { .. } => {
                failed(still)
            }
            Outcome::Deferred { .. }
            | Outcome::Declined { .. }
            | Outcome::Lost { .. }
            | Outcome::Refused { .. } => before.clone(),
        };
        (health, None)
    }

    fn verdict(&self, row: &Claimed, outcome: &Outcome, now: Timestamp) -> Option<Verdict> {
        let text = outcome.reason();
        let attempt = Attempt {
            row: &row.id,
            address: row.address.as_deref().unwrap_or_default(),
            to_operators: row.user.is_none(),
            account: row.account,
            text: &text,
        };
        let answer = match outcome {
            Outcome::Accepted { .. } => Answer::Accepted,
            Outcome::Unreachable { .. } | Outcome::Gone { .. } => Answer::NoWay,
            Outcome::Unauthorized { .. } => Answer::Channel,
            Outcome::Busy { .. } => Answer::Busy,
            // An address that is none reached no server.
            Outcome::Refused { code: None, .. } => Answer::Nowhere,
            Outcome::Refused { .. } => Answer::Recipient,
            Outcome::Declined { .. } => Answer::Unclear,
            // A letter that we cannot write says nothing of anybody.
            Outcome::Deferred {
                code: None,
                retry_after: None,
                ..
            } => return None,
            Outcome::Deferred { .. } => Answer::Deferred,
            Outcome::Lost { .. } => Answer::Lost,
        };
        Some(self.judge().witness(&attempt, answer, now))
    }

    fn decided(&self) -> Vec<(String, Verdict)> {
        self.judge().decided()
    }

    fn notes(&self) -> Option<Notes> {
        let mut judge = self.judge();
        judge.is_news().then(|| notes_of(&mut judge))
    }

    async fn goes_on(&self, now: Timestamp) -> Result<bool, StoreError> {
        let next = self.judge().next(now);
        match next {
            Next::Ask => self.ask(now).await,
            Next::Again(rows) => {
                self.store.bring_forward(&rows, now).await?;
                Ok(true)
            }
            Next::Done => Ok(false),
        }
    }

    async fn end(&self, now: Timestamp) -> Result<(), StoreError> {
        let asks = self.judge().end(now);
        if asks {
            self.ask(now).await?;
        }
        Ok(())
    }

    fn retry_at_most(&self, row: &Claimed) -> SignedDuration {
        match row.user {
            Some(_) => RETRY_AT_MOST,
            None => OPERATORS_AT_MOST,
        }
    }

    /// Sent once more, and not again after that: somebody reads it.
    fn after_loss(&self, _: Timestamp) -> Disposition {
        Disposition::Ambiguous
    }

    fn trouble(&self, health: &Health, in_vain: u32, now: Timestamp) -> Option<String> {
        let doubt = self.judge().memory().doubt.clone();
        let reason = health.reason.clone().unwrap_or_default();
        match health.paused_until.filter(|until| *until > now) {
            Some(until) => Some(format!(
                "the mail server asks for time ({reason}): nothing is sent to it before {until}"
            )),
            None if in_vain >= FAILURES_IN_A_ROW => {
                Some("mail does not go out; it is tried again in the next pass".to_owned())
            }
            None => doubt.map(|doubt| {
                format!(
                    "mail does not get through ({}); it is tried again in the next pass",
                    doubt.text
                )
            }),
        }
    }
}

/// Until when a server is left alone that was so often before.
fn left_alone(before: &Health, first: SignedDuration, now: Timestamp) -> Timestamp {
    let doubled = first * (1 << before.failures.min(4));
    later(now, doubled.min(LEFT_ALONE_AT_MOST))
}
