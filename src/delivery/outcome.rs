//! What became of an attempt, by mail or by webhook: the one word for it and its one wording.
//!
//! Whoever sends says it, from what was answered ([`smtp`](super::smtp),
//! [`webhook`](super::webhook)); what follows for the row and for its destination is the courier's.
//! The trap is the line between [`Outcome::Unreachable`] and [`Outcome::Lost`]: from the first byte
//! that could have been enough on, the receiver may have it.

use std::fmt;

use jiff::SignedDuration;

use super::text;

/// What became of an attempt. The texts are cleaned, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has taken it.
    Accepted {
        /// Its answer: a status, or the reply to the final dot.
        code: u16,
    },
    /// Not now; nothing was taken.
    Deferred {
        /// The receiver's code, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
        /// How long it asks to wait, with everything for it.
        retry_after: Option<SignedDuration>,
    },
    /// The way does not work, which says nothing about this row: nothing was taken.
    Unreachable {
        /// The code of whoever stands in the way, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
    },
    /// It takes nothing from anybody now, whoever this row is for: nothing was taken.
    Busy {
        /// The receiver's code, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
    },
    /// It may have been taken, and no answer came.
    Lost {
        /// Why.
        text: String,
    },
    /// Never, and the words do not say whether that is because of the recipient or of us.
    Declined {
        /// The receiver's code, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
    },
    /// Never: this message, or this recipient.
    Refused {
        /// The receiver's code, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
    },
    /// What proves that it is us is not accepted: everything for this receiver waits.
    Unauthorized {
        /// The receiver's code, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
    },
    /// There is nobody any more.
    Gone {
        /// The receiver's code, if it said one.
        code: Option<u16>,
        /// Why.
        text: String,
    },
}

impl Outcome {
    /// [`Self::Deferred`] without a time.
    #[must_use]
    pub fn deferred(code: Option<u16>, text: &str) -> Self {
        Self::Deferred {
            code,
            text: clean(text),
            retry_after: None,
        }
    }

    /// [`Self::Deferred`], with everything for this receiver.
    #[must_use]
    pub fn put_off(code: Option<u16>, text: &str, wait: SignedDuration) -> Self {
        Self::Deferred {
            code,
            text: clean(text),
            retry_after: Some(wait),
        }
    }

    /// [`Self::Unreachable`].
    #[must_use]
    pub fn unreachable(code: Option<u16>, text: &str) -> Self {
        Self::Unreachable {
            code,
            text: clean(text),
        }
    }

    /// [`Self::Busy`].
    #[must_use]
    pub fn busy(code: Option<u16>, text: &str) -> Self {
        Self::Busy {
            code,
            text: clean(text),
        }
    }

    /// [`Self::Declined`].
    #[must_use]
    pub fn declined(code: Option<u16>, text: &str) -> Self {
        Self::Declined {
            code,
            text: clean(text),
        }
    }

    /// [`Self::Unauthorized`].
    #[must_use]
    pub fn unauthorized(code: Option<u16>, text: &str) -> Self {
        Self::Unauthorized {
            code,
            text: clean(text),
        }
    }

    /// [`Self::Lost`].
    #[must_use]
    pub fn lost(text: &str) -> Self {
        Self::Lost { text: clean(text) }
    }

    /// [`Self::Refused`].
    #[must_use]
    pub fn refused(code: Option<u16>, text: &str) -> Self {
        Self::Refused {
            code,
            text: clean(text),
        }
    }

    /// Whether the receiver has taken it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }

    /// What is kept of it in a row: the receiver's code, or a word of ours where it said none.
    #[must_use]
    pub fn code(&self) -> String {
        self.said()
            .map_or_else(|| self.word().to_owned(), |code| code.to_string())
    }

    /// The receiver's words, or what stood in the way; nothing where all is well.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Accepted { .. } => "",
            Self::Deferred { text, .. }
            | Self::Unreachable { text, .. }
            | Self::Busy { text, .. }
            | Self::Declined { text, .. }
            | Self::Lost { text }
            | Self::Refused { text, .. }
            | Self::Unauthorized { text, .. }
            | Self::Gone { text, .. } => text,
        }
    }

    /// The same, without the receiver's words where they repeat one of our secrets: words go into logs and rows.
    #[must_use]
    pub fn withholding(mut self, secrets: &[&str]) -> Self {
        let others = self.words_of_others();
        if let Some(text) = others.filter(|text| repeats(text, secrets)) {
            "the receiver's words are withheld, as they repeat a secret".clone_into(text);
        }
        self
    }

    fn words_of_others(&mut self) -> Option<&mut String> {
        match self {
            Self::Accepted { .. } => None,
            Self::Deferred { text, .. }
            | Self::Unreachable { text, .. }
            | Self::Busy { text, .. }
            | Self::Declined { text, .. }
            | Self::Lost { text }
            | Self::Refused { text, .. }
            | Self::Unauthorized { text, .. }
            | Self::Gone { text, .. } => Some(text),
        }
    }

    /// Code and words. Those of an HTTP answer begin with its code, and it is not said twice.
    #[must_use]
    pub fn reason(&self) -> String {
        let text = self.text();
        match self.said().map(|code| code.to_string()) {
            Some(code) if text.is_empty() => code,
            Some(code) if !text.starts_with(&code) => format!("{code} {text}"),
            Some(_) | None => text.to_owned(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Deferred { .. } => "deferred",
            Self::Unreachable { .. } => "unreachable",
            Self::Busy { .. } => "busy",
            Self::Declined { .. } => "declined",
            Self::Lost { .. } => "lost",
            Self::Refused { .. } => "refused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Gone { .. } => "gone",
        }
    }

    /// The receiver's code.
    fn said(&self) -> Option<u16> {
        match self {
            Self::Accepted { code } => Some(*code),
            Self::Lost { .. } => None,
            Self::Deferred { code, .. }
            | Self::Unreachable { code, .. }
            | Self::Busy { code, .. }
            | Self::Declined { code, .. }
            | Self::Refused { code, .. }
            | Self::Unauthorized { code, .. }
            | Self::Gone { code, .. } => *code,
        }
    }
}

