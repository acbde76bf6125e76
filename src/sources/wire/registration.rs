//! A row of the registration report (`userRegistrationDetails`) and what it amounts to.
//!
//! Done means capable of multifactor authentication with more than methods that only bridge a
//! gap or reset a password (cases 46 and 47). A capable row without any method follows the flag.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Entry, Row, RowError, Scalar, Who, date, is_flattened, parse};
use crate::domain::id::UserId;
use crate::domain::registration::{Detail, Level, ReportRow};

/// The properties of a registration that count.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct RegistrationRow<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub user_principal_name: Scalar<'a>,
    #[serde(borrow)]
    pub is_mfa_capable: Scalar<'a>,
    #[serde(borrow)]
    pub is_mfa_registered: Scalar<'a>,
    #[serde(borrow)]
    pub is_passwordless_capable: Scalar<'a>,
    #[serde(borrow)]
    pub is_sspr_registered: Scalar<'a>,
    #[serde(borrow)]
    pub methods_registered: Entry<'a>,
    #[serde(borrow)]
    pub last_updated_date_time: Scalar<'a>,
}

/// What a row of the report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// About whom: the portal's export has names only.
    pub who: Who,
    /// How far the registration goes.
    pub level: Level,
    /// Why it goes no further.
    pub detail: Detail,
    /// When the row was refreshed, where it says so: it helps to date the report (rule 7.8), and
    /// says nothing about the person.
    pub refreshed_at: Option<Timestamp>,
}

impl Report {
    /// The row of the person whom the caller found behind [`Report::who`].
    #[must_use]
    pub fn about(&self, user: UserId) -> ReportRow {
        ReportRow {
            user,
            level: self.level,
            detail: self.detail,
        }
    }
}

/// Reads one row of the report.
pub fn registration(raw: &[u8]) -> Result<Row<Report>, RowError> {
    parse::<RegistrationRow<'_>>(raw)?.report()
}

impl RegistrationRow<'_> {
    /// What the row amounts to.
    pub fn report(&self) -> Result<Row<Report>, RowError> {
        let who = self.who()?;
        let capable = self
            .is_mfa_capable
            .flag("isMfaCapable")?
            .ok_or(RowError::Missing("isMfaCapable"))?;
        let flags = Flags {
            capable,
            registered: self.is_mfa_registered.flag("isMfaRegistered")? == Some(true),
            passwordless: self.is_passwordless_capable.flag("isPasswordlessCapable")? == Some(true),
            reset_only: self.is_sspr_registered.flag("isSsprRegistered")? == Some(true),
        };
        let (level, detail) = flags.amount_to(&methods(&self.methods_registered)?);
        Ok(Row::Fact(Report {
            who,
            level,
            detail,
            // A date that stands there and cannot be read must make no report newer (rule 7.8).
            refreshed_at: date(&self.last_updated_date_time, "lastUpdatedDateTime")?,
        }))
    }

    fn who(&self) -> Result<Who, RowError> {
        if let Some(id) = self.id.text("id")? {
            let id = UserId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
            return Ok(Who::Id(id));
        }
        let upn = self.user_principal_name.text("userPrincipalName")?;
        let upn = upn.map(str::trim).filter(|upn| !upn.is_empty());
        Ok(Who::Upn(
            upn.ok_or(RowError::Missing("userPrincipalName"))?
                .to_owned(),
        ))
    }
}

#[allow(
    clippy::struct_excessive_bools,
    reason = "they are the report's own flags"
)]
struct Flags {
    capable: bool,
    registered: bool,
    passwordless: bool,
    reset_only: bool,
}

impl Flags {
    fn amount_to(&self, methods: &[Method]) -> (Level, Detail) {
        let some_and_all = |is: fn(Method) -> bool| {
            !methods.is_empty() && methods.iter().all(|method| is(*method))
        };
        let weak_only = some_and_all(|method| matches!(method, Method::Pass | Method::Reset));
        if self.capable && !weak_only {
            return (Level::Capable, Detail::None);
        }
        if self.passwordless || some_and_all(|method| method == Method::Passwordless) {
            return (Level::Passwordless, Detail::None);
        }
        let detail = if weak_only && methods.contains(&Method::Pass) {
            Detail::TemporaryAccessPassOnly
        } else if weak_only {
            Detail::SsprOnly
        } else if self.registered {
            Detail::MethodNotAllowed
        } else if self.reset_only {
            Detail::SsprOnly
        } else {
            Detail::None
        };
        (Level::Missing, detail)
    }
}

