//! The webhook client against servers that misbehave, and addresses that it must not dial.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fortnight::delivery::Outcome;
use fortnight::delivery::egress::{Lookup, system_lookup};
use fortnight::delivery::webhook::{
    Attempt, Client, ClientError, Endpoint, Reach, SecretUrl, SigningSecret, Timeouts, dialect,
};
use fortnight::time::Clock;
use jiff::{SignedDuration, Timestamp};

use crate::support::authority::{Authority, authority, authority_for};
use crate::support::webhook_peer::{Act, Peer, answer};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLDER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const LOOPBACK: &[&str] = &["127.0.0.0/8"];

fn endpoint(url: &str, format: &str, allow: &[&str]) -> Endpoint {
    Endpoint {
        name: "chat".to_owned(),
        url: SecretUrl::parse(url).unwrap(),
        dialect: dialect(format).unwrap(),
        secrets: SigningSecret::parse_file(&format!("{SECRET}\n{OLDER}\n")).unwrap(),
        allow_networks: allow.iter().map(|net| net.parse().unwrap()).collect(),
    }
}

fn reach(authority: &Authority) -> Reach {
    Reach {
        trust: Arc::clone(&authority.trust),
        lookup: system_lookup(),
        timeouts: Timeouts::default(),
    }
}

/// For peers that never answer.
fn impatient(authority: &Authority) -> Reach {
    let timeouts = Timeouts {
        connect: Duration::from_millis(300),
        whole: Duration::from_secs(1),
    };
    Reach {
        timeouts,
        ..reach(authority)
    }
}

fn url(peer: &Peer) -> String {
    format!("http://{}/hooks/T0SECRET/B0SECRET", peer.address)
}

fn client(peer: &Peer, format: &str) -> Client {
    client_by(peer, format, reach(&authority()))
}

fn client_by(peer: &Peer, format: &str, reach: Reach) -> Client {
    Client::reaching(endpoint(&url(peer), format, LOOPBACK), reach).unwrap()
}

fn at() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

async fn send(client: &Client) -> Outcome {
    let body = b"{\"id\":\"e1\"}";
    client
        .send(&Attempt {
            id: "e1",
            body,
            at: at(),
        })
        .await
}

#[tokio::test]
async fn a_program_gets_a_signed_event_and_the_same_body_again() {
    let peer = Peer::start(None).await;
    let client = client(&peer, "standard");
    let body = "{\"name\":\"Zoë 山田\"}".as_bytes();
    let first = Clock::system().now();
    for at in [first, first + SignedDuration::from_secs(7)] {
        let outcome = client.send(&Attempt { id: "e1", body, at }).await;
        assert_eq!(outcome, Outcome::Accepted { code: 200 });
    }
    let received = peer.received();
    for (received, at) in received
        .iter()
        .zip([first, first + SignedDuration::from_secs(7)])
    {
        assert_eq!(received.line, "POST /hooks/T0SECRET/B0SECRET HTTP/1.1");
        assert_eq!(received.body, body);
        assert_eq!(received.header("webhook-id"), "e1");
        assert_eq!(
            received.header("webhook-timestamp"),
            at.as_second().to_string()
        );
        let media = "application/cloudevents+json; charset=UTF-8";
        assert_eq!(received.header("content-type"), media);
        assert!(received.header("user-agent").starts_with("fortnight/"));
        let mut headers = reqwest::header::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, received.header(name).parse().unwrap());
        }
        for secret in [SECRET, OLDER] {
            let official = standardwebhooks::Webhook::new(secret).unwrap();
            official.verify(&received.body, &headers).unwrap();
            official
                .verify(b"{\"name\":\"Eve\"}", &headers)
                .unwrap_err();
        }
    }
    let signature = |n: usize| received[n].header("webhook-signature").to_owned();
    assert_ne!(signature(0), signature(1));
    assert_eq!(peer.connections(), 1, "an open connection is used again");
}

#[tokio::test]
async fn a_chat_gets_no_signature() {
    let peer = Peer::start(None).await;
    assert_eq!(
        send(&client(&peer, "slack")).await,
        Outcome::Accepted { code: 200 }
    );
    let received = peer.received().remove(0);
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("webhook-signature"), "");
}

