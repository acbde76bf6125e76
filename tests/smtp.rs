//! The SMTP client against a server that misbehaves at every step.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fortnight::delivery::Outcome;
use fortnight::delivery::mail::Letter;
use fortnight::delivery::smtp::{Login, Proof, Smtp, SmtpConfig, Timeouts, Tls};
use fortnight::entra::{Application, Credential, Tokens};

use crate::support::authority::{Authority, authority, authority_for};
use crate::support::smtp_peer::{Act, Peer, Protection};

const MODERN: &[&str] = &["PIPELINING", "SIZE 100000", "8BITMIME"];
const PLAIN_OLD: &[&str] = &["HELP"];

fn letter() -> Letter {
    Letter {
        message_id: "<1@contoso.com>".to_owned(),
        queued_at: "2026-12-02T08:00:00Z".parse().unwrap(),
        from: "identity@contoso.com".parse().unwrap(),
        to: "ana@contoso.com".parse().unwrap(),
        bytes: b"Subject: Hello\r\n\r\n.dots\r\n.\r\nend\r\n".to_vec(),
    }
}

fn config(peer: &Peer) -> SmtpConfig {
    SmtpConfig {
        port: Some(peer.address.port()),
        timeouts: Timeouts {
            command: Duration::from_millis(300),
            data: Duration::from_millis(300),
            block: Duration::from_millis(300),
            done: Duration::from_millis(300),
            ..Timeouts::default()
        },
        ..SmtpConfig::new("127.0.0.1", Tls::None)
    }
}

fn client(peer: &Peer) -> Smtp {
    Smtp::new(config(peer)).unwrap()
}

fn login(password: &str) -> Login {
    Login {
        username: "ana".to_owned(),
        proof: Proof::Password(password.to_owned().into()),
    }
}

/// An identity platform that gives `token-1`, `token-2` and so on, each good for this long.
async fn identity_platform(lifetime_s: u32) -> (Application, Arc<AtomicU32>) {
    let given = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&given);
    let answer = move |body: String| async move {
        assert!(
            body.contains("scope=https%3A%2F%2Foutlook.office365.com%2F.default"),
            "{body}"
        );
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        axum::Json(serde_json::json!({
            "token_type": "Bearer", "expires_in": lifetime_s, "access_token": format!("token-{number}")
        }))
    };
    let routes =
        axum::Router::new().route("/tenant/oauth2/v2.0/token", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let application = Application {
        tenant: "tenant".to_owned(),
        client_id: Some("client".to_owned()),
        authority,
        credential: Credential::Secret("secret-word".to_owned().into()),
    };
    (application, given)
}

fn token_login(application: Application) -> Login {
    Login {
        username: "ana".to_owned(),
        proof: Proof::Token {
            tokens: Arc::new(Tokens::new(application)),
            resource: "https://outlook.office365.com",
        },
    }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_written_over_one_connection() {
    for offers in [MODERN, PLAIN_OLD] {
        let peer = Peer::start(offers).await;
        let client = client(&peer);
        for _ in 0..3 {
            assert_eq!(
                client.send(&letter()).await,
                Outcome::Accepted { code: 250 }
            );
        }
        let written = String::from_utf8(letter().bytes).unwrap();
        assert_eq!(peer.kept(), [&*written, &*written, &*written]);
        assert_eq!(peer.connections(), 1);
        client.close().await;
        assert_eq!(peer.seen().last().unwrap(), "QUIT");
    }
}

#[tokio::test]
async fn every_verb_may_fail_in_every_way() {
    let ways = [
        Act::Say("451 4.3.0 later\r\n"),
        Act::Say("550 5.1.1 no\r\n"),
        Act::Drop,
        Act::Stall,
        Act::Say("%$&\u{0}\u{1b}[2J\r\n"),
        Act::Endless,
        Act::EndlessLine,
    ];
    let (unreachable, busy, unauthorized) = ("unreachable", "busy", "unauthorized");
    let (deferred, refused, lost) = ("deferred", "refused", "lost");
    let table = [
        ("CONNECT", [unreachable; 7]),
        ("EHLO", [unreachable; 7]),
        ("MAIL", [busy, unauthorized, busy, busy, busy, busy, busy]),
        (
            "RCPT",
            [
                deferred, refused, deferred, deferred, deferred, deferred, deferred,
            ],
        ),
        (
            "DATA",
            [
                deferred, refused, deferred, deferred, deferred, deferred, deferred,
            ],
        ),
        ("DOT", [deferred, refused, lost, lost, lost, lost, lost]),
    ];
    let mut cases = tokio::task::JoinSet::new();
    for offers in [MODERN, PLAIN_OLD] {
        for (verb, meanings) in table {
            for (act, meaning) in ways.iter().zip(meanings) {
                cases.spawn(fails(offers, verb, act.clone(), meaning));
            }
        }
    }
    assert_eq!(cases.join_all().await.len(), 2 * 6 * 7);
}

async fn fails(offers: &'static [&'static str], verb: &'static str, act: Act, meaning: &str) {
    let peer = Peer::start(offers).await;
    peer.on(verb, act.clone());
    let client = client(&peer);
    let outcome = client.send(&letter()).await;
    assert_eq!(outcome.word(), meaning, "{verb} {act:?} {outcome:?}");
    assert!(outcome.text().chars().count() <= 200);
    assert!(
        !outcome.text().contains(|c: char| c.is_control()),
        "{outcome:?}"
    );
    assert!(peer.kept().is_empty(), "{verb} {act:?}");
    let next = client.send(&letter()).await;
    assert_eq!(
        next,
        Outcome::Accepted { code: 250 },
        "after {verb} {act:?}"
    );
    assert_eq!(peer.kept().len(), 1);
}

