//! Journeys on exported files that only files can make: parts of a snapshot, names instead of ids,
//! rows that somebody wrote by hand.

use fortnight::domain::state::State;
use jiff::Timestamp;
use serde_json::json;

use crate::support::world::{World, before, day, hour};

/// The users export in parts: which accounts each holds.
fn write_parts(world: &World, parts: &[(&str, &[&str])], at: Timestamp) {
    let rows = world.user_rows();
    for (part, names) in parts {
        let rows = names
            .iter()
            .map(|name| {
                let id = &world.accounts[*name].id;
                rows.iter().find(|row| row["id"] == **id).unwrap().clone()
            })
            .collect();
        world.write(part, rows, at);
    }
}

#[tokio::test]
async fn a_file_of_groups_that_is_missing_leaves_everything_as_it_was() {
    let mut world = World::opened("ana").await;
    world.frozen.insert("groups");
    std::fs::remove_file(world.tenant().join("groups.json")).unwrap();
    world.pass(day(2)).await;
    assert_eq!(world.report.errors.len(), 1, "{:?}", world.report.errors);
    assert_eq!(world.state("breakglass").await, State::Exempt);
    assert_eq!(world.state("ana").await, State::InGrace);
}

#[tokio::test]
async fn members_named_by_upn_are_found_when_the_users_export_comes_later() {
    let mut world = World::of(&["ana"]);
    world.frozen.insert("groups");
    let emergency = json!({
        "id": "0a0a0a0a-0000-4000-8000-000000000001",
        "displayName": "Emergency",
        "members": ["breakglass@contoso.example"],
    });
    world.write("groups.json", vec![emergency], day(0));
    world.frozen.insert("users");
    std::fs::write(world.tenant().join("users.json"), "{\"value\":[{").unwrap();
    world.pass(day(0)).await;
    assert_eq!(world.report.errors.len(), 1);
    world.frozen.remove("users");
    world.pass(day(1)).await;
    assert_eq!(world.state("breakglass").await, State::Exempt);
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn parts_of_a_users_export_are_one_snapshot() {
    use State::{Disabled, Gone, WaitingFirstSignIn as Waiting};
    let names = ["ana", "ben", "cat"];
    let mut world = World::of(&names);
    // So many others that one person in two parts makes them no editions of each other.
    let (left, right) = (world.crowd("l", 12), world.crowd("r", 12));
    let crowd = |part: &[&'static str], others: &[String]| -> Vec<String> {
        let part = part.iter().map(|name| (*name).to_owned());
        part.chain(others.iter().cloned()).collect()
    };
    let write_parts = |world: &World, parts: &[(&str, &[&'static str])], at| {
        let parts: Vec<(&str, Vec<String>)> = parts
            .iter()
            .map(|(file, part)| {
                let others = if *file == "users-1.json" {
                    &left
                } else {
                    &right
                };
                (*file, crowd(part, others))
            })
            .collect();
        for (file, part) in &parts {
            let names: Vec<&str> = part.iter().map(String::as_str).collect();
            write_parts(world, &[(*file, &names)], at);
        }
    };
    world.frozen.insert("users");
    let (first, second) = ("users-1.json", "users-2.json");
    write_parts(&world, &[(first, &["ana", "ben", "breakglass"])], day(0));
    // Of two rows with one id the later counts.
    world.who("ben").enabled = false;
    write_parts(&world, &[(second, &["ben", "cat"])], day(0));
    world.pass(day(0)).await;
    assert_eq!(world.states(&names).await, [Waiting, Disabled, Waiting]);
    // A part that is no more: ben's other row counts again.
    std::fs::remove_file(world.tenant().join(second)).unwrap();
    world.pass(day(1)).await;
    assert_eq!(world.states(&names).await, [Waiting, Waiting, Gone]);
    // It comes back.
    write_parts(&world, &[(second, &["ben", "cat"])], day(2));
    world.pass(day(2)).await;
    assert_eq!(world.states(&names).await, [Waiting, Disabled, Waiting]);
    // The first changed: ana has left, ben's row is in the second.
    write_parts(&world, &[(first, &["breakglass"])], day(3));
    world.pass(day(3)).await;
    assert_eq!(world.states(&names).await, [Gone, Disabled, Waiting]);
    // cat moves from one part to the other.
    write_parts(
        &world,
        &[(first, &["breakglass", "cat"]), (second, &["ben"])],
        day(4),
    );
    world.pass(day(4)).await;
    assert_eq!(world.states(&names).await, [Gone, Disabled, Waiting]);
    write_parts(
        &world,
        &[(first, &["breakglass"]), (second, &["ben"])],
        day(5),
    );
    world.pass(day(5)).await;
    assert_eq!(world.states(&names).await, [Gone, Disabled, Gone]);
}

#[tokio::test]
async fn a_registration_report_is_as_old_as_the_oldest_of_its_files() {
    let mut world = World::of(&["ana", "ben"]);
    world.frozen.insert("registration");
    let part = |world: &World, name: &str, at: Timestamp| {
        let id = world.accounts[name].id.clone();
        let mut rows = world.registration_rows(at);
        rows.retain(|row| row["id"] == id);
        world.write(&format!("registration-{name}.json"), rows, at);
    };
    part(&world, "ana", day(0));
    part(&world, "ben", day(0));
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.sign_in("ben", before(1));
    for number in 1..=14 {
        part(&world, "ben", day(number));
        world.pass(day(number)).await;
    }
    world.registers("ben");
    part(&world, "ben", day(15));
    world.pass(day(15)).await;
    assert_eq!(world.held(), ["stale:registration"]);
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::OverdueChecking, State::Registered]
    );
    part(&world, "ana", hour(15, 1));
    part(&world, "ben", hour(15, 1));
    world.pass(hour(15, 1)).await;
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::EnforcementNeeded, State::Registered]
    );
    // Absent from an accepted report: the last known stays.
    std::fs::remove_file(world.tenant().join("registration-ben.json")).unwrap();
    part(&world, "ana", day(16));
    world.pass(day(16)).await;
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::EnforcementNeeded, State::Registered]
    );
}

