//! How fast mails are written, and how fast they go out next to postfix's own generator.
//!
//! `cargo bench --bench smtp`. The second half needs postfix's `smtp-sink` and `smtp-source`,
//! in PATH or in /usr/sbin, and is left out where they are missing. Ratios carry over to other
//! machines, the numbers do not.
#![expect(clippy::print_stdout, reason = "a bench prints")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench ends where something is missing"
)]

#[path = "support/postfix.rs"]
mod postfix;

use std::collections::BTreeMap;
use std::time::Instant;

use fortnight::delivery::Outcome;
use fortnight::delivery::mail::{
    About, Letter, Notice, Recipient, Sender, WindowNotice, letter, render,
};
use fortnight::delivery::smtp::{Smtp, SmtpConfig, Tls};
use fortnight::delivery::text;
use fortnight::domain::id::PolicyName;
use fortnight::domain::language::Wording;
use fortnight::domain::message::EventKind;
use fortnight::domain::policy::Mode;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::postfix::{Postfix, Sink};

const MESSAGES: u32 = 10_000;

fn main() {
    let (sender, notice, at) = sample();
    for language in ["en", "de"] {
        let mut notice = notice.clone();
        notice.to.language = Some(language.to_owned());
        let rendered = per_second(|| drop(render(&sender, &notice, at).unwrap()));
        let written = per_second(|| drop(letter(&sender, &notice, at).unwrap()));
        println!("{language}: rendered {rendered:.0}/s, rendered and built {written:.0}/s");
    }
    let letter = letter(&sender, &notice, at).unwrap();
    println!("{} bytes a message", letter.bytes.len());
    let Some(postfix) = Postfix::find() else {
        println!("smtp-sink and smtp-source are not installed: no comparison");
        return;
    };
    for connections in [1, 10] {
        compare(&postfix, connections, &letter);
    }
}

fn per_second(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..MESSAGES {
        work();
    }
    f64::from(MESSAGES) / start.elapsed().as_secs_f64()
}

fn compare(postfix: &Postfix, connections: usize, letter: &Letter) {
    let (mut best_theirs, mut best_ours) = (0f64, 0f64);
    for _ in 0..3 {
        let sink = postfix.sink();
        let bytes = letter.bytes.len();
        best_theirs = best_theirs.max(postfix.source(&sink, connections, MESSAGES, bytes, true));
        best_ours = best_ours.max(ours(&sink, connections, letter));
    }
    println!(
        "{connections} connections: smtp-source {best_theirs:.0}/s, ours {best_ours:.0}/s, ratio {:.2}",
        best_ours / best_theirs
    );
}

fn ours(sink: &Sink, connections: usize, letter: &Letter) -> f64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = SmtpConfig {
        port: Some(sink.port),
        connections,
        ..SmtpConfig::new("127.0.0.1", Tls::None)
    };
    let smtp = Smtp::new(config).unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (smtp, letter) = (smtp.clone(), letter.clone());
            let share = MESSAGES as usize / connections;
            senders.spawn(async move {
                for _ in 0..share {
                    let outcome = smtp.send(&letter).await;
                    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
                }
            });
        }
        senders.join_all().await;
        smtp.close().await;
    });
    f64::from(MESSAGES) / start.elapsed().as_secs_f64()
}

fn sample() -> (Sender, Notice, Timestamp) {
    let at: Timestamp = "2026-12-02T08:00:00Z".parse().unwrap();
    let sender = Sender {
        from: text::mailbox("Identity team <identity@contoso.com>").unwrap(),
        reply_to: text::mailbox("servicedesk@contoso.com"),
        organisation: Some(Wording::of("Contoso")),
        help: Some(Wording::of("Service desk, room 12, extension 4711.")),
        signature: None,
        titles: BTreeMap::new(),
        mode: Mode::Flag,
        language: "en".to_owned(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
    };
    let notice = Notice {
        message_id: "<0b6f3a@contoso.com>".to_owned(),
        in_reply_to: Some("<first@contoso.com>".to_owned()),
        to: Recipient {
            address: "ana@contoso.com".to_owned(),
            name: Some("Ana Müller".to_owned()),
            language: Some("en".to_owned()),
        },
        queued_at: at,
        about: About::Window(WindowNotice {
            kind: EventKind::WindowReminder,
            policy: PolicyName::new("everyone"),
            opened_at: at,
            deadline: Some("2026-12-08T22:59:00Z".parse().unwrap()),
            shows: fortnight::domain::message::Shows::Nothing,
        }),
    };
    (sender, notice, at)
}
