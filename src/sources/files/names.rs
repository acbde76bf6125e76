//! Which file belongs to which collection, by its name alone.
//!
//! Case does not matter. A base name may be followed by a part, a date or a number
//! (`sign-ins-2026-01-05.json`, `users_2.csv`, `groups (1).json`). Known exports that cannot
//! serve are named, so that nobody wonders why nothing happens.

use std::cmp::Ordering;

use super::Format;
use crate::sources::Collection;
use crate::sources::wire::Recorded;

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A part of a collection.
    Part(Collection, Recorded),
    /// An export that looks like sign-ins and cannot serve: why, and what to do.
    Wrong(&'static str, &'static str),
    /// None of ours.
    Other,
}

/// Base names without punctuation. The longer come first where one begins another.
const BASES: [(&str, Collection); 17] = [
    ("exportuserregistrationdetails", Collection::Registration),
    ("userregistrationdetails", Collection::Registration),
    ("registrations", Collection::Registration),
    ("registration", Collection::Registration),
    ("exportusers", Collection::Users),
    ("exportuser", Collection::Users),
    ("users", Collection::Users),
    ("exportgroups", Collection::Groups),
    ("exportgroup", Collection::Groups),
    ("groups", Collection::Groups),
    ("signinlogs", Collection::SignIns),
    ("signins", Collection::SignIns),
    ("insightslogssigninlogs", Collection::SignIns),
    ("directoryaudits", Collection::Audits),
    ("auditlogs", Collection::Audits),
    ("audits", Collection::Audits),
    ("insightslogsauditlogs", Collection::Audits),
];

/// What the base name of a file or folder says; `name` has no extension.
pub(super) fn classify(name: &str) -> Named {
    let lower = name.to_lowercase();
    let packed: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    if packed.contains("authdetails") {
        return Named::Wrong(
            "it lists the authentication steps, not the sign-ins",
            "remove it; InteractiveSignIns of the same download is the right file",
        );
    }
    let applications = [
        "applicationsignin",
        "msisignin",
        "serviceprincipalsignin",
        "managedidentitysignin",
    ];
    if applications.iter().any(|name| packed.contains(name)) {
        // A storage account has a container of each category; nobody put these there by mistake.
        if packed.starts_with("insightslogs") {
            return Named::Other;
        }
        return Named::Wrong(
            "it holds sign-ins of applications, not of people",
            "remove it; export InteractiveSignIns instead",
        );
    }
    if packed.contains("signins") || packed.contains("usersigninlogs") {
        let recorded = if packed.contains("noninteractive") {
            Recorded::NonInteractive
        } else {
            Recorded::ByRow
        };
        return Named::Part(Collection::SignIns, recorded);
    }
    BASES
        .iter()
        .find(|(base, _)| begins(&lower, base))
        .map_or(Named::Other, |(_, collection)| {
            Named::Part(*collection, Recorded::ByRow)
        })
}

/// Whether `name` is `base`, hyphens and underscores aside, and after it nothing or no letter.
fn begins(name: &str, base: &str) -> bool {
    let mut rest = name.chars();
    for expected in base.chars() {
        match rest.find(|c| !matches!(c, '-' | '_')) {
            Some(c) if c == expected => {}
            _ => return false,
        }
    }
    rest.next().is_none_or(|c| !c.is_alphabetic())
}

/// The order in which parts are read: by name, where a number counts as one, so that
/// `…-2026-11-9` comes before `…-2026-11-10`.
pub(super) fn in_name_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let ([x, ..], [y, ..]) = (left, right) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let ((one, rest_left), (other, rest_right)) = (number(left), number(right));
            (left, right) = (rest_left, rest_right);
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            (left, right) = (&left[1..], &right[1..]);
            x.cmp(y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits that a text begins with, without leading zeros, and what follows.
fn number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|c| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let zeros = digits.iter().position(|c| *c != b'0');
    (&digits[zeros.unwrap_or(digits.len())..], rest)
}

