//! The groups of exported files: nested groups are flattened here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::editions::{Shares, older};
use super::parts::{are_whole, difference, read_part};
use super::reader::{PartRead, Reader, Step};
use crate::config::PolicyConfig;
use crate::domain::id::{GroupId, UserId};
use crate::domain::reference::Reference;
use crate::pass::collect::groups::{
    ReadFor, Stranger, Wanted, judge, meant, names_read, said, unread_or_strange,
};
use crate::pass::collect::{CollectError, Collected, Collector};
use crate::report::PassReport;
use crate::sources::files::{self, Folder, Part};
use crate::sources::wire::{Group, Member, Who};
use crate::sources::{Collection, Named};
use crate::store::memberships::{GroupSnapshot, Members};
use crate::store::settings::GROUPS_READ_FOR;
use crate::store::sources::Source;
use crate::store::{Store, StoreError};

pub(super) async fn collect(
    collector: &Collector<'_>,
    folder: &Folder,
    wanted: &Wanted,
    collected: &mut Collected,
    report: &mut PassReport,
) -> Result<(), CollectError> {
    if wanted.names.is_empty() {
        return Ok(());
    }
    let store = collector.store;
    let all = folder.required(Collection::Groups)?;
    let mut parts = collector.current(Source::Groups, all).await?;
    let users = collector.users_snapshot().await?;
    let nested = nested(&collector.config.policies);
    let read_for = |names: &BTreeSet<String>, by_name: bool| -> ReadFor {
        let users = by_name.then(|| users.clone());
        (names.clone(), users, Some(nested.clone()))
    };
    let means_the_same = store
        .setting(&GROUPS_READ_FOR.of::<ReadFor>())
        .await?
        .is_some_and(|before| {
            [false, true]
                .map(|by_name| read_for(&wanted.names, by_name))
                .contains(&before)
        });
    let stored = store.parts(Source::Groups).await?;
    let (change, directory, mut read_parts, aside) = loop {
        let change = difference(&parts, stored.clone(), false);
        if change.is_empty() && means_the_same {
            return Ok(collector.store.source_unchanged(Source::Groups).await?);
        }
        let anew = difference(&parts, stored.clone(), true);
        let (mut directory, mut read_parts, mut aside) =
            (Directory::default(), Vec::new(), Vec::new());
        for part in &parts {
            let mut read = directory.read(collector, part).await?;
            aside.push((
                std::mem::take(&mut read.quarantined),
                read.quarantined_count,
            ));
            report.read.groups += read.facts;
            read_parts.push((read_part(part, &read), collector.reading_of(part, &anew)));
        }
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let pairs = directory.shares.pairs(&names);
        let older = older(&names, &pairs)?;
        if older.is_empty() {
            break (change, directory, read_parts, aside);
        }
        collector
            .leave_alone(Source::Groups, &parts, &older)
            .await?;
        parts = collector.current(Source::Groups, all).await?;
        report.read.groups = 0;
    };
    for (rows, count) in aside {
        collector
            .note_quarantined(Source::Groups, rows, count, report)
            .await?;
    }
    are_whole(
        read_parts
            .iter()
            .map(|(part, _)| (part.name.as_str(), part.names_next)),
    )?;
    let strangers = directory.strangers(collector, wanted, &nested).await?;
    let (mut snapshot, lacking) = directory
        .flatten(collector, wanted, &nested, &strangers.groups)
        .await?;
    let sizes = store.membership_sizes().await?;
    for (name, lack) in &lacking {
        report.errors.push(format!("group {name:?}: {lack}"));
    }
    report.errors.extend(said(&strangers.doubtful));
    let lacking = lacking.into_keys().collect();
    let names_read = names_read(store, wanted, &lacking, &snapshot).await?;
    let (lacking, whole) = wanted.partition(&lacking);
    let unread = unread_or_strange(&lacking, &strangers.doubtful, wanted);
    let held = judge(collector, &whole, &sizes, &mut snapshot).await?;
    if !held.is_empty() || !unread.is_empty() {
        // What was not believed is looked at again in every pass.
        for (part, _) in &mut read_parts {
            part.fingerprint.clear();
        }
    }
    collected.holds.extend(held);
    collected.unread.extend(unread);
    let gone: Vec<i64> = change.gone.iter().map(|part| part.id).collect();
    store
        .absorb_groups(&snapshot, &read_parts, &gone, collector.now)
        .await?;
    let by_name = directory.by_name || !strangers.groups.is_empty();
    let read_for = read_for(&names_read, by_name);
    store.set(&GROUPS_READ_FOR.of(), &read_for).await?;
    Ok(())
}

