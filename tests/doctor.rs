//! `doctor` against a broken instance of each part: what it says is what mends it.

use std::process::Output;

use serde_json::Value;

use crate::support::graph::{FakeGraph, Fault, Kind, RetryAfter, SECRET};
use crate::support::program::command;
use crate::support::smtp_peer::{Act, Peer};
use crate::support::world::{World, day};

/// What `doctor` says of each part, and its exit code.
struct Visit {
    code: i32,
    checks: Vec<(String, String, String)>,
}

impl Visit {
    /// What is wrong.
    fn faults(&self) -> Vec<&(String, String, String)> {
        let bad = self
            .checks
            .iter()
            .filter(|(_, verdict, _)| verdict == "bad");
        bad.collect()
    }

    /// What is wrong with the one part that is.
    #[track_caller]
    fn only_fault(&self) -> (&str, &str) {
        let [(part, _, text)] = self.faults()[..] else {
            panic!("{:#?}", self.checks);
        };
        assert_eq!(self.code, 3);
        (part, text)
    }

    #[track_caller]
    fn all_good(&self) {
        assert!(
            self.checks.iter().all(|(_, verdict, _)| verdict == "good"),
            "{:#?}",
            self.checks
        );
        assert_eq!(self.code, 0);
    }
}

fn run(world: &World, arguments: &[&str]) -> Output {
    command(world, arguments).env_clear().output().unwrap()
}

fn doctor(world: &World) -> Visit {
    let output = run(world, &["doctor", "--format", "json"]);
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    Visit {
        code: output.status.code().unwrap(),
        checks: checks
            .iter()
            .map(|check| {
                (
                    text(check, "part"),
                    text(check, "verdict"),
                    text(check, "text"),
                )
            })
            .collect(),
    }
}

fn tenant() -> World {
    let mut world = World::on_graph(&["ana"]);
    world.export(day(0));
    world
}

#[test]
fn a_tenant_in_which_everything_works() {
    let world = tenant();
    let visit = doctor(&world);
    visit.all_good();
    let parts: Vec<&str> = visit
        .checks
        .iter()
        .map(|(part, _, _)| part.as_str())
        .collect();
    assert_eq!(
        parts,
        [
            "database",
            "Graph: token",
            "Graph: users",
            "Graph: registration report",
            "Graph: sign-ins",
            "Graph: audit events",
            "Graph: group \"Emergency\"",
            "clock",
            "mail",
        ]
    );
}

#[test]
fn the_example_tenant_works_as_it_stands() {
    let graph = FakeGraph::start();
    graph.load_sample();
    let mut world = World::told_by(Some(graph.clone()), &[]);
    let example = std::fs::read_to_string("examples/tenant/fortnight.toml").unwrap();
    world.configuration = example.replace("http://127.0.0.1:8400", graph.url());
    let secret = world.folder().join("graph-secret");
    crate::support::write_secret(
        secret,
        std::fs::read("examples/tenant/graph-secret").unwrap(),
    );
    doctor(&world).all_good();
    let output = run(&world, &["cycle", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["read"]["users"], 26);
    assert!(report["windows"]["opened"].as_u64() > Some(0), "{report}");
    assert_eq!(check(&world).0, 0);
}

#[test]
fn case_64_a_secret_that_is_wrong_or_has_expired() {
    let world = tenant();
    let graph = world.graph.clone().unwrap();
    let secret = world.folder().join("graph-secret");
    crate::support::write_secret(&secret, "the-id-of-the-secret");
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "Graph: token");
    assert!(text.contains("copy its value (not its id)"), "{text}");
    assert!(!text.contains("the-id-of-the-secret"));
    assert!(
        visit
            .checks
            .iter()
            .any(|(_, verdict, _)| verdict == "not_tried")
    );
    crate::support::write_secret(&secret, SECRET);
    doctor(&world).all_good();

    graph.refuse_tokens(Some(7_000_222));
    let visit = doctor(&world);
    assert!(visit.only_fault().1.contains("has expired: add a new one"));
}