/// What rule R9 goes by is the reading; only what a report is as of never goes back.
#[tokio::test]
async fn an_older_report_put_back_is_as_old_as_it_is_and_flags_nobody() {
    let mut world = World::opened("ana").await;
    world.daily(2..=10).await;
    world.frozen.insert("registration");
    let write = |world: &World, made: Timestamp| {
        let mut rows = world.registration_rows(made);
        rows[0]["made"] = json!(made.to_string());
        world.write("registration.json", rows, made);
    };
    for number in 11..=13 {
        write(&world, day(number));
        world.pass(day(number)).await;
    }
    write(&world, hour(14, 1));
    world.pass(hour(14, 1)).await;
    assert_eq!(world.held(), [""; 0]);
    write(&world, day(11));
    world.pass(hour(14, 2)).await;
    assert_eq!(world.held(), ["stale:registration"]);
    world.daily(15..=17).await;
    assert_eq!(world.state("ana").await, State::OverdueChecking);
}

#[tokio::test]
async fn a_report_by_upn_is_joined_again_when_the_users_export_comes_later() {
    let mut world = World::of(&["ana"]);
    world.frozen.insert("registration");
    let report = "User principal name,Multifactor authentication capable,Passwordless capable,Methods registered\n\
        ana@contoso.example,Capable,Not capable,Microsoft Authenticator app (push notification)\n\
        breakglass@contoso.example,Not capable,Not capable,\n";
    std::fs::write(world.tenant().join("registration.csv"), report).unwrap();
    world.frozen.insert("users");
    std::fs::write(world.tenant().join("users.json"), "{\"value\":[{").unwrap();
    world.pass(day(0)).await;
    world.frozen.remove("users");
    world.pass(day(1)).await;
    assert_eq!(world.state("ana").await, State::Registered);
}

