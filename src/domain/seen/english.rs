//! What holds saw, in English.

use jiff::Timestamp;

use super::{ClockFault, Form, GroupChange, MailTrouble, Rows, Seen, Unsettled, joined, joined_by};
use crate::domain::age::Frozen;

impl Seen {
    pub(super) fn english_title(&self) -> String {
        match self {
            Self::Stale {
                rows,
                reading: None,
                ..
            } => {
                format!("{} is not there yet", rows.english_source())
            }
            Self::Stale { rows, .. } => format!("{} is too old", rows.english_source()),
            Self::MailStuck { .. } => "Mail does not get through".to_owned(),
            Self::WebhookStuck => "A webhook that gives notice takes nothing".to_owned(),
            Self::Unresolved { names } => match names.as_slice() {
                [one] if one.matches > 0 => {
                    format!("{:?} in the configuration means several groups", one.name)
                }
                [one] => format!("{:?} in the configuration means nothing", one.name),
                all => format!("{} names in the configuration are unclear", all.len()),
            },
            Self::Mass { people: 1, .. } => "One more person would be flagged".to_owned(),
            Self::Mass { people, .. } => format!("{people} people would be flagged"),
            Self::Lost { people, .. } => format!("{people} people lost their registration at once"),
            Self::Shrunk {
                rows, before, kept, ..
            } => {
                let lost = before.saturating_sub(*kept);
                format!("{} lost {lost} of {before} rows", rows.english_source())
            }
            Self::Group { name, change, .. } => match change {
                GroupChange::MadeAnew { .. } => format!("The group {name:?} is another one now"),
                GroupChange::Shrank { .. } => format!("The group {name:?} lost members"),
                GroupChange::Gone => format!("The group {name:?} is no more"),
            },
            Self::Unread { groups, .. } if groups.is_empty() => {
                "An exclusion has members whom nobody knows".to_owned()
            }
            Self::Unread { .. } => "Groups of a policy cannot be read whole".to_owned(),
            Self::Proof { people: 1, .. } => {
                "One person waits for a newer registration report".to_owned()
            }
            Self::Proof { people, .. } => {
                format!("{people} people wait for a newer registration report")
            }
            Self::Frozen { .. } => "The registration report may be an old one".to_owned(),
            Self::Clock(_) => "The clock of this machine may be wrong".to_owned(),
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "a sentence for each kind of thing that is seen"
    )]
    pub(super) fn english(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::Stale { rows, reading, limit_h } => {
                let rows = rows.english();
                reading.map_or_else(
                    || format!("no reading of {rows} has been accepted yet"),
                    |at| {
                        let at = moment(at);
                        format!("the newest reading of {rows} is of {at}, older than {limit_h} h")
                    },
                )
            }
            Self::MailStuck { trouble, unsettled } => {
                let why = match unsettled {
                    None => "",
                    Some(Unsettled::NoOperators) => {
                        "; without email.operators only an accepted message or an approval ends this"
                    }
                    Some(Unsettled::OnlyPeople) => {
                        "; mails to operators do, none to people: only one that is accepted, or an approval, ends this"
                    }
                    Some(Unsettled::OperatorsRefuse) => {
                        "; email.operators refuse their mails too: only an accepted message or an approval ends this"
                    }
                };
                let how = trouble.english();
                format!("mail does not get through ({how}), so nobody can be given notice{why}")
            }
            Self::WebhookStuck => {
                "an endpoint that gives notice does not take webhooks, so nobody can be given notice"
                    .to_owned()
            }
            Self::Unresolved { names } => joined(names, |name| match name.matches {
                0 => format!("{} names {:?}, which matches nothing", name.list.key(), name.name),
                several => format!(
                    "{} names {:?}, which matches {several} groups",
                    name.list.key(),
                    name.name
                ),
            }),
            Self::Mass { people, recent, in_scope } => {
                let whom = match people {
                    1 => "one person".to_owned(),
                    people => format!("{people} people"),
                };
                let before = match recent {
                    0 => String::new(),
                    1 => " (one more was in the last 24 hours)".to_owned(),
                    recent => format!(" ({recent} more were in the last 24 hours)"),
                };
                format!("{whom} would be flagged in this run{before}, of {in_scope} in scope")
            }
            Self::Lost { people, before, now, missing } => {
                let [before, now] = [before, now].map(|at| moment(*at));
                format!(
                    "{people} people who were registered in the report of {before} are not in the one of {now}; {missing} were missing before"
                )
            }
            Self::Shrunk { rows, form, before, kept, others } => {
                let others = match others {
                    0 => String::new(),
                    others => format!(", beside {others} others"),
                };
                let form = form.english();
                match rows {
                    Rows::Registration => format!(
                        "the registration {form} has rows of {kept} people who are enabled where the last accepted one has {before}{others}; the last one stays"
                    ),
                    Rows::Users | Rows::SignIns => format!(
                        "the {} {form} has {kept} rows where the last accepted one has {before}{others}; the last one stays",
                        rows.name()
                    ),
                }
            }
            Self::Group { name, before, change } => match change {
                GroupChange::MadeAnew { members } => format!(
                    "the group {name:?} is another one than before, with {members} members where that one had {before}; those of both stay"
                ),
                GroupChange::Shrank { kept, others: 0 } => format!(
                    "the group {name:?} has {kept} members where it had {before}; the last ones stay"
                ),
                GroupChange::Shrank { kept, others } => format!(
                    "the group {name:?} has {kept} of the {before} members that it had, and {others} others; the last ones stay"
                ),
                GroupChange::Gone => format!(
                    "the group {name:?} is no more, its {before} last members stay exempt"
                ),
            },
            Self::Unread { groups, strangers, more, last_stay } => {
                let unread = (!groups.is_empty()).then(|| {
                    let names = quoted(groups);
                    format!("the members of {names} could not be read whole")
                });
                let strange = strange_english(strangers, *more);
                let seen: Vec<String> = unread.into_iter().chain(strange).collect();
                let follows = if *last_stay {
                    "the last ones stay"
                } else {
                    "nobody is asked, told or flagged under the policy before they are"
                };
                format!("{}; {follows}", seen.join("; "))
            }
            Self::Proof { people, newest } => {
                let who = match people {
                    1 => "one person waits for a registration report as of the deadline or later"
                        .to_owned(),
                    people => format!(
                        "{people} people wait for a registration report as of their deadline or later"
                    ),
                };
                format!("{who}; the newest is as of {}", moment(*newest))
            }
            Self::Frozen { why, reading } => {
                let reading = moment(*reading);
                match why {
                    Frozen::Copied => format!(
                        "the registration report of {reading} has the same bytes as the one before: it may be an old one that is copied on"
                    ),
                    Frozen::Old { newest } => format!(
                        "the newest row of the registration report of {reading} is of {}, more than 7 days before: it may be an old one that is copied on, or the service stands still",
                        moment(*newest)
                    ),
                    Frozen::Overtaken { newest, event } => format!(
                        "the newest row of the registration report of {reading} is of {}, and somebody in it registered at {}: it may be an old one that is copied on, or the service stands still",
                        moment(*newest),
                        moment(*event)
                    ),
                }
            }
            Self::Clock(fault) => fault.english(moment),
        }
    }
}