/// What the list of methods names. Tools write a list in one text in ways of their own, and some
/// write what it was of instead: that says nothing, and least of all that somebody is registered.
fn methods(list: &Entry<'_>) -> Result<Vec<Method>, RowError> {
    let mut methods = Vec::new();
    for item in list.items() {
        let Entry::Scalar(scalar) = item else {
            return Err(RowError::no_list(METHODS, "an object or a list in it"));
        };
        let Some(text) = scalar.text(METHODS)? else {
            continue;
        };
        if let Ok(list) = serde_json::from_str::<Vec<Cow<'_, str>>>(text) {
            methods.extend(list.iter().flat_map(|name| Method::all_of(name)));
        } else if is_no_list(text) {
            return Err(RowError::no_list(METHODS, text));
        } else {
            let names = text.split([',', ';', '|', '\n', '\r']);
            let names = names.flat_map(|names| names.split(" / "));
            methods.extend(names.flat_map(Method::all_of));
        }
    }
    Ok(methods)
}

const METHODS: &str = "methodsRegistered";

/// Whether a text is the name of a type or the inside of an object: `System.String[]`, `@{…}`.
fn is_no_list(text: &str) -> bool {
    is_flattened(text) || text.contains(['[', ']', '{', '}', '<', '>', '=', '@', '"', '`'])
}

/// The longest name of a method has so many words.
const WORDS: usize = 4;

/// Names that may stand beside others with nothing between them but a blank, packed.
const KNOWN: [&str; 29] = [
    "alternatemobilephone",
    "apppassword",
    "apppasswords",
    "email",
    "federatedcertificate",
    "fido2",
    "fido2securitykey",
    "hardwareonetimepasscode",
    "macossecureenclavekey",
    "microsoftauthenticatorpasswordless",
    "microsoftauthenticatorpush",
    "mobilephone",
    "none",
    "officephone",
    "passkeydevicebound",
    "passkeydeviceboundauthenticator",
    "passkeydeviceboundwindowshello",
    "passkeysynced",
    "password",
    "qrcodepin",
    "securityquestion",
    "securityquestions",
    "sms",
    "softwareonetimepasscode",
    "temporaryaccesspass",
    "voice",
    "windowshello",
    "windowshelloforbusiness",
    "x509certificate",
];

/// What a method is worth; its names are open strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// A Temporary Access Pass: it bridges a gap.
    Pass,
    /// For a password reset, or a password itself.
    Reset,
    /// Windows Hello or a passkey.
    Passwordless,
    /// Anything else, known or not: the report's flags decide.
    Strong,
}

impl Method {
    /// What one text names: several methods, if that is what every part of it is.
    fn all_of(text: &str) -> Vec<Self> {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let mut methods = Vec::new();
        let mut rest = words.as_slice();
        while !rest.is_empty() {
            let known = (1..=rest.len().min(WORDS))
                .rev()
                .find(|count| KNOWN.contains(&rest[..*count].concat().as_str()));
            let Some(count) = known else {
                return Self::of(&words.concat()).into_iter().collect();
            };
            methods.extend(Self::of(&rest[..count].concat()));
            rest = &rest[count..];
        }
        methods
    }

    /// By name, in Graph's spelling or the portal's; `None` for a word that means no method.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "" | "none" | "null" | "nan" | "na" => return None,
            "temporaryaccesspass" => Self::Pass,
            "email" | "securityquestion" | "securityquestions" | "apppassword" | "apppasswords" => {
                Self::Reset
            }
            name if ["windowshello", "passkey", "fido2"]
                .iter()
                .any(|start| name.starts_with(start)) =>
            {
                Self::Passwordless
            }
            _ => Self::Strong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(capable: bool, registered: bool, passwordless: bool, methods: &str) -> (Level, Detail) {
        let json = format!(
            r#"{{"id":"a","isMfaCapable":{capable},"isMfaRegistered":{registered},"isPasswordlessCapable":{passwordless},"methodsRegistered":[{methods}]}}"#
        );
        let Row::Fact(report) = registration(json.as_bytes()).unwrap() else {
            panic!()
        };
        (report.level, report.detail)
    }

    #[test]
    fn levels() {
        let app = r#""microsoftAuthenticatorPush""#;
        let hello = r#""windowsHelloForBusiness","passKeyDeviceBound""#;
        for (flags, methods, expected) in [
            ((true, true, false), app, (Level::Capable, Detail::None)),
            ((true, true, false), "", (Level::Capable, Detail::None)),
            (
                (true, true, false),
                r#""somethingNew""#,
                (Level::Capable, Detail::None),
            ),
            ((true, true, true), hello, (Level::Capable, Detail::None)),
            (
                (false, false, true),
                hello,
                (Level::Passwordless, Detail::None),
            ),
            (
                (false, false, false),
                hello,
                (Level::Passwordless, Detail::None),
            ),
            (
                (false, true, false),
                app,
                (Level::Missing, Detail::MethodNotAllowed),
            ),
            ((false, false, false), "", (Level::Missing, Detail::None)),
            (
                (false, false, false),
                r#""temporaryAccessPass""#,
                (Level::Missing, Detail::TemporaryAccessPassOnly),
            ),
            (
                (true, true, false),
                r#""temporaryAccessPass""#,
                (Level::Missing, Detail::TemporaryAccessPassOnly),
            ),
            (
                (true, true, false),
                r#""email","appPassword""#,
                (Level::Missing, Detail::SsprOnly),
            ),
            (
                (false, false, false),
                r#""email""#,
                (Level::Missing, Detail::SsprOnly),
            ),
            (
                (true, true, false),
                r#""email","mobilePhone""#,
                (Level::Capable, Detail::None),
            ),
        ] {
            assert_eq!(
                row(flags.0, flags.1, flags.2, methods),
                expected,
                "{flags:?} {methods}"
            );
        }
    }

