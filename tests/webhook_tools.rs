//! Receivers that others wrote: the snippets of docs/webhooks.md in three languages, and the
//! libraries of Standard Webhooks, CloudEvents, JSON Schema, Slack and Adaptive Cards.
//!
//! What they read came over the wire. The libraries are in `target/webhook-tools`, where `./dev`
//! puts them with `FORTNIGHT_REQUIRE_ALL=1`.

#![expect(clippy::doc_markdown, reason = "the names of products are no code")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use fortnight::delivery::Outcome;
use fortnight::delivery::egress::system_lookup;
use fortnight::delivery::webhook::{
    Attempt, Client, DIALECTS, Endpoint, Group, Per, Reach, SecretUrl, SigningSecret, Timeouts,
    dialect, schema, standard,
};
use fortnight::domain::facts::ActKind;
use fortnight::domain::message::EventKind;
use fortnight::time::Clock;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::authority::authority;
use crate::support::endpoint::{Endpoints, Reply};
use crate::support::happenings::{SOURCE, group, happening};
use crate::support::program::{find_program, missing};
use crate::support::webhook_peer::{Peer, Received};
use crate::support::world::{World, day, hour};

const DOCS: &str = "docs/webhooks.md";
/// Unpadded, as some tools hand them out; the other has 24 bytes, which need no padding.
const NEWER: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";
const OLDER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn the_published_example_is_what_is_sent() {
    let body = standard(&happening(EventKind::WindowOpened), SOURCE);
    let text = std::fs::read_to_string(DOCS).unwrap();
    let begin = text.find("<!-- begin example").unwrap();
    let start = begin + text[begin..].find("```json\n").unwrap() + "```json\n".len();
    let end = start + text[start..].find("```\n").unwrap();
    let example = laid_out(&body);
    if std::env::var_os("FORTNIGHT_BLESS").is_some() {
        let whole = [&text[..start], example.as_str(), &text[end..]].concat();
        std::fs::write(DOCS, whole).unwrap();
        return;
    }
    assert!(
        text[start..end] == example,
        "{DOCS} is out of date: run FORTNIGHT_BLESS=1 ./dev test published"
    );
}

/// With line breaks, and in the order in which it is sent.
fn laid_out(body: &str) -> String {
    let line = |depth| format!("\n{}", "  ".repeat(depth));
    let mut text = String::new();
    let (mut depth, mut quoted) = (0, false);
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        quoted ^= c == '"';
        let closes = c == '}' && !quoted && !text.ends_with('{');
        if closes {
            depth -= 1;
            text += &line(depth);
        }
        text.push(c);
        match c {
            '{' if !quoted && chars.peek() != Some(&'}') => {
                depth += 1;
                text += &line(depth);
            }
            ',' if !quoted => text += &line(depth),
            ':' if !quoted => text.push(' '),
            _ => {}
        }
    }
    text + "\n"
}

/// The event as it came over the wire.
async fn received(kind: EventKind, at: Timestamp) -> Received {
    let peer = Peer::start(None).await;
    let endpoint = Endpoint {
        name: "hook".to_owned(),
        url: SecretUrl::parse(&format!("http://{}/", peer.address)).unwrap(),
        dialect: dialect("standard").unwrap(),
        secrets: SigningSecret::parse_file(&format!("{NEWER}\n{OLDER}")).unwrap(),
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
    };
    let reach = Reach {
        trust: Arc::clone(&authority().trust),
        lookup: system_lookup(),
        timeouts: Timeouts::default(),
    };
    let mut happening = happening(kind);
    if let Some(person) = &mut happening.person {
        person.display_name = Some("Zoë \"山田\" \\ <b> %s $(id) 'x' 🦀".to_owned());
    }
    let body = standard(&happening, SOURCE);
    let attempt = Attempt {
        id: &happening.id,
        body: body.as_bytes(),
        at,
    };
    let client = Client::reaching(endpoint, reach).unwrap();
    assert_eq!(client.send(&attempt).await, Outcome::Accepted { code: 200 });
    peer.received().remove(0)
}

#[tokio::test]
async fn the_snippets_of_the_documentation_accept_ours_and_nothing_else() {
    let text = std::fs::read_to_string(DOCS).unwrap();
    let now = Clock::system().now();
    let fresh = received(EventKind::WindowOpened, now).await;
    let old = received(EventKind::WindowOpened, now - SignedDuration::from_mins(10)).await;
    let early = received(EventKind::WindowOpened, now + SignedDuration::from_mins(10)).await;
    let mut tampered = fresh.clone();
    *tampered.body.last_mut().unwrap() = b' ';
    let mut longer = fresh.clone();
    longer.body.push(b'\n');
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let padded = format!("{NEWER}=");
    for (language, program, needs) in [
        ("python", "python3", None),
        ("javascript", "node", None),
        ("bash", "bash", Some("openssl")),
    ] {
        if let Some(absent) = [Some(program), needs]
            .into_iter()
            .flatten()
            .find(|program| find_program(program).is_none())
        {
            missing(absent);
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("verify");
        std::fs::write(&file, snippet(&text, language)).unwrap();
        for (what, received, secret, expected) in [
            ("ours", &fresh, NEWER, true),
            ("ours, secret with padding", &fresh, padded.as_str(), true),
            ("ours, before the change of secrets", &fresh, OLDER, true),
            ("another secret", &fresh, other, false),
            ("a changed body", &tampered, NEWER, false),
            ("a longer body", &longer, NEWER, false),
            ("ten minutes ago", &old, NEWER, false),
            ("in ten minutes", &early, NEWER, false),
        ] {
            let output = verify(program, &file, received, secret);
            let code = output.status.code();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                code,
                Some(i32::from(!expected)),
                "{language}, {what}: {said}"
            );
            assert_eq!(said, "", "{language}, {what}");
        }
    }
}