#[tokio::test]
async fn what_becomes_of_a_request() {
    let (standard, slack, teams) = ("standard", "slack", "teams");
    let elsewhere = Peer::start(None).await;
    let redirect = format!("location: http://{}/\r\n", elsewhere.address);
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nok";
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let table = [
        (standard, answer(200, "", ""), "accepted"),
        (standard, answer(204, "", ""), "accepted"),
        (teams, answer(202, "", ""), "accepted"),
        (slack, answer(200, "", "ok"), "accepted"),
        (slack, answer(200, "", "no_text"), "refused"),
        (standard, answer(500, "", "oops"), "deferred"),
        (standard, answer(429, "retry-after: 3\r\n", ""), "deferred"),
        (standard, answer(302, &redirect, ""), "refused"),
        (standard, answer(307, &redirect, ""), "refused"),
        (standard, answer(400, "", "no"), "refused"),
        (standard, answer(401, "", ""), "unauthorized"),
        (standard, answer(410, "", ""), "gone"),
        (slack, answer(404, "", "no_service"), "gone"),
        (standard, Act::DropUnread, "lost"),
        (standard, Act::DropRead, "lost"),
        (standard, Act::Stall(String::new()), "lost"),
        (
            standard,
            Act::Stall("HTTP/1.1 200 OK\r\n".to_owned()),
            "lost",
        ),
        (
            standard,
            Act::Say("220 peer ready\r\n\r\n".to_owned()),
            "lost",
        ),
        (
            standard,
            Act::Say("HTTP/1.1 20000 OK\r\n\r\n".to_owned()),
            "lost",
        ),
        (
            standard,
            Act::Endless("HTTP/1.1 200 OK\r\nx: ".to_owned()),
            "lost",
        ),
        // The status has come, and says enough to a program; Slack says it in its text.
        (standard, Act::Stall(cut.to_owned()), "accepted"),
        (slack, Act::Stall(cut.to_owned()), "lost"),
        (slack, Act::Stall(head.to_owned()), "lost"),
        (standard, Act::Say(format!("{head}garbage\r\n")), "accepted"),
        (slack, Act::Say(format!("{head}garbage\r\n")), "lost"),
        (
            standard,
            Act::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned()),
            "accepted",
        ),
        (
            slack,
            Act::Endless("HTTP/1.1 200 OK\r\n\r\nok".to_owned()),
            "refused",
        ),
        (
            standard,
            Act::Endless("HTTP/1.1 503 No\r\n\r\n".to_owned()),
            "deferred",
        ),
    ];
    let rows = table.map(|(format, act, expected)| async move {
        let peer = Peer::start(None).await;
        peer.then(act.clone());
        let reach = match act {
            Act::Stall(_) | Act::Endless(_) => impatient(&authority()),
            Act::Say(_) | Act::DropUnread | Act::DropRead => reach(&authority()),
        };
        let started = Instant::now();
        let outcome = send(&client_by(&peer, format, reach)).await;
        assert_eq!(outcome.word(), expected, "{format} {act:?}: {outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{act:?}");
        let told = format!("{outcome:?}");
        assert!(!told.contains("SECRET") && told.len() < 400, "{told}");
    });
    futures_util::future::join_all(rows).await;
    assert_eq!(elsewhere.connections(), 0, "no redirect was followed");
}

