//! Reading the parts of a source on a thread of its own, some batches ahead of whoever absorbs
//! them: parsing and storing each take about half of a first import.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::domain::audit::AuditEvent;
use crate::domain::person::Person;
use crate::domain::sign_in::SignIn;
use crate::pass::collect::CollectError;
use crate::sources::files::{Part, Rows};
use crate::sources::wire::{Group, Member, Report, Who};
use crate::sources::{Item, Named, Quarantined, SourceError};

/// Rows that travel from the reader to the store at once.
const BATCH: usize = 1_000;
/// What waits for the store: it takes many rows at once, and the reader need not stand still
/// meanwhile. So many batches, and so many kilobytes of them, whatever the rows are: one group can have
/// more members than the organisation has people.
const AHEAD: usize = 40;
const AHEAD_KB: u32 = 12 * 1024;
/// A batch of rows that are larger than usual ends with so many bytes.
const BATCH_BYTES: usize = 1024 * 1024;
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
    steps: mpsc::Receiver<(Step<T>, OwnedSemaphorePermit)>,
    thread: JoinHandle<Result<(), SourceError>>,
}

impl<T: Weighed + Send + 'static> Reader<T> {
    /// Begins to read the parts, in their order. Dropping the reader ends the reading.
    pub(super) fn start(
        parts: &[&Part],
        now: Timestamp,
        rows: fn(&Part, Timestamp) -> Rows<T>,
    ) -> Self {
        let parts: Vec<Part> = parts.iter().copied().cloned().collect();
        let (sender, steps) = mpsc::channel(AHEAD);
        let out = Out {
            steps: sender,
            room: Arc::new(Semaphore::new(AHEAD_KB as usize)),
            runtime: Handle::current(),
        };
        let thread = tokio::task::spawn_blocking(move || {
            for part in &parts {
                tracing::debug!("reading {}", part.name);
                if read_part(&part.name, rows(part, now), &out)?.is_none() {
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
        if let Some((step, _)) = self.steps.recv().await {
            return Ok(step);
        }
        match (&mut self.thread).await {
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(())) | Err(_) => Err(CollectError::Reader),
        }
    }
}

/// The way to whoever absorbs, and the room on it.
struct Out<T> {
    steps: mpsc::Sender<(Step<T>, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    runtime: Handle,
}

impl<T> Out<T> {
    /// Waits until there is room; none when nobody listens any more.
    fn send(&self, step: Step<T>, bytes: usize) -> Option<()> {
        let room = u32::try_from(bytes / 1024).unwrap_or(AHEAD_KB);
        let room = Arc::clone(&self.room).acquire_many_owned(room.min(AHEAD_KB));
        let room = self.runtime.block_on(room).ok()?;
        self.steps.blocking_send((step, room)).ok()
    }
}

/// Reads one part; none when nobody listens any more.
fn read_part<T: Weighed>(
    name: &str,
    mut rows: Rows<T>,
    out: &Out<T>,
) -> Result<Option<()>, SourceError> {
    let mut read = PartRead::default();
    let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
    for item in rows.by_ref() {
        match item? {
            Item::Fact(fact) => {
                read.facts += 1;
                if !read.unbelieved.is_empty()
                    && let Some(about) = fact.about()
                {
                    read.unbelieved.remove(&about);
                }
                bytes += size_of::<T>() + fact.bytes_beside();
                batch.push(fact);
                if batch.len() == BATCH || bytes >= BATCH_BYTES {
                    let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                    if out.send(Step::Facts(full), bytes).is_none() {
                        return Ok(None);
                    }
                    bytes = 0;
                }
            }
            Item::Skipped(_) => {}
            Item::Quarantined(row, named) => {
                read.quarantined_count += 1;
                read.anonymous += u64::from(named.is_none());
                if read.quarantined.len() < QUARANTINE_SHOWN {
                    read.quarantined.push(row.about(named.as_ref()));
                }
                read.unbelieved.extend(named);
            }
        }
    }
    read.names_next = rows.names_next();
    let (facts, aside) = (read.facts, read.quarantined_count);
    tracing::debug!(
        facts,
        aside,
        "read {facts} rows of {name}, {aside} more are put aside"
    );
    let sent = out.send(Step::Facts(batch), bytes);
    Ok(sent.and_then(|()| out.send(Step::PartRead(read), 0)))
}

/// Rows of which some say all that a snapshot says about one thing.
pub(in crate::pass::collect) trait About {
    /// That thing: of two rows about it the later counts.
    fn about(&self) -> Option<Named> {
        None
    }
}

impl About for Person {
    fn about(&self) -> Option<Named> {
        Some(Named::Id(self.id.as_str().to_owned()))
    }
}

impl About for Group {
    fn about(&self) -> Option<Named> {
        (!self.adds_up).then(|| Named::Id(self.id.as_str().to_owned()))
    }
}

impl About for SignIn {}
impl About for AuditEvent {}

impl About for Report {
    fn about(&self) -> Option<Named> {
        Some(match &self.who {
            Who::Id(id) => Named::Id(id.as_str().to_owned()),
            Who::Upn(name) => Named::Upn(name.to_lowercase()),
        })
    }
}

/// Rows whose size is known about.
pub(in crate::pass::collect) trait Weighed: About {
    /// What a row holds beside itself, about.
    fn bytes_beside(&self) -> usize;
}

/// An id, and what it costs to keep.
const ID_BYTES: usize = 48;

impl Weighed for Person {
    fn bytes_beside(&self) -> usize {
        let texts = [&self.display_name, &self.mail, &self.preferred_language];
        let texts = texts.into_iter().flatten().map(String::len);
        ID_BYTES + self.user_principal_name.len() + texts.sum::<usize>()
    }
}

impl Weighed for Group {
    fn bytes_beside(&self) -> usize {
        ID_BYTES + self.members.len() * (size_of::<Member>() + ID_BYTES)
    }
}

impl Weighed for SignIn {
    fn bytes_beside(&self) -> usize {
        ID_BYTES + self.id.len() + self.app.as_ref().map_or(0, String::len)
    }
}

impl Weighed for AuditEvent {
    fn bytes_beside(&self) -> usize {
        ID_BYTES + self.id.len()
    }
}

impl Weighed for Report {
    fn bytes_beside(&self) -> usize {
        ID_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{GroupId, UserId};

    fn group(members: usize) -> Group {
        let member = Member::Either(UserId::parse("ana").unwrap());
        Group {
            id: GroupId::parse("g").unwrap(),
            name: None,
            members: vec![member; members],
            adds_up: false,
        }
    }

    #[tokio::test]
    async fn what_waits_for_the_store_is_bounded_by_its_bytes_and_a_reader_nobody_hears_ends() {
        let (steps, mut waiting) = mpsc::channel(AHEAD);
        let out = Out {
            steps,
            room: Arc::new(Semaphore::new(AHEAD_KB as usize)),
            runtime: Handle::current(),
        };
        let large = group(60_000);
        let each = large.bytes_beside();
        let mut thread = tokio::task::spawn_blocking(move || {
            let sent = (0..AHEAD).map_while(|_| out.send(Step::Facts(vec![group(1)]), each));
            sent.count()
        });
        let fit = AHEAD_KB as usize / (each / 1024);
        assert!(fit < AHEAD, "{each}");
        // What has room comes, and no more of it before some is taken.
        let mut taken = Vec::new();
        while taken.len() < fit {
            taken.push(waiting.recv().await.unwrap());
        }
        let more = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(more, waiting.recv()).await.is_err());
        taken.pop();
        taken.push(waiting.recv().await.unwrap());
        assert!(tokio::time::timeout(more, &mut thread).await.is_err());
        drop(waiting);
        drop(taken);
        assert!(thread.await.unwrap() <= fit + 1);
    }
}
