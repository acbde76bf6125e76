//! The way to the recipients: from a claimed row to a letter, and by SMTP or into a folder.

use jiff::Timestamp;

use crate::config::{Email, EmailTransport};
use crate::delivery::Outcome;
use crate::delivery::file::Folder;
use crate::delivery::mail::{
    self, About, MailError, Notice, OperatorNotice, Recipient, Sender, WindowNotice,
};
use crate::delivery::smtp::{Smtp, TrustError};
use crate::domain::id::PolicyName;
use crate::errors::chain;
use crate::store::outbox::Claimed;

/// How mails leave.
pub struct Transport {
    sender: Sender,
    way: Way,
}

enum Way {
    Smtp { smtp: Smtp, connections: usize },
    Folder(Folder),
}

impl Transport {
    /// The configured way.
    pub fn new(email: &Email) -> Result<Self, TrustError> {
        let way = match &email.transport {
            EmailTransport::Smtp(config) => Way::Smtp {
                connections: config.connections,
                smtp: Smtp::new(config.clone())?,
            },
            EmailTransport::File(path) => Way::Folder(Folder::new(path)),
        };
        Ok(Self {
            sender: email.sender.clone(),
            way,
        })
    }

    /// How many mails can be on their way at once.
    #[must_use]
    pub fn connections(&self) -> usize {
        match &self.way {
            Way::Smtp { connections, .. } => *connections,
            Way::Folder(_) => 1,
        }
    }

    /// Whether the way is open: it connects and logs in, or the folder can be written to. Says when the server's
    /// certificate ends.
    pub async fn probe(&self) -> Result<Option<Timestamp>, String> {
        match &self.way {
            Way::Smtp { smtp, .. } => smtp.probe().await.map_err(|outcome| outcome.reason()),
            Way::Folder(folder) => {
                folder.probe().map_err(|error| chain(&error))?;
                Ok(None)
            }
        }
    }

    /// Sends a claimed row, as of the moment at which its attempt began: it was due then.
    pub async fn send(&self, claimed: &Claimed) -> Outcome {
        self.post(&claimed.id, &notice(claimed), claimed.attempt_at)
            .await
    }

    /// Sends what is no row of the outbox likewise.
    pub async fn post(&self, id: &str, notice: &Notice, attempt_at: Timestamp) -> Outcome {
        let letter = match mail::letter(&self.sender, notice, attempt_at) {
            Ok(letter) => letter,
            // An address that is none is the recipient's fault, and counts as refused (rule R8) …
            Err(error @ MailError::NoAddress { .. }) => {
                return Outcome::refused(None, &chain(&error));
            }
            // … a letter that we cannot write is ours: the row waits, and nobody is flagged for it.
            Err(error) => {
                tracing::error!(delivery.id = id, error = %chain(&error), "cannot write the mail of delivery {id}");
                return Outcome::deferred(None, &chain(&error));
            }
        };
        match &self.way {
            Way::Smtp { smtp, .. } => smtp.send(&letter).await,
            Way::Folder(folder) => {
                let folder = folder.clone();
                match tokio::task::spawn_blocking(move || folder.put(&letter)).await {
                    Ok(Ok(_)) => Outcome::Accepted { code: 250 },
                    Ok(Err(error)) => Outcome::unreachable(None, &chain(&error)),
                    Err(_) => Outcome::unreachable(None, "the writer of the folder stopped"),
                }
            }
        }
    }

    /// Says goodbye to the server.
    pub async fn close(&self) {
        if let Way::Smtp { smtp, .. } = &self.way {
            smtp.close().await;
        }
    }
}

/// The facts of a row that its mail tells.
#[must_use]
pub fn notice(claimed: &Claimed) -> Notice {
    let about = match (&claimed.policy, claimed.opened_at) {
        (Some(policy), Some(opened_at)) => About::Window(WindowNotice {
            kind: claimed.event,
            policy: PolicyName::new(policy.as_str()),
            opened_at,
            deadline: claimed.deadline,
            shows: claimed.shows,
        }),
        _ => About::Operators(OperatorNotice {
            kind: claimed.event,
            title: claimed.title.clone().unwrap_or_default(),
            lines: claimed.lines.clone(),
        }),
    };
    Notice {
        message_id: claimed.message_id.clone(),
        in_reply_to: claimed.in_reply_to.clone(),
        to: Recipient {
            address: claimed.address.clone().unwrap_or_default(),
            name: claimed.name.clone(),
            language: claimed.language.clone(),
        },
        queued_at: claimed.queued_at,
        about,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::fault::Account;
    use crate::domain::message::{EventKind, Shows};

    fn claimed(address: &str, now: Timestamp, deadline: Timestamp) -> Claimed {
        Claimed {
            id: "d1".to_owned(),
            event: EventKind::WindowReminder,
            policy: Some(PolicyName::new("everyone")),
            user: None,
            step: None,
            address: Some(address.to_owned()),
            name: None,
            language: None,
            opened_at: Some(Timestamp::UNIX_EPOCH),
            deadline: Some(deadline),
            shows: Shows::Nothing,
            title: None,
            lines: Vec::new(),
            body: None,
            queued_at: Timestamp::UNIX_EPOCH,
            not_after: None,
            attempt: 1,
            attempt_at: now,
            resent: false,
            message_id: "<d1@contoso.com>".to_owned(),
            in_reply_to: None,
            account: Account::default(),
        }
    }

    #[tokio::test]
    async fn a_mail_that_we_cannot_write_is_no_refusal_of_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fortnight.toml");
        let text = r#"
[database]
url = "sqlite:a.db"
[directory]
source = "files"
[directory.files]
path = "tenant"
[email]
from = "identity@contoso.com"
transport = "file"
[email.file]
path = "outbox"
[[policy]]
name = "everyone"
include = { all_users = true }
allow_empty_exclusion = true
"#;
        std::fs::write(&path, text).unwrap();
        let (config, _) = crate::config::Config::load(&path, []).unwrap();
        let transport = Transport::new(&config.email.unwrap()).unwrap();
        let now = Timestamp::from_second(1_767_571_200).unwrap();
        let ahead = now + SignedDuration::from_hours(24);
        let past = now - SignedDuration::from_hours(1);
        let nowhere = transport.send(&claimed("nobody", now, ahead)).await;
        assert!(matches!(nowhere, Outcome::Refused { .. }), "{nowhere:?}");
        let late = transport.send(&claimed("ana@contoso.com", now, past)).await;
        assert!(matches!(late, Outcome::Deferred { .. }), "{late:?}");
        let sent = transport
            .send(&claimed("ana@contoso.com", now, ahead))
            .await;
        assert!(sent.is_accepted(), "{sent:?}");
    }
}
