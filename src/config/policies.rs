//! The `[[policy]]` tables (rules 7.9, 7.10, 7.11, 7.18 and 7.20).

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::document::{Document, Found, Kind};
use super::reader::Section;
use super::{IncludeNames, NamePlaces, Names, Place, PolicyConfig};
use crate::domain::assignment::NameList;
use crate::domain::id::PolicyName;
use crate::domain::policy::{Enforce, Mode, StartOn, Step};
use crate::time::write_duration;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The longest window (rule R1).
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);
const DEFAULT_REMINDERS: [&str; 4] = ["0d", "-7d", "-3d", "-1d"];

pub(super) fn read(root: &Section<'_>, notice: bool, mode: Mode) -> Vec<PolicyConfig> {
    let document = root.document();
    let sections = root.sections("policy");
    if sections.is_empty() {
        document.error(
            Place::Missing,
            "no `[[policy]]` is configured",
            "add one with a name, an include and an exclude",
        );
    }
    let mut names = BTreeSet::new();
    sections
        .into_iter()
        .filter_map(|section| {
            let place = section.place();
            let policy = policy(&section, notice, mode)?;
            if !names.insert(policy.name.clone()) {
                document.error(
                    place,
                    format!("two policies are named {:?}", policy.name.as_str()),
                    "give each its own name",
                );
            }
            Some(policy)
        })
        .collect()
}

#[expect(
    clippy::too_many_lines,
    reason = "one read for each key, then what holds between them"
)]
fn policy(section: &Section<'_>, can_tell: bool, mode: Mode) -> Option<PolicyConfig> {
    let document = section.document();
    let name = section.parsed(
        "name",
        Kind::Text,
        super::REQUIRED,
        "The policy's name in lists, JSON, the journal and what operators are told.",
        |text| {
            let text = text.trim();
            if text.is_empty()
                || text.chars().count() > 64
                || text.contains(char::is_control)
                || text.contains('/')
            {
                return Err(
                    "a name has 1 to 64 characters, without slashes and control characters",
                );
            }
            Ok(PolicyName::new(text))
        },
    );
    let title = section.wording(
        "title",
        "",
        "What people read in mails instead of the name; without it they read of the registration policy.",
    );
    let names = &["on", "report-only", "off"];
    let choices = &[
        ("on", Enforce::On),
        ("report-only", Enforce::ReportOnly),
        ("off", Enforce::Off),
    ];
    let enforce = section.one_of(
        "enforce",
        choices,
        names,
        &[],
        "report-only",
        "Windows, messages and flags; or only rehearsed; or paused.",
    );
    let window = section.duration(
        "window",
        "14d",
        "The days between the first qualifying sign-in and the deadline: 0 to 90 days of 24 hours.",
    );
    let length = window.as_ref().map_or(DAY * 14, |window| window.value);
    if let Some(window) = &window
        && !(SignedDuration::ZERO..=LONGEST).contains(&window.value)
    {
        document.error(window.place.clone(), "a window has 0 to 90 days", "");
    } else if let Some(window) = &window
        && mode == Mode::Native
        && window.value != Mode::NATIVE_WINDOW
    {
        document.error(
            window.place.clone(),
            "under `enforcement.mode = \"native\"` a window has 14 days: those of ID Protection, which nobody can change",
            "write \"14d\" or leave it out; or use mode = \"flag\"",
        );
    }
    let min_notice = section.duration(
        "min_notice",
        "3d, or the window where that is shorter",
        "The least time between an accepted notice and a flag.",
    );
    let notice = min_notice
        .as_ref()
        .map_or((DAY * 3).min(length), |notice| notice.value);
    section.settle("min_notice", write_duration(notice));
    let reminders = reminders(section);
    let mut places = NamePlaces::default();
    let include = include(section, &mut places);
    let exclude = section.section("exclude");
    let excluded = Names {
        users: list(
            &exclude,
            "users",
            "Never asked, never flagged: the emergency accounts first of all. Object ids or user principal names.",
            NameList::ExcludeUsers,
            &mut places,
        ),
        groups: list(
            &exclude,
            "groups",
            "Members of these groups are excluded. Object ids or display names.",
            NameList::ExcludeGroups,
            &mut places,
        ),
    };
    exclude.close();
    let since = section.instant(
        "since",
        "the first pass that sees it on or report-only",
        "When the policy was switched on, to adopt a rollout under way.",
    );
    let guests = section.flag("guests", false, "Whether guests are eligible.");
    let nested = section.flag(
        "nested",
        true,
        "Whether members of groups within groups count; exports need those groups too.",
    );
    let accept_passwordless = section.flag(
        "accept_passwordless",
        true,
        "Whether passwordless methods alone (Windows Hello, passkeys) count as registered.",
    );
    let starts = &[
        ("prompted", StartOn::Prompted),
        ("any_primary", StartOn::AnyPrimary),
    ];
    let start_on = section.one_of(
        "start_on",
        starts,
        &["prompted", "any_primary"],
        &[],
        "prompted",
        "Which sign-ins open a window.",
    );
    let strict = section.flag(
        "strict",
        false,
        "Microsoft's own manner: the deadline stands, told or not.",
    );
    let allow_empty = section.flag(
        "allow_empty_exclusion",
        false,
        "Lets all users be included with nobody excluded.",
    );
    section.require("name", "add name = \"…\"");
    let place = section.place();
    section.close();

    let enforce = enforce.map_or(Enforce::ReportOnly, |found| found.value);
    if include == Some(IncludeNames::AllUsers) && excluded == Names::default() && !allow_empty {
        document.error(
            place.clone(),
            "all users are included and nobody is excluded, not even an emergency account",
            "exclude your emergency accounts, or say allow_empty_exclusion = true",
        );
    }
    if enforce == Enforce::On && !can_tell && !strict {
        document.error(
            place.clone(),
            "enforce = \"on\" without [email]: nobody could be given notice",
            "configure [email], or a [[webhook]] of format \"standard\" that gets \"window.opened\", \"window.reminder\", \"window.extended\" and \"window.resumed\"; or use \"report-only\"",
        );
    }
    if let Some(notice) = min_notice.filter(|notice| notice.value > length && !strict) {
        document.error(
            notice.place,
            "`min_notice` is longer than `window`: no deadline could be kept",
            format!(
                "make it at most {}, or the window longer; without this line it is 3d, or the window where that is shorter",
                write_duration(length)
            ),
        );
    }
    warn_about_steps(&place, document, &reminders, length, notice);
    Some(PolicyConfig {
        name: name?.value,
        title,
        enforce,
        window: length,
        min_notice: notice,
        include: include?,
        exclude: excluded,
        places,
        reminders: reminders.into_iter().map(|found| found.value).collect(),
        since: since.map(|found| found.value),
        guests,
        nested,
        accept_passwordless,
        start_on: start_on.map_or(StartOn::Prompted, |found| found.value),
        strict,
    })
}

