//! Sign-ins, the classes of their result codes, and which of them is a qualifying prompt.
//!
//! The trap: "interrupted" does not mean that the first factor was accepted, and an attacker
//! who guesses passwords must neither start nor burn anybody's clock.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id::UserId;
use super::language::Language;
use super::policy::StartOn;

/// How far ahead of the pass a sign-in may lie and still count at once (case 7).
pub const TOLERATED_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A sign-in as the logs report it, reduced to what decisions need (rule R15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Graph's request id: the same sign-in from two routes has one id.
    pub id: String,
    /// Who signed in.
    pub user: UserId,
    /// When, by the log.
    pub at: Timestamp,
    /// `status.errorCode`.
    pub code: i64,
    /// Interactive, and by which kind of client and route.
    pub route: Route,
    /// The application's name, for the explanation.
    pub app: Option<String>,
    /// The log says that multifactor authentication was demanded and met (rule T20).
    pub multifactor_met: bool,
}

/// What sort of sign-in it was, before its result is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// A person at a modern client: the only route that can be a prompt.
    Interactive,
    /// A token refreshed in the background; nobody was asked anything.
    NonInteractive,
    /// IMAP, SMTP, POP and other protocols that cannot show a prompt.
    Legacy,
    /// A script with a stored password (resource owner password credentials).
    Ropc,
    /// Passed through this tenant into another one.
    Passthrough,
}

/// What a result code says about the first factor and about registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInClass {
    /// The sign-in completed.
    Completed,
    /// The person was told to register.
    RegistrationInterrupt,
    /// The person was told to register and could not: risk or a security-info restriction.
    RegistrationBlocked,
    /// A second factor was asked for: the person owns a method.
    MfaChallenge,
    /// The password was right; another question came first.
    PostPrimary,
    /// A policy blocked the sign-in.
    PolicyBlock,
    /// Nobody had authenticated yet.
    NotAuthenticated,
    /// The credentials were wrong or unusable.
    CredentialFailure,
    /// A token ran out.
    TokenExpiry,
    /// A code that the table does not know.
    Unknown,
}

impl SignInClass {
    /// The name of the class in configuration and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::RegistrationInterrupt => "registration_interrupt",
            Self::RegistrationBlocked => "registration_blocked",
            Self::MfaChallenge => "mfa_challenge",
            Self::PostPrimary => "post_primary",
            Self::PolicyBlock => "policy_block",
            Self::NotAuthenticated => "not_authenticated",
            Self::CredentialFailure => "credential_failure",
            Self::TokenExpiry => "token_expiry",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a sign-in of this class can open a window.
    fn starts(self, start_on: StartOn) -> bool {
        match self {
            Self::Completed | Self::RegistrationInterrupt | Self::RegistrationBlocked => true,
            Self::PostPrimary => start_on == StartOn::AnyPrimary,
            Self::MfaChallenge
            | Self::PolicyBlock
            | Self::NotAuthenticated
            | Self::CredentialFailure
            | Self::TokenExpiry
            | Self::Unknown => false,
        }
    }
}

/// The table of result codes: data with a version, because Microsoft changes the codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultCodes {
    version: String,
    classes: BTreeMap<i64, SignInClass>,
    blocks: Blocks,
}

/// What codes that say that somebody could not register mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// By code.
    pub known: BTreeMap<i64, Block>,
    /// Of every other code.
    pub other: Block,
}

/// Why somebody could not register, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Block {
    /// Why.
    pub meaning: Phrase,
    /// What helps.
    pub remedy: Phrase,
}

/// A sign-in that could not register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// Its result code.
    pub code: i64,
    /// When.
    pub at: Timestamp,
}

/// The same in every language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Phrase {
    /// In English.
    pub en: String,
    /// In German.
    pub de: String,
}

impl Phrase {
    /// In that language.
    #[must_use]
    pub fn told_in(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::German => &self.de,
        }
    }
}

impl ResultCodes {
    /// A table from its parts: the data file is read by the configuration.
    #[must_use]
    pub fn new(version: String, classes: BTreeMap<i64, SignInClass>, blocks: Blocks) -> Self {
        Self {
            version,
            classes,
            blocks,
        }
    }

    /// What a code of the class [`SignInClass::RegistrationBlocked`] means.
    #[must_use]
    pub fn block(&self, code: i64) -> &Block {
        self.blocks.known.get(&code).unwrap_or(&self.blocks.other)
    }

    /// The version of the table, for `explain` and the log.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The class of a code; a code that is not in the table is [`SignInClass::Unknown`].
    #[must_use]
    pub fn class(&self, code: i64) -> SignInClass {
        self.classes
            .get(&code)
            .copied()
            .unwrap_or(SignInClass::Unknown)
    }
}

/// What is stored of a sign-in (rule 7.30).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// The sign-in: it can qualify under some `start_on`.
    Each,
    /// The newest of a person's in this drawer. No rule counts them, and anybody can make many: a
    /// thousand wrong passwords say no more than the last.
    Newest(&'static str),
    /// When the last was: nobody was asked for anything.
    Moment,
}

