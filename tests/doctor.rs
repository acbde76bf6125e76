//! `doctor` against a broken instance of each part: what it says is what mends it.

use std::process::Output;

use serde_json::Value;

use crate::support::graph::{FakeGraph, Fault, Kind, RetryAfter, SECRET};
use crate::support::program::{command, missing};
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
        let sound = ["good", "not_looked_at"];
        let mut verdicts = self.checks.iter().map(|(_, verdict, _)| verdict.as_str());
        assert!(
            verdicts.all(|verdict| sound.contains(&verdict)),
            "{:#?}",
            self.checks
        );
        assert_eq!(self.code, 0);
    }

    /// The one warning: it changes no exit code.
    #[track_caller]
    fn only_warning(&self) -> (&str, &str) {
        let warnings = self
            .checks
            .iter()
            .filter(|(_, verdict, _)| verdict == "warning");
        let [(part, _, text)] = warnings.collect::<Vec<_>>()[..] else {
            panic!("{:#?}", self.checks);
        };
        assert_eq!(
            (self.code, self.faults().len()),
            (0, 0),
            "{:#?}",
            self.checks
        );
        (part, text)
    }

    #[track_caller]
    fn of(&self, part: &str) -> (&str, &str) {
        let found = self.checks.iter().find(|(one, _, _)| one == part);
        let (_, verdict, text) = found.unwrap_or_else(|| panic!("{part}: {:#?}", self.checks));
        (verdict, text)
    }
}

fn run(world: &World, arguments: &[&str]) -> Output {
    command(world, arguments).env_clear().output().unwrap()
}

fn doctor(world: &World) -> Visit {
    doctor_with(world, &[])
}

fn doctor_with(world: &World, more: &[&str]) -> Visit {
    let output = run(world, &[&["doctor", "--format", "json"], more].concat());
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
            "Graph: security defaults",
            "Graph: registration policy",
            "Graph: methods policy",
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
        crate::support::without_next_pass(&said.replace(&folder, "FOLDER").replace("\n  │ ", " ")),
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
    policy everyone  on: people are told, and flagged after the deadline; 1 person in, 1 excluded
      window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
    enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
    mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
    schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
    FOLDER/fortnight.toml: the configuration is good, with 2 warnings
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
    policy everyone  on: people are told, and flagged after the deadline; 1 person in, 1 excluded
      window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
    enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
    mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
    schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
    FOLDER/fortnight.toml: the configuration is good, with one warning
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
    assert!(text.contains("there is no folder"), "{text}");
}

