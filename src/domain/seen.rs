//! What a hold saw, as facts: `status` and JSON tell it in English, operators' mails in their own
//! language and time. The words of each language are a file below this one.
//!
//! A hold keeps these facts while it stands, so that a mail sent hours later can still say them.

mod english;
mod german;

pub use self::english::strange_english;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::age::Frozen;
use super::assignment::Unresolved;
use super::language::{Language, Manner};

/// What a hold saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A source is too old, or was never read.
    Stale {
        /// Which.
        rows: Rows,
        /// Its newest reading.
        reading: Option<Timestamp>,
        /// How old that may be.
        limit_h: i64,
    },
    /// Mail does not get through.
    MailStuck {
        /// How that shows.
        trouble: MailTrouble,
        /// Why no mail to operators can tell when it does again.
        unsettled: Option<Unsettled>,
    },
    /// An endpoint that gives notice takes nothing.
    WebhookStuck,
    /// Names of an assignment mean nothing, or several groups.
    Unresolved {
        /// These.
        names: Vec<Unresolved>,
    },
    /// Many would be flagged at once.
    Mass {
        /// So many in this run.
        people: usize,
        /// So many without an approval in the last 24 hours.
        recent: usize,
        /// Of so many.
        in_scope: usize,
    },
    /// Many lost their registration between two reports.
    Lost {
        /// So many.
        people: u64,
        /// The report that had them registered.
        before: Timestamp,
        /// The report that does not.
        now: Timestamp,
        /// So many were missing before.
        missing: u64,
    },
    /// A snapshot shrank.
    Shrunk {
        /// Which.
        rows: Rows,
        /// Where it was read.
        form: Form,
        /// What the last accepted one had.
        before: u64,
        /// What is left of that.
        kept: u64,
        /// What is there beside.
        others: u64,
    },
    /// A group is not what it was.
    Group {
        /// As the policy names it.
        name: String,
        /// How many members it had.
        before: u64,
        /// What became of it.
        change: GroupChange,
    },
    /// Groups that cannot be read whole, or whose members nobody knows.
    Unread {
        /// As the policy names them.
        groups: Vec<String>,
        /// Some of the members that mean nobody, each with the name of its group.
        strangers: Vec<(String, String)>,
        /// How many more of these there are.
        more: usize,
        /// The last known members stay; else the policy waits.
        last_stay: bool,
    },
    /// People wait for a newer report.
    Proof {
        /// So many.
        people: u64,
        /// What the newest report is as of.
        newest: Timestamp,
    },
    /// The report may be an old one.
    Frozen {
        /// Why.
        why: Frozen,
        /// When it was read.
        reading: Timestamp,
    },
    /// The clock of this machine went wrong.
    Clock(ClockFault),
}

/// Rows of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// Accounts.
    Users,
    /// Who has registered.
    Registration,
    /// Sign-ins.
    SignIns,
}

/// What a snapshot is called where it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Files.
    Export,
    /// Graph's accounts.
    Directory,
    /// Graph's report.
    Report,
}

/// How it shows that mail does not get through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTrouble {
    /// The server has not answered for so long.
    Silent {
        /// So many seconds.
        seconds: u64,
    },
    /// It cannot be reached, or does not let us in.
    Closed {
        /// As the server or the way there said it.
        answer: String,
    },
    /// It takes no message.
    Refused {
        /// As the server said it.
        answer: String,
    },
}

/// Why no mail to operators can end an outage of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsettled {
    /// None is configured.
    NoOperators,
    /// Theirs are accepted, and those to people are not.
    OnlyPeople,
    /// Their addresses are at fault themselves.
    OperatorsRefuse,
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupChange {
    /// The name means another group, with so many members.
    MadeAnew {
        /// So many.
        members: u64,
    },
    /// It has so many of its members left, and others.
    Shrank {
        /// So many.
        kept: u64,
        /// So many others.
        others: u64,
    },
    /// It is no more.
    Gone,
}

/// What is wrong with the clock (rule R3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockFault {
    /// It stands behind the newest pass.
    Behind {
        /// What it shows.
        wall: Timestamp,
        /// That pass.
        newest: Timestamp,
    },
    /// It parted from the time since the machine was started.
    Parted {
        /// By so much.
        by: String,
    },
    /// It parted from Graph's.
    FromGraph {
        /// By so much.
        by: String,
        /// Whether it is ahead of it.
        ahead: bool,
    },
}

impl ClockFault {
    fn is_still(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Behind { newest, .. }, Self::Behind { newest: before, .. }) => newest == before,
            (Self::FromGraph { ahead, .. }, Self::FromGraph { ahead: before, .. }) => {
                ahead == before
            }
            (Self::Parted { .. }, Self::Parted { .. }) => true,
            (Self::Behind { .. } | Self::FromGraph { .. } | Self::Parted { .. }, _) => false,
        }
    }
}

impl Seen {
    /// Whether it is what was seen before: a clock goes on, and a server words each answer anew.
    #[must_use]
    pub fn is_still(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Clock(fault), Self::Clock(before)) => fault.is_still(before),
            (
                Self::MailStuck { unsettled, .. },
                Self::MailStuck {
                    unsettled: before, ..
                },
            ) => unsettled == before,
            (seen, before) => seen == before,
        }
    }

    /// In English, with times as programs read them.
    #[must_use]
    pub fn text(&self) -> String {
        self.english(&|at| at.to_string())
    }

    /// As operators read it.
    #[must_use]
    pub fn told(&self, manner: &Manner) -> String {
        let moment = |at| manner.moment(at);
        match manner.language {
            Language::English => self.english(&moment),
            Language::German => self.german(&moment),
        }
    }

    /// It as the subject of a mail.
    #[must_use]
    pub fn title(&self, language: Language) -> String {
        match language {
            Language::English => format!("{}: please look", self.english_title()),
            Language::German => format!("{}: bitte nachsehen", self.german_title()),
        }
    }
}