#[tokio::test]
async fn the_servers_reason_is_told() {
    let peer = Peer::start(MODERN).await;
    peer.on(
        "RCPT",
        Act::Say("550-5.1.1 nobody\r\n550 5.1.1 by that name\r\n"),
    );
    let outcome = client(&peer).send(&letter()).await;
    let text = "5.1.1 nobody 5.1.1 by that name".to_owned();
    assert_eq!(
        outcome,
        Outcome::Refused {
            code: Some(550),
            text
        }
    );
}

#[tokio::test]
async fn cut_after_the_final_dot_nobody_knows() {
    for (act, kept) in [(Act::Drop, 0), (Act::KeepAndDrop, 1)] {
        let peer = Peer::start(MODERN).await;
        peer.on("DOT", act);
        let outcome = client(&peer).send(&letter()).await;
        assert_eq!(outcome.word(), "lost");
        assert_eq!(peer.kept().len(), kept);
    }
}

#[tokio::test]
async fn a_grey_list_lets_the_second_attempt_through() {
    for offers in [MODERN, PLAIN_OLD] {
        let peer = Peer::start(offers).await;
        peer.on("RCPT", Act::Say("450 4.2.0 greylisted\r\n"));
        let client = client(&peer);
        assert_eq!(client.send(&letter()).await.word(), "deferred");
        assert_eq!(client.send(&letter()).await.word(), "accepted");
        assert_eq!(peer.connections(), 1, "RSET keeps the connection");
        assert!(peer.seen().contains(&"RSET".to_owned()));
    }
}

#[tokio::test]
async fn replies_that_lag_behind_are_no_acceptance() {
    // One reply too many for each verb in turn: everything after it is one behind.
    for offers in [MODERN, PLAIN_OLD] {
        for (verb, surplus) in [
            ("CONNECT", "220 ready\r\n250 surplus\r\n"),
            ("EHLO", "250 peer\r\n250 surplus\r\n"),
            ("MAIL", "250 ok\r\n250 surplus\r\n"),
            ("RCPT", "250 ok\r\n250 surplus\r\n"),
            ("DATA", "354 go\r\n250 surplus\r\n"),
        ] {
            let peer = Peer::start(offers).await;
            peer.on(verb, Act::Say(surplus));
            peer.on("DOT", Act::Say("550 5.6.0 no\r\n"));
            let outcome = client(&peer).send(&letter()).await;
            assert_ne!(outcome.word(), "accepted", "{verb}: {outcome:?}");
            assert!(peer.kept().is_empty());
        }
        let peer = Peer::start(offers).await;
        peer.on("DOT", Act::Say("250 ok\r\n250 surplus\r\n"));
        peer.on("DOT", Act::Say("550 5.6.0 no\r\n"));
        let client = client(&peer);
        assert_eq!(client.send(&letter()).await.word(), "accepted");
        assert_eq!(client.send(&letter()).await.word(), "declined");
    }
}