/// For people: what it means, and why.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason();
        match self {
            Self::Accepted { .. } => write!(f, "accepted ({reason})"),
            Self::Lost { .. } => write!(f, "the outcome was lost: {reason}"),
            Self::Gone { .. } => write!(f, "the endpoint is no more: {reason}"),
            Self::Unauthorized { .. } => {
                write!(f, "our secret or address is not accepted: {reason}")
            }
            Self::Deferred { .. }
            | Self::Unreachable { .. }
            | Self::Busy { .. }
            | Self::Declined { .. }
            | Self::Refused { .. } => {
                write!(f, "not accepted: {reason}")
            }
        }
    }
}

fn clean(text: &str) -> String {
    text::clean_line(text, text::MAX_REPLY)
}

/// Whether somebody's words repeat a secret, be it over two lines or in other letters; a shorter one would be
/// found in anything.
pub(in crate::delivery) fn repeats(said: &str, secrets: &[&str]) -> bool {
    let said = squeezed(said);
    let mut secrets = secrets.iter().map(|secret| squeezed(secret));
    secrets.any(|secret| secret.len() > 5 && said.contains(&secret))
}

/// Without what a line break or the end of Base64 adds.
fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && *c != '=');
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_repeat_a_secret_are_withheld() {
        let said = Outcome::refused(Some(550), "5.1.1 pw ana SMTP-PASS and more");
        let kept = said.clone().withholding(&["SMTP-PASS", "other"]);
        assert_eq!(
            kept.text(),
            "the receiver's words are withheld, as they repeat a secret"
        );
        assert_eq!(kept.code(), "550");
        for said in ["5.7.8 smtp-pass", "5.7.8 SMTP-P ASS", "5.7.8 U01UUC1QQVNT"] {
            let said = Outcome::refused(Some(535), said);
            let kept = said.withholding(&["SMTP-PASS", "U01UUC1QQVNT="]);
            assert!(kept.text().contains("withheld"), "{kept:?}");
        }
        assert_eq!(said.clone().withholding(&["SMTP-PASSWORD", "and"]), said);
    }

    #[test]
    fn an_outcome_is_kept_and_said_alike_of_mail_and_webhooks() {
        let gone = Outcome::Gone {
            code: Some(410),
            text: "410 Gone".to_owned(),
        };
        let unauthorized = Outcome::Unauthorized {
            code: Some(401),
            text: "401: no".to_owned(),
        };
        for (outcome, kept, said) in [
            (Outcome::Accepted { code: 250 }, "250", "accepted (250)"),
            (
                Outcome::deferred(Some(451), "4.7.1 later"),
                "451",
                "not accepted: 451 4.7.1 later",
            ),
            (
                Outcome::deferred(None, "the server hung up"),
                "deferred",
                "not accepted: the server hung up",
            ),
            (
                Outcome::unreachable(None, "no such name"),
                "unreachable",
                "not accepted: no such name",
            ),
            (
                Outcome::lost("timed out"),
                "lost",
                "the outcome was lost: timed out",
            ),
            (
                Outcome::refused(None, "no address"),
                "refused",
                "not accepted: no address",
            ),
            (
                Outcome::refused(Some(400), "400: no_text"),
                "400",
                "not accepted: 400: no_text",
            ),
            (
                unauthorized,
                "401",
                "our secret or address is not accepted: 401: no",
            ),
            (gone, "410", "the endpoint is no more: 410 Gone"),
        ] {
            assert_eq!(outcome.code(), kept);
            assert_eq!(outcome.to_string(), said);
        }
    }

    #[test]
    fn what_was_said_is_one_line() {
        let outcome = Outcome::refused(Some(550), &format!("\u{1b}[31mno\r\n{}", "x".repeat(900)));
        assert!(outcome.text().starts_with("[31mno xxx"));
        assert_eq!(outcome.text().chars().count(), text::MAX_REPLY);
    }
}
