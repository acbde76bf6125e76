//! What people see who write a configuration: every fault at once, with its place and a remedy;
//! never a secret. And the published reference, which is made from the same words.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use fortnight::config::{Config, Directory, EmailTransport, Severity, reference};
use fortnight::delivery::smtp::Proof;
use fortnight::domain::facts::NoticeBy;
use fortnight::domain::language::Language;
use fortnight::domain::message::EventKind;
use fortnight::domain::policy::Enforce;
use insta::assert_snapshot;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

/// A configuration without a fault.
const GOOD: &str = r#"timezone = "Europe/Berlin"
[directory]
source = "files"
[directory.files]
path = "tenant"
[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
exclude = { users = ["breakglass1@contoso.com"] }
[email]
from = "Identity team <identity@contoso.com>"
transport = "smtp"
[email.smtp]
host = "smtp.contoso.com"
"#;

/// The secret of these tests: nothing may ever print it.
const SECRET: &str = "korrekt-horse-batterie";

/// Two signing secrets, as while one replaces the other.
const SIGNING: &str =
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n";

/// A folder with a configuration in it.
struct Desk {
    folder: TempDir,
    variables: Vec<(String, OsString)>,
}

impl Desk {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fortnight.toml"), text).unwrap();
        crate::support::write_secret(folder.path().join("password"), format!("{SECRET}\n"));
        crate::support::write_secret(folder.path().join("empty"), " \n");
        crate::support::write_secret(
            folder.path().join("url"),
            format!("https://chat.example/{SECRET}\n"),
        );
        crate::support::write_secret(folder.path().join("hook"), SIGNING);
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> Config {
        let (config, warnings) = self.load().unwrap_or_else(|faults| panic!("{faults}"));
        assert!(warnings.is_empty(), "{warnings:?}");
        config
    }

    fn load(&self) -> Result<(Config, Vec<fortnight::config::Fault>), fortnight::config::Faults> {
        Config::load(&self.path("fortnight.toml"), self.variables.clone())
    }

    /// All that is said, errors and warnings, as a terminal shows it.
    fn said(&self) -> String {
        let faults = match self.load() {
            Ok((config, warnings)) => {
                assert!(!format!("{config:?}").contains(SECRET));
                warnings
            }
            Err(faults) => {
                assert!(!format!("{faults:?}").contains(SECRET));
                faults.0
            }
        };
        let text: String = faults.iter().map(|fault| fault.render(false)).collect();
        assert!(!text.contains(SECRET), "{text}");
        let folder = format!("{}/", self.folder.path().display());
        text.replace(&folder, "").trim_matches('\n').to_owned()
    }
}

/// What is said about a configuration.
fn said(text: &str) -> String {
    Desk::new(text).said()
}

/// What is said about the good one with one line written differently.
fn said_with(line: &str, instead: &str) -> String {
    said(&changed(line, instead))
}

fn changed(line: &str, instead: &str) -> String {
    let before = format!("{line}\n");
    assert!(GOOD.contains(&before), "{line:?} is not in the good one");
    GOOD.replacen(&before, &format!("{instead}\n"), 1)
}

/// The good one with a line more in its policy.
fn said_of_policy(line: &str) -> String {
    said_with("enforce = \"on\"", &format!("enforce = \"on\"\n{line}"))
}

/// The good one with more at its end.
fn said_after(more: &str) -> String {
    said(&format!("{GOOD}{more}"))
}

/// Texts that people read: one for all, or one by language, from the file and from the environment.
#[test]
fn what_people_read_is_written_once_or_for_each_language() {
    let transport = "transport = \"smtp\"";
    let texts = "help = { en = \"Desk 1\", de = \"Platz 1\" }\norganisation = \"Contoso\"\nsignature = { de = \"Ihr Team\" }";
    let text = changed(transport, &format!("{texts}\n{transport}")).replace(
        "enforce = \"on\"",
        "enforce = \"on\"\ntitle = { en = \"Secure sign-in\", de = \"Sicher anmelden\" }",
    );
    let told = |desk: &Desk| {
        let config = desk.config();
        let sender = config.email.unwrap().sender;
        let title = sender.titles.values().next().cloned();
        [sender.help, sender.organisation, sender.signature, title].map(|wording| {
            let wording = wording.unwrap();
            Language::ALL.map(|language| wording.told_in(language).to_owned())
        })
    };
    let pair = |en: &str, de: &str| [en.to_owned(), de.to_owned()];
    let desk = Desk::new(&text);
    let [help, organisation, signature, title] = told(&desk);
    assert_eq!(help, pair("Desk 1", "Platz 1"));
    assert_eq!(organisation, pair("Contoso", "Contoso"));
    assert_eq!(signature, pair("Ihr Team", "Ihr Team"), "better than none");
    assert_eq!(title, pair("Secure sign-in", "Sicher anmelden"));
    let desk = desk
        .with("FORTNIGHT__EMAIL__HELP", "Desk 2")
        .with("FORTNIGHT__EMAIL__ORGANISATION__DE", "Contoso AG");
    let [help, organisation, ..] = told(&desk);
    assert_eq!(help, pair("Desk 2", "Desk 2"));
    assert_eq!(organisation, pair("Contoso", "Contoso AG"));
}

#[test]
fn texts_in_a_language_without_mails_are_faults() {
    let transport = "transport = \"smtp\"";
    let with = |line: &str| said_with(transport, &format!("{line}\n{transport}"));
    assert_snapshot!(with("help = { en = \"Desk\", fr = \"Accueil\" }"), @r#"
     × fortnight.toml:13:23: `email.help` has a language that there are no mails in
       ╭────
    13 │ help = { en = "****", fr = "*******" }
       ·                       ──
       ╰────
     help: the languages are en, de
    "#);
    assert_snapshot!(with("signature = [\"a\"]"), @r#"
     × fortnight.toml:13:13: `email.signature` must be a text in quotes, or a table of them by
     │ language, not a list
       ╭────
    13 │ signature = ["*"]
       ·             ─────
       ╰────
     help: write signature = "…", or signature = { en = "…", de = "…" }
    "#);
    assert_snapshot!(said_of_policy("title = { de-AT = \"Sicher anmelden\" }"), @r"
     × fortnight.toml:9:11: `policy.title` has a language that there are no mails in
      ╭────
    9 │ title = { ***** =********************
      ·           ─────
      ╰────
     help: the languages are en, de
    ");
    assert_snapshot!(with("help = { en = 1 }"), @r"
     × fortnight.toml:13:15: `email.help` must be a text in quotes, not a whole number
       ╭────
    13 │ help = { en = 1 }
       ·               ─
       ╰────
     help: put it into quotes
    ");
}

/// Rule 7.27: ID Protection knows no other window than its own.
#[test]
fn under_native_a_window_has_fourteen_days() {
    let native = "[enforcement]\nmode = \"native\"\n";
    let with = |window: &str| {
        let text = changed("enforce = \"on\"", &format!("enforce = \"on\"\n{window}"));
        said(&format!("{text}{native}"))
    };
    for same in ["", "window = \"14d\"", "window = \"336h\""] {
        assert_eq!(with(same), "", "{same}");
    }
    assert_snapshot!(with("window = \"10d\""), @r#"
     × fortnight.toml:9:10: under `enforcement.mode = "native"` a window has 14 days: those of
     │ ID Protection, which nobody can change
      ╭────
    9 │ window = "10d"
      ·          ─────
      ╰────
     help: write "14d" or leave it out; or use mode = "flag"
    "#);
}

#[test]
fn a_language_without_mails_is_a_fault_and_a_dialect_of_one_with_mails_is_not() {
    let with = |language: &str| {
        let transport = "transport = \"smtp\"";
        said_with(transport, &format!("{transport}\nlanguage = {language:?}"))
    };
    for language in ["en", "de", "de-AT", "EN_us"] {
        assert_eq!(with(language), "", "{language}");
    }
    for language in ["fr", "qq!!", ""] {
        let said = with(language);
        let wanted = "`email.language`: there are no mails in this language";
        assert!(said.contains(wanted), "{said}");
    }
}

/// Somebody pastes a secret where it does not belong, or names a file that holds another one: whatever is
/// wrong then, nothing repeats it.
#[test]
fn no_fault_repeats_a_value_wherever_it_stands() {
    // As secrets are made: also where the names of this program are wanted, which may be repeated.
    let made = format!("{SECRET}-4711");
    let values = [
        format!("\"{made}\""),
        made.clone(),
        format!("\"{made}"),
        format!("[\"{made}\"]"),
        format!("{{ x = \"{made}\" }}"),
        format!("\"\"\"\n{made}\n\"\"\""),
        format!("\"https://u:{made}@x.example/{made}\""),
        format!("\"http://x.example/{made}\""),
        format!("\"htps://{made}\""),
        format!("\"postgres://u:{made}@x.example/d\""),
        format!("\"u:{made}@127.0.0.1\" # {made}"),
        format!("12 # {made}"),
        // Files of these tests.
        "\"password\"".to_owned(),
        "\"hook\"".to_owned(),
        "\"url\"".to_owned(),
    ];
    let all_said = |desk: &Desk| match desk.load() {
        Ok((_, warnings)) => warnings,
        Err(faults) => faults.0,
    };
    for key in reference::keys() {
        let (table, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        let heads = match table.split_once("[]") {
            Some((list, "")) => format!("[[{list}]]"),
            Some((list, below)) => format!("[[{list}]]\n[{list}{below}]"),
            None if table.is_empty() => String::new(),
            None => format!("[{table}]"),
        };
        for value in &values {
            let desk = Desk::new(&format!("{heads}\n{name} = {value}\n{SECRET}\n"));
            let broken = all_said(&desk);
            let desk = Desk::new(&format!("{heads}\n{name} = {value}\n"));
            let alone = all_said(&desk);
            let overridden = Desk::new(GOOD).with(
                &format!("FORTNIGHT__{}", key.path.replace('.', "__").to_uppercase()),
                value.trim_matches('"'),
            );
            let overridden = all_said(&overridden);
            for fault in broken.iter().chain(&alone).chain(&overridden) {
                let text = format!("{}{fault}{fault:?}", fault.render(false));
                assert!(!text.contains(SECRET), "{}: {value}: {text}", key.path);
            }
        }
    }
}

#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(&format!(
        "{GOOD}username = \"u\"\npassword_file = \"password\"\n"
    ));
    assert_eq!(desk.config().exposed, [""; 0]);
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(desk.path("password"), open).unwrap();
    assert_snapshot!(desk.said(), @r#"
     ⚠ fortnight.toml:17:17: others can read the file that `email.smtp.password_file` names
       ╭────
    17 │ password_file = "********"
       ·                 ──────────
       ╰────
     help: leave it to the user that runs fortnight: chmod 600
    "#);
    assert_eq!(desk.load().unwrap().0.exposed, ["email.smtp.password_file"]);
}

/// systemd lets the user of the service read them by a list of access, whose mask shows as the group's mode.
#[test]
fn of_credentials_of_systemd_only_what_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    for (folder, name, mode, exposed) in [
        ("", "password", 0o440, 0),
        ("", "password", 0o444, 1),
        ("/other", "../password", 0o440, 1),
    ] {
        let desk = Desk::new(&format!(
            "{GOOD}username = \"u\"\npassword_file = \"{name}\"\n"
        ));
        std::fs::create_dir(desk.path("other")).unwrap();
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(desk.path("password"), mode).unwrap();
        let credentials = format!("{}{folder}", desk.folder.path().display());
        let desk = desk.with("CREDENTIALS_DIRECTORY", credentials);
        assert_eq!(desk.load().unwrap().0.exposed.len(), exposed, "{folder}");
    }
}

/// What is warned of is used all the same: a webhook must not be lost by it in silence.
#[test]
fn a_webhook_whose_secret_others_can_read_is_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(&format!(
        "{GOOD}[[webhook]]\nname = \"desk\"\nurl = \"https://desk.contoso.example/\"\nformat = \"standard\"\nsecret_file = \"hook\"\n"
    ));
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    std::fs::write(desk.path("hook"), secret).unwrap();
    for (mode, exposed) in [(0o600, 0), (0o644, 1)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(desk.path("hook"), mode).unwrap();
        let (config, warnings) = desk.load().unwrap();
        assert_eq!((config.webhooks.len(), warnings.len()), (1, exposed));
    }
}

#[test]
fn a_good_configuration_has_its_defaults() {
    let config = Desk::new(GOOD).config();
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let policy = &config.policies[0];
    assert_eq!(policy.enforce, Enforce::On);
    assert_eq!((policy.window, policy.min_notice), (days(14), days(3)));
    let steps: Vec<String> = policy.reminders.iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["0d", "-7d", "-3d", "-1d"]);
    assert!(policy.nested && policy.accept_passwordless && !policy.guests && !policy.strict);
    assert_eq!(config.schedule.poll.len(), 1);
    assert!(config.http.is_none());
}

#[test]
fn a_policy_is_report_only_until_it_says_otherwise() {
    let text = changed("enforce = \"on\"", "");
    assert_eq!(
        Desk::new(&text).config().policies[0].enforce,
        Enforce::ReportOnly
    );
}

#[test]
fn the_minimum_notice_is_the_window_where_that_is_shorter() {
    let text = changed("enforce = \"on\"", "window = \"36h\"\nreminders = [\"0d\"]");
    let policy = &Desk::new(&text).config().policies[0];
    assert_eq!(policy.min_notice, SignedDuration::from_hours(36));
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let desk = Desk::new(GOOD);
    let config = desk.config();
    assert_eq!(config.database, desk.path("fortnight.db"));
    assert!(
        matches!(&config.directory, Directory::Files(exports) if exports.path == desk.path("tenant"))
    );
}

#[test]
fn a_mark_of_the_encoding_at_the_beginning_does_no_harm() {
    Desk::new(&format!("\u{feff}{GOOD}")).config();
}

#[test]
fn unknown_keys_are_named_on_every_level_with_the_nearest_known_one() {
    assert_snapshot!(said_with("timezone = \"Europe/Berlin\"", "time_zone = \"Europe/Berlin\""), @r#"
     × fortnight.toml:1:1: unknown key `time_zone`
      ╭────
    1 │ time_zone = "*************"
      · ─────────
      ╰────
     help: did you mean `timezone`?
    "#);
    assert_snapshot!(said_after("[databse]\nurl = \"sqlite:x.db\"\n"), @r#"
     × fortnight.toml:16:2: unknown key `databse`
       ╭────
    16 │ [databse]
       ·  ───────
       ╰────
     help: did you mean `database`?
    "#);
    assert_snapshot!(said_with("source = \"files\"", "source = \"files\"\nsuorce = \"files\""), @r#"
     × fortnight.toml:4:1: unknown key `directory.suorce`
      ╭────
    4 │ suorce = "*****"
      · ──────
      ╰────
     help: did you mean `source`?
    "#);
    assert_snapshot!(said_with("path = \"tenant\"", "path = \"tenant\"\ncolour = \"red\""), @r#"
     × fortnight.toml:6:1: unknown key `directory.files.colour`
      ╭────
    6 │ colour = "***"
      · ──────
      ╰────
     help: the keys here are dates, path
    "#);
    assert_snapshot!(said_of_policy("windw = \"14d\""), @r#"
     × fortnight.toml:9:1: unknown key `policy.windw`
      ╭────
    9 │ windw = "***"
      · ─────
      ╰────
     help: did you mean `window`?
    "#);
    assert_snapshot!(said_with("include = { all_users = true }", "include = { all_user = true, users = [\"a\"] }"), @r#"
     × fortnight.toml:9:13: unknown key `policy.include.all_user`
      ╭────
    9 │ include = { all_user = true, users = ["*"] }
      ·             ────────
      ╰────
     help: did you mean `all_users`?
    "#);
    assert_snapshot!(said_after("tsl = \"implicit\"\n"), @r#"
     × fortnight.toml:16:1: unknown key `email.smtp.tsl`
       ╭────
    16 │ tsl = "********"
       · ───
       ╰────
     help: did you mean `tls`?
    "#);
    assert_snapshot!(said_after("[freshness]\nsignins = \"24h\"\n"), @r#"
     × fortnight.toml:17:1: unknown key `freshness.signins`
       ╭────
    17 │ signins = "***"
       · ───────
       ╰────
     help: did you mean `sign_ins`?
    "#);
    assert_snapshot!(said_after("[[policies]]\nname = \"b\"\n"), @r#"
     × fortnight.toml:16:3: unknown key `policies`
       ╭────
    16 │ [[policies]]
       ·   ────────
       ╰────
     help: did you mean `policy`?
    "#);
}

#[test]
fn values_of_the_wrong_kind_say_what_is_wanted() {
    assert_snapshot!(said_with("timezone = \"Europe/Berlin\"", "timezone = 1"), @r"
     × fortnight.toml:1:12: `timezone` must be a text in quotes, not a whole number
      ╭────
    1 │ timezone = 1
      ·            ─
      ╰────
     help: put it into quotes
    ");
    assert_snapshot!(said_with("path = \"tenant\"", "path = [\"tenant\"]"), @r#"
     × fortnight.toml:5:8: `directory.files.path` must be a text in quotes, not a list
      ╭────
    5 │ path = ["******"]
      ·        ──────────
      ╰────
     help: keep one text: path = "…"
    "#);
    assert_snapshot!(said_of_policy("guests = \"yes\""), @r#"
     × fortnight.toml:9:10: `policy.guests` must be true or false, not a text
      ╭────
    9 │ guests = "***"
      ·          ─────
      ╰────
     help: write guests = true, without quotes
    "#);
    assert_snapshot!(said_of_policy("reminders = [\"0d\", 3]"), @r#"
     × fortnight.toml:9:20: `policy.reminders` must be a list of texts in quotes, not a whole
     │ number
      ╭────
    9 │ reminders = ["**", 3]
      ·                    ─
      ╰────
     help: put it into quotes
    "#);
    assert_snapshot!(said_of_policy("since = \"January\""), @r#"
     × fortnight.toml:9:9: `policy.since` must be a date and time with its offset from UTC
      ╭────
    9 │ since = "*******"
      ·         ─────────
      ╰────
     help: write it like 2026-01-05T00:00:00Z: the year has four digits, and Z stands for UTC
    "#);
    assert_snapshot!(said_after("connections = 0\n"), @r"
     × fortnight.toml:16:15: `email.smtp.connections` must be a whole number from 1 on
       ╭────
    16 │ connections = 0
       ·               ─
       ╰────
    ");
    assert_snapshot!(said_after("port = 70000\n"), @r#"
     × fortnight.toml:16:8: a port is at most 65535
       ╭────
    16 │ port = 70000
       ·        ─────
       ╰────
    "#);
    assert_snapshot!(said_with("name = \"everyone\"", "name = \"a/b\""), @r#"
     × fortnight.toml:7:8: `policy.name`: a name has 1 to 64 characters, without slashes and
     │ control characters
      ╭────
    7 │ name = "***"
      ·        ─────
      ╰────
    "#);
    assert_snapshot!(said_with("include = { all_users = true }", "include = { all_users = \"yes\" }"), @r#"
     × fortnight.toml:9:25: `policy.include.all_users` must be true or false, not a text
      ╭────
    9 │ include = { all_users = "***" }
      ·                         ─────
      ╰────
     help: write all_users = true, without quotes
    "#);
    assert_snapshot!(said(&GOOD.replace("[email]", "[[email]]")), @r"
     × fortnight.toml:11:1: `email` must be a table, not a list
       ╭────
    11 │ [[email]]
       · ─────────
       ╰────
     help: write its keys below [email]
    ");
}

#[test]
fn what_cannot_be_understood_says_how_to_write_it() {
    assert_snapshot!(said_of_policy("window = \"2 weeks\""), @r#"
     × fortnight.toml:9:10: `policy.window`: a duration is written like "14d", "6h", "90m" or
     │ "1d 12h", not "2 weeks"
      ╭────
    9 │ window = "2 weeks"
      ·          ─────────
      ╰────
    "#);
    assert_snapshot!(said_with("timezone = \"Europe/Berlin\"", "timezone = \"Berlin\""), @r#"
     × fortnight.toml:1:12: there is no time zone "Berlin"
      ╭────
    1 │ timezone = "Berlin"
      ·            ────────
      ╰────
     help: did you mean "Europe/Berlin"?
    "#);
    assert_snapshot!(said_after("[schedule]\npoll = [\"0 0 8 * * *\", \"*/10 * * * *\"]\n"), @r#"
     × fortnight.toml:17:24: `schedule.poll`: this is no cron pattern
       ╭────
    17 │ poll = ["0 0 8 * * *", "*/10 * * * *"]
       ·                        ──────────────
       ╰────
     help: six fields: second minute hour day month weekday, like "0 */10 * * * *"
    "#);
    assert_snapshot!(said_after("[schedule]\npoll = []\n"), @r#"
     × fortnight.toml:16:1: `schedule.poll` names no time
       ╭────
    16 │ [schedule]
       · ──────────
       ╰────
     help: leave it out for every ten minutes
    "#);
    assert_snapshot!(said_of_policy("reminders = [\"0d\", \"-3 days\"]"), @r#"
     × fortnight.toml:9:20: a step is written like "0d", "3d" (after the opening) or "-3d"
     │ (before the deadline), in days (d), hours (h) or minutes (m)
      ╭────
    9 │ reminders = ["**", "*******"]
      ·                    ─────────
      ╰────
    "#);
    assert_snapshot!(said_with("from = \"Identity team <identity@contoso.com>\"", "from = \"Identity team\""), @r#"
     × fortnight.toml:12:8: `email.from`: this is no mailbox; write "Name <name@example.org>"
       ╭────
    12 │ from = "*************"
       ·        ───────────────
       ╰────
    "#);
    assert_snapshot!(said_with("transport = \"smtp\"", "transport = \"smtp\"\noperators = [\"oncall at contoso\"]"), @r#"
     × fortnight.toml:14:14: `email.operators`: this is no mailbox; write "Name
     │ <name@example.org>"
       ╭────
    14 │ operators = ["*****************"]
       ·              ───────────────────
       ╰────
    "#);
    assert_snapshot!(said_with("enforce = \"on\"", "enforce = \"report_only\""), @r#"
     × fortnight.toml:8:11: `policy.enforce` has no value "report_only"
      ╭────
    8 │ enforce = "report_only"
      ·           ─────────────
      ╰────
     help: did you mean "report-only"?
    "#);
    assert_snapshot!(said_after("[http]\nlisten = \"8080\"\n"), @r#"
     × fortnight.toml:17:10: `http.listen`: this is no address and port; write "127.0.0.1:8080"
       ╭────
    17 │ listen = "****"
       ·          ──────
       ╰────
    "#);
    assert_snapshot!(said_after("[result_codes]\n50140 = \"done\"\nabc = \"unknown\"\n"), @r#"
     × fortnight.toml:17:9: there is no such class
       ╭────
    17 │ 50140 = "****"
       ·         ──────
       ╰────
     help: completed, registration_interrupt, registration_blocked, mfa_challenge, post_primary, policy_block,
           not_authenticated, credential_failure, token_expiry or unknown
     × fortnight.toml:18:1: this is no result code
       ╭────
    18 │ abc = "*******"
       · ───
       ╰────
     help: result codes are whole numbers
    "#);
    assert_snapshot!(said_after("[database]\nurl = \"mysql://u:korrekt-horse-batterie@h/d\"\n"), @r#"
     × fortnight.toml:17:7: `database.url` must be `sqlite:` and the path of a file
       ╭────
    17 │ url = "************************************"
       ·       ──────────────────────────────────────
       ╰────
     help: write "sqlite:fortnight.db"
    "#);
}

#[test]
fn a_notice_that_no_window_could_hold_is_refused() {
    assert_snapshot!(said_of_policy("window = \"2d\"\nreminders = [\"0d\"]\nmin_notice = \"3d\""), @r#"
     × fortnight.toml:11:14: `min_notice` is longer than `window`: no deadline could be kept
       ╭────
    11 │ min_notice = "3d"
       ·              ────
       ╰────
     help: make it at most 2d, or the window longer; without this line it is 3d, or the window where that is
           shorter
    "#);
    let strict = said_of_policy("window = \"2d\"\nmin_notice = \"3d\"\nstrict = true");
    assert!(!strict.contains("`min_notice`"), "{strict}");
}

#[test]
fn a_server_is_named_without_scheme_port_or_path() {
    let with = |host: &str| said_with("host = \"smtp.contoso.com\"", &format!("host = \"{host}\""));
    assert_snapshot!(with("smtp.contoso.com:587"), @r#"
     × fortnight.toml:15:8: `email.smtp.host` must be a name, without a port
       ╭────
    15 │ host = "********************"
       ·        ──────────────────────
       ╰────
     help: write the name alone, host = "smtp.contoso.com"; the port is `port`, and `tls` says how the
           connection is protected
    "#);
    assert_snapshot!(with("https://smtp.contoso.com"), @r#"
     × fortnight.toml:15:8: `email.smtp.host` must be a name, without a scheme
       ╭────
    15 │ host = "************************"
       ·        ──────────────────────────
       ╰────
     help: write the name alone, host = "smtp.contoso.com"; the port is `port`, and `tls` says how the
           connection is protected
    "#);
    assert_snapshot!(with("smtp contoso"), @r#"
     × fortnight.toml:15:8: `email.smtp.host` is no name of a server
       ╭────
    15 │ host = "************"
       ·        ──────────────
       ╰────
     help: write the name alone, host = "smtp.contoso.com"; the port is `port`, and `tls` says how the
           connection is protected
    "#);
    for good in [
        "localhost",
        "10.0.0.1",
        "::1",
        "[::1]",
        "mail-1.contoso.com",
        "a_b.contoso.com",
    ] {
        assert_eq!(with(good), "", "{good}");
    }
}

#[test]
fn dates_have_years_of_four_digits() {
    for written in [
        "26-01-05",
        "26-01-05T00:00:00Z",
        "05.01.26",
        "1/5/26",
        "\"05.01.26\"",
        "\"26-01-05T00:00:00Z\"",
    ] {
        let said = said_of_policy(&format!("since = {written}"));
        assert!(
            said.contains("the year has four digits"),
            "{written}: {said}"
        );
    }
    let said = said_of_policy("window = 1.5 2");
    assert!(!said.contains("four digits"), "{said}");
}

#[test]
fn faults_and_warnings_are_counted_each_by_themselves() {
    let counted = |text: &str| match Desk::new(text).load() {
        Ok((_, warnings)) => fortnight::config::Faults(warnings).counted(),
        Err(faults) => faults.counted(),
    };
    let one = changed("enforce = \"on\"", "enforce = true");
    assert_eq!(counted(&one), "one fault");
    assert_eq!(counted(&format!("{one}[[webhook]]\n")), "4 faults");
    let late = one.replace("enforce", "reminders = [\"0d\", \"30d\"]\nenforce");
    assert_eq!(counted(&late), "one fault and one warning");
    assert_eq!(counted(&late.replace("true\n", "\"on\"\n")), "one warning");
}

#[test]
fn what_is_missing_is_named() {
    assert_snapshot!(said(""), @r#"
    × fortnight.toml: `[directory]` is missing
    help: say source = "files" there, and path = "…" in [directory.files]; or source = "graph", and who asks
          in [directory.graph]
    × fortnight.toml: no `[[policy]]` is configured
    help: add one with a name, an include and an exclude
    "#);
    assert_snapshot!(said("[directory]\n[[policy]]\n[email]\n"), @r#"
     × fortnight.toml:1:1: `directory.source` is missing
      ╭────
    1 │ [directory]
      · ───────────
      ╰────
     help: say source = "graph" or "files"
     × fortnight.toml:2:1: a policy includes nobody
      ╭────
    2 │ [[policy]]
      · ──────────
      ╰────
     help: add include = { all_users = true }, or users and groups
     × fortnight.toml:2:1: `policy.name` is missing
      ╭────
    2 │ [[policy]]
      · ──────────
      ╰────
     help: add name = "…"
     × fortnight.toml:3:1: `email.from` is missing
      ╭────
    3 │ [email]
      · ───────
      ╰────
     help: name the mailbox that mails come from
     × fortnight.toml:3:1: `email.transport` is missing
      ╭────
    3 │ [email]
      · ───────
      ╰────
     help: say "smtp" or "file"
    "#);
    assert_snapshot!(said_with("path = \"tenant\"", ""), @r#"
     × fortnight.toml:4:1: `directory.files.path` is missing
      ╭────
    4 │ [directory.files]
      · ─────────────────
      ╰────
     help: name the folder of exports
    "#);
    assert_snapshot!(said_with("host = \"smtp.contoso.com\"", ""), @r#"
     × fortnight.toml:14:1: `email.smtp.host` is missing
       ╭────
    14 │ [email.smtp]
       · ────────────
       ╰────
     help: name the mail server
    "#);
    assert_snapshot!(said_with("transport = \"smtp\"", "transport = \"file\""), @r#"
     × fortnight.toml:11:1: `email.file.path` is missing
       ╭────
    11 │ [email]
       · ───────
       ╰────
     help: name the folder
    "#);
}

#[test]
fn a_key_that_is_none_or_that_of_another_certificate_is_refused() {
    let pair = || {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = certificate.self_signed(&key).unwrap().pem();
        (certificate, key.serialize_pem())
    };
    let ((certificate, key), (_, another)) = (pair(), pair());
    let lines = "tenant_id = \"t\"\nclient_id = \"c\"\ncertificate_file = \"app.pem\"\nprivate_key_file = \"app.key\"\n";
    let desk = on_graph(lines);
    std::fs::write(desk.path("app.pem"), &certificate).unwrap();
    let folder = desk.path("").display().to_string();
    let said = |key: &str| {
        crate::support::write_secret(desk.path("app.key"), key);
        desk.load()
            .map(drop)
            .map_err(|faults| faults.0[0].to_string().replace(&folder, ""))
    };
    assert_eq!(said(&key), Ok(()));
    assert_snapshot!(said(&certificate).unwrap_err(), @"fortnight.toml:7:20: this cannot be used: private_key_file holds no unencrypted RSA private key of at least 2048 bits in PEM form (-----BEGIN PRIVATE KEY-----)");
    assert_snapshot!(said(&another).unwrap_err(), @"fortnight.toml:7:20: this cannot be used: the private key is not that of the certificate");
}

#[test]
fn a_configuration_that_is_a_folder_is_said_to_be_one() {
    let desk = Desk::new(GOOD);
    let folder = desk.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let faults = Config::load(&folder, []).unwrap_err().to_string();
    assert!(
        faults.contains("it is a folder: name the file in it"),
        "{faults}"
    );
}

#[test]
fn a_file_in_another_encoding_is_said_to_be_in_it() {
    let desk = Desk::new(GOOD);
    let said = |text: &[u8]| {
        std::fs::write(desk.path("fortnight.toml"), text).unwrap();
        desk.said()
    };
    let utf_16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_snapshot!(said(&utf_16), @r"
    × fortnight.toml: the configuration seems to be in UTF-16 (little-endian)
    help: save it as UTF-8
    ");
    assert_snapshot!(said(b"timezone = \"UTC\"\n# f\xfcr alle\n"), @r"
    × fortnight.toml: line 2 of the configuration is no UTF-8; it seems to be in Latin-1 or
    │ Windows-1252
    help: save it as UTF-8
    ");
}

#[test]
fn a_file_that_is_not_there_is_said_with_where_to_begin() {
    let desk = Desk::new(GOOD);
    let faults = Config::load(Path::new("/nowhere/fortnight.toml"), []).unwrap_err();
    assert_snapshot!(faults.to_string().trim_matches('\n'), @r#"
    × /nowhere/fortnight.toml: cannot read the configuration: No such file or directory (os error 2)
    help: name it with --config FILE or FORTNIGHT_CONFIG; `fortnight init` writes one to begin with
    "#);
    drop(desk);
}

#[test]
fn a_secret_is_read_from_its_file() {
    let login = "username = \"fortnight\"\npassword_file = \"password\"\n";
    let desk = Desk::new(&format!("{GOOD}{login}"));
    assert_eq!(password(&desk.config()), SECRET);
    assert!(!format!("{:?}", desk.config()).contains(SECRET));

    let credentials = desk.path("credentials");
    std::fs::create_dir(&credentials).unwrap();
    crate::support::write_secret(credentials.join("password"), "of systemd\r\n");
    let desk = desk.with("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    assert_eq!(password(&desk.config()), "of systemd");

    let desk = desk.with("FORTNIGHT__EMAIL__SMTP__PASSWORD", SECRET);
    assert_eq!(password(&desk.config()), SECRET);
}

fn password(config: &Config) -> String {
    let email = config.email.as_ref().unwrap();
    let EmailTransport::Smtp(smtp) = &email.transport else {
        panic!("no SMTP");
    };
    let login = smtp.login.as_ref().unwrap();
    let Proof::Password(password) = &login.proof else {
        panic!("it logs in by password");
    };
    password.expose_secret().to_owned()
}

#[test]
fn a_secret_is_never_shown() {
    // Written where it does not belong, also misspelled, half-written, or in a key of a later version.
    assert_snapshot!(said_after(&format!("username = \"u\"\npassword = \"{SECRET}\"\n")), @r"
     × fortnight.toml:17:1: `email.smtp.password` is a secret and does not belong in this file
       ╭────
    17 │ password =*************************
       · ────────
       ╰────
     help: write it into a file of its own, name that in `password_file`, and change it if others could read it
           here
    ");
    assert_snapshot!(said_after(&format!("passwrod = \"{SECRET}\"\n")), @r#"
     × fortnight.toml:16:1: unknown key `email.smtp.passwrod`
       ╭────
    16 │ passwrod =*************************
       · ────────
       ╰────
     help: the keys here are auth, connections, host, password_file, per_day, per_minute, port, tls, username
    "#);
    assert_snapshot!(said_after(&format!("password = \"{SECRET}\n")), @r#"
     × fortnight.toml:16:35: this is no TOML: invalid basic string, expected `"`
       ╭────
    16 │ password =************************
       ╰────
    "#);
    assert_snapshot!(said_after(&format!("[[webhook]]\nname = \"chat\"\nurl = \"https://chat/{SECRET}\"\n")), @r#"
     × fortnight.toml:16:1: `webhook.format` is missing
       ╭────
    16 │ [[webhook]]
       · ───────────
       ╰────
     help: say "standard", "slack" or "teams"
    "#);
    assert_snapshot!(said_with("source = \"files\"", &format!("source = \"files\"\ngraph = {{ client_secret = \"{SECRET}\" }}")), @r"
     × fortnight.toml:4:11: `directory.graph.client_secret` is a secret and does not belong in
     │ this file
      ╭────
    4 │ graph = { client_secret =***************************
      ·           ─────────────
      ╰────
     help: write it into a file of its own, name that in `client_secret_file`, and change it if others could
           read it here
    ");
    assert_snapshot!(Desk::new(GOOD).with("FORTNIGHT__EMAIL__SMTP__PASSWROD", SECRET).said(), @r#"
    × FORTNIGHT__EMAIL__SMTP__PASSWROD: this variable overrides no key
    help: did you mean FORTNIGHT__EMAIL__SMTP__PASSWORD?
    "#);
    assert_snapshot!(Desk::new(GOOD).with("FORTNIGHT__EMAIL__SMTP__PASSWORD", SECRET).said(), @r#"
     × fortnight.toml:14:1: a password without a username
       ╭────
    14 │ [email.smtp]
       · ────────────
       ╰────
     help: say who logs in with `username`
    "#);
}

#[test]
fn a_secret_that_cannot_be_had_is_one_fault() {
    let login = "username = \"fortnight\"\npassword_file = ";
    let missing = Desk::new(&format!("{GOOD}{login}\"missing\"\n"));
    assert_snapshot!(missing.with("CREDENTIALS_DIRECTORY", "/nowhere").said(), @r#"
     × fortnight.toml:17:17: cannot read the file that `email.smtp.password_file` names: No
     │ such file or directory (os error 2)
       ╭────
    17 │ password_file = "*******"
       ·                 ─────────
       ╰────
     help: check the path, its owner and its mode; relative paths start at $CREDENTIALS_DIRECTORY, else at this
           file's folder
    "#);
    assert_snapshot!(said_after(&format!("{login}\"empty\"\n")), @r#"
     × fortnight.toml:17:17: the file that `email.smtp.password_file` names is empty
       ╭────
    17 │ password_file = "*****"
       ·                 ───────
       ╰────
     help: write the secret into it
    "#);
    let desk = Desk::new(&format!("{GOOD}username = \"fortnight\"\n"));
    assert_snapshot!(desk.with("FORTNIGHT__EMAIL__SMTP__PASSWORD", " ").said(), @r#"
    × FORTNIGHT__EMAIL__SMTP__PASSWORD: the secret is empty
    help: write the secret into it
    "#);
    assert_snapshot!(said_after("username = \"fortnight\"\n"), @r#"
     × fortnight.toml:16:12: a username without a password
       ╭────
    16 │ username = "*********"
       ·            ───────────
       ╰────
     help: name the file of the password in `password_file`
    "#);
    assert_snapshot!(said_after("password_file = \"password\"\n"), @r#"
     × fortnight.toml:14:1: a password without a username
       ╭────
    14 │ [email.smtp]
       · ────────────
       ╰────
     help: say who logs in with `username`
    "#);
}

#[test]
fn mails_and_passwords_never_leave_this_machine_in_clear() {
    assert_snapshot!(said_after("tls = \"none\"\n"), @r#"
     × fortnight.toml:16:7: tls = "none" to another machine would send mails and passwords in
     │ clear
       ╭────
    16 │ tls = "none"
       ·       ──────
       ╰────
     help: use "starttls" or "implicit"
    "#);
    let to = |host: &str| {
        let host = format!("host = \"{host}\"\ntls = \"none\"");
        Desk::new(&changed("host = \"smtp.contoso.com\"", &host)).load()
    };
    for host in [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.3.2.1",
        "::1",
        "[::1]",
    ] {
        assert!(to(host).is_ok(), "{host}");
    }
    for host in [
        "127.example.com",
        "localhost.example.com",
        "10.0.0.1",
        "0.0.0.0",
        "::2",
    ] {
        assert!(to(host).is_err(), "{host}");
    }
}

#[test]
fn a_policy_that_could_hurt_is_refused() {
    assert_snapshot!(said_with("exclude = { users = [\"breakglass1@contoso.com\"] }", ""), @r"
     × fortnight.toml:6:1: all users are included and nobody is excluded, not even an emergency
     │ account
      ╭────
    6 │ [[policy]]
      · ──────────
      ╰────
     help: exclude your emergency accounts, or say allow_empty_exclusion = true
    ");
    assert_snapshot!(said_with("exclude = { users = [\"breakglass1@contoso.com\"] }", "exclude = { users = [\" \"] }"), @r#"
     × fortnight.toml:6:1: all users are included and nobody is excluded, not even an emergency
     │ account
      ╭────
    6 │ [[policy]]
      · ──────────
      ╰────
     help: exclude your emergency accounts, or say allow_empty_exclusion = true
     × fortnight.toml:10:22: an empty name names nobody
       ╭────
    10 │ exclude = { users = ["*"] }
       ·                      ───
       ╰────
     help: remove it
    "#);
    assert_snapshot!(said_with("include = { all_users = true }", "include = { all_users = true, groups = [\"Pilot\"] }"), @r#"
     × fortnight.toml:9:11: `include` names all users and some
      ╭────
    9 │ include = { all_users = true, groups = ["*****"] }
      ·           ────────────────────────────────────────
      ╰────
     help: say one or the other
    "#);
    assert_snapshot!(said_with("include = { all_users = true }", "include = { users = [] }"), @r#"
     × fortnight.toml:9:11: a policy includes nobody
      ╭────
    9 │ include = { users = [] }
      ·           ──────────────
      ╰────
     help: add include = { all_users = true }, or users and groups
    "#);
    assert_snapshot!(said_with("include = { all_users = true }", ""), @r#"
     × fortnight.toml:6:1: a policy includes nobody
      ╭────
    6 │ [[policy]]
      · ──────────
      ╰────
     help: add include = { all_users = true }, or users and groups
    "#);
    assert_snapshot!(said_of_policy("window = \"91d\""), @r#"
     × fortnight.toml:9:10: a window has 0 to 90 days
      ╭────
    9 │ window = "91d"
      ·          ─────
      ╰────
    "#);
    let (rules, _) = GOOD.split_once("[email]").unwrap();
    assert_snapshot!(said(rules), @r#"
     × fortnight.toml:6:1: enforce = "on" without [email]: nobody could be given notice
      ╭────
    6 │ [[policy]]
      · ──────────
      ╰────
     help: configure [email], or a [[webhook]] of format "standard" that gets "window.opened",
           "window.reminder", "window.extended" and "window.resumed"; or use "report-only"
    "#);
    let again = "[[policy]]\nname = \"everyone\"\ninclude = { users = [\"a@contoso.com\"] }\n";
    assert_snapshot!(said_after(again), @r#"
     × fortnight.toml:16:1: two policies are named "everyone"
       ╭────
    16 │ [[policy]]
       · ──────────
       ╰────
     help: give each its own name
    "#);
}

#[test]
fn what_is_dangerous_can_be_asked_for() {
    let text = changed(
        "exclude = { users = [\"breakglass1@contoso.com\"] }",
        "allow_empty_exclusion = true",
    );
    assert!(Desk::new(&text).load().is_ok());
    let (rules, _) = GOOD.split_once("[email]").unwrap();
    assert!(Desk::new(&format!("{rules}strict = true\n")).load().is_ok());
}

#[test]
fn steps_that_do_otherwise_than_they_say_are_warned_of() {
    assert_snapshot!(said_of_policy("reminders = [\"-1d\"]"), @r#"
     ⚠ fortnight.toml:6:1: no step falls at least the minimum notice before the deadline:
     │ windows are announced at once, as if "0d" were among the reminders
      ╭────
    6 │ [[policy]]
      · ──────────
      ╰────
     help: add "0d", or an earlier step
    "#);
    assert_snapshot!(said_of_policy("reminders = [\"0d\", \"-20d\"]"), @r#"
     ⚠ fortnight.toml:9:20: the step -20d lies outside the window and is dropped
      ╭────
    9 │ reminders = ["**", "****"]
      ·                    ──────
      ╰────
    "#);
    assert_snapshot!(said_of_policy("reminders = []"), @r#"
     ⚠ fortnight.toml:6:1: no step falls at least the minimum notice before the deadline:
     │ windows are announced at once, as if "0d" were among the reminders
      ╭────
    6 │ [[policy]]
      · ──────────
      ╰────
     help: add "0d", or an earlier step
    "#);
    assert_eq!(said_of_policy("reminders = [\"-3d\"]"), "");
    assert_eq!(said_of_policy("reminders = [\"11d\"]"), "");
    let desk = Desk::new(&changed("enforce = \"on\"", "reminders = [\"-1d\"]"));
    let (_, warnings) = desk.load().unwrap();
    assert!(
        warnings
            .iter()
            .all(|fault| fault.severity == Severity::Warning)
    );
}

#[test]
fn what_belongs_to_later_versions_is_refused_by_name() {
    assert_snapshot!(said_after("[[webhook]]\nname = \"chat\"\nurl_file = \"url\"\nformat = \"discord\"\n"), @r#"
     × fortnight.toml:19:10: `webhook.format = "discord"` is not in this version
       ╭────
    19 │ format = "discord"
       ·          ─────────
       ╰────
     help: use "standard" or "slack" or "teams"
    "#);
    assert_snapshot!(said_after("[[webhook]]\nname = \"chat\"\nurl_file = \"url\"\nformat = \"slack\"\nevents = [\"enforcement.applied\"]\n"), @r#"
     × fortnight.toml:20:11: the event "enforcement.applied" is not in this version
       ╭────
    20 │ events = ["*******************"]
       ·           ─────────────────────
       ╰────
     help: remove it
    "#);
    assert_snapshot!(said_after("[database]\nurl = \"postgres://localhost/fortnight\"\n"), @r#"
     × fortnight.toml:17:7: `database.url = "postgres…"` is not in this version
       ╭────
    17 │ url = "******************************"
       ·       ────────────────────────────────
       ╰────
     help: use "sqlite:fortnight.db"
    "#);
    assert_snapshot!(said_after("[enforcement]\nmode = \"group\"\ngroup = \"0a0a0a0a-0000-4000-8000-000000000001\"\n"), @r#"
     × fortnight.toml:17:8: `enforcement.mode = "group"` is not in this version
       ╭────
    17 │ mode = "group"
       ·        ───────
       ╰────
     help: use "flag" or "native"
     × fortnight.toml:18:1: `enforcement.group` is not in this version
       ╭────
    18 │ group = "************************************"
       · ─────
       ╰────
     help: remove it
    "#);
    assert_snapshot!(said_with("transport = \"smtp\"", "transport = \"graph\""), @r#"
     × fortnight.toml:13:13: `email.transport = "graph"` is not in this version
       ╭────
    13 │ transport = "graph"
       ·             ───────
       ╰────
     help: use "smtp" or "file"
    "#);
    // These say nothing that this version does not do.
    assert_eq!(
        said_after(
            "[enforcement]\nmode = \"flag\"\ndry_run = true\n[schedule]\nregistration = \"2h\"\n"
        ),
        ""
    );
}

/// A configuration that reads Graph, with these lines below its table.
fn on_graph(lines: &str) -> Desk {
    let text = changed("source = \"files\"", "source = \"graph\"").replace(
        "[directory.files]\npath = \"tenant\"",
        &format!("[directory.graph]\n{lines}"),
    );
    Desk::new(&text)
}

#[test]
fn graph_is_asked_by_an_application_that_proves_itself_in_one_way() {
    let whole = "tenant_id = \"t\"\nclient_id = \"c\"\n";
    let desk = on_graph(&format!(
        "{whole}client_secret_file = \"secret\"\ncloud = \"usgov\"\n"
    ));
    crate::support::write_secret(desk.path("secret"), format!("{SECRET}\n"));
    let Directory::Graph(graph) = desk.load().unwrap().0.directory else {
        panic!("the source is Graph");
    };
    assert_eq!(graph.graph.as_str(), "https://graph.microsoft.us/");
    assert_eq!(
        graph.application.authority,
        "https://login.microsoftonline.us"
    );
    assert_eq!(graph.reports_per_10s, 5);
    assert!(!format!("{graph:?}").contains(SECRET));

    assert_snapshot!(on_graph("").said(), @r#"
     × fortnight.toml:4:1: nothing says how the application proves who it is
      ╭────
    4 │ [directory.graph]
      · ─────────────────
      ╰────
     help: name one of client_secret_file, certificate_file, managed_identity = true, federated_token_file
     × fortnight.toml:4:1: `directory.graph.tenant_id` is missing
      ╭────
    4 │ [directory.graph]
      · ─────────────────
      ╰────
     help: Entra admin center, Overview, Tenant ID
     × fortnight.toml:4:1: `directory.graph.client_id` is missing
      ╭────
    4 │ [directory.graph]
      · ─────────────────
      ╰────
     help: the app registration's Overview, Application (client) ID
    "#);
    assert_snapshot!(on_graph(&format!("{whole}managed_identity = true\nfederated_token_file = \"token\"\n")).said(), @r#"
     × fortnight.toml:4:1: several ways to prove who asks are named
      ╭────
    4 │ [directory.graph]
      · ─────────────────
      ╰────
     help: keep one of client_secret_file, certificate_file, managed_identity = true, federated_token_file
    "#);
    assert_snapshot!(on_graph(&format!("{whole}managed_identity = true\ngraph_url = \"http://graph.example.org\"\nauthority_url = \"https://login.example.org/tenant\"\n")).said(), @r#"
     × fortnight.toml:8:13: `directory.graph.graph_url`: this would send tokens in clear: use
     │ https; http is for this machine only
      ╭────
    8 │ graph_url = "************************"
      ·             ──────────────────────────
      ╰────
     × fortnight.toml:9:17: `directory.graph.authority_url`: this must be a host, without a
     │ path or a login
      ╭────
    9 │ authority_url = "********************************"
      ·                 ──────────────────────────────────
      ╰────
    "#);
    assert_snapshot!(on_graph(&format!("{whole}certificate_file = \"cert.pem\"\n")).said(), @r#"
     × fortnight.toml:4:1: `directory.graph.private_key` is missing
      ╭────
    4 │ [directory.graph]
      · ─────────────────
      ╰────
     help: name the key's file in private_key_file
    "#);
}

#[test]
fn mail_by_token_takes_the_application_of_graph() {
    let by_token = "auth = \"xoauth2\"\nusername = \"identity@contoso.com\"\n";
    let graph = "[directory.graph]\ntenant_id = \"t\"\nmanaged_identity = true\n";
    let desk = Desk::new(&format!("{GOOD}{by_token}{graph}"));
    let EmailTransport::Smtp(smtp) = desk.config().email.unwrap().transport else {
        panic!("mails go by SMTP");
    };
    let Proof::Token { resource, .. } = smtp.login.unwrap().proof else {
        panic!("it logs in by token");
    };
    assert_eq!(resource, "https://outlook.office365.com");

    assert_snapshot!(said_after(by_token), @r#"
     × fortnight.toml:16:8: a token without an application that could ask for it
       ╭────
    16 │ auth = "*******"
       ·        ─────────
       ╰────
     help: say in [directory.graph] who asks: tenant_id, client_id and one of its four ways to prove it
    "#);
    assert_snapshot!(said_after(&format!("auth = \"xoauth2\"\n{graph}")), @r#"
     × fortnight.toml:16:8: a token without a username
       ╭────
    16 │ auth = "*******"
       ·        ─────────
       ╰────
     help: name the mailbox that mails come from in `username`
    "#);
    assert_snapshot!(said_after(&format!("{by_token}password_file = \"password\"\n{graph}")), @r#"
     × fortnight.toml:16:8: a password beside a token
       ╭────
    16 │ auth = "*******"
       ·        ─────────
       ╰────
     help: keep one of the two
    "#);
}

#[test]
fn variables_override_every_key_outside_lists_of_tables() {
    let config = Desk::new(GOOD)
        .with("FORTNIGHT__TIMEZONE", "Asia/Tokyo")
        .with("FORTNIGHT__DATABASE__URL", "sqlite:/data/other.db")
        .with("FORTNIGHT__EMAIL__SMTP__PORT", "2525")
        .with("FORTNIGHT__EMAIL__UPN_DOMAINS", "contoso.com, fabrikam.com")
        .with(
            "FORTNIGHT__EMAIL__OPERATORS",
            "[\"\\\"Doe, Jane\\\" <jane@contoso.com>\", \"b@contoso.com\"]",
        )
        .with("FORTNIGHT__SCHEDULE__POLL", "0 0,30 8-18 * * *")
        .with("FORTNIGHT__RESULT_CODES__50140", "completed")
        .with("FORTNIGHT_CONFIG", "not one of ours")
        .config();
    assert_eq!(config.zone.iana_name(), Some("Asia/Tokyo"));
    assert_eq!(config.database, Path::new("/data/other.db"));
    assert_eq!(config.schedule.poll.len(), 1);
    let email = config.email.unwrap();
    assert_eq!(email.upn_domains, ["contoso.com", "fabrikam.com"]);
    assert_eq!(
        email.operator_addresses(),
        ["jane@contoso.com", "b@contoso.com"]
    );
    assert!(matches!(email.transport, EmailTransport::Smtp(smtp) if smtp.port == Some(2525)));
}

#[test]
fn an_empty_variable_counts_as_not_set_and_one_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let config = Desk::new(GOOD)
        .with("FORTNIGHT__TIMEZONE", "")
        .with("FORTNIGHT__EMAIL__SMTP__PASSWORD", "")
        .with("FORTNIGHT__TIMEZON", "")
        .config();
    assert_eq!(config.zone.iana_name(), Some("Europe/Berlin"));
    let latin = || OsString::from_vec(b"B\xfcro".to_vec());
    assert_snapshot!(Desk::new(GOOD).with("FORTNIGHT__EMAIL__HELP", latin()).with("LANG", latin()).said(), @r"
    × FORTNIGHT__EMAIL__HELP: the value of this variable is no UTF-8
    help: set it anew, in UTF-8
    ");
}

/// Where names of this program are wanted, the one that was written is said; also where no line of a file
/// shows it.
#[test]
fn a_name_that_is_none_is_repeated() {
    assert_snapshot!(Desk::new(GOOD).with("FORTNIGHT__TIMEZONE", "Berlin").with("FORTNIGHT__EMAIL__TRANSPORT", "snmp").said(), @r#"
    × FORTNIGHT__TIMEZONE: there is no time zone "Berlin"
    help: did you mean "Europe/Berlin"?
    × FORTNIGHT__EMAIL__TRANSPORT: `email.transport` has no value "snmp"
    help: use "smtp" or "file"
    "#);
    assert_snapshot!(Desk::new(GOOD).with("FORTNIGHT__TIMEZONE", "W. Europe Standard Time").said(), @r#"
    × FORTNIGHT__TIMEZONE: there is no time zone "W. Europe Standard Time"
    help: this is a name of Windows; IANA names are wanted: "Europe/Berlin" is what Windows calls "W. Europe
          Standard Time"
    "#);
    assert_snapshot!(Desk::new(GOOD).with("FORTNIGHT__EMAIL__LANGUAGE", "deutsch").said(), @r#"
    × FORTNIGHT__EMAIL__LANGUAGE: `email.language`: there are no mails in this language; write "en" or "de",
    │ not "deutsch"
    "#);
}

#[test]
fn variables_alone_can_make_a_table() {
    let (rules, _) = GOOD.split_once("[email]").unwrap();
    let desk = Desk::new(rules)
        .with("FORTNIGHT__EMAIL__FROM", "identity@contoso.com")
        .with("FORTNIGHT__EMAIL__TRANSPORT", "file")
        .with("FORTNIGHT__EMAIL__FILE__PATH", "outbox");
    let config = desk.config();
    let email = config.email.as_ref().unwrap();
    assert!(matches!(&email.transport, EmailTransport::File(path) if *path == desk.path("outbox")));
}

#[test]
fn wrong_variables_are_named() {
    let desk = Desk::new(GOOD)
        .with("FORTNIGHT__TIMEZONE", "Tokyo")
        .with("FORTNIGHT__EMAIL__FORM", "identity@contoso.com")
        .with("FORTNIGHT__ENFORCEMENT__DRY_RUN", "yes")
        .with("FORTNIGHT__EMAIL__SMTP__PORT", "smtp")
        .with("FORTNIGHT__EMAIL__OPERATORS", "[a@contoso.com]")
        .with("FORTNIGHT__POLICY__ENFORCE", "on")
        .with("FORTNIGHT__WEATHER", "rain");
    assert_snapshot!(desk.said(), @r#"
    × FORTNIGHT__TIMEZONE: there is no time zone "Tokyo"
    help: did you mean "Asia/Tokyo"?
    × FORTNIGHT__EMAIL__OPERATORS: `email.operators` must be a list of texts in quotes
    help: write ["one", "two"]
    × FORTNIGHT__EMAIL__SMTP__PORT: `email.smtp.port` must be a whole number from 1 on
    × FORTNIGHT__ENFORCEMENT__DRY_RUN: `enforcement.dry_run` must be true or false
    × FORTNIGHT__EMAIL__FORM: this variable overrides no key
    help: did you mean FORTNIGHT__EMAIL__FROM?
    × FORTNIGHT__POLICY__ENFORCE: this variable overrides no key
    help: policies are set in the file only
    × FORTNIGHT__WEATHER: this variable overrides no key
    help: remove it
    "#);
}

#[test]
fn mailboxes_of_our_own_have_ascii_addresses_and_so_have_identifiers() {
    let from = "from = \"Identity team <identity@contoso.com>\"";
    let written = "from = \"Identität <it@bücher.example>\"\nreply_to = \"desk@bücher.example\"";
    let config = Desk::new(&changed(from, written)).config();
    assert_eq!(config.sender_domain(), "xn--bcher-kva.example");
    let sender = config.email.unwrap().sender;
    assert_eq!(sender.from.name.as_deref(), Some("Identität"));
    let replies = sender.reply_to.unwrap();
    for (address, user) in [(sender.from.email, "it"), (replies.email, "desk")] {
        assert_eq!(address.to_string(), format!("{user}@xn--bcher-kva.example"));
    }
    let plain = "from = \"it@contoso.com\"\n";
    for (key, lines) in [
        ("from", "from = \"büro@contoso.com\"".to_owned()),
        (
            "reply_to",
            format!("{plain}reply_to = \"büro@contoso.com\""),
        ),
        (
            "operators",
            format!("{plain}operators = [\"büro@contoso.com\"]"),
        ),
    ] {
        let said = said_with(from, &lines);
        let said: Vec<&str> = said
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect();
        let said = said.join(" ");
        assert!(
            said.contains(&format!("`email.{key}`: letters beyond ASCII before")),
            "{said}"
        );
        assert!(
            said.contains("write another address of this mailbox"),
            "{said}"
        );
    }
}

#[test]
fn what_is_no_toml_says_where() {
    assert_snapshot!(said_with("source = \"files\"", "source = files"), @r"
     × fortnight.toml:3:10: this is no TOML: invalid boolean, expected `false`
      ╭────
    3 │ source = files
      ·          ─────
      ╰────
     help: a text stands in quotes
    ");
    assert_snapshot!(said_with("source = \"files\"", "source = \"files\"\nsource = \"files\""), @r#"
     × fortnight.toml:4:1: this is no TOML: duplicate key
      ╭────
    4 │ source = "files"
      · ──────
      ╰────
    "#);
}

#[test]
fn all_faults_come_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("Europe/Berlin", "Europe/Bärlin")
        .replace("\"files\"", "\"filse\"")
        .replace("all_users = true", "all_users = 1")
        .replace("host =", "hots =");
    assert_snapshot!(said(&format!("{text}[http]\nlisten = 1\n")), @r#"
     × fortnight.toml:1:12: there is no time zone "Europe/Bärlin"
      ╭────
    1 │ timezone = "Europe/Bärlin"
      ·            ───────────────
      ╰────
     help: did you mean "Europe/Berlin"?
     × fortnight.toml:3:10: `directory.source` has no value "filse"
      ╭────
    3 │ source = "filse"
      ·          ───────
      ╰────
     help: did you mean "files"?
     × fortnight.toml:9:25: `policy.include.all_users` must be true or false, not a whole
     │ number
      ╭────
    9 │ include = { all_users = 1 }
      ·                         ─
      ╰────
     help: write all_users = true
     × fortnight.toml:14:1: `email.smtp.host` is missing
       ╭────
    14 │ [email.smtp]
       · ────────────
       ╰────
     help: name the mail server
     × fortnight.toml:15:1: unknown key `email.smtp.hots`
       ╭────
    15 │ hots = "****************"
       · ────
       ╰────
     help: did you mean `host`?
     × fortnight.toml:17:10: `http.listen` must be a text in quotes, not a whole number
       ╭────
    17 │ listen = 1
       ·          ─
       ╰────
     help: put it into quotes
    "#);
}

#[test]
fn one_fault_of_a_table_does_not_hide_another() {
    assert_snapshot!(said_after("tls = \"none\"\nport = 70000\nusername = \"u\"\n"), @r#"
     × fortnight.toml:16:7: tls = "none" to another machine would send mails and passwords in
     │ clear
       ╭────
    16 │ tls = "none"
       ·       ──────
       ╰────
     help: use "starttls" or "implicit"
     × fortnight.toml:17:8: a port is at most 65535
       ╭────
    17 │ port = 70000
       ·        ─────
       ╰────
     × fortnight.toml:18:12: a username without a password
       ╭────
    18 │ username = "*"
       ·            ───
       ╰────
     help: name the file of the password in `password_file`
    "#);
}

#[test]
fn a_fault_says_its_place_in_one_line_too() {
    let desk = Desk::new(&changed("enforce = \"on\"", "enforce = \"yes\""));
    let faults = desk.load().unwrap_err();
    let folder = format!("{}/", desk.folder.path().display());
    assert_snapshot!(faults.0[0].to_string().replace(&folder, ""), @r#"fortnight.toml:8:11: `policy.enforce` has no value "yes""#);
}

/// A good webhook with one line written differently.
fn webhook(line: &str, instead: &str) -> String {
    let good = "[[webhook]]\nname = \"desk\"\nurl = \"https://desk.example/hooks\"\nformat = \"standard\"\nsecret_file = \"hook\"\n";
    assert!(good.contains(line), "{line}");
    format!("{GOOD}{}", good.replacen(line, instead, 1))
}

#[test]
fn webhooks_are_read_with_all_events_and_both_secrets() {
    let text = format!(
        "{}[[webhook]]\nname = \"chat\"\nurl_file = \"url\"\nformat = \"slack\"\nevents = [\"window.opened\"]\nallow_networks = [\"10.0.0.0/8\"]\n",
        webhook("", "")
    );
    let config = Desk::new(&text).config();
    let [desk, chat] = config.webhooks.as_slice() else {
        panic!("two are configured");
    };
    assert_eq!(
        (desk.endpoint.secrets.len(), desk.events.len()),
        (2, EventKind::ALL.len())
    );
    assert!(desk.gives_notice() && !chat.gives_notice());
    assert_eq!(chat.endpoint.url.host(), "chat.example");
    assert_eq!(
        config.notice_by(),
        NoticeBy::Mail,
        "with [email] no webhook is notice"
    );
    let without_mail = text[..text.find("[email]").unwrap()].to_owned()
        + &text[text.find("[[webhook]]").unwrap()..];
    assert_eq!(
        Desk::new(&without_mail).config().notice_by(),
        NoticeBy::Webhook
    );
    // Whoever comes back would not be told by an endpoint that does not hear of it.
    for (events, gives_notice) in [
        (r#"["window.opened", "window.reminder"]"#, false),
        (
            r#"["window.opened", "window.reminder", "window.extended"]"#,
            false,
        ),
        (
            r#"["window.opened", "window.reminder", "window.extended", "window.resumed"]"#,
            true,
        ),
    ] {
        let some = without_mail.replacen(
            "format = \"standard\"\n",
            &format!("format = \"standard\"\nevents = {events}\n"),
            1,
        );
        assert_eq!(Desk::new(&some).load().is_ok(), gives_notice, "{events}");
    }
}

#[test]
fn what_is_wrong_with_a_webhook_is_said_without_its_address() {
    assert_snapshot!(said(&webhook("\"desk\"", "\"email\"")), @r#"
     × fortnight.toml:17:8: `webhook.name`: "email" is the name of mail itself
       ╭────
    17 │ name = "*****"
       ·        ───────
       ╰────
    "#);
    assert_snapshot!(said(&webhook("secret_file = \"hook\"\n", "")), @r#"
     × fortnight.toml:16:1: `webhook.secret_file` is missing
       ╭────
    16 │ [[webhook]]
       · ───────────
       ╰────
     help: name a file with a `whsec_` secret, as your receiver shows it
    "#);
    assert_snapshot!(said(&webhook("\"standard\"", "\"slack\"")), @r#"
     × fortnight.toml:20:15: only format "standard" is signed
       ╭────
    20 │ secret_file = "****"
       ·               ──────
       ╰────
     help: remove it
    "#);
    assert_snapshot!(said(&webhook("secret_file = \"hook\"", "secret_file = \"password\"")), @r#"
     × fortnight.toml:20:15: the signing secret in line 1 is not `whsec_` and Base64
       ╭────
    20 │ secret_file = "********"
       ·               ──────────
       ╰────
     help: write one into the file, with: printf 'whsec_%s\n' "$(openssl rand -base64 32)"
    "#);
    assert_snapshot!(said(&webhook("https://", "http://")), @r#"
     × fortnight.toml:18:7: plain http goes only to networks that `allow_networks` names
       ╭────
    18 │ url = "*************************"
       ·       ───────────────────────────
       ╰────
     help: use https, or name the network of the service in `allow_networks`
    "#);
    assert_snapshot!(said(&webhook("desk.example", "10.0.0.7")), @r#"
     × fortnight.toml:18:7: 10.0.0.7 is not dialled: an address of a private network, and not
     │ named in `allow_networks`
       ╭────
    18 │ url = "**********************"
       ·       ────────────────────────
       ╰────
     help: if the service really lies there, name its network in `allow_networks`
    "#);
    assert_snapshot!(said(&webhook("desk.example", "169.254.169.254")), @r#"
     × fortnight.toml:18:7: 169.254.169.254 is never dialled: a link-local address, where
     │ metadata services are
       ╭────
    18 │ url = "*****************************"
       ·       ───────────────────────────────
       ╰────
     help: give the address of the service itself
    "#);
}

#[test]
fn what_is_wrong_with_the_lists_of_a_webhook_is_said() {
    assert_snapshot!(said(&webhook("format", "allow_networks = [\"intranet\"]\nformat")), @r#"
     × fortnight.toml:19:19: this is no network
       ╭────
    19 │ allow_networks = ["********"]
       ·                   ──────────
       ╰────
     help: write "10.0.0.0/8", or one address
    "#);
    assert_snapshot!(said(&webhook("format", "events = [\"window.open\", \"nothing\"]\nformat")), @r#"
     × fortnight.toml:19:11: there is no such event
       ╭────
    19 │ events = ["***********", "*******"]
       ·           ─────────────
       ╰────
     help: did you mean "window.opened"?
     × fortnight.toml:19:26: there is no such event
       ╭────
    19 │ events = ["***********", "*******"]
       ·                          ─────────
       ╰────
     help: the events are window.opened, window.reminder, window.extended, window.paused, window.resumed,
           user.registered, registration.blocked, enforcement.needed, enforcement.released, hold.raised,
           hold.cleared, delivery.dead, digest, test
    "#);
    assert_snapshot!(said(&format!("{}{}", webhook("", ""), &webhook("", "")[GOOD.len()..])), @r#"
     × fortnight.toml:21:1: two webhooks are named "desk"
       ╭────
    21 │ [[webhook]]
       · ───────────
       ╰────
     help: give each its own name
    "#);
    assert_snapshot!(said_after("[[webhook]]\nname = \"chat\"\nurl = \"https://contoso.webhook.office.com/x\"\nformat = \"teams\"\n"), @r#"
     × fortnight.toml:18:7: the address is of an Office 365 connector, and Microsoft has
     │ switched these off
       ╭────
    18 │ url = "************************************"
       ·       ──────────────────────────────────────
       ╰────
     help: in Teams, add the workflow "Post to a channel when a webhook request is received" and use its
           address
    "#);
    assert_snapshot!(said_after("[[webhook]]\nname = \"chat\"\nformat = \"teams\"\n"), @r#"
     × fortnight.toml:16:1: a webhook without an address
       ╭────
    16 │ [[webhook]]
       · ───────────
       ╰────
     help: name it in `url`, or the file that holds it in `url_file`
    "#);
}

#[test]
fn the_example_is_safe_and_has_no_fault() {
    let example = std::fs::read_to_string("fortnight.example.toml").unwrap();
    let config = Desk::new(&example).config();
    for policy in &config.policies {
        assert_eq!(policy.enforce, Enforce::ReportOnly);
        assert!(!policy.strict);
    }
    let email = config.email.unwrap();
    assert!(matches!(email.transport, EmailTransport::File(_)));
}

#[test]
fn the_example_has_every_key_and_the_schema_has_every_key_of_the_example() {
    let example = std::fs::read_to_string("fortnight.example.toml").unwrap();
    // Keys that are only commented out count as shown.
    let uncommented: String = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_setting(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let table: toml::Table = uncommented.parse().unwrap();
    let mut shown = BTreeSet::new();
    paths("", &toml::Value::Table(table), &mut shown);
    let known: BTreeSet<String> = reference::keys().into_iter().map(|key| key.path).collect();
    let schema = reference::schema();
    for path in &shown {
        let path = path.trim_end_matches(".50140");
        assert!(!in_schema(&schema, path).is_null(), "{path}");
    }
    // Two keys that the example says in a sentence.
    let said = ["policy[].include.users", "policy[].include.groups"].map(str::to_owned);
    shown.extend(said);
    shown.retain(|path| path != "result_codes.50140");
    shown.insert("result_codes".to_owned());
    assert_eq!(shown, known);
}

fn in_schema<'a>(schema: &'a serde_json::Value, path: &str) -> &'a serde_json::Value {
    path.split('.')
        .fold(schema, |at, step| match step.strip_suffix("[]") {
            Some(list) => &at["properties"][list]["items"],
            None => &at["properties"][step],
        })
}

/// `key = value`, rather than a sentence.
fn is_setting(line: &str) -> bool {
    line == "[[webhook]]"
        || line.split_once(" = ").is_some_and(|(key, _)| {
            key.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
}

fn paths(at: &str, value: &toml::Value, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                paths(&path, value, found);
            }
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            for item in items {
                paths(&format!("{at}[]"), item, found);
            }
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

#[test]
fn the_published_reference_is_that_of_the_program() {
    let schema = serde_json::to_string_pretty(&reference::schema()).unwrap() + "\n";
    published("fortnight.schema.json", &schema);
    published("docs/configuration.md", &reference::markdown());
}

/// `FORTNIGHT_BLESS=1 ./dev test published` writes what is out of date.
pub(crate) fn published(file: &str, text: &str) {
    if std::env::var_os("FORTNIGHT_BLESS").is_some() {
        std::fs::create_dir_all("docs").unwrap();
        std::fs::write(file, text).unwrap();
    }
    let there = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        there == text,
        "{file} is out of date: run FORTNIGHT_BLESS=1 ./dev test published"
    );
}