#[tokio::test]
async fn a_server_that_takes_data_after_refusing_the_recipient_gets_no_message() {
    let peer = Peer::start(MODERN).await;
    peer.on("RCPT", Act::Say("550 5.1.1 no\r\n"))
        .on("DATA", Act::Say("354 go on\r\n"));
    let client = client(&peer);
    assert_eq!(client.send(&letter()).await.word(), "refused");
    assert!(peer.kept().is_empty());
    assert_eq!(client.send(&letter()).await.word(), "accepted");
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_cancelled_send_takes_its_connection_with_it() {
    let peer = Peer::start(MODERN).await;
    let client = client(&peer);
    assert_eq!(client.send(&letter()).await.word(), "accepted");
    peer.on("DATA", Act::Stall);
    let cancelled = tokio::time::timeout(Duration::from_millis(50), client.send(&letter())).await;
    assert!(cancelled.is_err());
    peer.on("DOT", Act::Say("550 5.6.0 no\r\n"));
    assert_eq!(client.send(&letter()).await.word(), "declined");
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_costs_nothing() {
    for offers in [MODERN, PLAIN_OLD] {
        for act in [Act::Drop, Act::Say("421 4.4.2 idle for too long\r\n")] {
            let peer = Peer::start(offers).await;
            let client = client(&peer);
            assert_eq!(client.send(&letter()).await.word(), "accepted");
            peer.on("MAIL", act);
            assert_eq!(client.send(&letter()).await.word(), "accepted");
            assert_eq!((peer.connections(), peer.kept().len()), (2, 2));
        }
    }
}

#[tokio::test]
async fn connections_are_capped_renewed_and_closed_when_unused() {
    let peer = Peer::start(MODERN).await;
    let config = SmtpConfig {
        connections: 2,
        ..config(&peer)
    };
    let client = Smtp::new(config.clone()).unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let client = client.clone();
        senders.spawn(async move { client.send(&letter()).await });
    }
    let outcomes = senders.join_all().await;
    assert!(outcomes.iter().all(Outcome::is_accepted));
    assert_eq!(peer.kept().len(), 40);
    assert!(peer.most_open() <= 2);

    let peer = Peer::start(MODERN).await;
    let mut renewed = SmtpConfig {
        port: Some(peer.address.port()),
        per_connection: Some(2),
        ..config
    };
    let client = Smtp::new(renewed.clone()).unwrap();
    for _ in 0..4 {
        client.send(&letter()).await;
    }
    assert_eq!(peer.connections(), 2);

    let peer = Peer::start(MODERN).await;
    renewed.port = Some(peer.address.port());
    renewed.timeouts.idle = Duration::from_millis(20);
    let client = Smtp::new(renewed).unwrap();
    client.send(&letter()).await;
    peer.wait_for("QUIT").await;
}

#[tokio::test]
async fn size_and_scripts_are_judged_before_anything_is_sent() {
    let peer = Peer::start(&["SIZE 100"]).await;
    let client = client(&peer);
    let long = Letter {
        bytes: vec![b'x'; 101],
        ..letter()
    };
    assert_eq!(client.send(&long).await.word(), "declined");
    let accented = Letter {
        to: "grüße@contoso.com".parse().unwrap(),
        ..letter()
    };
    let refused = client.send(&accented).await;
    let text = refused.text();
    assert!(text.starts_with("smtputf8_unsupported: the address has letters beyond ASCII"));
    assert!(text.ends_with("into `mail` of the person"), "{text}");
    assert_eq!(client.send(&letter()).await.word(), "accepted");
    let size = letter().bytes.len();
    let mail = format!("MAIL FROM:<identity@contoso.com> SIZE={size}");
    assert!(peer.seen().contains(&mail));

    let peer = Peer::start(&["SMTPUTF8", "8BITMIME"]).await;
    let client = self::client(&peer);
    assert_eq!(client.send(&accented).await.word(), "accepted");
    assert_eq!(client.send(&letter()).await.word(), "accepted");
    let seen = peer.seen();
    let mails: Vec<_> = seen
        .iter()
        .filter(|line| line.starts_with("MAIL"))
        .collect();
    assert_eq!(
        mails,
        [
            "MAIL FROM:<identity@contoso.com> BODY=8BITMIME SMTPUTF8",
            "MAIL FROM:<identity@contoso.com>",
        ]
    );
}

#[tokio::test]
async fn logins_by_what_the_server_offers() {
    for (offer, auth) in [
        ("AUTH PLAIN LOGIN", "AUTH PLAIN"),
        ("AUTH LOGIN", "AUTH LOGIN"),
    ] {
        let peer = Peer::start(&[offer]).await;
        let good = SmtpConfig {
            login: Some(login("secret-word")),
            ..config(&peer)
        };
        let client = Smtp::new(good.clone()).unwrap();
        client.probe().await.unwrap();
        assert_eq!(client.send(&letter()).await.word(), "accepted");
        assert!(peer.seen().iter().any(|line| line.starts_with(auth)));

        let client = Smtp::new(SmtpConfig {
            login: Some(login("wrong-word")),
            ..good
        })
        .unwrap();
        let refused = client.probe().await.unwrap_err();
        let text = "login refused: 5.7.8 wrong user or password".to_owned();
        assert_eq!(
            refused,
            Outcome::Unreachable {
                code: Some(535),
                text
            }
        );
        assert_eq!(client.send(&letter()).await, refused);
    }
    let peer = Peer::start(&["AUTH XOAUTH2"]).await;
    let client = Smtp::new(SmtpConfig {
        login: Some(login("secret-word")),
        ..config(&peer)
    })
    .unwrap();
    let refused = client.probe().await.unwrap_err();
    assert!(
        refused.text().contains("offers no login by password"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn logs_in_by_token_and_comes_back_with_a_fresh_one() {
    let (application, given) = identity_platform(3_600).await;
    let peer = Peer::start(&["AUTH LOGIN XOAUTH2"]).await;
    peer.accept_tokens(&["token-1"]);
    let client = Smtp::new(SmtpConfig {
        login: Some(token_login(application)),
        per_connection: Some(1),
        ..config(&peer)
    })
    .unwrap();
    for _ in 0..3 {
        assert_eq!(client.send(&letter()).await.word(), "accepted");
    }
    assert_eq!(peer.connections(), 3);
    assert_eq!(
        given.load(Ordering::SeqCst),
        1,
        "a token serves every connection"
    );

    // It is revoked: one login fails, and the next one comes with another.
    peer.accept_tokens(&["token-2"]);
    let refused = client.send(&letter()).await;
    let text = "login refused: 5.7.8 wrong user or password".to_owned();
    assert_eq!(
        refused,
        Outcome::Unreachable {
            code: Some(535),
            text
        }
    );
    assert_eq!(client.send(&letter()).await.word(), "accepted");
    assert_eq!(given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_renewed_before_the_next_connection() {
    let (application, given) = identity_platform(0).await;
    let peer = Peer::start(&["AUTH XOAUTH2"]).await;
    peer.accept_tokens(&["token-1", "token-2", "token-3"]);
    let client = Smtp::new(SmtpConfig {
        login: Some(token_login(application)),
        per_connection: Some(2),
        ..config(&peer)
    })
    .unwrap();
    for _ in 0..6 {
        assert_eq!(client.send(&letter()).await.word(), "accepted");
    }
    assert_eq!(
        given.load(Ordering::SeqCst),
        3,
        "each connection found the last one over"
    );
}

#[tokio::test]
async fn a_login_by_token_says_what_is_wrong_with_it() {
    let peer = Peer::start(&["AUTH PLAIN"]).await;
    let (application, _) = identity_platform(3_600).await;
    let with = |application: Application| SmtpConfig {
        login: Some(token_login(application)),
        ..config(&peer)
    };
    let refused = Smtp::new(with(application))
        .unwrap()
        .probe()
        .await
        .unwrap_err();
    assert!(
        refused.text().contains("no login by token (AUTH XOAUTH2)"),
        "{refused:?}"
    );

    let refuses = axum::Router::new().fallback(|| async {
        let body = r#"{"error":"invalid_client","error_codes":[7000222],"error_description":"AADSTS7000222"}"#;
        (axum::http::StatusCode::UNAUTHORIZED, body)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, refuses).await.unwrap() });
    let peer = Peer::start(&["AUTH XOAUTH2"]).await;
    let (application, _) = identity_platform(3_600).await;
    let login = token_login(Application {
        authority,
        ..application
    });
    let config = SmtpConfig {
        login: Some(login),
        ..config(&peer)
    };
    let refused = Smtp::new(config).unwrap().probe().await.unwrap_err();
    assert!(
        refused.text().contains("the client secret has expired"),
        "{refused:?}"
    );
    assert!(peer.seen().iter().all(|line| !line.starts_with("AUTH")));
}

#[tokio::test]
async fn a_password_that_the_server_repeats_is_not_told_on() {
    for said in [
        "535 no AGFuYQBzZWNyZXQtd29yZA==\r\n",
        "535 ana's password secret-word is wrong\r\n",
        "535 5.7.8 no: c2VjcmV0LXdvcmQ=\r\n",
        "535-5.7.8 no: secret-\r\n535 word\r\n",
    ] {
        let peer = Peer::start(&["AUTH PLAIN"]).await;
        peer.on("AUTH", Act::Say(said));
        let client = Smtp::new(SmtpConfig {
            login: Some(login("secret-word")),
            ..config(&peer)
        })
        .unwrap();
        let refused = client.probe().await.unwrap_err();
        assert!(refused.text().contains("withheld"), "{refused:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure_of_the_channel() {
    let peer = Peer::start(MODERN).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Smtp::new(SmtpConfig {
        port: Some(nobody.port()),
        ..config(&peer)
    })
    .unwrap();
    let outcome = client.send(&letter()).await;
    assert_eq!(outcome.word(), "unreachable");
    assert!(
        outcome.text().starts_with("connecting to 127.0.0.1 port"),
        "{outcome:?}"
    );
}

fn protected(peer: &Peer, tls: Tls, authority: &Authority) -> Smtp {
    let config = SmtpConfig {
        tls,
        login: Some(login("secret-word")),
        ..config(peer)
    };
    Smtp::with_trust(config, authority.trust.clone())
}

#[tokio::test]
async fn both_kinds_of_tls_protect_login_and_message() {
    let authority = authority();
    for (protection, tls) in [
        (Protection::StartTls, Tls::StartTls),
        (Protection::Implicit, Tls::Implicit),
    ] {
        let offers = ["PIPELINING", "AUTH PLAIN"];
        let peer = Peer::start_with(&offers, protection, Some(authority.server.clone())).await;
        let client = protected(&peer, tls, &authority);
        client.probe().await.unwrap();
        for _ in 0..2 {
            assert_eq!(client.send(&letter()).await.word(), "accepted");
        }
        assert_eq!(peer.connections(), 2);
    }
}

#[tokio::test]
async fn a_server_that_is_not_vouched_for_gets_nothing() {
    let (ours, other) = (authority(), authority());
    let misnamed = authority_for("mail.contoso.com");
    for (theirs, trusted) in [(&ours, &other), (&misnamed, &misnamed)] {
        let peer = Peer::start_with(&[], Protection::StartTls, Some(theirs.server.clone())).await;
        let client = protected(&peer, Tls::StartTls, trusted);
        let outcome = client.send(&letter()).await;
        assert_eq!(outcome.word(), "unreachable");
        assert!(outcome.text().contains("certificate"), "{outcome:?}");
        assert!(
            !peer
                .seen()
                .iter()
                .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"))
        );
    }
}

#[tokio::test]
async fn a_hidden_or_refused_starttls_is_never_a_reason_to_go_on_in_clear() {
    let authority = authority();
    let peer = Peer::start(&["AUTH PLAIN"]).await;
    let client = protected(&peer, Tls::StartTls, &authority);
    let outcome = client.send(&letter()).await;
    assert_eq!(
        outcome.text(),
        "127.0.0.1 offers no STARTTLS, and nothing is sent in clear"
    );
    assert_eq!(outcome.word(), "unreachable");
    assert_eq!(peer.seen().len(), 1);

    for said in ["454 4.7.0 not now\r\n", "220 go\r\n235 injected\r\n"] {
        let server = Some(authority.server.clone());
        let peer = Peer::start_with(&["AUTH PLAIN"], Protection::StartTls, server).await;
        peer.on("STARTTLS", Act::Say(said));
        let client = protected(&peer, Tls::StartTls, &authority);
        assert_eq!(client.send(&letter()).await.word(), "unreachable");
        assert_eq!(peer.seen().len(), 2);
    }
}

/// A private authority is named by `SSL_CERT_FILE`. The environment belongs to the process, so
/// this test runs itself once more with it set.
#[tokio::test]
async fn a_private_authority_is_named_by_the_environment() {
    const PORT: &str = "FORTNIGHT_TEST_PORT";
    if let Ok(port) = std::env::var(PORT) {
        let mut config = SmtpConfig::new("127.0.0.1", Tls::StartTls);
        config.port = port.parse().ok();
        Smtp::new(config).unwrap().probe().await.unwrap();
        return;
    }
    let authority = authority();
    let peer = Peer::start_with(&[], Protection::StartTls, Some(authority.server)).await;
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("ca.pem");
    std::fs::write(&file, authority.pem).unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again
        .args([
            "--exact",
            "smtp::a_private_authority_is_named_by_the_environment",
        ])
        .env(PORT, peer.address.port().to_string())
        .env("SSL_CERT_FILE", &file);
    let again = tokio::task::spawn_blocking(move || again.output().unwrap())
        .await
        .unwrap();
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
    assert!(peer.seen().contains(&"QUIT".to_owned()));
}
