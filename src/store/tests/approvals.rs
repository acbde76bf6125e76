//! Approvals beside passes, statement by statement on one database: what is approved is what was
//! shown.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::store;
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::id::PolicyName;
use crate::domain::seen::{ClockFault, Form, Rows, Seen};
use crate::domain::story::{day, hour, user};
use crate::store::Store;
use crate::store::acts::Actor;
use crate::store::approvals::Shown;
use crate::store::holds::{Approval, HoldChanges, Raised};

fn by(name: &str) -> Actor {
    Actor {
        name: name.to_owned(),
        uid: None,
    }
}

/// What a pass that relies on these approvals writes down.
async fn found(store: &Store, raised: &[Raised], used: &[Approval], now: Timestamp) -> HoldChanges {
    store.record_holds(raised, used, false, now).await.unwrap()
}

async fn shown(store: &Store, hold: &str) -> Shown {
    store.shown(hold).await.unwrap().unwrap()
}

async fn approve(store: &Store, shown: &Shown, name: &str, at: Timestamp) -> bool {
    store.approve(shown, &by(name), "looked", at).await.unwrap()
}

fn shrunk(kept: u64) -> Raised {
    let seen = Seen::Shrunk {
        rows: Rows::Users,
        form: Form::Export,
        before: 100,
        kept,
        others: 0,
    };
    Raised {
        hold: Hold::new(HoldKind::Snapshot, "users", None, seen),
        evidence: kept.to_string(),
    }
}

/// Members of an exclusion that mean nobody: a hold names only the first of them.
fn strange(references: &[&str]) -> Raised {
    let everyone = PolicyName::new("everyone");
    let seen = Seen::Unread {
        groups: Vec::new(),
        strangers: vec![(references[0].to_owned(), "Emergency".to_owned())],
        more: 1,
        last_stay: true,
    };
    let subject = "everyone/groups";
    Raised {
        hold: Hold::new(HoldKind::Exclusion, subject, Some(&everyone), seen),
        evidence: references.join(" "),
    }
}

fn mass(names: &[&str]) -> Raised {
    let seen = Seen::Mass {
        people: names.len(),
        recent: 0,
        in_scope: 100,
    };
    let mut hold = Hold::new(HoldKind::Mass, "", None, seen);
    let listed = names
        .iter()
        .map(|name| (PolicyName::new("everyone"), user(name)));
    hold.people = listed.collect::<BTreeSet<_>>();
    hold.into()
}

fn behind(wall: Timestamp, newest: Timestamp) -> Raised {
    let fault = ClockFault::Behind { wall, newest };
    Hold::new(HoldKind::Clock, "", None, Seen::Clock(fault)).into()
}

#[tokio::test]
async fn what_is_approved_is_what_was_shown() {
    for (before, other, the_same) in [
        (shrunk(75), shrunk(3), shrunk(3)),
        (
            strange(&["gone", "old"]),
            strange(&["gone", "glass"]),
            strange(&["gone", "glass"]),
        ),
        (
            mass(&["ana", "bo"]),
            mass(&["ana", "cleo"]),
            mass(&["ana", "cleo"]),
        ),
        (
            behind(day(1), day(9)),
            behind(day(1), day(20)),
            behind(hour(1, 1), day(20)),
        ),
    ] {
        let (_folder, store) = store().await;
        let id = before.hold.id.clone();
        found(&store, &[before], &[], day(0)).await;
        let first = shown(&store, &id).await;
        found(&store, &[other], &[], hour(0, 2)).await;
        assert!(!approve(&store, &first, "ana", hour(0, 3)).await, "{id}");
        assert_eq!(store.newest_approval().await.unwrap(), None, "{id}");
        // A pass that finds the same, by a later clock, does not come between.
        let second = shown(&store, &id).await;
        found(&store, &[the_same], &[], hour(0, 4)).await;
        assert!(approve(&store, &second, "ana", hour(0, 5)).await, "{id}");
        found(&store, &[], &[], hour(0, 6)).await;
        assert!(
            !approve(&store, &second, "ana", hour(0, 7)).await,
            "{id} is over"
        );
    }
}