impl SignIn {
    /// What is stored of it, by the present table of result codes.
    #[must_use]
    pub fn keeping(&self, codes: &ResultCodes) -> Keeping {
        let class = codes.class(self.code);
        match self.route {
            Route::NonInteractive | Route::Legacy => Keeping::Moment,
            Route::Interactive if class.starts(StartOn::AnyPrimary) => Keeping::Each,
            Route::Interactive => Keeping::Newest(class.as_str()),
            Route::Ropc => Keeping::Newest("ropc"),
            Route::Passthrough => Keeping::Newest("passthrough"),
        }
    }

    /// The class, if this is a qualifying prompt made at or after `since` (rule T2).
    #[must_use]
    pub fn qualifies(
        &self,
        codes: &ResultCodes,
        start_on: StartOn,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<SignInClass> {
        let class = codes.class(self.code);
        let qualifying = self.route == Route::Interactive
            && class.starts(start_on)
            && self.at >= since
            && self.at
                <= now
                    .saturating_add(TOLERATED_AHEAD)
                    .unwrap_or(Timestamp::MAX);
        qualifying.then_some(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::{codes, day, hour, user};

    fn sign_in(code: i64, route: Route, at: Timestamp) -> SignIn {
        SignIn {
            id: "s".to_owned(),
            user: user("ana"),
            at,
            code,
            route,
            app: None,
            multifactor_met: false,
        }
    }

    #[test]
    fn only_prompts_start_by_default_and_the_right_password_on_demand() {
        for (code, class, prompted, any_primary) in [
            (0, "completed", true, true),
            (50072, "registration_interrupt", true, true),
            (50079, "registration_interrupt", true, true),
            (50125, "registration_interrupt", true, true),
            (53004, "registration_blocked", true, true),
            (53010, "registration_blocked", true, true),
            (50074, "mfa_challenge", false, false),
            (50140, "post_primary", false, true),
            (53003, "policy_block", false, false),
            (50058, "not_authenticated", false, false),
            (50126, "credential_failure", false, false),
            (50057, "credential_failure", false, false),
            (50173, "token_expiry", false, false),
            (50203, "unknown", false, false),
        ] {
            let codes = codes();
            assert_eq!(codes.class(code).as_str(), class, "{code}");
            let sign_in = sign_in(code, Route::Interactive, day(1));
            for (start_on, expected) in [
                (StartOn::Prompted, prompted),
                (StartOn::AnyPrimary, any_primary),
            ] {
                let qualifies = sign_in.qualifies(&codes, start_on, day(0), day(1));
                assert_eq!(qualifies.is_some(), expected, "{code} {start_on:?}");
            }
        }
    }

    #[test]
    fn whatever_can_qualify_is_kept_and_of_the_rest_the_newest_of_each_class() {
        let codes = codes();
        let routes = [
            Route::Interactive,
            Route::NonInteractive,
            Route::Legacy,
            Route::Ropc,
            Route::Passthrough,
        ];
        let all = codes.classes.keys().chain(&[-1, 50_203]);
        for (code, route) in all.flat_map(|code| routes.map(|route| (*code, route))) {
            let sign_in = sign_in(code, route, day(1));
            let can_qualify =
                [StartOn::Prompted, StartOn::AnyPrimary]
                    .into_iter()
                    .any(|start_on| {
                        let class = sign_in.qualifies(&codes, start_on, day(0), day(1));
                        class.is_some()
                    });
            let each = sign_in.keeping(&codes) == Keeping::Each;
            assert_eq!(each, can_qualify, "{code} {route:?}");
        }
        for (code, route, expected) in [
            (50_126, Route::Interactive, "credential_failure"),
            (50_053, Route::Interactive, "credential_failure"),
            (50_074, Route::Interactive, "mfa_challenge"),
            (-1, Route::Interactive, "unknown"),
            (0, Route::Ropc, "ropc"),
            (0, Route::Passthrough, "passthrough"),
        ] {
            let keeping = sign_in(code, route, day(1)).keeping(&codes);
            assert_eq!(keeping, Keeping::Newest(expected), "{code} {route:?}");
        }
    }

    #[test]
    fn only_interactive_routes_qualify() {
        for route in [
            Route::NonInteractive,
            Route::Legacy,
            Route::Ropc,
            Route::Passthrough,
        ] {
            let sign_in = sign_in(0, route, day(1));
            let qualifies = sign_in.qualifies(&codes(), StartOn::AnyPrimary, day(0), day(1));
            assert_eq!(qualifies, None, "{route:?}");
        }
    }

    #[test]
    fn a_prompt_lies_between_since_and_five_minutes_ahead() {
        let second = SignedDuration::from_secs(1);
        for (at, expected) in [
            (day(1) - second, false),
            (day(1), true),
            (hour(2, 0) + TOLERATED_AHEAD, true),
            (hour(2, 0) + TOLERATED_AHEAD + second, false),
        ] {
            let sign_in = sign_in(0, Route::Interactive, at);
            let qualifies = sign_in.qualifies(&codes(), StartOn::Prompted, day(1), day(2));
            assert_eq!(qualifies.is_some(), expected, "{at}");
        }
        assert_eq!(codes().version(), "2026-11");
    }
}
