//! Whom a policy reaches is counted twice: by the exports, and in SQL by what a pass has read of them. Both
//! say the same of any organisation.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::known;
use crate::config::Config;
use crate::desk::Reader;
use crate::domain::scope::Reach;
use crate::engine::{Engine, Wake};
use crate::report::{PassReport, Progress};
use crate::store::Store;
use crate::time::Clock;

/// So many people and groups there are; the next number is nobody's.
const PEOPLE: usize = 6;
const GROUPS: usize = 4;

/// An organisation, and a policy of it.
#[derive(Debug, Clone)]
struct Organisation {
    users: Vec<Value>,
    groups: Vec<Value>,
    policy: String,
}

fn user_id(number: usize) -> String {
    format!("0a0a0a0a-0000-4000-8000-{number:012}")
}

fn group_id(number: usize) -> String {
    format!("0b0b0b0b-0000-4000-8000-{number:012}")
}

fn upn(number: usize) -> String {
    format!("p{number}@contoso.example")
}

fn user(number: usize, enabled: bool, kind: usize) -> Value {
    let name = [
        "Ana",
        "Guest",
        "On-Premises Directory Synchronization Service Account",
    ][kind];
    let user_type = if kind == 1 { "Guest" } else { "Member" };
    json!({
        "id": user_id(number), "userPrincipalName": upn(number), "displayName": name,
        "accountEnabled": enabled, "userType": user_type,
    })
}

/// Users and groups by id or by name, in quotes.
fn named(
    people: impl Strategy<Value = usize>,
    id: fn(usize) -> String,
    name: fn(usize) -> String,
) -> impl Strategy<Value = String> {
    let one = (people, any::<bool>()).prop_map(move |(number, by_id)| {
        let text = if by_id { id(number) } else { name(number) };
        format!("\"{text}\"")
    });
    prop::collection::btree_set(one, 0..3).prop_map(|names| Vec::from_iter(names).join(", "))
}

fn names() -> impl Strategy<Value = String> {
    let users = named(0..=PEOPLE, user_id, upn);
    let groups = named(0..=GROUPS, group_id, |number| format!("Group {number}"));
    (users, groups)
        .prop_map(|(users, groups)| format!("{{ users = [{users}], groups = [{groups}] }}"))
}

fn members() -> impl Strategy<Value = Vec<String>> {
    let member = prop_oneof![
        (0..=PEOPLE).prop_map(user_id),
        (0..PEOPLE).prop_map(upn),
        (0..GROUPS).prop_map(group_id),
    ];
    prop::collection::vec(member, 0..4)
}

prop_compose! {
    fn organisation()(
        people in prop::collection::vec((any::<bool>(), 0..3_usize), PEOPLE),
        groups in prop::collection::vec(members(), GROUPS),
        include in prop_oneof![Just("{ all_users = true }".to_owned()), names().prop_filter("nobody", |names| names.contains('"'))],
        exclude in names(),
        nested in any::<bool>(),
        guests in any::<bool>(),
    ) -> Organisation {
        let people = people.into_iter().enumerate();
        let groups = groups.into_iter().enumerate().map(|(number, members)| json!({
            "id": group_id(number), "displayName": format!("Group {number}"), "members": members,
        }));
        Organisation {
            users: people.map(|(number, (enabled, kind))| user(number, enabled, kind)).collect(),
            groups: groups.collect(),
            policy: format!("include = {include}\nexclude = {exclude}\nnested = {nested}\nguests = {guests}\n"),
        }
    }
}

/// By the exports, and then by what a pass has read of them.
async fn reached(organisation: &Organisation) -> [Vec<Option<Reach>>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "users.json",
        json!({ "value": organisation.users }).to_string(),
    );
    write(
        "groups.json",
        json!({ "value": organisation.groups }).to_string(),
    );
    write(
        "fortnight.toml",
        format!(
            "[directory]\nsource = \"files\"\n[directory.files]\npath = \".\"\n[[policy]]\nname = \"all\"\nallow_empty_exclusion = true\n{}",
            organisation.policy
        ),
    );
    let (config, _) = Config::load(&folder.path().join("fortnight.toml"), []).unwrap();
    let clock = Clock::system();
    let by_exports = known(&config, None, clock.now()).await.unwrap().reached;
    let store = Store::open(&config.database).await.unwrap();
    let engine = Engine::new(
        store.clone(),
        config.clone(),
        clock,
        Arc::new(Progress::default()),
    );
    let mut report = PassReport::new(clock.now());
    let stop = CancellationToken::new();
    let engine = engine.unwrap();
    engine
        .pass(Wake::Sources, &mut report, &stop)
        .await
        .unwrap();
    engine.close().await;
    store.close().await;
    let reader = Reader::open(&config).await.unwrap();
    let by_snapshot = known(&config, Some(&reader), clock.now()).await.unwrap();
    reader.store.close().await;
    [by_exports, by_snapshot.reached]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn exports_and_the_snapshot_of_them_say_whom_a_policy_reaches(organisation in organisation()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [by_exports, by_snapshot] = runtime.block_on(reached(&organisation));
        prop_assert!(by_exports[0].is_some());
        prop_assert_eq!(by_exports, by_snapshot);
    }
}
