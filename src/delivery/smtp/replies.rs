//! What the replies of a mail server mean for a message (rule 5.7).

use jiff::SignedDuration;
use lettre::transport::smtp::response::{Response, Severity};

use super::wire::WireError;
use crate::delivery::{Outcome, text};

/// What a reply is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// MAIL: the sender.
    Sender,
    /// RCPT: the recipient.
    Recipient,
    /// DATA and the final dot: the message.
    Content,
}

/// A server that says 421 or hangs up is left alone for so long at first.
const LEFT_ALONE: SignedDuration = SignedDuration::from_mins(1);

/// What a reply means that is not the one hoped for. Before a recipient was named every answer is about us; from then on only
/// some codes say whom it is about (rule 7.11).
pub(super) fn means(stage: Stage, reply: &Response) -> Outcome {
    let (code, text) = (code_of(reply), words(reply));
    match (reply.code().severity, stage) {
        (Severity::PositiveCompletion | Severity::PositiveIntermediate, _) => out_of_step(stage),
        (Severity::TransientNegativeCompletion, Stage::Sender) => Outcome::busy(Some(code), &text),
        (Severity::TransientNegativeCompletion, _) if code == 421 => {
            Outcome::put_off(Some(code), &text, LEFT_ALONE)
        }
        (Severity::TransientNegativeCompletion, _) => Outcome::deferred(Some(code), &text),
        // Our commands came in an order that the server did not expect.
        (Severity::PermanentNegativeCompletion, Stage::Sender) if code == 503 => {
            Outcome::busy(Some(code), &text)
        }
        (Severity::PermanentNegativeCompletion, _) if code == 503 => {
            Outcome::deferred(Some(code), &text)
        }
        (Severity::PermanentNegativeCompletion, Stage::Sender) => {
            Outcome::unauthorized(Some(code), &text)
        }
        (Severity::PermanentNegativeCompletion, _) => match accused(&text) {
            Some(Accused::Recipient) => Outcome::refused(Some(code), &text),
            Some(Accused::Channel) => Outcome::unauthorized(Some(code), &text),
            None => Outcome::declined(Some(code), &text),
        },
    }
}

/// The server's replies no longer match our commands.
pub(super) fn out_of_step(stage: Stage) -> Outcome {
    unanswered(
        stage,
        &WireError::Garbage("replies that do not match the commands"),
    )
}

/// The conversation ended before the server could have the message.
pub(super) fn unanswered(stage: Stage, error: &WireError) -> Outcome {
    let text = error.to_string();
    match stage {
        Stage::Sender => Outcome::busy(None, &text),
        Stage::Recipient | Stage::Content => Outcome::put_off(None, &text, LEFT_ALONE),
    }
}

/// Whom a code accuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accused {
    /// No such mailbox, moved, switched off.
    Recipient,
    /// The sender is blocked, not allowed or over a limit.
    Channel,
}

/// Whom the enhanced code of a permanent refusal accuses; nobody where it can mean either.
fn accused(text: &str) -> Option<Accused> {
    let code = text.split(' ').next().unwrap_or_default();
    let mut numbers = code.split('.').map(|number| number.parse::<u16>().ok());
    let (Some(Some(5)), Some(Some(subject)), Some(Some(detail)), None) = (
        numbers.next(),
        numbers.next(),
        numbers.next(),
        numbers.next(),
    ) else {
        return None;
    };
    match (subject, detail) {
        (1, 1 | 2 | 6 | 10) | (2, 1) => Some(Accused::Recipient),
        (1, 7 | 8 | 90)
        | (2, 250..=259)
        | (7, 23 | 57 | 60 | 230..=239 | 500..=599 | 700..=799) => Some(Accused::Channel),
        _ => None,
    }
}

pub(super) fn code_of(reply: &Response) -> u16 {
    reply.code().into()
}

pub(super) fn is_2yz(reply: &Response) -> bool {
    reply.code().severity == Severity::PositiveCompletion
}

pub(super) fn is_negative(reply: &Response) -> bool {
    !reply.is_positive()
}