#[tokio::test]
async fn case_53_retry_after_is_read_in_every_form() {
    let peer = Peer::start(None).await;
    let client = client(&peer, "standard");
    for (value, expected) in [
        ("120", Some(120)),
        ("0", Some(0)),
        ("Sun, 01 Mar 2026 12:05:00 GMT", Some(300)),
        ("Sunday, 01-Mar-26 12:05:00 GMT", Some(300)),
        ("never", None),
    ] {
        peer.then(answer(429, &format!("retry-after: {value}\r\n"), "slower"));
        assert_eq!(
            send(&client).await,
            Outcome::Deferred {
                code: Some(429),
                text: "429: slower".to_owned(),
                retry_after: expected.map(SignedDuration::from_secs),
            }
        );
    }
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_listens_or_the_name_is_unknown() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let nobody = endpoint(&format!("http://{closed}/T0SECRET"), "standard", LOOPBACK);
    let silent: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    let unknown: Lookup =
        Arc::new(|_| Box::pin(async { Err(std::io::Error::other("no such name")) }));
    let named = endpoint("https://hooks.example/T0SECRET", "standard", &[]);
    for (endpoint, lookup, expected) in [
        (nobody, system_lookup(), "refused"),
        (named.clone(), unknown, "no such name"),
        (named, silent, ""),
    ] {
        let reach = Reach {
            lookup,
            ..impatient(&authority())
        };
        let client = Client::reaching(endpoint, reach).unwrap();
        let outcome = send(&client).await;
        let Outcome::Unreachable { text, .. } = &outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            text.contains(expected) && !text.contains("SECRET"),
            "{text}"
        );
        let probed = client.probe().await.unwrap_err();
        assert!(
            probed.contains(expected) && !probed.contains("SECRET"),
            "{probed}"
        );
    }
}

#[tokio::test]
async fn a_server_that_repeats_the_address_is_not_quoted() {
    let peer = Peer::start(None).await;
    let client = client(&peer, "slack");
    peer.then(answer(404, "", "Cannot POST /hooks/T0SECRET/B0SECRET"));
    let Outcome::Gone {
        code: Some(404),
        text,
    } = send(&client).await
    else {
        panic!("not gone")
    };
    assert_eq!(
        text,
        "404: its words are withheld, as they repeat the address"
    );
    let shown = format!("{:?} {}", client.endpoint(), client.endpoint().url);
    assert!(
        !shown.contains("SECRET") && !shown.contains("MfKQ"),
        "{shown}"
    );
}

#[tokio::test]
async fn tls_is_with_whom_the_system_trusts_and_by_the_right_name() {
    let (ours, other) = (authority(), authority());
    let misnamed = authority_for("hooks.contoso.com");
    for (server, trusted, expected) in [
        (&ours, &ours, "accepted"),
        (&ours, &other, "unreachable"),
        (&misnamed, &misnamed, "unreachable"),
    ] {
        let peer = Peer::start(Some(Arc::clone(&server.server))).await;
        let url = format!("https://{}/T0SECRET", peer.address);
        let endpoint = endpoint(&url, "standard", LOOPBACK);
        let client = Client::reaching(endpoint, reach(trusted)).unwrap();
        let probed = client.probe().await;
        assert!(peer.received().is_empty(), "a probe sends nothing");
        let outcome = send(&client).await;
        assert_eq!(outcome.word(), expected, "{outcome:?}");
        assert_eq!(probed.is_ok(), expected == "accepted", "{probed:?}");
        assert!(!format!("{outcome:?}{probed:?}").contains("SECRET"));
    }
}

/// A private authority is named by `SSL_CERT_FILE`. The environment belongs to the process, so
/// this test runs itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_named_by_the_environment() {
    if let Ok(url) = std::env::var("FORTNIGHT_TEST_PEER") {
        let outcome = send(&Client::new(endpoint(&url, "standard", LOOPBACK)).unwrap()).await;
        assert_eq!(outcome, Outcome::Accepted { code: 200 });
        return;
    }
    let authority = authority();
    let peer = Peer::start(Some(authority.server)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, authority.pem).unwrap();
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "webhooks::a_private_authority_is_named_by_the_environment",
        ])
        .env("FORTNIGHT_TEST_PEER", format!("https://{}/", peer.address))
        .env("SSL_CERT_FILE", &file)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stdout)
    );
    assert_eq!(peer.received().len(), 1);
}

