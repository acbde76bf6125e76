//! One conversation with a mail server: messages, one after another, until the goodbye.
//!
//! [`Connection::send`] takes the connection and gives it back only if both sides are sure to
//! mean the same by the next word. Sent means exactly: 2yz to the final dot.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use rustls::ClientConfig;

use super::offer::Offer;
use super::opening::open;
use super::replies::{Stage, code_of, is_2yz, is_negative, means, out_of_step, unanswered, words};
use super::wire::{Stream, Wire, WireError};
use super::{SmtpConfig, Timeouts};
use crate::delivery::Outcome;
use crate::delivery::mail::Letter;

/// How long a goodbye may take; nobody depends on it.
const GOODBYE: Duration = Duration::from_secs(5);

/// Said of a recipient, as addresses of our own are ASCII.
const UNSUPPORTED: &str = "smtputf8_unsupported: the address has letters beyond ASCII before its @, which this server does not take: write an ASCII address, an alias perhaps, into `mail` of the person";

/// A server that has greeted us and let us in.
pub(super) struct Connection {
    wire: Wire<Box<dyn Stream>>,
    offer: Offer,
    timeouts: Timeouts,
    sent: u32,
}

/// What became of a message and of its connection.
pub(super) struct Exchange {
    pub(super) outcome: Outcome,
    /// Fit for the next message.
    pub(super) connection: Option<Connection>,
    /// The server had left before it saw this message, so that it can be sent anew at once.
    pub(super) untouched: bool,
}

/// Why the envelope was not taken.
struct Stop {
    outcome: Outcome,
    /// Both sides know where they are.
    in_step: bool,
    untouched: bool,
}

