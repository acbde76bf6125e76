//! Reading the parts of a source on a thread of its own, some batches ahead of whoever absorbs
//! them: parsing and storing each take about half of a first import.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::domain::audit::AuditEvent;
use crate::domain::person::Person;
use crate::domain::sign_in::SignIn;
use crate::pass::collect::CollectError;
use crate::sources::files::{Part, Rows};
use crate::sources::wire::{Group, Report, Who};
use crate::sources::{Item, Named, Quarantined, SourceError};

/// Rows that travel from the reader to the store at once.
const BATCH: usize = 1_000;
/// Batches that wait for the store: it takes many rows at once, and the reader need not stand still
/// meanwhile. Some 25 MB of people.
const AHEAD: usize = 40;
/// Quarantined rows of a part that are written down one by one; the rest is counted.
const QUARANTINE_SHOWN: usize = 200;

/// What reading a part found beside its facts.
#[derive(Debug, Default)]
pub(super) struct PartRead {
    pub(super) facts: u64,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) quarantined_count: u64,
    /// What quarantined rows are about, unless a later row of the part could be read.
    pub(super) unbelieved: BTreeSet<Named>,
    /// Quarantined rows that do not say what they are about.
    pub(super) anonymous: u64,
    /// Whether the part has pages alone that each name a next one.
    pub(super) names_next: bool,
    pub(super) refreshed_at: Option<Timestamp>,
}

/// What a reader brings next of the present part.
pub(super) enum Step<T> {
    /// Facts, in the order of their rows.
    Facts(Vec<T>),
    /// The part is over; the next step is of the next part.
    PartRead(PartRead),
}

/// Parts that are being read, one after the other.
pub(super) struct Reader<T> {
    steps: mpsc::Receiver<Step<T>>,
    thread: JoinHandle<Result<(), SourceError>>,
}

impl<T: Dated + Send + 'static> Reader<T> {
    /// Begins to read the parts, in their order. Dropping the reader ends the reading.
    pub(super) fn start(
        parts: &[&Part],
        now: Timestamp,
        rows: fn(&Part, Timestamp) -> Rows<T>,
    ) -> Self {
        let parts: Vec<Part> = parts.iter().copied().cloned().collect();
        let (sender, steps) = mpsc::channel(AHEAD);
        let thread = tokio::task::spawn_blocking(move || {
            for part in &parts {
                if read_part(rows(part, now), &sender)?.is_none() {
                    // Nobody absorbs any more: the import ended for a reason of its own.
                    break;
                }
            }
            Ok(())
        });
        Self { steps, thread }
    }

    /// What comes next, or why nothing does.
    pub(super) async fn next(&mut self) -> Result<Step<T>, CollectError> {
        if let Some(step) = self.steps.recv().await {
            return Ok(step);
        }
        match (&mut self.thread).await {
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(())) | Err(_) => Err(CollectError::Reader),
        }
    }
}

/// Reads one part; none when nobody listens any more.
fn read_part<T: Dated>(
    mut rows: Rows<T>,
    steps: &mpsc::Sender<Step<T>>,
) -> Result<Option<()>, SourceError> {
    let mut read = PartRead::default();
    let mut batch = Vec::with_capacity(BATCH);
    for item in rows.by_ref() {
        match item? {
            Item::Fact(fact) => {
                read.facts += 1;
                read.refreshed_at = read.refreshed_at.max(fact.refreshed_at());
                if !read.unbelieved.is_empty()
                    && let Some(about) = fact.about()
                {
                    read.unbelieved.remove(&about);
                }
                batch.push(fact);
                if batch.len() == BATCH {
                    let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                    if steps.blocking_send(Step::Facts(full)).is_err() {
                        return Ok(None);
                    }
                }
            }
            Item::Skipped(_) => {}
            Item::Quarantined(row, named) => {
                read.quarantined_count += 1;
                read.anonymous += u64::from(named.is_none());
                read.unbelieved.extend(named);
                if read.quarantined.len() < QUARANTINE_SHOWN {
                    read.quarantined.push(row);
                }
            }
        }
    }
    read.names_next = rows.names_next();
    let sent = steps
        .blocking_send(Step::Facts(batch))
        .and_then(|()| steps.blocking_send(Step::PartRead(read)));
    Ok(sent.ok())
}

/// Rows that may tell how old they are, and whom they settle.
pub(in crate::pass::collect) trait Dated {
    /// What the row says all about: of two rows of a snapshot about one thing the later counts.
    fn about(&self) -> Option<Named> {
        None
    }

    /// When the report that the row is of was refreshed.
    fn refreshed_at(&self) -> Option<Timestamp> {
        None
    }
}

impl Dated for Person {
    fn about(&self) -> Option<Named> {
        Some(Named::Id(self.id.as_str().to_owned()))
    }
}
impl Dated for Group {
    fn about(&self) -> Option<Named> {
        (!self.adds_up).then(|| Named::Id(self.id.as_str().to_owned()))
    }
}
impl Dated for SignIn {}
impl Dated for AuditEvent {}
impl Dated for Report {
    fn about(&self) -> Option<Named> {
        Some(match &self.who {
            Who::Id(id) => Named::Id(id.as_str().to_owned()),
            Who::Upn(name) => Named::Upn(name.to_lowercase()),
        })
    }

    fn refreshed_at(&self) -> Option<Timestamp> {
        self.refreshed_at
    }
}
