//! Whatever happens to a directory, and however its changes are told (again, twice, in any order,
//! with links that died), the program ends with the same people and members as the service has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::chance::Chance;
use super::program::users;
use crate::support::graph::{FakeGraph, Fault, Kind, Removal, RetryAfter};
use fortnight::domain::state::State;

use crate::support::world::{World, day};

const GROUP: &str = "0a0a0a0a-0000-4000-8000-000000000000";
const NESTED: &str = "0a0a0a0a-0000-4000-8000-000000000001";

/// As long as the bin keeps a user.
const BIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What is true of a person.
#[derive(Debug, Clone, PartialEq)]
struct Truth {
    mail: String,
    enabled: bool,
    there: There,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Present,
    InTheBin(Timestamp),
    Gone,
}

/// The directory, as the one who changes it knows it.
struct Directory {
    graph: FakeGraph,
    people: BTreeMap<String, Truth>,
    members: BTreeSet<String>,
    chance: Chance,
}

impl Directory {
    fn hire(&mut self) {
        let number = self.people.len();
        let id = format!("0f0e0d0c-0000-4000-8000-{number:012}");
        // Mail addresses are used again by somebody else.
        let mail = format!("p{}@contoso.example", self.chance.below(30));
        let truth = Truth {
            mail,
            enabled: true,
            there: There::Present,
        };
        self.put(&id, &truth);
        self.people.insert(id, truth);
    }

    fn put(&self, id: &str, truth: &Truth) {
        self.graph.put_user(json!({
            "id": id, "userPrincipalName": truth.mail, "displayName": id, "mail": truth.mail,
            "accountEnabled": truth.enabled, "userType": "Member", "createdDateTime": "2024-03-01T08:00:00Z",
        }));
    }

    /// Something happens to somebody.
    fn happen(&mut self, now: Timestamp) {
        if self.people.len() < 12 || self.chance.below(6) == 0 {
            return self.hire();
        }
        // The first stays, and stays a member: an emptied exclusion would not be believed.
        let ids: Vec<String> = self.people.keys().skip(1).cloned().collect();
        let id = self.chance.of(&ids);
        let mut truth = self.people[&id].clone();
        match (truth.there, self.chance.below(5)) {
            (There::Present, 0) => {
                self.graph.remove_user(&id, Removal::Soft);
                truth.there = There::InTheBin(now);
            }
            (There::Present, 1) => {
                self.graph.remove_user(&id, Removal::Hard);
                truth.there = There::Gone;
            }
            (There::Present, 2) => {
                truth.mail = format!("p{}@contoso.example", self.chance.below(30));
                self.put(&id, &truth);
            }
            (There::Present, 3) => {
                truth.enabled = !truth.enabled;
                self.put(&id, &truth);
            }
            (There::Present, _) => {
                if !self.members.remove(&id) {
                    self.members.insert(id.clone());
                }
                self.regroup();
            }
            (There::InTheBin(since), 0 | 1) if now.duration_since(since) < BIN => {
                self.graph.restore_user(&id);
                truth.there = There::Present;
            }
            (There::InTheBin(_) | There::Gone, _) => {}
        }
        self.people.insert(id, truth);
    }

    /// Half of the members are in a group within the group, and that one contains it.
    fn regroup(&self) {
        let of = |odd: bool| {
            let members = self.members.iter().map(String::as_str);
            members.filter(move |id| id.ends_with(['1', '3', '5', '7', '9']) == odd)
        };
        let outer: Vec<&str> = of(true).chain([NESTED]).collect();
        let inner: Vec<&str> = of(false).chain([GROUP]).collect();
        self.graph.put_group(GROUP, "Emergency", &outer);
        self.graph.put_group(NESTED, "Nested", &inner);
    }

    /// What the program should know: who, with which address, and in which state.
    fn expected(&self) -> BTreeMap<String, (String, &'static str)> {
        let people = self.people.iter().map(|(id, truth)| {
            let state = match truth.there {
                There::InTheBin(_) | There::Gone => "gone",
                There::Present if self.members.contains(id) => "exempt",
                There::Present if !truth.enabled => "disabled",
                There::Present => "unknown",
            };
            (id.clone(), (truth.mail.clone(), state))
        });
        people.collect()
    }
}

