//! A user as `GET /users` and the portal's user export spell it.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Entry, Loose, Row, RowError, Scalar, date, is_ahead, parse};
use crate::domain::id::{UserId, is_sound};
use crate::domain::person::{AccountKind, Person, Presence};
use crate::quote::quote;
use crate::sources::Skip;

/// The display name that every directory synchronisation account bears.
const SYNC_ACCOUNT: &str = "On-Premises Directory Synchronization Service Account";
/// The longest user principal name that is believed; the directory allows 113 characters.
const MAX_UPN: usize = 1_024;
/// The directory allows 256 characters in a display name.
const MAX_DISPLAY_NAME: usize = 1_024;

/// The properties of a user that count; the others are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct UserRow<'a> {
    #[serde(borrow)]
    pub id: Scalar<'a>,
    #[serde(borrow)]
    pub user_principal_name: Scalar<'a>,
    #[serde(borrow)]
    pub account_enabled: Scalar<'a>,
    #[serde(borrow)]
    pub display_name: Loose<'a>,
    #[serde(borrow)]
    pub mail: Loose<'a>,
    #[serde(borrow)]
    pub user_type: Scalar<'a>,
    #[serde(borrow)]
    pub created_date_time: Scalar<'a>,
    #[serde(borrow)]
    pub preferred_language: Scalar<'a>,
    #[serde(borrow)]
    pub sign_in_activity: Entry<'a, SignInActivity<'a>>,
    #[serde(borrow, rename = "@odata.type")]
    pub odata_type: Scalar<'a>,
    #[serde(borrow, rename = "@removed")]
    pub removed: Scalar<'a>,
}

/// `signInActivity`, for which Graph wants P1 and a `$select`.
///
/// Only `lastSignInDateTime` tells of prompts: it is the last interactive attempt, while
/// `lastSuccessfulSignInDateTime` also counts tokens refreshed in the background.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the names are Graph's")]
pub struct SignInActivity<'a> {
    #[serde(borrow)]
    pub last_sign_in_date_time: Scalar<'a>,
}

/// Reads one user.
pub fn user(raw: &[u8]) -> Result<Row<Person>, RowError> {
    parse::<UserRow<'_>>(raw)?.person()
}

/// Takes out of a person a time of creation that lies ahead, as years of another calendar do, and
/// says so: nobody would be in scope before it.
pub fn forget_creation_ahead(person: &mut Person, now: Timestamp) -> Option<RowError> {
    let at = person.created_at.take_if(|at| is_ahead(*at, now))?;
    let name = "createdDateTime";
    Some(RowError::Future { name, at })
}

impl UserRow<'_> {
    /// The person. A malformed address or name is none; the rest must be right (rule 3.4).
    pub fn person(&self) -> Result<Row<Person>, RowError> {
        if self.removed.is_present() {
            return Ok(Row::Skipped(Skip::Removed));
        }
        let id = self.id.text("id")?.ok_or(RowError::Missing("id"))?;
        let id = UserId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
        let user_principal_name = self.upn()?;
        let enabled = self
            .account_enabled
            .flag("accountEnabled")?
            .ok_or(RowError::Missing("accountEnabled"))?;
        Ok(Row::Fact(Person {
            id,
            kind: self.kind(&user_principal_name),
            user_principal_name,
            display_name: self.display_name(),
            mail: self
                .mail
                .0
                .as_str()
                .map(str::trim)
                .filter(|mail| is_address(mail))
                .map(str::to_owned),
            enabled,
            created_at: date(&self.created_date_time, "createdDateTime")?,
            preferred_language: self
                .preferred_language
                .as_str()
                .map(str::trim)
                .filter(|tag| is_language(tag))
                .map(str::to_owned),
            last_sign_in_at: match self.sign_in_activity.object() {
                Some(activity) => date(&activity.last_sign_in_date_time, "lastSignInDateTime")?,
                None => None,
            },
            presence: Presence::Present,
        }))
    }

    fn upn(&self) -> Result<String, RowError> {
        let name = "userPrincipalName";
        let upn = self
            .user_principal_name
            .text(name)?
            .map(str::trim)
            .unwrap_or_default();
        if upn.is_empty() {
            return Err(RowError::Missing(name));
        }
        if upn.len() > MAX_UPN || !is_sound(upn) {
            return Err(RowError::Wrong {
                name,
                expected: "a short text on one line",
                found: quote(upn),
            });
        }
        Ok(upn.to_owned())
    }

    fn display_name(&self) -> Option<String> {
        let name = self.display_name.0.as_str()?;
        let name: String = name.chars().take(MAX_DISPLAY_NAME).collect();
        (!name.trim().is_empty()).then_some(name)
    }

    fn kind(&self, upn: &str) -> AccountKind {
        let is = |value: &Scalar<'_>, word: &str| {
            value
                .as_str()
                .is_some_and(|text| text.trim().eq_ignore_ascii_case(word))
        };
        if self.odata_type.as_str().is_some_and(|kind| {
            kind.trim()
                .to_ascii_lowercase()
                .ends_with("graph.agentuser")
        }) {
            return AccountKind::Agent;
        }
        let by_upn = upn
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("sync_"));
        if by_upn || is(&self.display_name.0, SYNC_ACCOUNT) {
            return AccountKind::Sync;
        }
        // An export without `userType` still tells guests by the form of their names.
        let invited = !self.user_type.is_present() && upn.to_ascii_uppercase().contains("#EXT#");
        if invited || is(&self.user_type, "guest") {
            return AccountKind::Guest;
        }
        AccountKind::Member
    }
}