/// Every spelling of addresses that lie elsewhere than on the public internet; `PORT` is that of
/// a server on this machine.
const ELSEWHERE: &[&str] = &[
    "://127.0.0.1:PORT/",
    "://127.0.0.1.:PORT/",
    "://127.1:PORT/",
    "://127.0.1:PORT/",
    "://2130706433:PORT/",
    "://0x7f000001:PORT/",
    "://0x7f.1:PORT/",
    "://0x7f.0.0.1:PORT/",
    "://017700000001:PORT/",
    "://0177.0.0.1:PORT/",
    "://0177.0.0.0x1:PORT/",
    "://127.000.000.001:PORT/",
    "://127.255.255.254:PORT/",
    "://%31%32%37.0.0.1:PORT/",
    "://１２７.0.0.1:PORT/",
    "://127。0。0。1:PORT/",
    "://①②⑦.⓪.⓪.①:PORT/",
    "://user:pass@127.0.0.1:PORT/",
    "://hooks.slack.com@127.0.0.1:PORT/",
    "://127.0.0.1:PORT#@hooks.slack.com/",
    "://127.0.0.1:PORT\\@hooks.slack.com/",
    "://0:PORT/",
    "://0.0.0.0:PORT/",
    "://0x0:PORT/",
    "://[::1]:PORT/",
    "://[0:0:0:0:0:0:0:1]:PORT/",
    "://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/",
    "://[::]:PORT/",
    "://[::ffff:127.0.0.1]:PORT/",
    "://[::ffff:7f00:1]:PORT/",
    "://[0:0:0:0:0:ffff:7f00:0001]:PORT/",
    "://[::127.0.0.1]:PORT/",
    "://[64:ff9b::127.0.0.1]:PORT/",
    "://[64:ff9b::a9fe:a9fe]/",
    "://[64:ff9b:1::10.0.0.1]/",
    "://[2002:7f00:1::]:PORT/",
    "://[2002:a9fe:a9fe::1]/",
    "://[2001:0:102:304::80ff:fffe]/",
    "://[fe80::1]/",
    "://[fe80::1%25eth0]/",
    "://[fe80::1%eth0]/",
    "://[fd00:ec2::254]/",
    "://[fd20:ce::254]/",
    "://[fc00::1]/",
    "://[fec0::1]/",
    "://[ff02::1]/",
    "://[2001:db8::1]/",
    "://[3fff::1]/",
    "://[100::1]/",
    "://[::ffff:169.254.169.254]/",
    "://169.254.169.254/latest/meta-data/",
    "://169.254.169.254.:80/",
    "://2852039166/",
    "://0xa9fea9fe/",
    "://0xA9.0xFE.0xA9.0xFE/",
    "://025177524776/",
    "://0251.0376.0251.0376/",
    "://169.16689662/",
    "://169.254.43518/",
    "://168.63.129.16/",
    "://100.100.100.200/",
    "://192.0.0.192/",
    "://10.0.0.1/",
    "://0xa.1/",
    "://167772161/",
    "://172.16.0.1/",
    "://192.168.0.1/",
    "://3232235521/",
    "://100.64.0.1/",
    "://198.18.0.1/",
    "://192.0.2.1/",
    "://203.0.113.7/",
    "://224.0.0.1/",
    "://240.0.0.1/",
    "://255.255.255.255/",
    "://localhost:PORT/",
    "://LOCALHOST.:PORT/",
    "://127.0.0.1.nip.example:PORT/",
    "://metadata.google.internal/",
    "://mapped.example:PORT/",
    "://mixed.example:PORT/",
    "://private.example/",
];

/// What the names among them lead to.
fn names() -> Lookup {
    Arc::new(|name| {
        let found: &[&str] = match name.trim_end_matches('.') {
            "metadata.google.internal" => &["169.254.169.254", "fd20:ce::254"],
            "mapped.example" => &["::ffff:127.0.0.1", "64:ff9b::7f00:1"],
            "mixed.example" => &["127.0.0.1", "::1", "0.0.0.0"],
            "private.example" => &["10.0.0.1", "192.168.0.1", "fc00::1"],
            _ => &["127.0.0.1", "::1"],
        };
        let found = found.iter().map(|ip| ip.parse().unwrap()).collect();
        Box::pin(async { Ok(found) })
    })
}

