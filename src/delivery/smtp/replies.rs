//! What the replies of a mail server mean for a message (rule 5.7).

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

/// What a reply means that is not the one hoped for.
pub(super) fn means(stage: Stage, reply: &Response) -> Outcome {
    let (code, text) = (Some(code_of(reply)), words(reply));
    match reply.code().severity {
        Severity::TransientNegativeCompletion => Outcome::deferred(code, &text),
        Severity::PermanentNegativeCompletion => match permanent(stage, reply) {
            Blame::Message => Outcome::refused(code, &text),
            Blame::Channel => Outcome::unreachable(code, &text),
            Blame::Order => Outcome::deferred(code, &text),
        },
        Severity::PositiveCompletion | Severity::PositiveIntermediate => out_of_step(),
    }
}

/// The server's replies no longer match our commands.
pub(super) fn out_of_step() -> Outcome {
    unanswered(&WireError::Garbage(
        "replies that do not match the commands",
    ))
}

/// The conversation ended before the server could have the message.
pub(super) fn unanswered(error: &WireError) -> Outcome {
    Outcome::deferred(None, &error.to_string())
}

enum Blame {
    Message,
    Channel,
    /// Our commands came in an order that the server did not expect.
    Order,
}

fn permanent(stage: Stage, reply: &Response) -> Blame {
    let first = reply.first_word().unwrap_or_default();
    let code = code_of(reply);
    match (code, stage) {
        (503, _) => Blame::Order,
        // Log in first, log in failed, and the like.
        (500 | 502 | 530 | 534 | 535 | 538, _) => Blame::Channel,
        // Security and policy: relaying denied, the account blocked, basic login switched off.
        _ if first.starts_with("5.7.") => Blame::Channel,
        // A quota of the sending mailbox in Exchange Online, not of the recipient's.
        _ if reply
            .message()
            .any(|line| line.contains("STOREDRV.Submission")) =>
        {
            Blame::Channel
        }
        (552, _) | (_, Stage::Recipient | Stage::Content) => Blame::Message,
        // The sender is the same in every message.
        (_, Stage::Sender) => Blame::Channel,
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
            (Stage::Sender, "421 4.3.2 closing", "deferred"),
            (Stage::Sender, "432 4.3.2 too many connections", "deferred"),
            (Stage::Sender, "530 5.7.57 not authenticated", "unreachable"),
            (Stage::Sender, "550 5.7.30 basic auth is off", "unreachable"),
            (Stage::Sender, "550 no such sender", "unreachable"),
            (Stage::Sender, "552 5.3.4 too big", "refused"),
            (Stage::Recipient, "450 4.2.0 greylisted", "deferred"),
            (Stage::Recipient, "451 4.7.1 later", "deferred"),
            (Stage::Recipient, "452 4.2.2 full", "deferred"),
            (Stage::Recipient, "550 5.1.1 unknown", "refused"),
            (Stage::Recipient, "501 5.1.3 bad address", "refused"),
            (Stage::Recipient, "553 5.1.10 no", "refused"),
            (Stage::Recipient, "550 5.7.1 relaying denied", "unreachable"),
            (Stage::Recipient, "503 5.5.1 MAIL first", "deferred"),
            (Stage::Recipient, "250 2.1.5 ok", "deferred"),
            (Stage::Content, "552 5.3.4 too big", "refused"),
            (Stage::Content, "554 5.6.0 policy", "refused"),
            (Stage::Content, "550 5.7.1 spam", "unreachable"),
            (
                Stage::Content,
                "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceeded",
                "unreachable",
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
        let Outcome::Refused { code, text } = means(Stage::Recipient, &reply) else {
            panic!("not refused");
        };
        assert_eq!((code, text.chars().count()), (Some(550), text::MAX_REPLY));
        assert!(text.starts_with("[31myyy"));
    }
}