#[tokio::test]
async fn a_wrong_row_is_put_aside_and_the_others_count() {
    let mut world = World::of(&["ana"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.sign_in_with("ana", before(1), json!({ "createdDateTime": "soon" }));
    let report = world.pass(day(1)).await;
    assert_eq!((report.read.sign_ins, report.read.quarantined), (1, 1));
    assert_eq!(world.state("ana").await, State::InGrace);
    let store = world.store().await;
    let rows = store.quarantined(10).await.unwrap();
    store.close().await;
    let [(source, file, line, reason)] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(
        (source.as_str(), file.as_str(), *line),
        ("sign_ins", "sign-ins-0002.json", 1)
    );
    assert!(reason.contains("createdDateTime"), "{reason}");
}

#[tokio::test]
async fn a_name_that_means_two_groups_holds_its_policy() {
    let mut world = World::opened("ana").await;
    world.daily(2..=14).await;
    world.frozen.insert("groups");
    let breakglass = world.accounts["breakglass"].id.clone();
    let twins = ["1", "2"].map(|n| {
        json!({
            "id": format!("0a0a0a0a-0000-4000-8000-00000000000{n}"),
            "displayName": "Emergency",
            "members": [breakglass],
        })
    });
    world.write("groups.json", twins.to_vec(), day(15));
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    let hold = report
        .holds
        .iter()
        .find(|hold| hold.id == "assignment:everyone")
        .unwrap();
    insta::assert_snapshot!(hold.text, @r#"exclude.groups names "Emergency", which matches 2 groups"#);
    assert_eq!(world.state("breakglass").await, State::Exempt);
}

#[tokio::test]
async fn the_same_sign_in_in_two_files_opens_one_window() {
    let mut world = World::of(&["ana"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.pass(day(1)).await;
    let log = world.tenant().join("sign-ins-0002.json");
    std::fs::copy(log, world.tenant().join("sign-ins-again.json")).unwrap();
    let report = world.pass(hour(1, 1)).await;
    assert_eq!(report.windows.opened, 0);
    let ana = world.decision("ana").await;
    assert_eq!(ana.standing.window.run().unwrap().bypasses, 1);
    world.mailbox("ana").await.expect_one("window.opened");
}

#[tokio::test]
async fn nested_groups_count_and_circles_end() {
    let mut world = World::of(&["ana"]);
    world.frozen.insert("groups");
    let group = |n: u8, name: &str, members: serde_json::Value| json!({ "id": format!("0a0a0a0a-0000-4000-8000-00000000000{n}"), "displayName": name, "members": members });
    let (outer, inner) = (
        "0a0a0a0a-0000-4000-8000-000000000001",
        "0a0a0a0a-0000-4000-8000-000000000002",
    );
    let breakglass = world.accounts["breakglass"].id.clone();
    let groups = vec![
        group(1, "Emergency", json!([inner])),
        group(2, "Inner", json!([outer, breakglass])),
    ];
    world.write("groups.json", groups, day(0));
    world.pass(day(0)).await;
    assert_eq!(world.state("breakglass").await, State::Exempt);
}

#[tokio::test]
async fn exports_made_after_the_rehearsed_day_are_as_old_as_the_pass_that_first_read_them() {
    let mut world = World::of(&["ana"]);
    // It is due an hour after the first pass.
    world.sign_in("ana", hour(0, 3));
    world.export(day(40));
    world.pass_on_old_exports(hour(0, 2)).await;
    world.pass_on_old_exports(day(1)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state("ana").await, State::InGrace);
    // The same files tell nothing new of any later day.
    for number in 2..=15 {
        world.pass_on_old_exports(day(number)).await;
    }
    assert_eq!(
        world.held(),
        ["stale:registration", "stale:sign_ins", "stale:users"]
    );
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    world.pass(day(16)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn a_file_is_no_younger_than_the_day_that_its_name_names() {
    let mut world = World::opened("ana").await;
    world.frozen.insert("registration");
    std::fs::remove_file(world.tenant().join("registration.json")).unwrap();
    world.daily(2..=14).await;
    let undated = |world: &World, made: &str| {
        let mut rows = world.registration_rows(day(0));
        for row in &mut rows {
            row["lastUpdatedDateTime"] = json!(null);
            row["made"] = json!(made);
        }
        rows
    };
    // Of Monday, 19 January, by its name, and copied on the 23rd.
    world.write(
        "registration-2026-01-19.json",
        undated(&world, "before"),
        day(18),
    );
    let report = world.pass(day(18)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.held(), ["stale:registration", "proof"]);
    std::fs::remove_file(world.tenant().join("registration-2026-01-19.json")).unwrap();
    world.write(
        "registration-2026-01-22.json",
        undated(&world, "after"),
        hour(18, 1),
    );
    let report = world.pass(hour(18, 1)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
}

/// ana, asked on the first day and due on the fifteenth; the report of that day has these rows.
async fn due_with_a_report(
    rows: impl Fn(&World) -> Vec<(String, Vec<serde_json::Value>)>,
) -> World {
    let mut world = World::of(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    world.frozen.insert("registration");
    std::fs::remove_file(world.tenant().join("registration.json")).unwrap();
    for (file, rows) in rows(&world) {
        world.write(&file, rows, day(15));
    }
    world.pass(day(15)).await;
    world
}

/// A row of the report that cannot be read.
fn unreadable(world: &World, name: &str) -> serde_json::Value {
    json!({ "id": world.id(name), "isMfaCapable": "perhaps" })
}

#[tokio::test]
async fn a_later_row_that_cannot_be_read_unsettles_the_earlier_one() {
    let file = |rows| vec![("registration.json".to_owned(), rows)];
    let good = |world: &World| world.registration_rows(day(15));
    // Without it ana is flagged; so is she where the row that can be read is the later one.
    let world = due_with_a_report(|world| file(good(world))).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    let earlier = |world: &World| [vec![unreadable(world, "ana")], good(world)].concat();
    let world = due_with_a_report(|world| file(earlier(world))).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    let later = |world: &World| [good(world), vec![unreadable(world, "ana")]].concat();
    let mut world = due_with_a_report(|world| file(later(world))).await;
    assert_eq!(world.state("ana").await, State::Unknown);
    assert_eq!(world.state("ben").await, State::WaitingFirstSignIn);
    // The next report is whole again.
    world.write("registration.json", good(&world), day(16));
    world.pass(day(16)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn an_unreadable_row_of_another_file_unsettles_whichever_of_them_is_read_again() {
    let two = |world: &World| {
        let row = vec![unreadable(world, "ana")];
        let other = json!({ "id": "0f0e0d0c-0000-4000-8000-00000000fffe", "isMfaCapable": false });
        vec![
            (
                "registration-1.json".to_owned(),
                world.registration_rows(day(15)),
            ),
            (
                "registration-2.json".to_owned(),
                [vec![other], row].concat(),
            ),
        ]
    };
    let mut world = due_with_a_report(two).await;
    assert_eq!(world.state("ana").await, State::Unknown);
    let rows = world.registration_rows(day(16));
    world.write("registration-1.json", rows, day(16));
    world.pass(day(16)).await;
    assert_eq!(world.state("ana").await, State::Unknown);
    std::fs::remove_file(world.tenant().join("registration-2.json")).unwrap();
    world.pass(day(17)).await;
    assert_ne!(world.state("ana").await, State::Unknown);
}

#[tokio::test]
async fn pages_without_a_last_one_are_no_reading() {
    let mut world = World::of(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.frozen.extend(["users", "sign-ins"]);
    let page = |world: &World, file: &str, rows: Vec<serde_json::Value>, next: bool| {
        let mut page = json!({ "value": rows });
        if next {
            page["@odata.nextLink"] = json!("https://graph.microsoft.com/v1.0/x?$skiptoken=y");
        }
        let path = world.tenant().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, page.to_string()).unwrap();
    };
    let failed = |world: &World| {
        let lost = "it names a next page (`@odata.nextLink`), and no page there is a last one";
        let errors = world
            .report
            .errors
            .iter()
            .filter(|error| error.contains(lost));
        errors
            .map(|error| error.split(':').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // The users: the last page was not written, and ben is not gone for it.
    std::fs::remove_file(world.tenant().join("users.json")).unwrap();
    let rows = world.user_rows();
    let of = |name: &str| {
        let id = world.id(name);
        rows.iter()
            .filter(|row| row["id"] == id.as_str())
            .cloned()
            .collect::<Vec<_>>()
    };
    let (ana, glass, ben) = (of("ana"), of("breakglass"), of("ben"));
    page(&world, "users/000000.json", ana, true);
    page(&world, "users/000001.json", glass, true);
    world.pass(day(1)).await;
    assert_eq!(failed(&world), ["users"]);
    assert_ne!(world.state("ben").await, State::Gone);
    page(&world, "users/000002.json", ben, false);
    world.pass(day(2)).await;
    assert_eq!(failed(&world), [""; 0]);
    // A page that is no more, of pages that were not read again.
    std::fs::remove_file(world.tenant().join("users/000002.json")).unwrap();
    world.pass(day(3)).await;
    assert_eq!(failed(&world), ["users"]);
    assert_ne!(world.state("ben").await, State::Gone);
    // Of numbered pages the last has to be one, whatever those before it say.
    let ana = world
        .user_rows()
        .into_iter()
        .filter(|row| row["id"] == world.id("ana").as_str());
    page(&world, "users/000000.json", ana.collect(), false);
    world.pass(hour(3, 1)).await;
    assert_eq!(failed(&world), ["users"]);
    // A log, at every pass until it is whole.
    let at = |world: &World| world.report.errors.clone();
    page(&world, "signIns/000000.json", vec![], true);
    for number in 4..=5 {
        world.pass(day(number)).await;
        assert_eq!(failed(&world), ["users", "sign_ins"], "{:?}", at(&world));
    }
    page(&world, "signIns/000001.json", vec![], false);
    world.pass(day(6)).await;
    assert_eq!(failed(&world), ["users"]);
}

/// The users and the report of some people in one edition each.
fn write_edition(world: &World, name: &str, of: &[&str], at: Timestamp) {
    let ids: Vec<String> = of
        .iter()
        .map(|name| world.accounts[*name].id.clone())
        .collect();
    let rows = |rows: Vec<serde_json::Value>| {
        let is_meant = |row: &serde_json::Value| ids.iter().any(|id| row["id"] == **id);
        rows.into_iter().filter(is_meant).collect::<Vec<_>>()
    };
    world.write(
        &format!("exportUsers_{name}.json"),
        rows(world.user_rows()),
        at,
    );
    let report = format!("exportUserRegistrationDetails_{name}.json");
    world.write(&report, rows(world.registration_rows(at)), at);
}

/// Nobody's exports yet, and from now on only what a story writes.
fn without_exports(names: &[&str]) -> World {
    let mut world = World::of(names);
    world.frozen.extend(["users", "registration"]);
    world
}

#[tokio::test]
async fn the_newest_of_several_editions_counts_and_the_others_are_left_alone() {
    let all = ["ana", "ben", "breakglass"];
    let mut world = without_exports(&["ana", "ben"]);
    world.who("ana").enabled = false;
    write_edition(&world, "2026-11-9", &all, day(0));
    world.pass(day(0)).await;
    assert_eq!(world.state("ana").await, State::Disabled);
    // By text, the ninth would be the later one, and by its copy it is the younger file.
    world.who("ana").enabled = true;
    world.registers("ana");
    write_edition(&world, "2026-11-10", &all, day(1));
    write_edition(&world, "2026-11-9", &all, day(1));
    let mut old = world.user_rows();
    for row in &mut old {
        row["accountEnabled"] = json!(false);
    }
    world.write("exportUsers_2026-11-9.json", old, day(1));
    world.pass(day(1)).await;
    assert_eq!(world.report.errors, [""; 0]);
    assert_eq!(world.state("ana").await, State::Registered);
    assert_eq!(world.report.read.users, 3);
    // Nothing changed: nothing is read.
    world.pass(day(2)).await;
    assert_eq!(world.report.read.users, 0);
    assert_eq!(world.state("ana").await, State::Registered);
    // A second download of the same day, in which ben is no more.
    write_edition(&world, "2026-11-10 (1)", &["ana", "breakglass"], day(3));
    world.pass(day(3)).await;
    assert_eq!(world.state("ben").await, State::Gone);
    assert_eq!(world.report.read.users, 2);
    // It is taken away: what it stood before counts again.
    for file in ["exportUsers", "exportUserRegistrationDetails"] {
        let path = world.tenant().join(format!("{file}_2026-11-10 (1).json"));
        std::fs::remove_file(path).unwrap();
    }
    world.pass(day(4)).await;
    assert_ne!(world.state("ben").await, State::Gone);
    assert_eq!(world.state("ana").await, State::Registered);
    assert_eq!(world.report.errors, [""; 0]);
}

#[tokio::test]
async fn editions_that_names_do_not_order_fail_their_source() {
    let all = ["ana", "ben", "breakglass"];
    let mut world = without_exports(&["ana", "ben"]);
    write_edition(&world, "2026-11-9", &all, day(0));
    world.pass(day(0)).await;
    let rows = world.user_rows();
    world.write("users.json", rows, day(1));
    world.pass(day(1)).await;
    let error = "users: exportUsers_2026-11-9.json: it and users.json hold the same ids, and their names do not tell which is the newer; remove the older one, or name each by its date, like users_2026-11-10.csv";
    assert_eq!(world.report.errors, [error]);
    std::fs::remove_file(world.tenant().join("users.json")).unwrap();
    world.pass(day(2)).await;
    assert_eq!(world.report.errors, [""; 0]);
}

#[tokio::test]
async fn two_downloads_of_one_day_are_ordered_by_their_number_or_refused() {
    let all = ["ana", "ben", "breakglass"];
    for (second, is_ordered) in [
        ("2026-11-9 (1)", true),
        ("2026-11-9-2", true),
        ("2026-11-9 2", true),
        ("2026-11-9 - Copy", false),
        ("2026-11-9_b", false),
        ("2026-11-9-LAPTOP7", false),
    ] {
        let mut world = without_exports(&["ana", "ben"]);
        write_edition(&world, "2026-11-9", &all, day(0));
        world.registers("ana");
        write_edition(&world, second, &all, day(0));
        world.pass(day(0)).await;
        let errors = world.report.errors.join("\n");
        if is_ordered {
            assert_eq!(errors, "", "{second}");
            assert_eq!(world.state("ana").await, State::Registered, "{second}");
        } else {
            for source in ["Users", "UserRegistrationDetails"] {
                let (one, other) = (
                    format!("export{source}_2026-11-9.json"),
                    format!("export{source}_{second}.json"),
                );
                assert!(
                    errors.contains(&one) && errors.contains(&other),
                    "{second}: {errors}"
                );
            }
        }
    }
}

#[tokio::test]
async fn editions_of_groups_do_not_mix() {
    let mut world = World::of(&["ana"]);
    world.frozen.insert("groups");
    std::fs::remove_file(world.tenant().join("groups.json")).ok();
    let group = |world: &World, members: &[&str]| {
        let members: Vec<_> = members.iter().map(|name| world.id(name)).collect();
        json!({ "id": "0a0a0a0a-0000-4000-8000-000000000000", "displayName": "Emergency", "members": members })
    };
    let (nobody, both) = (
        group(&world, &["breakglass"]),
        group(&world, &["ana", "breakglass"]),
    );
    world.write("exportGroups_2026-11-10.json", vec![both], day(0));
    world.write("exportGroups_2026-11-9.json", vec![nobody], day(0));
    world.pass(day(0)).await;
    assert_eq!(world.report.errors, [""; 0]);
    assert_eq!(world.state("ana").await, State::Exempt);
    assert_eq!(world.report.read.groups, 1);
}