#[test]
fn what_the_user_whose_the_database_is_cannot_write_is_named_with_its_remedy() {
    const SERVICE: u32 = 61_234;
    let world = tenant();
    if std::os::unix::fs::chown(world.folder(), Some(SERVICE), Some(SERVICE)).is_err() {
        missing("root");
        return;
    }
    assert!(run(&world, &["cycle"]).status.success());
    doctor(&world).all_good();
    for name in ["fortnight.db", "fortnight.db.lock", "outbox"] {
        let path = world.folder().join(name);
        std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    }
    let visit = doctor(&world);
    let (part, text) = visit.only_fault();
    assert_eq!(part, "owners");
    let at = |name: &str| world.folder().join(name).display().to_string();
    let remedy = format!(
        "chown {SERVICE}:{SERVICE} {} {} {}",
        at("fortnight.db"),
        at("fortnight.db.lock"),
        at("outbox")
    );
    assert!(text.ends_with(&remedy), "{text}");
    // In a folder of root's, all is to be whose the database is.
    for name in ["", "fortnight.db.outcomes"] {
        std::os::unix::fs::chown(world.folder().join(name), Some(0), Some(0)).unwrap();
    }
    doctor(&world).all_good();
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
    // Each visit takes two for Graph, since the first permits no look at security defaults; the second visit
    // takes one for mail.
    tokens.accept_tokens(&["token-5-of-29"]);
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
    // A row that a pass puts aside leaves the others good.
    let mut rows = world.user_rows();
    rows.push(serde_json::json!({ "id": "0f0e0d0c-0000-4000-8000-00000000ffff" }));
    world.write("users.json", rows, now);
    let visit = doctor(&world);
    visit.all_good();
    let users = visit.checks.iter().find(|(part, ..)| part == "users");
    let (_, _, text) = users.unwrap();
    assert!(
        text.contains("; but one row would be put aside (users.json, line "),
        "{text}"
    );
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

#[test]
fn what_else_asks_in_the_tenant_is_said_as_far_as_it_can_be_seen() {
    let world = tenant();
    let graph = world.graph.clone().unwrap();
    let visit = doctor(&world);
    visit.all_good();
    let (verdict, text) = visit.of("Graph: security defaults");
    assert_eq!(verdict, "not_looked_at");
    assert!(text.contains("that takes Policy.Read.All"), "{text}");
    graph.grant_permission("Policy.Read.All");
    graph.expire_tokens();
    assert_eq!(
        doctor(&world).of("Graph: security defaults"),
        ("good", "they are off")
    );
    graph.set_security_defaults(true);
    let visit = doctor(&world);
    let (part, text) = visit.only_warning();
    assert_eq!(part, "Graph: security defaults");
    assert!(text.contains("at the next sign-in"), "{text}");
    graph.set_security_defaults(false);

    let now = fortnight::time::Clock::system().now();
    let edited = |id: &str, days: i64, service: &str, activity: &str| {
        let at = now - jiff::SignedDuration::from_hours(24 * days);
        graph.add_audit(serde_json::json!({
            "id": id, "activityDateTime": at.to_string(), "loggedByService": service, "category": "Policy",
            "activityDisplayName": activity, "result": "success", "targetResources": [],
        }));
        at.strftime("%Y-%m-%d").to_string()
    };
    graph.set_now(now);
    let activity = "Update User Risk and MFA Registration Policy";
    edited("1", 9, "AAD Management UX", activity);
    let newest = edited("2", 3, "AAD Management UX", activity);
    let campaign = edited(
        "3",
        4,
        "Authentication Methods",
        "Authentication Methods Policy Update",
    );
    let visit = doctor(&world);
    let (part, text) = visit.only_warning();
    assert_eq!(part, "Graph: registration policy");
    assert!(
        text.contains(&newest) && text.contains("a clock of its own"),
        "{text}"
    );
    let (verdict, text) = visit.of("Graph: methods policy");
    assert_eq!(verdict, "good");
    assert!(text.contains(&campaign), "{text}");
}

#[test]
fn a_group_without_members_is_told_by_name() {
    let mut world = tenant();
    let graph = world.graph.clone().unwrap();
    graph.put_group("0a0a0a0a-0000-4000-8000-000000000009", "Robots", &[]);
    world.change("[\"Emergency\"]", "[\"Emergency\", \"Robots\"]");
    let visit = doctor(&world);
    let (part, text) = visit.only_warning();
    assert_eq!(part, "Graph: group \"Robots\"");
    assert!(
        text.contains("the group \"Robots\" has no members"),
        "{text}"
    );

    let now = fortnight::time::Clock::system().now();
    let mut world = World::of(&["ana"]);
    world.export(now);
    let group = |n: u8, name: &str, members: Value| serde_json::json!({ "id": format!("0a0a0a0a-0000-4000-8000-00000000000{n}"), "displayName": name, "members": members });
    let ana = serde_json::json!([{ "@odata.type": "#microsoft.graph.user", "id": world.id("ana").as_str() }]);
    // Below it is a circle of groups, and nobody.
    let inner = serde_json::json!([{ "@odata.type": "#microsoft.graph.group", "id": "0a0a0a0a-0000-4000-8000-000000000002" }]);
    let rows = vec![group(1, "Emergency", ana), group(2, "Robots", inner)];
    world.write("groups.json", rows, now);
    world.change("[\"Emergency\"]", "[\"Emergency\", \"Robots\"]");
    let visit = doctor(&world);
    let (part, text) = visit.only_warning();
    assert_eq!(part, "members");
    assert!(
        text.contains("the group \"Robots\" has no members"),
        "{text}"
    );
    let (code, said) = check(&world);
    assert_eq!(code, 0);
    assert!(
        said.contains("note: the group \"Robots\" has no members"),
        "{said}"
    );
}

/// The age of what exports hold is measured against the rehearsed time, before the first pass and after.
#[test]
fn a_rehearsal_measures_the_age_of_exports_against_its_own_time() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let visit = doctor(&world);
    assert_eq!(visit.code, 3);
    assert!(visit.of("users").1.contains("too old to flag anybody"));
    let later = (day(0) + jiff::SignedDuration::from_hours(5)).to_string();
    for passes in 0..2 {
        let visit = doctor_with(&world, &["--as-of", &later]);
        visit.all_good();
        insta::allow_duplicates! {
            insta::assert_snapshot!(visit.of("users").1, @"users.json: as of Mon 2026-01-05 01:00 CET, 5 hours old");
            insta::assert_snapshot!(visit.of("registration").1, @"registration.json: as of Mon 2026-01-05 01:00 CET, 5 hours old; it proves who had registered by Mon 2026-01-05 01:00 CET");
        }
        if passes == 0 {
            run(&world, &["cycle", "--as-of", &day(0).to_string()]);
        }
    }
    // A day is its midnight where people are.
    doctor_with(&world, &["--as-of", "2026-01-06"]).all_good();
    assert_eq!(doctor_with(&world, &["--as-of", "2026-01-08"]).code, 3);
    let output = run(&world, &["doctor", "--as-of", "26-01-05"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("2026-01-31T07:00:00Z") && said.contains("  fortnight doctor --as-of"),
        "{said}"
    );
}

/// What is done to the exports, or to the configuration.
type Harm = fn(&mut World);

/// Whatever is wrong with exports: `doctor`, `check` and a pass say it of the same part.
#[test]
fn doctor_check_and_a_pass_agree() {
    let now = fortnight::time::Clock::system().now();
    let harms: [(&str, &str, &str, Harm); 6] = [
        ("nothing", "", "", |_| {}),
        ("users cut off", "users", "cut off", |world| {
            let path = world.tenant().join("users.json");
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        }),
        (
            "no registration",
            "registration",
            "no registration file",
            |world| {
                std::fs::remove_file(world.tenant().join("registration.json")).unwrap();
            },
        ),
        ("no groups", "groups", "no groups file", |world| {
            std::fs::remove_file(world.tenant().join("groups.json")).unwrap();
        }),
        ("a name of nobody", "names", "matches nothing", |world| {
            world.change("[\"Emergency\"]", "[\"Emergncy\"]");
        }),
        ("a name of nobody", "names", "matches nothing", |world| {
            world.change("{ groups", "{ users = [\"nobody@contoso.example\"], groups");
        }),
    ];
    for (what, part, said, harm) in harms {
        let mut world = World::of(&["ana"]);
        world.export(now);
        harm(&mut world);
        let visit = doctor(&world);
        let bad: Vec<&str> = visit
            .faults()
            .iter()
            .map(|(part, _, _)| part.as_str())
            .collect();
        let pass = run(&world, &["cycle", "--dry-run"]);
        let told = String::from_utf8([pass.stdout, pass.stderr].concat()).unwrap();
        if part.is_empty() {
            assert!(bad.is_empty(), "{what}: {bad:?}");
            assert_eq!(pass.status.code(), Some(0), "{what}: {told}");
            assert_eq!(run(&world, &["check", "--strict"]).status.code(), Some(0));
            continue;
        }
        assert!(bad.contains(&part), "{what}: {bad:?}");
        assert_eq!(
            (visit.code, pass.status.code()),
            (3, Some(3)),
            "{what}: {told}"
        );
        assert!(told.contains(said), "{what}: {told}");
        let strays = run(&world, &["check", "--strict"]);
        let has_strays = ["names", "groups"].contains(&part);
        assert_eq!(
            strays.status.code(),
            Some(if has_strays { 3 } else { 0 }),
            "{what}"
        );
        // It reads no registration report; and lines are broken where they would be too long.
        let checked = String::from_utf8_lossy(&strays.stdout).replace("\n  │ ", " ");
        assert!(
            part == "registration" || checked.contains(said),
            "{what}: {checked}"
        );
    }
}

#[test]
fn a_certificate_that_ends_is_told_before_and_after() {
    let host = fortnight::time::Clock::system().now();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    for (days, verdict, said) in [
        (400, "good", "good until"),
        (10, "warning", "it ends on"),
        (-1, "bad", "it ended on"),
    ] {
        let ends = host + jiff::SignedDuration::from_hours(24 * days);
        let ends = ends.to_zoned(jiff::tz::TimeZone::UTC).date();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let [month, day] = [ends.month(), ends.day()].map(|number| u8::try_from(number).unwrap());
        parameters.not_after = rcgen::date_time_ymd(ends.year().into(), month, day);
        let certificate = parameters.self_signed(&key).unwrap();
        let mut world = tenant();
        world.change(
            "client_secret_file = \"graph-secret\"\n",
            "certificate_file = \"app.pem\"\nprivate_key_file = \"app.key\"\n",
        );
        std::fs::write(world.folder().join("app.pem"), certificate.pem()).unwrap();
        crate::support::write_secret(world.folder().join("app.key"), key.serialize_pem());
        let graph = world.graph.clone().unwrap();
        graph.upload_certificate(certificate.der(), &key.public_key_pem());
        let visit = doctor(&world);
        let (found, text) = visit.of("Graph: certificate");
        assert_eq!(found, verdict, "{text}");
        assert!(
            text.contains(said) && text.contains(&ends.to_string()),
            "{text}"
        );
        assert_eq!(visit.code, if verdict == "bad" { 3 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_online_has_remedies_of_its_own() {
    let by_token = "tls = \"none\"\nusername = \"identity@contoso.example\"\nauth = \"xoauth2\"\n";
    let by_password = "tls = \"none\"\nusername = \"ana\"\npassword_file = \"password\"\n";
    for (keys, reply, remedy) in [
        (
            by_token,
            "535 5.7.3 Authentication unsuccessful\r\n",
            "New-ServicePrincipal with the object id of the enterprise application",
        ),
        (
            by_token,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.\r\n",
            "off for the whole organisation",
        ),
        (
            by_token,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.\r\n",
            "off for this mailbox",
        ),
        (
            by_token,
            "535 5.7.139 Authentication unsuccessful\r\n",
            "refuses the mailbox",
        ),
        (
            by_password,
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.\r\n",
            "say auth = \"xoauth2\"",
        ),
        (
            by_password,
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.\r\n",
            "security defaults take no password",
        ),
        (
            by_password,
            "454 4.7.0 Temporary authentication failure\r\n",
            "try again in some minutes",
        ),
        (
            by_password,
            "535 5.7.3 Authentication unsuccessful\r\n",
            "check email.smtp.username and its password",
        ),
    ] {
        let peer = Peer::start(&["AUTH XOAUTH2 PLAIN"]).await;
        peer.on("AUTH", Act::Say(reply));
        let (_, text) = wrong(by_smtp(&peer, keys)).await;
        assert!(text.contains(remedy), "{reply}: {text}");
    }
}