/// What the server said, on one line.
pub(super) fn words(reply: &Response) -> String {
    let lines: Vec<&str> = reply.message().take(8).collect();
    text::clean_line(&lines.join(" "), text::MAX_REPLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replies_mean() {
        let table = [
            (Stage::Sender, "421 4.3.2 closing", "busy"),
            (Stage::Sender, "432 4.3.2 too many connections", "busy"),
            (Stage::Sender, "503 5.5.1 again", "busy"),
            (
                Stage::Sender,
                "530 5.7.57 not authenticated",
                "unauthorized",
            ),
            (Stage::Sender, "550 no such sender", "unauthorized"),
            (Stage::Sender, "550 5.1.1 no such sender", "unauthorized"),
            (Stage::Sender, "552 5.3.4 too big", "unauthorized"),
            (Stage::Recipient, "450 4.2.0 greylisted", "deferred"),
            (Stage::Recipient, "450 5.1.1 later", "deferred"),
            (Stage::Recipient, "451 4.7.500 busy", "deferred"),
            (Stage::Recipient, "452 4.2.2 full", "deferred"),
            (Stage::Recipient, "503 5.5.1 MAIL first", "deferred"),
            (Stage::Recipient, "250 2.1.5 ok", "deferred"),
            (Stage::Recipient, "550 5.1.1 unknown", "refused"),
            (Stage::Recipient, "550 5.1.2 no such domain", "refused"),
            (Stage::Recipient, "551 5.1.6 moved", "refused"),
            (Stage::Recipient, "550 5.1.10 no", "refused"),
            (Stage::Recipient, "550 5.2.1 off", "refused"),
            (Stage::Recipient, "550 5.1.8 sender blocked", "unauthorized"),
            (Stage::Content, "550 5.1.7 sender", "unauthorized"),
            (Stage::Content, "550 5.1.90 too many", "unauthorized"),
            (Stage::Content, "554 5.2.252 throttled", "unauthorized"),
            (Stage::Content, "550 5.7.23 SPF", "unauthorized"),
            (Stage::Content, "550 5.7.232 limit", "unauthorized"),
            (Stage::Content, "550 5.7.508 limit", "unauthorized"),
            (
                Stage::Content,
                "550 5.7.57 not authenticated",
                "unauthorized",
            ),
            (Stage::Content, "550 5.7.60 send as", "unauthorized"),
            (Stage::Content, "550 5.7.705 limit", "unauthorized"),
            (Stage::Recipient, "501 5.1.3 bad address", "declined"),
            (Stage::Recipient, "550 5.1.100 no", "declined"),
            (Stage::Recipient, "550 5.2.2 full", "declined"),
            (Stage::Recipient, "550 5.7.1 relaying denied", "declined"),
            (Stage::Recipient, "550 5.7.133 restricted", "declined"),
            (Stage::Recipient, "550 5.7.5 no", "declined"),
            (Stage::Recipient, "550 5.1.1.1 no", "declined"),
            (Stage::Recipient, "530 log in first", "declined"),
            (Stage::Content, "552 5.3.4 too big", "declined"),
            (Stage::Content, "554 5.6.0 policy", "declined"),
            (Stage::Content, "550 5.7.1 spam", "declined"),
            (
                Stage::Content,
                "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceeded",
                "declined",
            ),
        ];
        for (stage, reply, meaning) in table {
            let outcome = means(stage, &format!("{reply}\r\n").parse().unwrap());
            assert_eq!(outcome.word(), meaning, "{stage:?} {reply}");
        }
    }

    #[test]
    fn the_servers_words_are_cleaned_and_cut() {
        let reply = format!("550-\u{1b}[31m{}\r\n550 x\r\n", "y".repeat(900))
            .parse()
            .unwrap();
        let Outcome::Declined { code, text } = means(Stage::Recipient, &reply) else {
            panic!("not declined");
        };
        assert_eq!((code, text.chars().count()), (Some(550), text::MAX_REPLY));
        assert!(text.starts_with("[31myyy"));
    }
}
