//! What lists and counts say is what deciding about everybody says: looked at after every pass of
//! every story.

use std::collections::BTreeMap;

use fortnight::config::Config;
use fortnight::desk::Reader;
use fortnight::desk::users::{self, Query, Sort};
use fortnight::domain::listed::{Listed, ListedWindow, is_in_scope};
use fortnight::domain::window::Deadline;
use fortnight::store::Whom;
use fortnight::store::lists::{Order, Wanted};

/// By id and policy.
type Rows = BTreeMap<(String, String), Listed>;

pub(crate) async fn assert_as_decided(config: &Config) {
    let reader = Reader::open(config).await.unwrap();
    if reader.world.users.is_none() {
        return;
    }
    let kept = kept(&reader).await;
    let decided = decided(&reader).await;
    for (whose, listed) in &decided {
        assert_eq!(
            kept.get(whose).map(settled),
            Some(settled(listed)),
            "{whose:?}"
        );
    }
    assert_counts(&reader, &kept).await;
    assert_deliveries(&reader).await;
    for sort in [Sort::Deadline, Sort::Next, Sort::Name, Sort::Id] {
        assert_ordered(&reader, sort, &kept).await;
    }
    reader.store.close().await;
}

async fn kept(reader: &Reader) -> Rows {
    let wanted = Wanted {
        policies: reader.policy_names(),
        states: Vec::new(),
        ..Wanted::default()
    };
    let rows = reader
        .store
        .list(&wanted, Order::Id, reader.now, None, 1_000_000)
        .await
        .unwrap();
    let rows = rows
        .into_iter()
        .map(|row| ((row.id, row.policy), row.listed));
    rows.collect()
}

/// Whoever changed since, because a mail was accepted for example, is for the next pass.
async fn decided(reader: &Reader) -> Rows {
    let everybody = Whom::Range(String::new(), "~".to_owned());
    let outcomes = reader.look(&everybody).await.unwrap();
    let unchanged = outcomes
        .iter()
        .filter(|outcome| outcome.dossier.mark.is_none());
    let rows = unchanged.flat_map(|outcome| {
        outcome.decisions.iter().map(|decision| {
            let whose = (
                outcome.dossier.person.id.to_string(),
                decision.policy.to_string(),
            );
            let kept = outcome.dossier.kept[&decision.policy];
            assert_eq!(kept.in_scope, is_in_scope(decision), "{whose:?}");
            (whose, Listed::of(decision))
        })
    });
    rows.collect()
}

/// What comes next moves on with a deadline that nobody was told of: the row has it as of its pass.
fn settled(listed: &Listed) -> Listed {
    let moves = |window: ListedWindow| matches!(window.deadline, Some(Deadline::Untold { .. }));
    Listed {
        next: listed.next.filter(|_| !listed.window.is_some_and(moves)),
        ..*listed
    }
}

async fn assert_counts(reader: &Reader, kept: &Rows) {
    let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
    for ((_, policy), listed) in kept {
        let state = listed.state.as_str().to_owned();
        *counted.entry((policy.clone(), state)).or_default() += 1;
    }
    let counts = reader.store.state_counts().await.unwrap();
    let names = reader.policy_names();
    let counts = counts
        .into_iter()
        .filter(|(policy, _)| names.contains(policy));
    let counts = counts.flat_map(|(policy, states)| {
        let states = states.into_iter();
        states.map(move |(state, people)| ((policy.to_string(), state), people))
    });
    assert_eq!(counts.collect::<BTreeMap<_, _>>(), counted);
    let everybody = Whom::Range(String::new(), "~".to_owned());
    let dossiers = reader.store.load(&everybody).await.unwrap();
    let in_scope = dossiers
        .iter()
        .filter(|dossier| dossier.kept.values().any(|kept| kept.in_scope));
    let people = reader.store.people_in_scope().await.unwrap();
    assert_eq!(people, in_scope.count() as u64, "in scope");
}

async fn assert_deliveries(reader: &Reader) {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for row in reader.store.deliveries(&[], None).await.unwrap() {
        *counted.entry(row.state.as_str().to_owned()).or_default() += 1;
    }
    let counts = reader.store.delivery_counts().await.unwrap();
    assert_eq!(counts, counted, "deliveries");
}

async fn assert_ordered(reader: &Reader, sort: Sort, kept: &Rows) {
    let query = Query {
        sort,
        ..Query::default()
    };
    let mut rows = users::list(reader, query).await.unwrap();
    let mut places = Vec::new();
    while let Some(row) = rows.next().await.unwrap() {
        let listed = kept[&(row.id.clone(), row.policy.clone())];
        let runs = listed.window.is_some_and(|window| window.left.is_none());
        let deadline = row
            .window
            .and_then(|window| window.deadline)
            .filter(|_| runs);
        let at = match sort {
            Sort::Deadline => deadline,
            // What is due is shown as of the next pass, and comes first all the same.
            Sort::Next => listed.next.map(|next| next.at),
            Sort::Name | Sort::Id => None,
        };
        let name = (sort == Sort::Name).then(|| row.user_principal_name.to_lowercase());
        places.push((at.is_none(), at, name, row.id, row.policy));
    }
    assert_eq!(places.len(), kept.len(), "{sort:?}");
    assert!(places.is_sorted(), "{sort:?}: {places:#?}");
}