#[tokio::test]
async fn what_lies_elsewhere_than_on_the_internet_is_not_dialled() {
    let peer = Peer::start(None).await;
    let authority = authority();
    assert!(ELSEWHERE.len() >= 60);
    for (scheme, rest) in ELSEWHERE
        .iter()
        .flat_map(|rest| [("https", rest), ("http", rest)])
    {
        let url = format!(
            "{scheme}{}",
            rest.replace("PORT", &peer.address.port().to_string())
        );
        let Ok(secret) = SecretUrl::parse(&url) else {
            continue;
        };
        let endpoint = Endpoint {
            url: secret,
            ..endpoint("https://a.example/", "standard", &[])
        };
        let reach = Reach {
            lookup: names(),
            ..reach(&authority)
        };
        let client = match Client::reaching(endpoint, reach) {
            Ok(client) => client,
            Err(ClientError::Endpoint(_)) => continue,
            Err(error) => panic!("{url}: {error}"),
        };
        let outcome = send(&client).await;
        let Outcome::Unreachable { text, .. } = outcome else {
            panic!("{url}: {outcome:?}")
        };
        assert!(
            text.contains("dialled") || text.contains("plain http"),
            "{url}: {text}"
        );
        client.probe().await.unwrap_err();
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn link_local_addresses_stay_out_of_reach_whatever_is_named() {
    let everything = ["0.0.0.0/0", "::/0"];
    for url in [
        "http://169.254.169.254/",
        "https://[fe80::1]/",
        "http://[::ffff:a9fe:a9fe]/",
    ] {
        let endpoint = endpoint(url, "standard", &everything);
        assert!(
            Client::reaching(endpoint, reach(&authority())).is_err(),
            "{url}"
        );
    }
    let endpoint = endpoint("http://metadata.google.internal/", "standard", &everything);
    let reach = Reach {
        lookup: names(),
        ..reach(&authority())
    };
    let outcome = send(&Client::reaching(endpoint, reach).unwrap()).await;
    assert_eq!(outcome.word(), "unreachable");
}

/// The name leads to the named network when it is first asked for, and to this machine afterwards.
#[tokio::test]
async fn a_name_that_changes_its_mind_is_dialled_only_where_it_passed() {
    let peer = Peer::start(None).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let lookup: Lookup = Arc::new(move |_| {
        // A documentation address: nobody answers there, and it is named below.
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let found: IpAddr = if first { "203.0.113.1" } else { "127.0.0.1" }
            .parse()
            .unwrap();
        Box::pin(async move { Ok(vec![found]) })
    });
    let url = format!("http://rebind.example:{}/", peer.address.port());
    let endpoint = endpoint(&url, "standard", &["203.0.113.0/24"]);
    let client = Client::reaching(
        endpoint,
        Reach {
            lookup,
            ..impatient(&authority())
        },
    )
    .unwrap();
    assert_eq!(send(&client).await.word(), "unreachable");
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "what is dialled is what was judged"
    );
    for _ in 0..3 {
        let Outcome::Unreachable { text, .. } = send(&client).await else {
            panic!("dialled")
        };
        assert!(text.contains("this machine"), "{text}");
    }
    assert!(client.probe().await.unwrap_err().contains("this machine"));
    assert_eq!(peer.connections(), 0);
}

/// Proxies of the environment would see the address, and dial what we would not.
#[tokio::test(flavor = "multi_thread")]
async fn proxies_of_the_environment_are_not_used() {
    if let Ok(url) = std::env::var("FORTNIGHT_TEST_PEER") {
        let client = Client::reaching(endpoint(&url, "standard", LOOPBACK), reach(&authority()));
        assert_eq!(
            send(&client.unwrap()).await,
            Outcome::Accepted { code: 200 }
        );
        return;
    }
    let (peer, proxy) = (Peer::start(None).await, Peer::start(None).await);
    let mut run = std::process::Command::new(std::env::current_exe().unwrap());
    run.args([
        "--exact",
        "webhooks::proxies_of_the_environment_are_not_used",
    ]);
    run.env("FORTNIGHT_TEST_PEER", url(&peer));
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        run.env(name, format!("http://{}", proxy.address));
    }
    let run = run.output().unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stdout)
    );
    assert_eq!((peer.received().len(), proxy.connections()), (1, 0));
}