/// Splits `users.json.gz` into `users`, its format and whether it says that it is packed.
pub(super) fn split(name: &str) -> Option<(&str, Format)> {
    let ends = |text: &str, with: &str| {
        let at = text.len().checked_sub(with.len())?;
        (text.is_char_boundary(at) && text[at..].eq_ignore_ascii_case(with)).then_some(at)
    };
    let plain = ends(name, ".gz").map_or(name, |at| &name[..at]);
    let formats = [
        (".json", Format::Json),
        (".ndjson", Format::JsonLines),
        (".jsonl", Format::JsonLines),
        (".csv", Format::Csv),
    ];
    formats.iter().find_map(|(extension, format)| {
        let at = ends(plain, extension).filter(|at| *at > 0)?;
        Some((&plain[..at], *format))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_contract() {
        use Collection::{Audits, Groups, Registration, SignIns, Users};
        for (name, collection) in [
            ("users", Users),
            ("Users-2026-01-05", Users),
            ("users_2", Users),
            ("exportUser_2026-1-5", Users),
            ("exportUsers_2026-1-5", Users),
            ("groups", Groups),
            ("groups (1)", Groups),
            ("exportGroups_2026-1-5", Groups),
            ("exportGroup_2026-1-5", Groups),
            ("registration", Registration),
            ("userRegistrationDetails", Registration),
            ("exportUserRegistrationDetails_2026-1-5", Registration),
            ("sign-ins", SignIns),
            ("SIGN_INS", SignIns),
            ("sign-ins-2026-01-05", SignIns),
            ("signIns", SignIns),
            ("SignInLogs", SignIns),
            ("insights-logs-signinlogs", SignIns),
            ("InteractiveSignIns_2026-01-01_2026-01-08", SignIns),
            ("audits", Audits),
            ("directoryAudits", Audits),
        ] {
            assert_eq!(
                classify(name),
                Named::Part(collection, Recorded::ByRow),
                "{name}"
            );
        }
        for name in [
            "NonInteractiveSignIns_2026-01-01",
            "noninteractive-sign-ins",
            "insights-logs-noninteractiveusersigninlogs",
        ] {
            assert_eq!(
                classify(name),
                Named::Part(SignIns, Recorded::NonInteractive),
                "{name}"
            );
        }
        for name in [
            "ApplicationSignIns_2026",
            "MSISignIns_2026",
            "InteractiveSignIns_AuthDetails_2026",
        ] {
            assert!(matches!(classify(name), Named::Wrong(..)), "{name}");
        }
        for name in [
            "manifest",
            "usersettings",
            "notes",
            "my-users",
            "",
            "🦀",
            "registrationcampaign",
            "groupsync",
            "insights-logs-serviceprincipalsigninlogs",
        ] {
            assert_eq!(classify(name), Named::Other, "{name}");
        }
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let ordered = [
            "a.json",
            "a.json.gz",
            "b/000009.json",
            "b/000010.json",
            "users_2026-11-9 (2).csv",
            "users_2026-11-9 (10).csv",
            "users_2026-11-10.csv",
        ];
        for (at, name) in ordered.iter().enumerate() {
            for (other_at, other) in ordered.iter().enumerate() {
                assert_eq!(
                    in_name_order(name, other),
                    at.cmp(&other_at),
                    "{name}, {other}"
                );
            }
        }
        assert_ne!(in_name_order("a1", "a01"), Ordering::Equal);
    }

    #[test]
    fn extensions() {
        for (name, expected) in [
            ("users.json", Some(("users", Format::Json))),
            ("users.JSON.GZ", Some(("users", Format::Json))),
            ("a.b.ndjson", Some(("a.b", Format::JsonLines))),
            ("a.jsonl.gz", Some(("a", Format::JsonLines))),
            ("a.csv", Some(("a", Format::Csv))),
            (".csv", None),
            ("users.gz", None),
            ("users.xlsx", None),
            ("é.gz", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }
}