#[test]
fn a_permission_or_a_licence_that_is_missing() {
    for (permission, parts) in [
        ("User.Read.All", 1),
        ("GroupMember.Read.All", 1),
        ("AuditLog.Read.All", 3),
    ] {
        let world = tenant();
        let graph = world.graph.clone().unwrap();
        graph.revoke_permission(permission);
        let visit = doctor(&world);
        let bad = visit.faults();
        assert_eq!(bad.len(), parts, "{bad:#?}");
        for (_, _, text) in bad {
            assert!(
                text.contains(&format!("grant the application permission {permission}")),
                "{text}"
            );
        }
        graph.grant_permission(permission);
        doctor(&world).all_good();
    }
    let world = tenant();
    let graph = world.graph.clone().unwrap();
    graph.set_licensed(false);
    let visit = doctor(&world);
    let bad = visit.faults();
    assert_eq!(bad.len(), 3, "{bad:#?}");
    assert!(
        bad.iter()
            .all(|(_, _, text)| text.contains("P1 or P2 licence")),
        "{bad:#?}"
    );
    graph.set_licensed(true);
    doctor(&world).all_good();
}

#[test]
fn a_group_that_is_not_found_or_hides_its_members() {
    let mut world = tenant();
    let graph = world.graph.clone().unwrap();
    world.change("groups = [\"Emergency\"]", "groups = [\"Emergncy\"]");
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "Graph: group \"Emergncy\"");
    assert!(text.contains("mend the name in the policy"), "{text}");
    world.change("groups = [\"Emergncy\"]", "groups = [\"Emergency\"]");
    doctor(&world).all_good();

    let id = "0a0a0a0a-0000-4000-8000-000000000000";
    graph.hide_members(id, true);
    let visit = doctor(&world);
    let (_, text) = visit.only_fault();
    assert!(text.contains("Member.Read.Hidden"), "{text}");
    graph.hide_members(id, false);
    graph.put_group("0a0a0a0a-0000-4000-8000-000000000009", "Emergency", &[]);
    let visit = doctor(&world);
    let (_, text) = visit.only_fault();
    assert!(
        text.contains("2 groups have this name: name the one by its object id"),
        "{text}"
    );
    world.change("groups = [\"Emergency\"]", &format!("groups = [\"{id}\"]"));
    doctor(&world).all_good();
}

