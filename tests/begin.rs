//! The first minutes: `init` writes a configuration that `check` accepts, `check` says what it would do, and
//! `config` shows what counts.

use std::path::Path;
use std::process::{Command, Output};

use fortnight::config::reference;
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::program::command;
use crate::support::world::{World, day};

/// A folder in which nothing is yet.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
        command
            .current_dir(self.0.path())
            .env_clear()
            .env("TZ", "Europe/Vienna")
            .args(words.split(' '));
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path("fortnight.toml")).unwrap()
    }
}

/// Code, stdout and stderr.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

const ANSWERS: &str = "--exclude breakglass1@contoso.com --exclude breakglass2@contoso.com --from identity@contoso.com";

#[test]
fn what_init_writes_is_report_only_and_passes_check() {
    let desk = Desk::new();
    let (code, out, err) = said(&desk.run(&format!("init {ANSWERS}")));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(out, @r#"
    fortnight.toml is written: report-only, so that everything is decided and shown and nobody is told. Times are those of Europe/Vienna.
    The folder of exports, tenant, was missing and is made: put users, registration and sign-ins there; docs/exports.md says where to get them and what they are called.
    Next:
      fortnight check                 what it would do
      fortnight doctor                tries every outside part
      fortnight cycle --dry-run       a whole pass that writes and sends nothing
    "#);
    let table: toml::Table = desk.text().parse().unwrap();
    assert_eq!(table["timezone"].as_str(), Some("Europe/Vienna"));
    assert_eq!(table["policy"][0]["enforce"].as_str(), Some("report-only"));
    let (code, out, err) = said(&desk.run("check"));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let (code, out, _) = said(&desk.run("doctor"));
    assert_eq!(code, Some(3), "there are no exports yet: {out}");
}

#[test]
fn nothing_is_ever_overwritten() {
    let desk = Desk::new();
    for path in ["fortnight.toml", "other.toml"] {
        std::fs::write(desk.path(path), "mine").unwrap();
    }
    std::os::unix::fs::symlink("nowhere", desk.path("link.toml")).unwrap();
    for (words, path) in [
        ("init", "fortnight.toml"),
        ("--config other.toml init", "other.toml"),
        ("--config link.toml init", "link.toml"),
    ] {
        let (code, _, err) = said(&desk.run(&format!("{words} {ANSWERS}")));
        assert_eq!(code, Some(2));
        assert!(err.contains(&format!("{path} is there already")), "{err}");
    }
    assert_eq!(desk.text(), "mine");
    assert!(!desk.path("nowhere").exists() && !desk.path("tenant").exists());
}

#[test]
fn what_is_missing_is_told_at_once_with_an_example() {
    let desk = Desk::new();
    let (code, _, err) = said(&desk.run("init"));
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(err, @r"
    fortnight: no terminal to ask on: --exclude, --from must be given

    Examples:
      fortnight init --source files --folder tenant --exclude breakglass1@contoso.com --from identity@contoso.com --timezone Europe/Berlin
      fortnight init --source graph --tenant-id contoso.com --client-id 00000000-0000-0000-0000-000000000000 --exclude breakglass1@contoso.com --from identity@contoso.com
    ");
    let (code, _, err) = said(&desk.run("init --source graph"));
    assert_eq!(code, Some(2));
    assert!(
        err.contains("--tenant-id, --client-id, --exclude, --from must be given"),
        "{err}"
    );
    for (wrong, why) in [
        ("--from nobody", "--from: this is no mailbox"),
        ("--timezone Europe/Bärlin", "there is no such time zone"),
        ("--source graph --folder x", "--folder is of --source files"),
    ] {
        let (code, _, err) = said(&desk.run(&format!("init --exclude a@contoso.com {wrong}")));
        assert_eq!(code, Some(2));
        assert!(
            err.contains(why) && err.contains("  fortnight init --source"),
            "{err}"
        );
    }
    assert!(!desk.path("fortnight.toml").exists());
}

#[test]
fn a_machine_without_a_zone_is_told_of() {
    for zone in ["Somewhere/Else", "CET-1CEST"] {
        let desk = Desk::new();
        let mut command = desk.command(&format!("init {ANSWERS}"));
        let (code, out, _) = said(&command.env("TZ", zone).output().unwrap());
        assert_eq!(code, Some(0));
        let said = "Times are those of UTC.\nnote: this machine does not say which time zone";
        assert!(out.contains(said), "{out}");
    }
}

#[test]
fn a_file_is_no_folder_of_exports() {
    let desk = Desk::new();
    std::fs::write(desk.path("exports"), "").unwrap();
    let (code, _, err) = said(&desk.run(&format!("init --folder exports {ANSWERS}")));
    assert_eq!(code, Some(2));
    assert!(err.contains("exports is no folder"), "{err}");
    assert!(!desk.path("fortnight.toml").exists());
}

#[test]
fn what_may_be_left_out_is_written_where_it_is_given() {
    let desk = Desk::new();
    let wished = "--operators oncall@contoso.com --operators desk@contoso.com --organisation Contoso --help-text 4711";
    let (code, _, err) = said(&desk.run(&format!("init {ANSWERS} {wished}")));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let table: toml::Table = desk.text().parse().unwrap();
    let email = &table["email"];
    assert_eq!(email["operators"].as_array().unwrap().len(), 2);
    assert_eq!(email["organisation"].as_str(), Some("Contoso"));
    assert_eq!(email["help"].as_str(), Some("4711"));
    let (code, _, err) = said(&desk.run("check"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn a_configuration_for_graph_names_who_asks() {
    let desk = Desk::new();
    let graph = format!(
        "init --source graph --tenant-id contoso.com --client-id 0a --timezone UTC {ANSWERS}"
    );
    let (code, out, err) = said(&desk.run(&graph));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.contains("Write the client secret into graph-secret first"),
        "{out}"
    );
    let (code, _, err) = said(&desk.run("check"));
    assert_eq!(code, Some(2));
    assert!(
        err.contains("one fault in the configuration") && err.contains("client_secret_file"),
        "{err}"
    );
    crate::support::write_secret(desk.path("graph-secret"), "a secret");
    let (code, out, err) = said(&desk.run("check"));
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
}

#[test]
fn exports_elsewhere_are_named_as_the_file_sees_them() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("etc")).unwrap();
    std::fs::create_dir(desk.path("exports")).unwrap();
    std::fs::write(desk.path("exports/users.json"), "[]").unwrap();
    let (code, out, err) = said(&desk.run(&format!(
        "--config etc/fortnight.toml init --folder exports {ANSWERS}"
    )));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!out.contains("The folder of exports"), "{out}");
    assert!(
        out.contains("fortnight check --config etc/fortnight.toml"),
        "{out}"
    );
    let text = std::fs::read_to_string(desk.path("etc/fortnight.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let folder = Path::new(table["directory"]["files"]["path"].as_str().unwrap());
    let exports = desk.path("exports").canonicalize().unwrap();
    assert_eq!(folder.canonicalize().unwrap(), exports);
}

/// What a program says in a world, without the folder of this very run.
fn told(world: &World, words: &[&str]) -> (Option<i32>, String, String) {
    let output = command(world, words).env_clear().output().unwrap();
    let (code, out, err) = said(&output);
    let folder = world.folder().display().to_string();
    (
        code,
        out.replace(&folder, "FOLDER"),
        err.replace(&folder, "FOLDER"),
    )
}

/// `check` without the time of the next pass.
fn summary(world: &World) -> String {
    let (code, out, err) = told(world, &["check"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    crate::support::without_next_pass(&out)
}

#[test]
fn a_success_says_what_would_happen() {
    let mut world = World::of(&["ana", "ben"]);
    world.exclude("ben");
    world.audit("ana", day(0), "User registered security info");
    world.export(day(0));
    insta::assert_snapshot!(summary(&world), @r"
    policy everyone  on: people are told, and flagged after the deadline; 1 person in, 2 excluded
      window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
    enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
    mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
    schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
    FOLDER/fortnight.toml: the configuration is good
    ");
    // The snapshot says the same as the files.
    let before = summary(&world);
    told(&world, &["cycle", "--as-of", &day(0).to_string()]);
    assert_eq!(summary(&world), before);
    world.change("enforce = \"on\"", "enforce = \"off\"");
    world.change("[email]", "[[webhook]]\nname = \"desk\"\nurl_file = \"desk\"\nformat = \"slack\"\nevents = [\"hold.raised\"]\n[email]");
    crate::support::write_secret(
        world.folder().join("desk"),
        "https://hooks.slack.com/services/T0/B0/x\n",
    );
    let said = summary(&world);
    assert!(
        said.contains("off: it is paused; 1 person in, 2 excluded"),
        "{said}"
    );
    assert!(
        said.contains("slack at hooks.slack.com: hold.raised"),
        "{said}"
    );
}

#[test]
fn a_folder_that_is_missing_is_a_fault() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    for (from, to, key) in [
        ("path = \"tenant\"", "path = \"tenat\"", "tenat"),
        ("path = \"outbox\"", "path = \"mails/outbox\"", "mails"),
        ("sqlite:fortnight.db", "sqlite:data/fortnight.db", "data"),
    ] {
        world.change(from, to);
        let (code, _, err) = told(&world, &["check"]);
        assert_eq!(code, Some(2), "{key}");
        assert!(
            err.contains("one fault in the configuration") && err.contains(key),
            "{err}"
        );
        world.change(to, from);
    }
}

#[test]
fn a_policy_that_begins_tomorrow_is_refused_and_a_reload_too() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let now = fortnight::time::Clock::system().now();
    let at = |hours: i64| {
        (now + SignedDuration::from_hours(hours))
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    };
    world.change(
        "window = \"14d\"",
        &format!("window = \"14d\"\nsince = {}", at(24)),
    );
    for words in [&["check"][..], &["status"], &["cycle"]] {
        let (code, _, err) = told(&world, words);
        assert_eq!(code, Some(2), "{words:?}");
        assert!(
            err.contains(":15:9: `since` of policy everyone lies ahead"),
            "{err}"
        );
    }
    // A rehearsal of a day after it is none of that.
    let (code, _, err) = told(&world, &["cycle", "--dry-run", "--as-of", &at(25)]);
    assert_ne!(code, Some(2), "{err}");
    world.change(&at(24), &at(-24));
    assert_eq!(told(&world, &["check"]).0, Some(0));
}

fn settings(world: &World, variables: &[(&str, &str)]) -> Vec<Value> {
    let mut command = command(world, &["config", "show", "--format", "json"]);
    let output = command
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_value_that_counts_is_shown_with_where_it_came_from() {
    let mut world = World::of(&[]);
    world.change(
        "transport = \"file\"\n",
        "transport = \"smtp\"\n[email.smtp]\nhost = \"smtp.contoso.example\"\nusername = \"u\"\n",
    );
    world.change(
        "[email]",
        "[[webhook]]\nname = \"chat\"\nurl = \"https://hooks.slack.com/services/T0/B0/hidden\"\nformat = \"slack\"\n[email]",
    );
    let rows = settings(
        &world,
        &[
            ("FORTNIGHT__EMAIL__SMTP__PASSWORD", "hidden"),
            ("FORTNIGHT__EMAIL__SMTP__PORT", "2525"),
            (
                "FORTNIGHT__SCHEDULE__POLL",
                "[\"0 0 6 * * *\", \"0 0 18 * * *\"]",
            ),
        ],
    );
    assert!(!format!("{rows:?}").contains("hidden"));
    let folder = world.folder().display().to_string();
    let shown = |key: &str| {
        let row = rows
            .iter()
            .find(|row| row["key"] == key)
            .unwrap_or_else(|| panic!("{key}"));
        let at = row["at"].as_str().unwrap_or("-").replace(&folder, "FOLDER");
        format!("{} {} {at}", row["value"], row["origin"].as_str().unwrap())
    };
    for (key, expected) in [
        ("timezone", "\"Europe/Berlin\" file FOLDER/fortnight.toml:1"),
        ("policy[0].window", "\"14d\" file FOLDER/fortnight.toml:14"),
        ("policy[0].min_notice", "\"3d\" default -"),
        ("policy[0].guests", "false default -"),
        (
            "policy[0].reminders",
            "[\"0d\",\"-7d\",\"-3d\",\"-1d\"] default -",
        ),
        (
            "policy[0].exclude.groups",
            "[\"Emergency\"] file FOLDER/fortnight.toml:16",
        ),
        ("policy[0].exclude.users", "null default -"),
        (
            "email.smtp.password",
            "\"***\" environment FORTNIGHT__EMAIL__SMTP__PASSWORD",
        ),
        (
            "email.smtp.port",
            "2525 environment FORTNIGHT__EMAIL__SMTP__PORT",
        ),
        ("email.smtp.tls", "\"starttls\" default -"),
        (
            "schedule.poll",
            "[\"0 0 6 * * *\",\"0 0 18 * * *\"] environment FORTNIGHT__SCHEDULE__POLL",
        ),
        ("webhook[0].url", "\"***\" file FOLDER/fortnight.toml:20"),
        ("freshness.users", "\"24h\" default -"),
    ] {
        assert_eq!(shown(key), expected, "{key}");
    }
    // Tables that are not there count for nothing.
    let keys: Vec<&str> = rows.iter().filter_map(|row| row["key"].as_str()).collect();
    assert!(
        !keys.iter().any(|key| key.starts_with("directory.graph.")),
        "{keys:?}"
    );
    let mut once = keys.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys.len(), "each key once");
}

#[test]
fn values_are_shown_for_people_with_their_line_or_variable() {
    let world = World::of(&[]);
    let output = command(&world, &["config", "show"])
        .env_clear()
        .env("FORTNIGHT__HTTP__LISTEN", "127.0.0.1:8080")
        .output()
        .unwrap();
    let (code, out, _) = said(&output);
    assert_eq!(code, Some(0));
    let out = out.replace(&world.folder().display().to_string(), "FOLDER");
    let line = |key: &str| {
        let line = out.lines().find(|line| line.split(' ').next() == Some(key));
        line.unwrap_or_else(|| panic!("{key}: {out}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    for shown in [
        "timezone \"Europe/Berlin\" (FOLDER/fortnight.toml:1)",
        "freshness.users \"24h\" (default)",
        "http.listen \"127.0.0.1:8080\" (FORTNIGHT__HTTP__LISTEN)",
        "policy[0].exclude.users none (default)",
        "policy[0].reminders [\"0d\", \"-7d\", \"-3d\", \"-1d\"] (default)",
    ] {
        let (key, _) = shown.split_once(' ').unwrap();
        assert_eq!(line(key), shown);
    }
}

#[test]
fn every_key_of_the_reference_that_can_count_is_shown() {
    let example = std::fs::read_to_string("fortnight.example.toml").unwrap();
    let mut world = World::of(&[]);
    world.configuration = example;
    let rows = settings(&world, &[]);
    let shown = |path: &str| {
        let path = path.replace("[]", "[0]");
        rows.iter().any(|row| row["key"] == path.as_str())
    };
    for key in reference::keys() {
        // The example has these tables without what they cannot be without.
        let counts = !key.path.starts_with("webhook[]");
        assert!(!counts || shown(&key.path), "{}", key.path);
    }
}

#[test]
fn the_schema_is_the_published_one() {
    let (code, out, err) = said(&Desk::new().run("config schema"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        std::fs::read_to_string("fortnight.schema.json").unwrap()
    );
}
