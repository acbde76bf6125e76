//! The outbox: what leaves, whatever the destination, as one kind of row.
//!
//! Rows enter by `queue` and nowhere else, and change by the verbs of this folder: taken on lease in
//! `claim`, settled, given back or recovered in `settle`, withdrawn, expired or buried in
//! `withdraw`, taken up once more in `again`. Which state follows from which is
//! [`delivery`](crate::domain::delivery)'s. The trap is a state's name in SQL: nothing here needs
//! one, since a row waits while it has a `next_at`, and is over once it has a `settled_at`.

mod again;
mod claim;
pub(super) mod queue;
mod settle;
mod view;
pub(super) mod withdraw;

use jiff::Timestamp;

pub use self::again::Found;
pub use self::claim::Claimed;
pub use self::queue::{Content, NewDelivery, delivery_id};
pub(super) use self::settle::settle;
pub use self::settle::{Settled, SettledTally};
pub use self::view::DeliveryRow;

/// The destination of mails; every other name is a webhook's.
pub const EMAIL: &str = "email";

/// Who has rows on lease, and until when they are nobody else's. A lease that has ended was left by
/// a stop or a failure of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its owner: one delivery, from its beginning to its end.
    pub by: String,
    /// Its end.
    pub until: Timestamp,
}