impl Connection {
    /// Connects and logs in; a failure says nothing about any recipient.
    pub(super) async fn open(
        config: &SmtpConfig,
        trust: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, Outcome> {
        let (wire, offer) = open(config, trust).await?;
        Ok(Self {
            wire,
            offer,
            timeouts: config.timeouts,
            sent: 0,
        })
    }

    /// How many messages it has carried.
    pub(super) fn sent(&self) -> u32 {
        self.sent
    }

    /// Hands over one message.
    pub(super) async fn send(mut self, letter: &Letter) -> Exchange {
        let mail = match self.mail_command(letter) {
            Ok(mail) => mail,
            Err(outcome) => return Exchange::over(outcome, Some(self)),
        };
        self.sent += 1;
        let rcpt = Rcpt::new(letter.to.clone(), Vec::new()).to_string();
        let offered = if self.offer.has("PIPELINING") {
            self.offer_at_once(&mail, &rcpt).await
        } else {
            self.offer_in_turn(&mail, &rcpt).await
        };
        match offered {
            Ok(()) => self.hand_over(&letter.bytes).await,
            Err(stop) => {
                let connection = if stop.in_step {
                    self.reset().await
                } else {
                    None
                };
                Exchange {
                    outcome: stop.outcome,
                    connection,
                    untouched: stop.untouched,
                }
            }
        }
    }

    /// When the server's certificate ends.
    pub(super) fn certificate_ends_at(&self) -> Option<Timestamp> {
        self.wire.certificate_ends_at()
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) {
        let _ = self.wire.command(&Quit.to_string(), GOODBYE).await;
    }

    fn mail_command(&self, letter: &Letter) -> Result<String, Outcome> {
        let mut parameters = Vec::new();
        if let Some(most) = self.offer.size() {
            if most > 0 && letter.bytes.len() > most {
                let text = format!(
                    "the message has {} bytes, the server takes {most}",
                    letter.bytes.len()
                );
                return Err(Outcome::declined(None, &text));
            }
            parameters.push(MailParameter::Size(letter.bytes.len()));
        }
        let utf8 = !(is_ascii(&letter.from) && is_ascii(&letter.to));
        if utf8 && !self.offer.has("SMTPUTF8") {
            return Err(Outcome::declined(None, UNSUPPORTED));
        }
        if utf8 || !letter.bytes.is_ascii() {
            if !self.offer.has("8BITMIME") {
                return Err(Outcome::declined(
                    None,
                    "the server takes no 8-bit messages",
                ));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if utf8 {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        Ok(Mail::new(Some(letter.from.clone()), parameters).to_string())
    }

    /// MAIL, RCPT and DATA in one write (RFC 2920).
    async fn offer_at_once(&mut self, mail: &str, rcpt: &str) -> Result<(), Stop> {
        let group = format!("{mail}{rcpt}{Data}");
        let limits = self.timeouts;
        let written = self.wire.write(group.as_bytes(), limits.command).await;
        written.map_err(|unwritten| Stop::unreached(&unwritten.error))?;
        let sender = self
            .wire
            .reply(limits.command)
            .await
            .map_err(|error| Stop::unreached(&error))?;
        if code_of(&sender) == 421 {
            return Err(Stop::leaving(&sender));
        }
        let recipient = self.wire.reply(limits.command).await;
        let data = match &recipient {
            Ok(reply) if code_of(reply) != 421 => self.wire.reply(limits.data).await,
            _ => Err(WireError::Closed),
        };
        // A server that takes DATA after refusing the rest waits for a message that must not
        // come; only if it refused DATA too is it clear where both are.
        let in_step = data.as_ref().is_ok_and(is_negative) && self.wire.is_quiet();
        let stop = |outcome| Stop {
            outcome,
            in_step,
            untouched: false,
        };
        if !is_2yz(&sender) {
            return Err(stop(means(Stage::Sender, &sender)));
        }
        let recipient = recipient.map_err(|error| stop(unanswered(Stage::Recipient, &error)))?;
        if !is_2yz(&recipient) {
            return Err(stop(means(Stage::Recipient, &recipient)));
        }
        let data = data.map_err(|error| stop(unanswered(Stage::Content, &error)))?;
        if !data.has_code(354) {
            return Err(stop(means(Stage::Content, &data)));
        }
        self.expect_quiet()
    }

    async fn offer_in_turn(&mut self, mail: &str, rcpt: &str) -> Result<(), Stop> {
        let limits = self.timeouts;
        let steps = [
            (Stage::Sender, mail, limits.command),
            (Stage::Recipient, rcpt, limits.command),
            (Stage::Content, "DATA\r\n", limits.data),
        ];
        for (stage, line, limit) in steps {
            let first = stage == Stage::Sender;
            let reply = match self.wire.command(line, limit).await {
                Ok(reply) => reply,
                Err(error) if first => return Err(Stop::unreached(&error)),
                Err(error) => return Err(Stop::lost(unanswered(stage, &error))),
            };
            if first && code_of(&reply) == 421 {
                return Err(Stop::leaving(&reply));
            }
            let hoped = if stage == Stage::Content {
                reply.has_code(354)
            } else {
                is_2yz(&reply)
            };
            if !hoped {
                let in_step = is_negative(&reply) && self.wire.is_quiet() && code_of(&reply) != 421;
                let outcome = means(stage, &reply);
                return Err(Stop {
                    outcome,
                    in_step,
                    untouched: false,
                });
            }
            self.expect_quiet()?;
        }
        Ok(())
    }

    fn expect_quiet(&self) -> Result<(), Stop> {
        if self.wire.is_quiet() {
            return Ok(());
        }
        Err(Stop::lost(out_of_step(Stage::Recipient)))
    }

    /// The message and its final dot, in one write: two would wait for each other (Nagle).
    async fn hand_over(mut self, message: &[u8]) -> Exchange {
        let written = self
            .wire
            .write(&stuffed(message), self.timeouts.block)
            .await;
        if let Err(unwritten) = written {
            let outcome = if unwritten.may_have_left {
                Outcome::lost(&unwritten.error.to_string())
            } else {
                unanswered(Stage::Content, &unwritten.error)
            };
            return Exchange::over(outcome, None);
        }
        match self.wire.reply(self.timeouts.done).await {
            Ok(reply) if is_2yz(&reply) => {
                let code = code_of(&reply);
                Exchange::over(Outcome::Accepted { code }, self.if_quiet())
            }
            Ok(reply) if is_negative(&reply) => {
                let outcome = means(Stage::Content, &reply);
                let connection = if code_of(&reply) == 421 {
                    None
                } else {
                    self.if_quiet()
                };
                Exchange::over(outcome, connection)
            }
            Ok(reply) => Exchange::over(Outcome::lost(&words(&reply)), None),
            Err(error) => Exchange::over(Outcome::lost(&error.to_string()), None),
        }
    }

    fn if_quiet(self) -> Option<Self> {
        self.wire.is_quiet().then_some(self)
    }

    /// Back to the state after login, so that a refused recipient costs no new login.
    async fn reset(mut self) -> Option<Self> {
        let reply = self
            .wire
            .command(&Rset.to_string(), self.timeouts.command)
            .await;
        if reply.is_ok_and(|reply| is_2yz(&reply)) {
            self.if_quiet()
        } else {
            None
        }
    }
}

impl Exchange {
    fn over(outcome: Outcome, connection: Option<Connection>) -> Self {
        Self {
            outcome,
            connection,
            untouched: false,
        }
    }
}

impl Stop {
    fn lost(outcome: Outcome) -> Self {
        Self {
            outcome,
            in_step: false,
            untouched: false,
        }
    }

    /// Not a word came back.
    fn unreached(error: &WireError) -> Self {
        let untouched = matches!(error, WireError::Closed | WireError::Lost(_));
        Self {
            untouched,
            ..Self::lost(unanswered(Stage::Sender, error))
        }
    }

    /// The server closes an old connection.
    fn leaving(reply: &Response) -> Self {
        Self {
            untouched: true,
            ..Self::lost(means(Stage::Sender, reply))
        }
    }
}

fn is_ascii(address: &lettre::Address) -> bool {
    AsRef::<str>::as_ref(address).is_ascii()
}

/// The message with its lines' leading dots doubled, and the dot that ends it.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut from = 0;
    if message.first() == Some(&b'.') {
        out.push(b'.');
    }
    for end in memchr::memchr_iter(b'\n', message) {
        if message.get(end + 1) == Some(&b'.') {
            out.extend_from_slice(&message[from..=end]);
            out.push(b'.');
            from = end + 1;
        }
    }
    out.extend_from_slice(&message[from..]);
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_dots_are_doubled_and_the_end_is_one_dot() {
        for (message, wire) in [
            ("", "\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("a\r\n.\r\n.b\r\nc.", "a\r\n..\r\n..b\r\nc.\r\n.\r\n"),
            ("a\n.\nb", "a\n..\nb\r\n.\r\n"),
        ] {
            assert_eq!(
                String::from_utf8(stuffed(message.as_bytes())).unwrap(),
                wire
            );
        }
    }
}