/// What `check` says, without the folder of this very run, whose length also decides where lines
/// are broken.
fn check(world: &World) -> (i32, String) {
    let output = run(world, &["check"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let folder = world.folder().display().to_string();
    (
        output.status.code().unwrap(),
        said.replace(&folder, "FOLDER").replace("\n  │ ", " "),
    )
}

#[test]
fn a_group_is_unknown_to_check_until_a_pass_has_asked_for_it() {
    let mut world = tenant();
    let pass = ["cycle", "--as-of", &day(0).to_string()];
    assert_eq!(run(&world, &pass).status.code(), Some(0));
    assert_eq!(check(&world).0, 0);

    let graph = world.graph.clone().unwrap();
    graph.put_group("0a0a0a0a-0000-4000-8000-000000000009", "Robots", &[]);
    world.change("[\"Emergency\"]", "[\"Emergency\", \"Robots\", \"Sales\"]");
    let (code, said) = check(&world);
    assert_eq!(code, 0);
    insta::assert_snapshot!(said, @r#"
      ⚠ FOLDER/fortnight.toml:21:36: policy everyone: exclude.groups names "Robots", which is not known yet
        ╭────
     21 │ exclude = { groups = ["*********", "******", "*****"] }
        ·                                    ────────
        ╰────
      help: the next pass looks it up; `fortnight doctor` does so now
      ⚠ FOLDER/fortnight.toml:21:46: policy everyone: exclude.groups names "Sales", which is not known yet
        ╭────
     21 │ exclude = { groups = ["*********", "******", "*****"] }
        ·                                              ───────
        ╰────
      help: the next pass looks it up; `fortnight doctor` does so now
    FOLDER/fortnight.toml: one policy
    passes: At every 10 minutes.
    mode: flag: nothing in Entra follows; mails ask, and the service desk follows up
    the configuration is good
    "#);
    let status = run(&world, &["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("\"Robots\", which is not known yet"));

    // A pass asks for both, and one of them there is not.
    assert_eq!(run(&world, &pass).status.code(), Some(3));
    let (code, said) = check(&world);
    assert_eq!(code, 0);
    insta::assert_snapshot!(said, @r#"
      ⚠ FOLDER/fortnight.toml:21:46: policy everyone: exclude.groups names "Sales", which matches nothing
        ╭────
     21 │ exclude = { groups = ["*********", "******", "*****"] }
        ·                                              ───────
        ╰────
      help: mend the name, or remove it: under this policy nobody is flagged until then
    FOLDER/fortnight.toml: one policy
    passes: At every 10 minutes.
    mode: flag: nothing in Entra follows; mails ask, and the service desk follows up
    the configuration is good
    "#);
}

#[test]
fn a_person_whom_the_policy_names_and_nobody_knows() {
    let mut world = tenant();
    world.change(
        "{ groups",
        "{ users = [\"breakglass@contoso.example\"], groups",
    );
    doctor(&world).all_good();
    world.change("breakglass@", "break-glass@");
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "Graph: user \"break-glass@contoso.example\"");
    assert!(text.contains("mend the name in the policy"), "{text}");
}

#[test]
fn a_service_that_has_no_time_or_is_not_well() {
    let world = tenant();
    let graph = world.graph.clone().unwrap();
    for (fault, said) in [
        (Fault::Busy(429, RetryAfter::Text("7")), "try again in 7 s"),
        (
            Fault::Status(503, "serviceNotAvailable"),
            "try again in some minutes",
        ),
    ] {
        graph.break_down(Kind::SignIns, fault);
        let visit = doctor(&world);
        let (part, text) = visit.only_fault();
        assert_eq!(part, "Graph: sign-ins");
        assert!(text.contains(said) && !text.contains("next pass"), "{text}");
        graph.mend(Kind::SignIns);
    }
}

#[test]
fn an_identity_platform_that_is_not_there() {
    let mut world = tenant();
    let url = world.graph.as_ref().unwrap().url().to_owned();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    world.change(
        &format!("authority_url = \"{url}\""),
        &format!("authority_url = \"http://{nobody}\""),
    );
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "Graph: token");
    assert!(
        text.contains(&format!(
            "cannot reach http://{nobody} for a token: check directory.graph.authority_url"
        )),
        "{text}"
    );
}

#[test]
fn a_database_and_a_folder_that_cannot_be_written() {
    let mut world = tenant();
    world.change("sqlite:fortnight.db", "sqlite:nowhere/fortnight.db");
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "database");
    assert!(text.contains("does not exist: make it"), "{text}");
    std::fs::create_dir(world.folder().join("nowhere")).unwrap();
    doctor(&world).all_good();

    let mut world = tenant();
    std::fs::write(
        world.database(),
        "this is no database, but long enough to look like one",
    )
    .unwrap();
    let visit = doctor(&world);
    assert_eq!(visit.only_fault().0, "database");
    std::fs::remove_file(world.database()).unwrap();
    std::fs::write(world.folder().join("file"), "").unwrap();
    world.change("path = \"outbox\"", "path = \"file/outbox\"");
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "mail");
    assert!(text.contains("check that the folder exists"), "{text}");
}

/// A world that mails over this server.
fn by_smtp(peer: &Peer, keys: &str) -> World {
    let mut world = tenant();
    let port = peer.address.port();
    world.change("transport = \"file\"", "transport = \"smtp\"");
    world.change(
        "[email.file]\npath = \"outbox\"\n",
        &format!("[email.smtp]\nhost = \"127.0.0.1\"\nport = {port}\n{keys}"),
    );
    crate::support::write_secret(world.folder().join("password"), "secret-word");
    world
}

/// What is wrong with the mail server.
async fn wrong(world: World) -> (World, String) {
    tokio::task::spawn_blocking(move || {
        let visit = doctor(&world);
        let (part, text) = visit.only_fault();
        assert_eq!(part, "mail");
        let text = text.to_owned();
        (world, text)
    })
    .await
    .unwrap()
}