fn list(
    section: &Section<'_>,
    key: &'static str,
    about: &'static str,
    list: NameList,
    places: &mut NamePlaces,
) -> Vec<String> {
    section
        .texts(key, false, "", about)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|found| {
            if found.value.trim().is_empty() {
                section
                    .document()
                    .error(found.place, "an empty name names nobody", "remove it");
                return None;
            }
            places.insert((list, found.value.clone()), found.place);
            Some(found.value)
        })
        .collect()
}

fn include(section: &Section<'_>, places: &mut NamePlaces) -> Option<IncludeNames> {
    let document = section.document();
    let errors_before = document.errors();
    let include = section.section("include");
    let all = include.flag("all_users", false, "Everybody in the directory.");
    let names = Names {
        users: list(
            &include,
            "users",
            "These people, by object id or user principal name.",
            NameList::IncludeUsers,
            places,
        ),
        groups: list(
            &include,
            "groups",
            "Members of these groups, by object id or display name.",
            NameList::IncludeGroups,
            places,
        ),
    };
    let (there, place) = (include.is_there(), include.place());
    include.close();
    if document.errors() > errors_before {
        return None;
    }
    match (all, names == Names::default()) {
        (true, true) => Some(IncludeNames::AllUsers),
        (false, false) => Some(IncludeNames::Selected(names)),
        (true, false) => {
            document.error(
                place,
                "`include` names all users and some",
                "say one or the other",
            );
            None
        }
        (false, true) => {
            let place = if there { place } else { section.place() };
            document.error(
                place,
                "a policy includes nobody",
                "add include = { all_users = true }, or users and groups",
            );
            None
        }
    }
}

fn reminders(section: &Section<'_>) -> Vec<Found<Step>> {
    let about = "When messages are due: \"-3d\" counts back from the deadline, \"3d\" from the opening, \"0d\" is the opening itself.";
    let texts = section.texts(
        "reminders",
        false,
        "[\"0d\", \"-7d\", \"-3d\", \"-1d\"]",
        about,
    );
    let texts = texts.unwrap_or_else(|| {
        DEFAULT_REMINDERS
            .iter()
            .map(|text| Found {
                value: (*text).to_owned(),
                place: Place::Missing,
            })
            .collect()
    });
    texts
        .into_iter()
        .filter_map(|text| {
            let Ok(value) = Step::try_from(text.value) else {
                let message = "a step is written like \"0d\", \"3d\" (after the opening) or \"-3d\" (before the deadline), in days (d), hours (h) or minutes (m)";
                section.document().error(text.place, message, "");
                return None;
            };
            Some(Found {
                value,
                place: text.place,
            })
        })
        .collect()
}

/// Steps outside the window are dropped, and a window that no step could announce in time is
/// announced at once (rule 7.18): worth knowing before it happens.
fn warn_about_steps(
    place: &Place,
    document: &Document,
    steps: &[Found<Step>],
    window: SignedDuration,
    notice: SignedDuration,
) {
    for step in steps {
        let (Step::AfterOpening(length) | Step::BeforeDeadline(length)) = step.value;
        if length > window && step.place != Place::Missing {
            document.warning(
                step.place.clone(),
                format!(
                    "the step {} lies outside the window and is dropped",
                    step.value
                ),
                "",
            );
        }
    }
    let announces = steps.iter().any(|step| match step.value {
        Step::AfterOpening(after) => after == SignedDuration::ZERO || after + notice <= window,
        Step::BeforeDeadline(before) => before >= notice && before <= window,
    });
    if !announces {
        let message = "no step falls at least the minimum notice before the deadline: windows are announced at once, as if \"0d\" were among the reminders";
        document.warning(place.clone(), message, "add \"0d\", or an earlier step");
    }
}