/// All groups of the files.
#[derive(Debug, Default)]
struct Directory {
    groups: HashMap<GroupId, (String, Vec<Member>)>,
    /// Whether any member is named by user principal name.
    by_name: bool,
    /// Groups whose rows cannot be believed.
    unbelieved: BTreeSet<GroupId>,
    /// Whether such a row does not even say which group it is of.
    nameless: bool,
    /// Which parts have which groups.
    shares: Shares<GroupId>,
}

/// What a group calls members where that leaves open whom it means, and whether it is a group.
type Called = BTreeMap<String, bool>;

/// Members that mean nobody.
#[derive(Debug, Default)]
struct Strangers {
    /// Those that hold the policies that exclude them.
    doubtful: BTreeSet<Stranger>,
    /// Groups with such members, perhaps only because the users export is the older one.
    groups: BTreeSet<GroupId>,
}

impl Strangers {
    /// Those of one group, by each of its names.
    fn add(
        &mut self,
        group: &GroupId,
        named: &[(&String, Called)],
        now: &BTreeMap<String, Reference>,
        users: Timestamp,
    ) {
        let is_open = |one: &Reference| !matches!(one, Reference::Known | Reference::Nobody);
        if now.values().any(is_open) {
            self.groups.insert(group.clone());
        }
        for (name, called) in named {
            let doubtful = called.keys().filter(|reference| {
                now.get(*reference)
                    .is_some_and(|one| one.is_doubtful(users))
            });
            self.doubtful.extend(doubtful.map(|reference| Stranger {
                name: (*name).clone(),
                group: group.clone(),
                reference: reference.clone(),
            }));
        }
    }
}

/// Of what members are called, what means a person.
struct People {
    ids: HashSet<String>,
    names: HashSet<String>,
}

impl People {
    async fn of(store: &Store, called: &Called) -> Result<Self, StoreError> {
        let all: Vec<String> = called.keys().cloned().collect();
        Ok(Self {
            ids: store.known_users(&all).await?,
            names: store.known_names(&all).await?,
        })
    }
}

/// Why the members of a group are not all known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Lack {
    #[error(
        "a row of the groups files is put aside that does not say which group it is of; mend it"
    )]
    Nameless,
    #[error("the row of group {0} is put aside; mend it")]
    Unbelieved(GroupId),
    #[error("it contains the group {0}, which the files lack; export that one too")]
    Absent(GroupId),
}

impl Directory {
    async fn read(
        &mut self,
        collector: &Collector<'_>,
        part: &Part,
    ) -> Result<PartRead, CollectError> {
        self.shares.begin_part();
        let mut reader = Reader::start(&[part], collector.now, files::groups);
        let read = loop {
            match reader.next().await? {
                Step::Facts(batch) => {
                    collector.progress.absorbed(batch.len());
                    for group in batch {
                        self.add(group);
                    }
                }
                Step::PartRead(read) => break read,
            }
        };
        self.nameless |= read.anonymous > 0;
        for named in &read.unbelieved {
            match named {
                Named::Id(id) => match GroupId::parse(id) {
                    Ok(id) => {
                        self.unbelieved.insert(id);
                    }
                    Err(_) => self.nameless = true,
                },
                Named::Upn(_) => self.nameless = true,
            }
        }
        Ok(read)
    }