async fn good(world: World) {
    tokio::task::spawn_blocking(move || doctor(&world).all_good())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_turns_us_away() {
    let login = "tls = \"none\"\nusername = \"ana\"\npassword_file = \"password\"\n";
    let peer = Peer::start(&["AUTH PLAIN"]).await;
    let (mut world, text) = wrong(by_smtp(&peer, "tls = \"starttls\"\n")).await;
    assert!(
        text.contains("offers no STARTTLS") && text.contains("tls = \"implicit\""),
        "{text}"
    );
    world.change("tls = \"starttls\"", "tls = \"none\"");
    good(world).await;

    let (_, text) = wrong(by_smtp(&peer, "tls = \"implicit\"\n")).await;
    assert!(text.contains("say tls = \"starttls\""), "{text}");

    peer.on("AUTH", Act::Say("535 5.7.8 no\r\n"));
    let (world, text) = wrong(by_smtp(&peer, login)).await;
    assert!(
        text.contains("check email.smtp.username and its password"),
        "{text}"
    );
    good(world).await;

    let tokens = Peer::start(&["AUTH XOAUTH2"]).await;
    // The first visit takes one for Graph, the second one for Graph and one for mail.
    tokens.accept_tokens(&["token-3-of-29"]);
    let (mut world, text) = wrong(by_smtp(&tokens, login)).await;
    assert!(text.contains("auth = \"xoauth2\""), "{text}");
    world.change("password_file = \"password\"", "auth = \"xoauth2\"");
    good(world).await;

    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut world = by_smtp(&peer, login);
    world.change(
        &format!("port = {}", peer.address.port()),
        &format!("port = {}", nobody.port()),
    );
    let (_, text) = wrong(world).await;
    assert!(text.contains("check email.smtp.host and port"), "{text}");
}

/// What a pass would not read is no good export, and says nothing about names.
#[test]
fn exports_are_judged_as_a_pass_reads_them() {
    let now = fortnight::time::Clock::system().now();
    let mut world = World::of(&["ana"]);
    world.crowd("person", 20);
    world.export(now);
    doctor(&world).all_good();
    let path = world.tenant().join("users.json");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let visit = doctor(&world);
    assert_eq!(visit.only_fault().0, "users");
    std::fs::write(&path, whole).unwrap();
    // Of two editions the newer one counts, however old the other is.
    std::fs::rename(&path, world.tenant().join("users_2026-01-04.json")).unwrap();
    let today = now.to_string()[..10].to_owned();
    world.write(&format!("users_{today}.json"), world.user_rows(), now);
    doctor(&world).all_good();
    // Which of two is the newer nobody can say.
    world.write("users-again.json", world.user_rows(), now);
    assert_eq!(doctor(&world).only_fault().0, "users");
}

/// A name is not to be mended because its export is missing.
#[test]
fn names_whose_export_is_missing_are_not_known_and_not_to_be_removed() {
    let now = fortnight::time::Clock::system().now();
    let mut world = World::of(&["ana"]);
    world.export(now);
    std::fs::remove_file(world.tenant().join("groups.json")).unwrap();
    let check = run(&world, &["check", "--strict"]);
    let said = String::from_utf8_lossy(&check.stdout);
    assert_eq!(check.status.code(), Some(3), "{said}");
    // Lines are broken where they would be too long.
    let words: Vec<&str> = said
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    let words = words.join(" ");
    for part in [
        "\"Emergency\", which is not known yet",
        "has no groups file",
    ] {
        assert!(words.contains(part), "{said}");
    }
    assert!(!words.contains("mend the name"), "{said}");
    run(&world, &["cycle"]);
    let status = run(&world, &["status"]);
    let said = String::from_utf8_lossy(&status.stdout);
    assert!(
        said.contains("which is not known yet: groups could not be read"),
        "{said}"
    );
    assert!(
        !said.contains("matches nothing") && !said.contains("Mend the name"),
        "{said}"
    );
}

#[test]
fn sign_ins_that_prompt_nobody_are_said_to_open_nothing() {
    let now = fortnight::time::Clock::system().now();
    let mut world = World::of(&["ana"]);
    world.sign_in("ana", now);
    world.export(now);
    let name = world.tenant().join("sign-ins-0001.json");
    std::fs::rename(name, world.tenant().join("NonInteractiveSignIns_x.json")).unwrap();
    let visit = doctor(&world);
    let said = |text: &str| text.contains("no window opens before the interactive ones");
    assert!(
        visit.checks.iter().any(|(_, _, text)| said(text)),
        "{:#?}",
        visit.checks
    );
    assert_eq!(visit.code, 0);
    run(&world, &["cycle"]);
    for command in ["check", "status"] {
        let output = run(&world, &[command]);
        assert!(said(&String::from_utf8_lossy(&output.stdout)), "{command}");
        assert_eq!(output.status.code(), Some(0), "{command}");
    }
}