/// The one block of that language.
fn snippet<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n```{language}\n")).unwrap();
    rest.split_once("\n```\n").unwrap().0
}

fn verify(program: &str, file: &Path, received: &Received, secret: &str) -> Output {
    let mut command = Command::new(program);
    command.arg(file).env("WEBHOOK_SECRET", secret);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let variable = name.to_uppercase().replace('-', "_");
        command.env(variable, received.header(name));
    }
    fed(&mut command, &received.body)
}

fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who ends without reading has still decided.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What writes the messages of a chat.
type Body = fn(&Group, &TimeZone) -> String;

/// Every chat, by the name of its format.
fn chats() -> Vec<(&'static str, Body)> {
    let chats = DIALECTS.iter().filter_map(|dialect| match dialect.per {
        Per::Event(_) => None,
        Per::Fold(body) => Some((dialect.name, body)),
    });
    chats.collect()
}

/// What whole passes sent to a program and to every chat while everything happened that they tell of.
async fn a_rollout() -> Endpoints {
    let peer = Endpoints::start(|knock| match knock.to {
        "gone" => Reply::Say(410),
        _ => Reply::Taken,
    });
    let mut world = World::of(&["ana", "bo"]);
    world.configuration += &(peer.standard("desk") + &peer.standard("gone"));
    for (name, _) in chats() {
        world.configuration += &peer.chat(name, name);
    }
    crate::support::write_secret(world.folder().join("hook"), OLDER);
    world.daily(0..=0).await;
    world.who("bo").mail = None;
    world.sign_in("ana", hour(0, 1));
    world.sign_in("bo", hour(0, 1));
    world.daily(1..=1).await;
    world.sign_in_with(
        "ana",
        hour(1, 1),
        json!({ "status": { "errorCode": 53004 } }),
    );
    world.daily(2..=2).await;
    world
        .act("ana", ActKind::Extend { days: 1 }, hour(2, 1))
        .await;
    world.daily(3..=3).await;
    world.who("ana").enabled = false;
    world.daily(4..=4).await;
    world.who("ana").enabled = true;
    world.daily(5..=5).await;
    // Exports that nobody makes any more are too old after a day.
    world.pass_on_old_exports(day(8)).await;
    world.daily(9..=25).await;
    world.registers("ana");
    world.daily(26..=26).await;
    peer
}

#[tokio::test]
async fn libraries_of_others_accept_every_event_and_message() {
    let python = Path::new("target/webhook-tools/bin/python");
    if !python.exists() {
        missing("target/webhook-tools (FORTNIGHT_REQUIRE_ALL=1 ./dev test makes it)");
        return;
    }
    let now = Clock::system().now();
    let mut events = Vec::new();
    for kind in EventKind::ALL {
        let received = received(kind, now).await;
        let names = [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "content-type",
        ];
        let headers: Value = names
            .map(|name| (name, received.header(name)))
            .into_iter()
            .collect();
        let body = String::from_utf8(received.body.clone()).unwrap();
        let schema = schema::event(kind);
        events.push(json!({ "headers": headers, "body": body, "schema": schema, "secret": OLDER }));
    }
    let long = "<&>\"\\ ".repeat(200);
    let lines = vec![long.as_str(); 200];
    let hostile = [
        "<!channel> & <@U024BE7LH>",
        "[click](https://evil.example)",
        "**Ana** _W_",
        &long,
    ];
    let groups: Vec<_> = EventKind::ALL
        .into_iter()
        .flat_map(|kind| {
            [
                group(kind, &hostile, &[]),
                group(kind, &[], &lines),
                group(kind, &[], &[]),
            ]
        })
        .collect();
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let rollout = a_rollout().await;
    let mut kinds = BTreeSet::new();
    let bodies: Vec<Value> = rollout
        .taken("desk")
        .into_iter()
        .map(|came| {
            let kind = EventKind::ALL
                .into_iter()
                .find(|kind| kind.as_str() == came.event());
            kinds.insert(kind.unwrap());
            json!({ "body": came.body, "schema": schema::event(kind.unwrap()) })
        })
        .collect();
    // A test is only sent when somebody asks for one, and nothing is worth a digest yet.
    let unsent: Vec<&str> = EventKind::ALL
        .into_iter()
        .filter(|kind| !kinds.contains(kind))
        .map(EventKind::as_str)
        .collect();
    assert_eq!(unsent, ["digest", "test"]);
    let mut expected = json!({ "events": EventKind::ALL.len(), "bodies": bodies.len() });
    let mut given = json!({ "events": events, "bodies": bodies });
    for (name, body) in chats() {
        let mut messages: Vec<String> = groups.iter().map(|group| body(group, &zone)).collect();
        messages.extend(rollout.taken(name).into_iter().map(|came| came.body));
        assert!(messages.len() > groups.len(), "nothing was sent to {name}");
        expected[name] = messages.len().into();
        given[name] = messages.into();
    }
    let output = fed(
        Command::new(python).arg("tests/support/webhook_tools.py"),
        given.to_string().as_bytes(),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counts, expected);
}