    fn add(&mut self, group: Group) {
        // A delta query spreads a large group over several parts.
        if !group.adds_up {
            self.shares.extend([group.id.clone()]);
        }
        self.by_name |= group
            .members
            .iter()
            .any(|member| matches!(member, Member::User(Who::Upn(_))));
        let id = group.id;
        let known = self.groups.entry(id.clone()).or_default();
        if let Some(name) = group.name {
            known.0 = name;
        }
        if !group.adds_up {
            known.1.clear();
            self.unbelieved.remove(&id);
        }
        known.1.extend(group.members);
    }

    /// Names of all groups, and the members of the wanted ones; with names whose members are not
    /// all known, and why. Such a group has its last members and those that are known now.
    async fn flatten(
        &self,
        collector: &Collector<'_>,
        wanted: &Wanted,
        nested: &BTreeSet<String>,
        with_strangers: &BTreeSet<GroupId>,
    ) -> Result<(GroupSnapshot, BTreeMap<String, Lack>), CollectError> {
        let store = collector.store;
        let mut lacking = BTreeMap::new();
        let mut snapshot = GroupSnapshot {
            names: self.names(),
            members: BTreeMap::new(),
        };
        for name in &wanted.names {
            let meant = meant(name, &snapshot.names, wanted);
            for id in meant {
                let lack = self.lack(&id, nested.contains(name));
                // The members of a group that is no more stay as they are.
                if self.groups.contains_key(&id) {
                    let mut members = self.members(collector, &id).await?;
                    // Who is meant by a name that means nobody may be among them.
                    if lack.is_some() || with_strangers.contains(&id) {
                        members.extend(store.members(&id).await?);
                    }
                    let known: &mut Members = snapshot.members.entry(id).or_default();
                    known.extend(members);
                }
                lacking.extend(lack.map(|lack| (name.clone(), lack)));
            }
        }
        Ok((snapshot, lacking))
    }

    /// Members of the wanted groups that mean nobody; what is remembered of each name is brought up
    /// to date. One group may have several names, of which one counts what is within.
    async fn strangers(
        &self,
        collector: &Collector<'_>,
        wanted: &Wanted,
        nested: &BTreeSet<String>,
    ) -> Result<Strangers, CollectError> {
        let store = collector.store;
        let users = collector.accepted_at(Source::Users).await?;
        let users = users.unwrap_or(Timestamp::MIN);
        let names = self.names();
        let mut named: BTreeMap<GroupId, Vec<(&String, Called)>> = BTreeMap::new();
        for name in &wanted.names {
            for group in meant(name, &names, wanted) {
                if self.groups.contains_key(&group) {
                    let called = self.called(&group, nested.contains(name));
                    named.entry(group).or_default().push((name, called));
                }
            }
        }
        let mut strangers = Strangers::default();
        for (group, named) in named {
            let before = store.references(&group).await?;
            let called = named.iter().flat_map(|(_, called)| called.clone());
            let called: Called = called.collect();
            let people = People::of(store, &called).await?;
            // An id that meant a person goes on to mean that person.
            let open = called
                .into_iter()
                .filter(|(reference, is_group)| *is_group || !people.ids.contains(reference));
            let now: BTreeMap<String, Reference> = open
                .map(|(reference, is_group)| {
                    let is_known = is_group || people.names.contains(&reference);
                    let next = Reference::next(before.get(&reference).copied(), is_known, users);
                    (reference, next)
                })
                .collect();
            store.note_references(&group, &before, &now).await?;
            strangers.add(&group, &named, &now, users);
        }
        Ok(strangers)
    }

    /// Display names by id.
    fn names(&self) -> BTreeMap<GroupId, String> {
        let names = self.groups.iter();
        names
            .map(|(id, (name, _))| (id.clone(), name.clone()))
            .collect()
    }

    /// The members of a group as its row has them; none of one that the files lack.
    fn rows(&self, group: &GroupId) -> &[Member] {
        self.groups
            .get(group)
            .map_or(&[], |(_, members)| members.as_slice())
    }