    #[test]
    fn methods_in_one_text_are_a_list_in_every_spelling() {
        let level = |methods: &str| {
            let row = format!(r#"{{"id":"a","isMfaCapable":true,"methodsRegistered":{methods}}}"#);
            registration(row.as_bytes()).map(|row| match row {
                Row::Fact(report) => (report.level, report.detail),
                Row::Skipped(why) => panic!("{why:?}"),
            })
        };
        let weak = (Level::Missing, Detail::SsprOnly);
        for separator in [",", ";", "|", " | ", "\\n", " ", " + ", "/", " / ", ", "] {
            let text = format!(r#""email{separator}securityQuestion{separator}none""#);
            assert_eq!(level(&text), Ok(weak), "{text}");
            let text = format!(r#""email{separator}mobilePhone""#);
            assert_eq!(level(&text), Ok((Level::Capable, Detail::None)), "{text}");
        }
        let pass = (Level::Missing, Detail::TemporaryAccessPassOnly);
        for (text, expected) in [
            (r#""temporaryAccessPass""#, pass),
            (r#""Temporary Access Pass""#, pass),
            (r#"["temporaryAccessPass email"]"#, pass),
            (r#""[\"temporaryAccessPass\"]""#, pass),
            (r#""Email, Security questions""#, weak),
            (r#""App password""#, weak),
            // A name that nobody knows is one name, and the flag decides.
            (r#""Email by pigeon""#, (Level::Capable, Detail::None)),
            (
                r#""Passkey (other device-bound), Email""#,
                (Level::Capable, Detail::None),
            ),
            (r#""""#, (Level::Capable, Detail::None)),
            (r#""[]""#, (Level::Capable, Detail::None)),
            (r#""None""#, (Level::Capable, Detail::None)),
        ] {
            assert_eq!(level(text), Ok(expected), "{text}");
        }
        for (text, found) in [
            (r#""System.String[]""#, r#""System.String[]""#),
            (r#"["System.Object[]"]"#, r#""System.Object[]""#),
            (r#""@{id=1}""#, r#""@{id=1}""#),
            (r#""['email']""#, r#""['email']""#),
            (
                r#""System.Collections.Hashtable""#,
                r#""System.Collections.Hashtable""#,
            ),
            (r#"{"a":1}"#, r#""an object or a list in it""#),
        ] {
            let error = level(text).unwrap_err().to_string();
            assert_eq!(error, format!("`methodsRegistered` is not a list: {found}"));
        }
        assert!(level("7").is_err());
    }

    #[test]
    fn a_row_needs_a_person_and_the_flag() {
        for (row, reason) in [
            (r#"{"isMfaCapable":true}"#, "`userPrincipalName` is missing"),
            (r#"{"id":"a"}"#, "`isMfaCapable` is missing"),
            (
                r#"{"id":"a","isMfaCapable":1}"#,
                "`isMfaCapable` is not true or false: 1",
            ),
            (
                r#"{"id":"a","isMfaCapable":true,"lastUpdatedDateTime":"12/03/2026 08:00:00"}"#,
                r#"`lastUpdatedDateTime` is not a time like 2026-01-05T08:30:00Z: "12/03/2026 08:00:00""#,
            ),
            (
                r#"{"id":"a","isMfaCapable":true,"lastUpdatedDateTime":"12.März"}"#,
                "`lastUpdatedDateTime` is not a time like 2026-01-05T08:30:00Z: \"12.März\"",
            ),
            (
                r#"{"id":"a","isMfaCapable":true,"lastUpdatedDateTime":20260312}"#,
                "`lastUpdatedDateTime` is not a text: 20260312",
            ),
            (
                r#"{"id":"a","isMfaCapable":true,"lastUpdatedDateTime":"12/03/2026 08:00:00"}"#,
                r#"`lastUpdatedDateTime` is not a time like 2026-01-05T08:30:00Z: "12/03/2026 08:00:00""#,
            ),
        ] {
            assert_eq!(
                registration(row.as_bytes()).unwrap_err().to_string(),
                reason,
                "{row}"
            );
        }
    }

    #[test]
    fn a_row_may_bear_no_date() {
        for dated in [
            "",
            r#","lastUpdatedDateTime":null"#,
            r#","lastUpdatedDateTime":" ""#,
        ] {
            let row = format!(r#"{{"id":"a","isMfaCapable":true{dated}}}"#);
            let Row::Fact(report) = registration(row.as_bytes()).unwrap() else {
                panic!("{dated}")
            };
            assert_eq!(report.refreshed_at, None, "{dated}");
        }
    }
}