/// Whether a text is an address that can be mailed to without quoting anything.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let dots = |part: &str| part.split('.').all(|label| !label.is_empty());
    let label = |label: &str| {
        !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| {
                c == '-'
                    || if c.is_ascii() {
                        c.is_ascii_alphanumeric()
                    } else {
                        c.is_alphanumeric()
                    }
            })
    };
    let plain = |c: char| {
        if c.is_ascii() {
            c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        } else {
            c.is_alphanumeric()
        }
    };
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && dots(local)
        && local.chars().all(plain)
        && dots(domain)
        && domain.split('.').all(label)
}

/// Whether a text can be a BCP 47 language tag.
fn is_language(tag: &str) -> bool {
    (2..=35).contains(&tag.len()) && tag.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: &str = r#""id":"A1","userPrincipalName":"ana@contoso.com","accountEnabled":true"#;

    fn person(rest: &str) -> Person {
        match user(format!("{{{ANA}{rest}}}").as_bytes()).unwrap() {
            Row::Fact(person) => person,
            Row::Skipped(why) => panic!("skipped: {why:?}"),
        }
    }

    #[test]
    fn addresses() {
        for good in [
            "a@b",
            "ana.o'neil+x@contoso.co.uk",
            "jürgen@bücher.example",
            "x_y@sub-1.example",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@b\r\nBcc: x@y",
            "a\u{0}@b",
            "<a@b>",
            "a,b@c",
            "a@b,c@d",
            "\"a\"@b",
            "a@.b",
            "a@b.",
            "a..b@c",
            ".a@b",
            "a@-b",
            "a@b_c",
            "a\u{200b}@b",
            "a@[1.2.3.4]",
        ] {
            assert!(!is_address(bad), "{bad:?}");
        }
        assert!(!is_address(&format!("{}@b", "x".repeat(65))));
        assert!(!is_address(&format!("a@{}", "x.".repeat(130) + "x")));
    }

    #[test]
    fn an_odd_mail_or_name_costs_only_itself() {
        let odd = person(
            r#","mail":{"x":1},"displayName":7,"createdDateTime":null,"preferredLanguage":"<b>""#,
        );
        assert_eq!((odd.mail, odd.display_name), (None, None));
        assert_eq!((odd.created_at, odd.preferred_language), (None, None));
        let raw = person(r#","mail":" ana@contoso.com ","displayName":"A\r\nB""#);
        assert_eq!(raw.mail.as_deref(), Some("ana@contoso.com"));
        assert_eq!(raw.display_name.as_deref(), Some("A\r\nB"));
        for name in [r#""M\ud800ller""#, "1e999999", &"[".repeat(9_000)] {
            let close = "]".repeat(name.len() * usize::from(name.starts_with('[')));
            let odd = person(&format!(
                r#","mail":{name}{close},"displayName":{name}{close}"#
            ));
            assert_eq!((odd.mail, odd.display_name), (None, None), "{name}");
        }
    }

    #[test]
    fn the_last_interactive_attempt_is_the_hint() {
        let at: Timestamp = "2026-01-05T08:30:00Z".parse().unwrap();
        for (activity, expected) in [
            (
                r#"{"lastSignInDateTime":"2026-01-05T08:30:00Z","lastSignInRequestId":"r","lastNonInteractiveSignInDateTime":"2026-02-01T00:00:00Z","lastSuccessfulSignInDateTime":"2026-02-01T00:00:00Z"}"#,
                Some(at),
            ),
            (
                r#"{"lastSignInDateTime":null,"lastNonInteractiveSignInDateTime":"2026-02-01T00:00:00Z","lastSuccessfulSignInDateTime":"2026-02-01T00:00:00Z"}"#,
                None,
            ),
            ("{}", None),
            ("null", None),
            (r#""2026-01-05T08:30:00Z""#, None),
            (r#"[{"lastSignInDateTime":"2026-01-05T08:30:00Z"}]"#, None),
        ] {
            let person = person(&format!(r#","signInActivity":{activity}"#));
            assert_eq!(person.last_sign_in_at, expected, "{activity}");
        }
        assert_eq!(person("").last_sign_in_at, None);
    }

    #[test]
    fn kinds_of_accounts_case_60() {
        for (rest, kind) in [
            ("", AccountKind::Member),
            (r#","userType":"Member""#, AccountKind::Member),
            (r#","userType":"GUEST""#, AccountKind::Guest),
            (
                r##","@odata.type":"#microsoft.graph.user""##,
                AccountKind::Member,
            ),
            (
                r##","@odata.type":"#microsoft.graph.agentUser""##,
                AccountKind::Agent,
            ),
            (
                r#","displayName":"On-Premises Directory Synchronization Service Account""#,
                AccountKind::Sync,
            ),
        ] {
            assert_eq!(person(rest).kind, kind, "{rest}");
        }
        let row = |upn: &str| {
            let row =
                format!(r#"{{"id":"a","userPrincipalName":"{upn}","accountEnabled":"True"}}"#);
            let Row::Fact(person) = user(row.as_bytes()).unwrap() else {
                panic!()
            };
            person.kind
        };
        assert_eq!(
            row("Sync_DC01_0a1b@contoso.onmicrosoft.com"),
            AccountKind::Sync
        );
        assert_eq!(
            row("x_y.example#EXT#@contoso.onmicrosoft.com"),
            AccountKind::Guest
        );
    }

    #[test]
    fn what_a_user_needs() {
        for (row, reason) in [
            (
                r#"{"userPrincipalName":"a@b","accountEnabled":true}"#,
                "`id` is missing",
            ),
            (
                r#"{"id":7,"userPrincipalName":"a@b","accountEnabled":true}"#,
                "`id` is not a text: 7",
            ),
            (
                r#"{"id":"00-00","userPrincipalName":"a@b","accountEnabled":true}"#,
                "`id` is no object id: the object id is all zeros (an unknown account)",
            ),
            (
                r#"{"id":"a","accountEnabled":true}"#,
                "`userPrincipalName` is missing",
            ),
            (
                r#"{"id":"a","userPrincipalName":"a\u0007","accountEnabled":true}"#,
                r#"`userPrincipalName` is not a short text on one line: "a\u{7}""#,
            ),
            (
                r#"{"id":"a","userPrincipalName":"a@b"}"#,
                "`accountEnabled` is missing",
            ),
            (
                r#"{"id":"a","userPrincipalName":"a@b","accountEnabled":"perhaps"}"#,
                r#"`accountEnabled` is not true or false: "perhaps""#,
            ),
            (
                r#"{"id":"a\u009bb","userPrincipalName":"a@b","accountEnabled":true}"#,
                "`id` is no object id: an object id has characters that no id has",
            ),
            (
                r#"{"id":"a","userPrincipalName":"a\u202e@b","accountEnabled":true}"#,
                r#"`userPrincipalName` is not a short text on one line: "a\u{202e}@b""#,
            ),
            (
                r#"{"id":"a","userPrincipalName":"a@b","accountEnabled":true,"createdDateTime":"1/5/2026"}"#,
                r#"`createdDateTime` is not a time like 2026-01-05T08:30:00Z: "1/5/2026""#,
            ),
            (
                r#"{"id":"a","userPrincipalName":"a@b","accountEnabled":true,"signInActivity":{"lastSignInDateTime":"soon"}}"#,
                r#"`lastSignInDateTime` is not a time like 2026-01-05T08:30:00Z: "soon""#,
            ),
            (
                r#"{"id":"a","id":"b"}"#,
                "the row is not valid JSON: duplicate field `id`",
            ),
            (
                r#"{"id":"a""#,
                "the row is not valid JSON: EOF while parsing an object",
            ),
            ("[]", "the row is not an object"),
        ] {
            assert_eq!(
                user(row.as_bytes()).unwrap_err().to_string(),
                reason,
                "{row}"
            );
        }
        assert_eq!(
            user(br#"{"id":"a","@removed":{"reason":"changed"}}"#),
            Ok(Row::Skipped(Skip::Removed))
        );
    }
}
