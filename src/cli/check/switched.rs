//! What becomes of windows that began while a policy was only rehearsed, once it is switched on: they are told
//! anew, and have what is left of them (rule 7.19).

use jiff::{SignedDuration, Timestamp};

use crate::desk::Reader;
use crate::domain::policy::{Enforce, Policy};
use crate::domain::window::later;
use crate::store::StoreError;
use crate::time::{format_duration, write_duration};

/// What to say of each policy that the last pass saw report-only and that is on now.
pub(super) async fn shortened(reader: &Reader, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let before = reader.store.policies().await?;
    let mut notes = Vec::new();
    for policy in &reader.policies {
        let was = before.get(&policy.name).map(|memory| memory.enforce);
        if (was, policy.enforce) != (Some(Enforce::ReportOnly), Enforce::On) {
            continue;
        }
        if let Some((people, bases)) = reader.store.windows_that_run(&policy.name).await? {
            notes.push(note(policy, people, bases, now));
        }
    }
    Ok(notes)
}

fn note(policy: &Policy, people: u64, bases: [Timestamp; 2], now: Timestamp) -> String {
    let floor = later(now, policy.notice_floor());
    let [least, most] = bases.map(|base| base.max(floor).duration_since(now));
    let whole = |length: SignedDuration| SignedDuration::from_hours(length.as_hours());
    let [least, most] = [least, most].map(|left| format_duration(whole(left)));
    let left = if least == most {
        most
    } else {
        format!("{least} to {most}")
    };
    let (who, they) = match people {
        1 => ("one person has a window".to_owned(), "is"),
        people => (format!("{people} people have windows"), "are"),
    };
    format!(
        "policy {} was report-only until now: {who} that began meanwhile, and {they} told of what is left of it, {left}; for a whole {} give the policy another name, under which every window begins anew",
        policy.name,
        write_duration(policy.window)
    )
}
