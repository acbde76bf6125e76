//! The real program on a folder of its own: an organisation whose people are all asked to
//! register, and the commands and the daemon on it.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(crate) use super::said::{Said, eventually};

/// The folder, the configuration and the people.
pub(crate) struct Organisation {
    folder: tempfile::TempDir,
    people: Vec<Someone>,
    /// When everybody signed in.
    pub(crate) since: Timestamp,
    /// Lines of `[email.smtp]`.
    pub(crate) smtp: String,
    /// Lines of the policy.
    pub(crate) policy: String,
    /// Sections at the end.
    pub(crate) more: String,
    /// Settings of every process.
    pub(crate) environment: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Someone {
    registered: bool,
    excluded: bool,
}

impl Organisation {
    /// So many people, who all signed in at that moment, and a mail server on that port.
    pub(crate) fn new(people: usize, since: Timestamp, port: u16) -> Self {
        let organisation = Self {
            folder: tempfile::tempdir().unwrap(),
            people: vec![Someone::default(); people],
            since: Timestamp::from_second(since.as_second()).unwrap(),
            smtp: format!("host = \"127.0.0.1\"\nport = {port}\ntls = \"none\""),
            policy: String::new(),
            more: String::new(),
            environment: Vec::new(),
        };
        std::fs::create_dir(organisation.path("tenant")).unwrap();
        organisation.export(since);
        organisation
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(number: usize) -> String {
        format!("p{number}@contoso.example")
    }

    pub(crate) fn id(number: usize) -> String {
        format!("0f0e0d0c-0000-4000-8000-{number:012}")
    }

    pub(crate) fn register(&mut self, number: usize) {
        self.people[number].registered = true;
    }

    pub(crate) fn exclude(&mut self, number: usize) {
        self.people[number].excluded = true;
    }

    /// Writes what the directory says at that moment.
    pub(crate) fn export(&self, at: Timestamp) {
        let everybody = || self.people.iter().enumerate();
        let emergency = json!({ "id": "0b0b0b0b-0000-4000-8000-000000000001", "userPrincipalName": "breakglass@contoso.example",
            "displayName": "Emergency access", "accountEnabled": true, "userType": "Member", "createdDateTime": "2024-03-01T08:00:00Z" });
        let users = everybody()
            .map(|(number, _)| {
                let mail = Self::address(number);
                json!({ "id": Self::id(number), "userPrincipalName": mail, "displayName": format!("Person {number}"),
                    "mail": mail, "accountEnabled": true, "userType": "Member", "createdDateTime": "2024-03-01T08:00:00Z" })
            })
            .chain([emergency])
            .collect();
        let registration = everybody()
            .map(|(number, someone)| {
                let methods = if someone.registered { vec!["microsoftAuthenticatorPush"] } else { vec![] };
                json!({ "id": Self::id(number), "userPrincipalName": Self::address(number), "isMfaRegistered": someone.registered,
                    "isMfaCapable": someone.registered, "methodsRegistered": methods, "lastUpdatedDateTime": at.to_string() })
            })
            .collect();
        let sign_ins = everybody()
            .map(|(number, _)| {
                json!({ "id": format!("0f0e0d0c-0000-4000-9000-{number:012}"), "createdDateTime": self.since.to_string(),
                    "userId": Self::id(number), "isInteractive": true, "clientAppUsed": "Browser",
                    "appDisplayName": "Office 365", "status": { "errorCode": 0 } })
            })
            .collect();
        let excluded: Vec<String> = everybody()
            .filter(|(_, someone)| someone.excluded)
            .map(|(number, _)| Self::id(number))
            .collect();
        let group = json!({ "id": "0a0a0a0a-0000-4000-8000-000000000001", "displayName": "Exceptions", "members": excluded });
        for (name, rows) in [
            ("users", users),
            ("registration", registration),
            ("sign-ins", sign_ins),
            ("groups", vec![group]),
        ] {
            let path = self.path("tenant").join(format!("{name}.json"));
            let text = json!({ "value": Value::Array(rows) }).to_string();
            // Renamed into place, so that no pass reads half of it.
            let part = self.path("part");
            std::fs::write(&part, text).unwrap();
            std::fs::rename(part, path).unwrap();
        }
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self) {
        let Self {
            since,
            smtp,
            policy,
            more,
            ..
        } = self;
        let text = format!(
            r#"timezone = "Europe/Berlin"
[database]
url = "sqlite:fortnight.db"
[directory]
source = "files"
[directory.files]
path = "tenant"
[schedule]
poll = "* * * * * *"
[freshness]
users = "60d"
registration = "60d"
sign_ins = "60d"
[[policy]]
name = "everyone"
enforce = "on"
since = {since}
include = {{ all_users = true }}
exclude = {{ users = ["breakglass@contoso.example"], groups = ["Exceptions"] }}
{policy}
[email]
from = "Identity team <identity@contoso.example>"
operators = ["oncall@contoso.example"]
organisation = "Contoso"
help = "Service desk, room 12"
transport = "smtp"
[email.smtp]
{smtp}
{more}
"#
        );
        std::fs::write(self.path("fortnight.toml"), text).unwrap();
    }

    /// A port that is free now, for `http.listen`.
    pub(crate) fn listen(&mut self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        self.more
            .extend(["[http]\nlisten = \"127.0.0.1:", &port.to_string(), "\"\n"]);
        port
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
        command
            .args(["--log-format", "text", "--config"])
            .arg(self.path("fortnight.toml"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_remove("NOTIFY_SOCKET")
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        Said {
            code: status.code(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// One pass as of then; its report.
    pub(crate) fn cycle(&self, at: Timestamp) -> Value {
        let said = self.say(&["cycle", "--as-of", &at.to_string(), "--format", "json"]);
        assert!(matches!(said.code, Some(0 | 3)), "{}", said.err);
        said.json()
    }

    /// Starts a command in the background, its log in a file.
    pub(crate) fn spawn(&self, command: &mut Command) -> Running {
        let log = self.path("log");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Running { child, log }
    }

    pub(crate) fn deliveries(&self) -> Vec<Value> {
        let said = self.say(&["deliveries", "list", "--format", "json"]);
        said.json().as_array().unwrap().clone()
    }

    /// The rows to a person, oldest first.
    pub(crate) fn deliveries_to(&self, number: usize) -> Vec<Value> {
        let mut rows = self.deliveries();
        rows.retain(|row| row["user"] == json!(Self::id(number)));
        rows
    }

    pub(crate) fn states(&self) -> Vec<String> {
        let text = |row: &Value| row["state"].as_str().unwrap().to_owned();
        self.deliveries().iter().map(text).collect()
    }

    pub(crate) fn user(&self, number: usize) -> Value {
        let said = self.say(&["users", "--format", "json"]);
        let rows = said.json();
        let mut rows = rows.as_array().unwrap().iter();
        rows.find(|row| row["id"] == json!(Self::id(number)))
            .unwrap()
            .clone()
    }

    pub(crate) fn status(&self) -> Value {
        self.say(&["status", "--format", "json"]).json()
    }

    /// The ids of the holds that stand.
    pub(crate) fn holds(&self) -> Vec<String> {
        let status = self.status();
        let holds = status["holds"].as_array().unwrap();
        holds
            .iter()
            .map(|hold| hold["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A process that is killed with the test.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end; the exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        eventually("the end of the process", || self.ended()).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// A page of the daemon: the status code and the body; none while nobody answers.
pub(crate) fn page(port: u16, path: &str) -> Option<(u16, String)> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// `/readyz`, as far as it answers.
pub(crate) fn ready(port: u16) -> Option<Value> {
    serde_json::from_str(&page(port, "/readyz")?.1).ok()
}

/// The host's time.
pub(crate) fn now() -> Timestamp {
    fortnight::time::Clock::system().now()
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn after(from: Timestamp, length: SignedDuration) -> Timestamp {
    from.checked_add(length).unwrap()
}

pub(crate) fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

pub(crate) fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// Says loudly that a test cannot run here, or fails where all must run.
pub(crate) fn missing(what: &str) {
    assert!(
        std::env::var("FORTNIGHT_REQUIRE_ALL").as_deref() != Ok("1"),
        "{what} is missing, and FORTNIGHT_REQUIRE_ALL=1 lets no test skip"
    );
    eprintln!("SKIPPED: {what} is missing");
}

/// Where a program is, on the path or where Debian keeps servers.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut folders = path.split(':').chain(["/usr/sbin"]);
    folders.find_map(|folder| Some(Path::new(folder).join(name)).filter(|file| file.exists()))
}
