//! Approvals beside passes, statement by statement on one database: what is approved is what was
//! shown, and what a pass goes by is not taken back.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ana, import, part, store};
use crate::domain::brake::Size;
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::id::PolicyName;
use crate::domain::seen::{ClockFault, Form, Rows, Seen};
use crate::domain::story::{day, hour, user};
use crate::store::Store;
use crate::store::acts::Actor;
use crate::store::approvals::{Shown, Withdrawal};
use crate::store::holds::{Approval, HoldChanges, Raised};
use crate::store::people::Imported;
use crate::store::sources::Source;

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

const USERS: &str = "snapshot:users";

/// An operator takes an approval back, beside whoever else has the database open.
async fn withdraw(store: &Store, hold: &str, at: Timestamp) -> Withdrawal {
    let bo = by("bo");
    let taken_back = store.withdraw_approval(hold, &bo, "not ready", at);
    taken_back.await.unwrap()
}

#[tokio::test]
async fn an_approval_is_relied_on_or_taken_back_and_never_both() {
    let (folder, pass) = store().await;
    let path = folder.path().join("fortnight.db");
    let desk = Store::open_existing(&path).await.unwrap();
    found(&pass, &[shrunk(75)], &[], day(0)).await;
    let seen = shown(&desk, USERS).await;
    assert!(approve(&desk, &seen, "ana", hour(0, 1)).await);
    let given = pass.approvals(hour(0, 2)).await.unwrap();
    // The pass has read it, and does not yet go by it.
    let unused = Withdrawal::Done { flagged: 0 };
    assert_eq!(withdraw(&desk, USERS, hour(0, 2)).await, unused);
    assert!(!pass.rely_on(&[&given[0]], hour(0, 2)).await.unwrap());
    // Another one is another approval.
    assert!(approve(&desk, &seen, "ana", hour(0, 3)).await);
    assert!(!pass.rely_on(&[&given[0]], hour(0, 3)).await.unwrap());
    let given = pass.approvals(hour(0, 4)).await.unwrap();
    assert!(pass.rely_on(&[&given[0]], hour(0, 4)).await.unwrap());
    let used = Withdrawal::Used {
        approved_at: hour(0, 3),
        flagged: 0,
    };
    assert_eq!(withdraw(&desk, USERS, hour(0, 5)).await, used);
    assert!(!approve(&desk, &seen, "cleo", hour(0, 5)).await);
    let changes = found(&pass, &[], &given, hour(0, 6)).await;
    assert_eq!(changes.cleared[0].approved_by.as_deref(), Some("ana"));
}

#[tokio::test]
async fn of_two_approvals_that_are_needed_one_alone_is_not_used() {
    let (_folder, store) = store().await;
    let (one, other) = (shrunk(75), strange(&["gone", "old"]));
    found(&store, &[one, other], &[], day(0)).await;
    for hold in [USERS, "exclusion:everyone/groups"] {
        let shown = shown(&store, hold).await;
        assert!(approve(&store, &shown, "ana", hour(0, 1)).await);
    }
    let given = store.approvals(hour(0, 2)).await.unwrap();
    let given: Vec<&Approval> = given.iter().collect();
    let unused = Withdrawal::Done { flagged: 0 };
    assert_eq!(withdraw(&store, USERS, hour(0, 2)).await, unused);
    assert!(!store.rely_on(&given, hour(0, 3)).await.unwrap());
    let hold = "exclusion:everyone/groups";
    assert_eq!(withdraw(&store, hold, hour(0, 4)).await, unused);
}

#[tokio::test]
async fn a_snapshot_is_not_believed_by_an_approval_that_was_taken_back_while_it_was_read() {
    let (_folder, store) = store().await;
    import(&store, ana(None), day(0)).await;
    found(&store, &[shrunk(0)], &[], hour(0, 1)).await;
    let seen = shown(&store, USERS).await;
    let nobody = Size { rows: 0, kept: 0 };
    for (number, stands) in [(1, false), (2, true)] {
        assert!(approve(&store, &seen, "ana", hour(number, 0)).await);
        let given = store.approvals(hour(number, 1)).await.unwrap();
        let parts = store.parts(Source::Users).await.unwrap();
        let reread: Vec<i64> = parts.iter().map(|part| part.id).collect();
        if !stands {
            let unused = Withdrawal::Done { flagged: 0 };
            assert_eq!(withdraw(&store, USERS, hour(number, 1)).await, unused);
        }
        let now = hour(number, 2);
        let mut import = store.import(Source::Users, &reread, now).await.unwrap();
        import.begin_part(part("users.json", now)).await.unwrap();
        import.end_part(now);
        let imported = import.finish(&[], &[], Some((&given[0], nobody))).await;
        let is_accepted = matches!(imported.unwrap(), Imported::Accepted { .. });
        assert_eq!(is_accepted, stands);
    }
    let used = withdraw(&store, USERS, hour(2, 3)).await;
    assert!(matches!(used, Withdrawal::Used { .. }), "{used:?}");
}
