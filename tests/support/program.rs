//! The program itself, with its commands and its daemon, and an organisation for it whose people are all
//! asked to register.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::world::{CONFIGURATION, World};

pub(crate) use super::said::{Said, eventually};

/// A world that is busy: everybody signed in, mails go to a server, passes never cease, and facts do not
/// grow old while time is set.
pub(crate) struct Organisation {
    world: World,
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

const NEVER_CEASES: &str = r#"[schedule]
poll = "* * * * * *"
[freshness]
users = "60d"
registration = "60d"
sign_ins = "60d"

[[policy]]
"#;

impl Organisation {
    /// So many people, who all signed in at that moment, and a mail server on that port.
    pub(crate) fn new(people: usize, since: Timestamp, port: u16) -> Self {
        let since = Timestamp::from_second(since.as_second()).unwrap();
        let mut world = World::of(&[]);
        for name in world.crowd("p", people) {
            world.sign_in(&name, since);
        }
        let organisation = Self {
            world,
            since,
            smtp: format!("host = \"127.0.0.1\"\nport = {port}\ntls = \"none\""),
            policy: String::new(),
            more: String::new(),
            environment: Vec::new(),
        };
        organisation.export(since);
        organisation
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.world.folder().join(name)
    }

    pub(crate) fn address(number: usize) -> String {
        format!("p{number}@contoso.example")
    }

    pub(crate) fn id(&self, number: usize) -> String {
        self.world.id(&format!("p{number}")).as_str().to_owned()
    }

    pub(crate) fn register(&mut self, number: usize) {
        self.world.registers(&format!("p{number}"));
    }

    pub(crate) fn exclude(&mut self, number: usize) {
        self.world.exclude(&format!("p{number}"));
    }

    /// Writes what the directory says at that moment.
    pub(crate) fn export(&self, at: Timestamp) {
        self.world.export_whole(at);
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
        let text = CONFIGURATION
            .replace("[[policy]]\n", NEVER_CEASES)
            .replace(
                "window = \"14d\"\n",
                &format!("since = {since}\n{policy}\n"),
            )
            .replace(
                "transport = \"file\"\n",
                "help = \"Service desk, room 12\"\ntransport = \"smtp\"\n",
            )
            .replace(
                "[email.file]\npath = \"outbox\"\n",
                &format!("[email.smtp]\n{smtp}\n{more}\n"),
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
        let mut command = command_in(self.world.folder(), arguments);
        command
            .env_remove("NOTIFY_SOCKET")
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        Said::by(self.command(arguments))
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
        rows.retain(|row| row["user"] == json!(self.id(number)));
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
        rows.find(|row| row["id"] == json!(self.id(number)))
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

/// The program on the configuration of a world.
pub(crate) fn command(world: &World, arguments: &[&str]) -> Command {
    world.file();
    command_in(world.folder(), arguments)
}

fn command_in(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
    command
        .current_dir(folder)
        .args(["--log-format", "text", "--config"])
        .arg(folder.join("fortnight.toml"))
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// The program where every user may run it: a checkout may lie where nobody else may be.
pub(crate) struct Anybodys {
    place: tempfile::TempDir,
}

impl Anybodys {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::copy(
            env!("CARGO_BIN_EXE_fortnight"),
            place.path().join("fortnight"),
        )
        .unwrap();
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        Self { place }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// As that user, if root runs the tests; else as whoever does.
    pub(crate) fn command(&self, user: u32) -> Command {
        let mut command = Command::new(self.path("fortnight"));
        command.env_clear();
        if rustix::process::getuid().is_root() {
            command.uid(user).gid(user);
        }
        command
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
