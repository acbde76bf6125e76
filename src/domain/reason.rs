//! Why: every decision carries its reasons, and mail, journal, `explain` and JSON read the same.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// One reason: its code, its evidence in words, and the time of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable name.
    pub code: ReasonCode,
    /// The evidence, for people.
    pub text: String,
    /// When the evidence arose.
    pub at: Option<Timestamp>,
}

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The stable names of reasons.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ReasonCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl ReasonCode {
            /// The name outside.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reason_codes! {
    /// Included by all users, a name or a group.
    Included = "included",
    /// Not included.
    NotIncluded = "not_included",
    /// Excluded: beats every inclusion.
    Excluded = "excluded",
    /// The members of a group that is excluded were never read.
    ExclusionUnread = "exclusion_unread",
    /// A guest, an agent or a synchronisation account.
    NotEligible = "not_eligible",
    /// Not in the last accepted users snapshot.
    Gone = "gone",
    /// The account is disabled.
    Disabled = "disabled",
    /// The policy is off.
    PolicyOff = "policy_off",
    /// An operator closed the window.
    ClosedByOperator = "closed_by_operator",
    /// An operator's act was applied, or had nothing to act on.
    OperatorAct = "operator_act",
    /// Registered.
    Registered = "registered",
    /// A report says no more registered; not believed yet.
    ReversalUnconfirmed = "reversal_unconfirmed",
    /// A registration was lost and the loss is confirmed.
    RegistrationLost = "registration_lost",
    /// A second self-made loss within 90 days.
    RepeatedLoss = "repeated_loss",
    /// Not registered.
    NotRegistered = "not_registered",
    /// Registered, but by a method that is no longer allowed.
    MethodNotAllowed = "method_not_allowed",
    /// Only self-service password reset methods.
    SsprOnly = "sspr_only",
    /// Only a Temporary Access Pass.
    TemporaryAccessPassOnly = "temporary_access_pass_only",
    /// Only passwordless methods, which the policy does not accept.
    PasswordlessOnly = "passwordless_only",
    /// No report contains the person, or the newest does not.
    RegistrationUnknown = "registration_unknown",
    /// The log says that the person registered; the report does not yet.
    RegistrationReported = "registration_reported",
    /// No qualifying sign-in since the person came into scope.
    NeverSignedIn = "never_signed_in",
    /// Only tokens refreshed in the background since.
    ActiveOnlyByRefresh = "active_only_by_refresh",
    /// Only legacy protocols since.
    LegacyOnly = "legacy_only",
    /// Multifactor authentication is met elsewhere; never counts as registered.
    ExternalMfa = "external_mfa",
    /// A qualifying sign-in opened the window.
    QualifyingSignIn = "qualifying_sign_in",
    /// An earlier qualifying sign-in arrived late.
    EarlierSignIn = "earlier_sign_in",
    /// The logs do not reach back; the window starts with the pass.
    Backfill = "backfill",
    /// How the deadline comes about.
    Deadline = "deadline",
    /// A sign-in demanded registration: it cannot be skipped.
    MustRegister = "must_register",
    /// A sign-in shows that the person could not register.
    RegistrationBlocked = "registration_blocked",
    /// No notice was accepted yet, or not long enough ago.
    NoticeMissing = "notice_missing",
    /// A notice was accepted.
    NoticeGiven = "notice_given",
    /// Nobody can be reached at the address.
    Unreachable = "unreachable",
    /// The registration report is older than the deadline.
    ProofMissing = "proof_missing",
    /// The newest users row of the person cannot be believed.
    RowUnbelieved = "row_unbelieved",
    /// The person left an exclusion a short while ago.
    LeftExclusion = "left_exclusion",
    /// The deadline has passed and everything is proven.
    DeadlinePassed = "deadline_passed",
    /// A hold stops new flags.
    Held = "held",
    /// A hold that an operator approved let this through.
    Approved = "approved",
    /// A flag was taken back.
    Released = "released",
    /// The configured window grew.
    WindowLengthened = "window_lengthened",
    /// The policy's switch was turned.
    EnforceChanged = "enforce_changed",
    /// A step was overtaken by a later one.
    StepOvertaken = "step_overtaken",
}

impl Reason {
    /// A reason with its evidence.
    pub fn new(
        code: ReasonCode,
        text: impl Into<String>,
        at: impl Into<Option<Timestamp>>,
    ) -> Self {
        Self {
            code,
            text: text.into(),
            at: at.into(),
        }
    }
}

/// A length of time, as reasons say it.
pub(super) fn days(length: SignedDuration) -> String {
    let hours = length.as_hours();
    match (hours / 24, hours % 24) {
        (0, 0) if length.is_zero() => "no time".to_owned(),
        (0, 0) => "less than an hour".to_owned(),
        (0, hours) => format!("{hours} h"),
        (days, 0) => format!("{days} d"),
        (days, hours) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_in_full_units() {
        for (seconds, told) in [
            (0, "no time"),
            (1, "less than an hour"),
            (3_599, "less than an hour"),
            (3_600, "1 h"),
            (86_400, "1 d"),
            (93_600, "1 d 2 h"),
        ] {
            assert_eq!(days(SignedDuration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn a_code_is_named_alike_in_text_and_in_json() {
        for code in [ReasonCode::Included, ReasonCode::StepOvertaken] {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{}\"", code.as_str()));
        }
    }
}