fn known(world: &World) -> BTreeMap<String, (String, String)> {
    let rows = users(world);
    let text = |row: &Value, name| row[name].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (text(row, "id"), (text(row, "mail"), text(row, "state"))))
        .collect()
}

fn trouble(graph: &FakeGraph, chance: &mut Chance) {
    let faults = [
        Fault::Status(410, "resyncRequired"),
        Fault::Status(403, "Authorization_RequestDenied"),
        Fault::Busy(504, RetryAfter::Text("0")),
        Fault::Garbled,
        Fault::DeadEnd,
    ];
    for kind in [Kind::Users, Kind::User] {
        if chance.below(3) == 0 {
            graph.fail(kind, 1 + chance.below(4), chance.of(&faults));
        }
    }
}

async fn a_year(seed: u64) {
    let graph = FakeGraph::start();
    let mut world = World::told_by(Some(graph.clone()), &[]);
    graph.set_page_size(3);
    graph.send_empty_pages();
    graph.set_now(day(0));
    let mut directory = Directory {
        graph: graph.clone(),
        people: BTreeMap::new(),
        members: BTreeSet::new(),
        chance: Chance::of_seed(seed),
    };
    directory.hire();
    directory.members.extend(directory.people.keys().cloned());
    directory.regroup();
    let mut today = 0;
    for _ in 0..40 {
        // Now and then nobody asks for longer than a link lives.
        today += if directory.chance.below(8) == 0 { 9 } else { 1 };
        graph.set_now(day(today));
        for _ in 0..directory.chance.below(5) {
            directory.happen(day(today));
        }
        graph.replay_changes(directory.chance.below(6));
        trouble(&graph, &mut directory.chance);
        world.pass_on_old_exports(day(today)).await;
        graph.mend_all();
        world.pass_on_old_exports(day(today)).await;
        let expected = directory.expected();
        let known = known(&world);
        for (id, (mail, state)) in &expected {
            let when = format!("seed {seed}, day {today}: {id}");
            let Some((known_mail, known_state)) = known.get(id) else {
                assert_eq!(*state, "gone", "{when} came and went between two passes");
                continue;
            };
            assert_eq!(known_state, state, "{when}");
            if *state != "gone" {
                assert_eq!(known_mail, mail, "{when}");
            }
        }
    }
}

#[tokio::test]
async fn the_program_knows_the_directory_after_whatever_happened_1() {
    a_year(1).await;
}

#[tokio::test]
async fn the_program_knows_the_directory_after_whatever_happened_2() {
    a_year(2).await;
}

/// Graph's changes can leave out whether an account is enabled.
#[tokio::test]
async fn whose_row_among_the_changes_is_not_whole_is_asked_for_by_id_in_the_same_pass() {
    let mut world = World::on_graph(&["ana", "bo"]);
    let graph = world.graph.clone().unwrap();
    let lacking = Fault::Spelled("\"accountEnabled\"", b"\"left out\"");
    graph.fail(Kind::Users, 1, lacking);
    // Of bo nothing else is known either.
    world.pass(day(0)).await;
    assert_eq!(world.report.read.quarantined, 0);
    let waiting = [State::WaitingFirstSignIn; 2];
    assert_eq!(world.states(&["ana", "bo"]).await, waiting);
    let mut bo = world.user_rows().remove(1);
    bo["accountEnabled"] = Value::Null;
    let id = world.accounts["bo"].id.clone();
    assert_eq!(bo["id"], json!(id));
    graph.put_user(bo);
    graph.set_now(day(1));
    graph.set_report(world.registration_rows(day(1)));
    world.pass_on_old_exports(day(1)).await;
    let store = world.store().await;
    let aside = store.quarantined(9).await.unwrap();
    store.close().await;
    let [(_, file, _, reason)] = aside.as_slice() else {
        panic!("{aside:?}");
    };
    assert_eq!(*file, format!("Graph: users/{id}"));
    assert!(reason.contains("accountEnabled"), "{reason}");
}