    /// A group, and where they count those in it, also such as the files lack. Groups may nest in
    /// circles: each comes once (case 12).
    fn within(&self, group: &GroupId, nested: bool) -> Vec<GroupId> {
        let mut within = Vec::new();
        let mut visited = BTreeSet::new();
        let mut to_visit = vec![group.clone()];
        while let Some(id) = to_visit.pop() {
            if !visited.insert(id.clone()) {
                continue;
            }
            if nested {
                let kinds = self.rows(&id).iter().map(|member| self.kind(member));
                to_visit.extend(kinds.filter_map(|kind| match kind {
                    Kind::Group(within) => Some(within),
                    Kind::User(_) | Kind::Name(_) => None,
                }));
            }
            within.push(id);
        }
        within
    }

    /// What a group calls its members, and those of the groups in it where they count, where that
    /// leaves open whom it means; with whether it is a group of the files.
    fn called(&self, group: &GroupId, nested: bool) -> Called {
        let groups = self.within(group, nested);
        let members = groups.iter().flat_map(|id| self.rows(id));
        members
            .filter_map(|member| match member {
                Member::Either(either) => {
                    let is_group = matches!(self.kind(member), Kind::Group(_));
                    Some((either.as_str().to_owned(), is_group))
                }
                Member::User(Who::Upn(name)) => Some((name.to_lowercase(), false)),
                // Typed: nobody else can be meant.
                Member::User(Who::Id(_)) | Member::Group(_) => None,
            })
            .collect()
    }

    /// Why the members of a group, and of those in it where they count, are not all known.
    fn lack(&self, group: &GroupId, nested: bool) -> Option<Lack> {
        if self.nameless {
            return Some(Lack::Nameless);
        }
        let groups = self.within(group, nested).into_iter();
        // What became of the group itself is for the judgement of memberships.
        let mut lacks = groups.filter_map(|id| match id {
            id if self.unbelieved.contains(&id) => Some(Lack::Unbelieved(id)),
            id if id != *group && !self.groups.contains_key(&id) => Some(Lack::Absent(id)),
            _ => None,
        });
        lacks.next()
    }

    /// The users below a group.
    async fn members(
        &self,
        collector: &Collector<'_>,
        group: &GroupId,
    ) -> Result<Members, CollectError> {
        let mut members = Members::default();
        let mut by_name: Vec<(String, bool)> = Vec::new();
        for id in self.within(group, true) {
            let direct = id == *group;
            for member in self.rows(&id) {
                match self.kind(member) {
                    Kind::Group(_) => {}
                    Kind::User(user) => add(&mut members, user, direct),
                    Kind::Name(name) => by_name.push((name, direct)),
                }
            }
        }
        let names: Vec<String> = by_name.iter().map(|(name, _)| name.clone()).collect();
        let known = collector.store.users_by_name(&names).await?;
        for (name, direct) in by_name {
            for user in known.get(&name).into_iter().flatten() {
                add(&mut members, user.clone(), direct);
            }
        }
        Ok(members)
    }

    fn kind(&self, member: &Member) -> Kind {
        match member {
            Member::Group(id) => Kind::Group(id.clone()),
            Member::User(Who::Id(id)) => Kind::User(id.clone()),
            Member::User(Who::Upn(name)) => Kind::Name(name.to_lowercase()),
            Member::Either(id) => match GroupId::parse(id.as_str()) {
                Ok(group)
                    if self.groups.contains_key(&group) || self.unbelieved.contains(&group) =>
                {
                    Kind::Group(group)
                }
                _ => Kind::User(id.clone()),
            },
        }
    }
}

/// Names of groups whose groups count.
fn nested(policies: &[PolicyConfig]) -> BTreeSet<String> {
    policies
        .iter()
        .filter(|policy| policy.nested)
        .flat_map(PolicyConfig::groups)
        .cloned()
        .collect()
}

enum Kind {
    Group(GroupId),
    User(UserId),
    Name(String),
}

fn add(members: &mut Members, user: UserId, direct: bool) {
    if direct {
        members.direct.insert(user.clone());
    }
    members.transitive.insert(user);
}