impl Rows {
    /// The name in configuration and storage.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Registration => "registration",
            Self::SignIns => "sign_ins",
        }
    }
}

impl std::fmt::Display for ClockFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.english(&|at| at.to_string()))
    }
}

fn joined<T>(all: &[T], each: impl Fn(&T) -> String) -> String {
    joined_by(all, "; ", each)
}

fn joined_by<T>(all: &[T], between: &str, each: impl Fn(&T) -> String) -> String {
    all.iter().map(each).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::assignment::NameList;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[expect(clippy::too_many_lines, reason = "one of each kind")]
    fn every() -> Vec<Seen> {
        let morning = at("2026-12-02T08:00:00Z");
        let evening = at("2026-12-08T22:59:00Z");
        let text = ToOwned::to_owned;
        let name = |matches| Unresolved {
            name: "Staff".to_owned(),
            list: NameList::ExcludeGroups,
            matches,
        };
        let group = |change| Seen::Group {
            name: "Emergency".to_owned(),
            before: 40,
            change,
        };
        let stranger = ("x@contoso.com".to_owned(), "Emergency".to_owned());
        let unread = |groups: &[&str], strangers: usize, more, last_stay| Seen::Unread {
            groups: groups.iter().map(|name| (*name).to_owned()).collect(),
            strangers: vec![stranger.clone(); strangers],
            more,
            last_stay,
        };
        let shrunk = |rows, form, others| Seen::Shrunk {
            rows,
            form,
            before: 2_000,
            kept: 300,
            others,
        };
        let stuck = |trouble, unsettled| Seen::MailStuck { trouble, unsettled };
        let refused = || MailTrouble::Refused {
            answer: text("451 4.7.1 later"),
        };
        let stale = |rows, reading| Seen::Stale {
            rows,
            reading,
            limit_h: 24,
        };
        let frozen = |why| Seen::Frozen {
            why,
            reading: evening,
        };
        vec![
            stale(Rows::Users, None),
            stale(Rows::Registration, Some(morning)),
            stale(Rows::SignIns, Some(morning)),
            stuck(MailTrouble::Silent { seconds: 20 }, None),
            stuck(
                MailTrouble::Closed {
                    answer: text("no route to host"),
                },
                None,
            ),
            stuck(refused(), Some(Unsettled::NoOperators)),
            stuck(refused(), Some(Unsettled::OnlyPeople)),
            stuck(refused(), Some(Unsettled::OperatorsRefuse)),
            Seen::WebhookStuck,
            Seen::Unresolved {
                names: vec![name(0)],
            },
            Seen::Unresolved {
                names: vec![name(2)],
            },
            Seen::Unresolved {
                names: vec![name(0), name(3)],
            },
            Seen::Mass {
                people: 22,
                recent: 3,
                in_scope: 200,
            },
            Seen::Mass {
                people: 1,
                recent: 30,
                in_scope: 200,
            },
            Seen::Lost {
                people: 31,
                before: morning,
                now: evening,
                missing: 12,
            },
            shrunk(Rows::Users, Form::Export, 0),
            shrunk(Rows::Users, Form::Directory, 7),
            shrunk(Rows::Registration, Form::Report, 0),
            group(GroupChange::MadeAnew { members: 3 }),
            group(GroupChange::Shrank { kept: 4, others: 0 }),
            group(GroupChange::Shrank { kept: 4, others: 2 }),
            group(GroupChange::Gone),
            unread(&["Staff", "Emergency"], 0, 0, true),
            unread(&[], 1, 0, true),
            unread(&["Staff"], 2, 0, false),
            unread(&[], 2, 9, true),
            Seen::Proof {
                people: 1,
                newest: morning,
            },
            Seen::Proof {
                people: 5,
                newest: morning,
            },
            frozen(Frozen::Copied),
            frozen(Frozen::Old { newest: morning }),
            frozen(Frozen::Overtaken {
                newest: morning,
                event: evening,
            }),
            Seen::Clock(ClockFault::Behind {
                wall: morning,
                newest: evening,
            }),
            Seen::Clock(ClockFault::Parted { by: text("20m") }),
            Seen::Clock(ClockFault::FromGraph {
                by: text("1h"),
                ahead: true,
            }),
            Seen::Clock(ClockFault::FromGraph {
                by: text("1h"),
                ahead: false,
            }),
        ]
    }

    #[test]
    fn what_was_seen_is_told_in_each_language() {
        for language in Language::ALL {
            let manner = Manner {
                language,
                zone: TimeZone::get("Europe/Berlin").unwrap(),
            };
            let told = joined_by(&every(), "\n", |seen| {
                format!("{}\n  {}", seen.title(language), seen.told(&manner))
            });
            insta::assert_snapshot!(language.code(), told);
        }
    }

    #[test]
    fn it_is_kept_as_it_is() {
        for seen in every() {
            let kept = serde_json::to_string(&seen).unwrap();
            assert_eq!(serde_json::from_str::<Seen>(&kept).unwrap(), seen);
        }
    }
}