impl MailTrouble {
    fn english(&self) -> String {
        match self {
            Self::Silent { seconds } => format!("it has not answered for {seconds} seconds"),
            Self::Closed { answer } => format!("it does not connect or log in: {answer}"),
            Self::Refused { answer } => answer.clone(),
        }
    }
}

impl Rows {
    fn english_source(self) -> &'static str {
        match self {
            Self::Users => "The list of people",
            Self::Registration => "The registration report",
            Self::SignIns => "The sign-in log",
        }
    }

    fn english(self) -> &'static str {
        match self {
            Self::Users => "people",
            Self::Registration => "the registration report",
            Self::SignIns => "sign-ins",
        }
    }
}

impl Form {
    fn english(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Directory => "directory",
            Self::Report => "report",
        }
    }
}

impl ClockFault {
    pub(super) fn english(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::Behind { wall, newest } => {
                let [wall, newest] = [wall, newest].map(|at| moment(*at));
                format!(
                    "the wall clock ({wall}) stands behind the newest pass; no flag and no message before {newest}"
                )
            }
            Self::Parted { by } => {
                format!("the wall clock has parted from the boot-time clock by {by}")
            }
            Self::FromGraph { by, ahead } => {
                let word = if *ahead { "ahead of" } else { "behind" };
                format!("this machine's clock is {by} {word} Graph's")
            }
        }
    }
}

/// Members that mean nobody, in words, if there are any.
#[must_use]
pub fn strange_english(strangers: &[(String, String)], more: usize) -> Option<String> {
    let named = joined_by(strangers, ", ", |(member, group)| {
        format!("{member:?} in {group:?}")
    });
    match (strangers.len(), more) {
        (0, _) => None,
        (1, 0) => Some(format!(
            "{named} is neither a group nor a person that is known"
        )),
        (_, 0) => Some(format!(
            "{named} are neither groups nor people that are known"
        )),
        (_, more) => Some(format!(
            "{named} and {more} more are neither groups nor people that are known"
        )),
    }
}

fn quoted(names: &[String]) -> String {
    joined_by(names, ", ", |name| format!("{name:?}"))
}
