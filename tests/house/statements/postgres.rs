//! PostgreSQL without a server: its single-user mode reads statements from a file and ends with it,
//! so that nothing is left running.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What begins a line of its log.
const MARK: &str = "@@ ";

/// An empty database in a folder of its own.
pub(super) struct Postgres {
    programs: PathBuf,
    folder: tempfile::TempDir,
}

/// What it said of each statement, by its number.
pub(super) struct Prepared {
    /// Its words about those that it refused, and the statement.
    pub(super) refused: Vec<String>,
    /// The types that it gave the parameters of the others.
    pub(super) parameters: BTreeMap<usize, Vec<String>>,
}

impl Postgres {
    /// Makes one; none where PostgreSQL is not installed and need not be.
    pub(super) fn new() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var("FORTNIGHT_REQUIRE_ALL").as_deref() != Ok("1"),
                "PostgreSQL is missing, and FORTNIGHT_REQUIRE_ALL=1 lets no test skip"
            );
            eprintln!("SKIPPED: PostgreSQL is missing");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let postgres = Self { programs, folder };
        Self::give_away(postgres.folder.path());
        let mut initdb = postgres.program("initdb");
        initdb.args([
            "--no-sync",
            "--no-locale",
            "--encoding=UTF8",
            "--auth=trust",
            "-D",
        ]);
        let output = initdb.arg(postgres.data()).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Some(postgres)
    }

    /// Applies the migrations, and prepares these statements; what cannot be prepared, such as a
    /// `CREATE INDEX`, is executed.
    pub(super) fn prepare(&self, statements: &[String]) -> Prepared {
        let mut script = migrations();
        for (number, statement) in statements.iter().enumerate() {
            let ddl = statement.starts_with("CREATE ") || statement.starts_with("DROP ");
            let prepare = if ddl {
                String::new()
            } else {
                format!("PREPARE s{number} AS ")
            };
            script.push(format!("{prepare}{statement}"));
        }
        script.push("SELECT name, parameter_types FROM pg_prepared_statements".to_owned());
        let file = self.folder.path().join("script.sql");
        // In this mode a statement ends with a semicolon before an empty line.
        fs::write(&file, script.join(";\n\n") + ";\n\n").unwrap();
        let output = self
            .program("postgres")
            .args(["--single", "-j", "-c", "fsync=off", "-c"])
            .arg(format!("log_line_prefix={MARK}"))
            .args(["-c", "log_min_error_statement=error", "-D"])
            .arg(self.data())
            .arg("postgres")
            .stdin(File::open(file).unwrap())
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{log}");
        let rows = String::from_utf8(output.stdout).unwrap();
        Prepared {
            refused: refusals(&log),
            parameters: parameters(&rows),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs; as the user of that name for root, whom PostgreSQL refuses.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if rustix::process::getuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn give_away(folder: &Path) {
        if rustix::process::getuid().is_root() {
            let status = Command::new("chown").arg("postgres").arg(folder).status();
            assert!(status.unwrap().success());
        }
    }
}

/// Where Debian has the newest, or else where the path leads.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions
        .map(|entry| entry.unwrap().path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH")?));
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists())
}

/// The schema, as SQLite gets it.
fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// Each error with its hints and its statement.
fn refusals(log: &str) -> Vec<String> {
    let mut refusals: Vec<String> = Vec::new();
    for entry in log.split(MARK).filter(|entry| !entry.starts_with("LOG:")) {
        if entry.starts_with("ERROR:") || refusals.is_empty() {
            refusals.push(String::new());
        }
        let last = refusals.last_mut();
        if let Some(last) = last {
            last.push_str(entry);
        }
    }
    refusals.retain(|refusal| !refusal.trim().is_empty());
    refusals
}

/// The rows of `pg_prepared_statements`, as this mode prints them.
fn parameters(rows: &str) -> BTreeMap<usize, Vec<String>> {
    let values = rows.split("\t----\n").filter_map(|row| {
        let value = |column: &str| {
            let (_, from) = row.split_once(&format!("{column} = \""))?;
            Some(from.split_once('"')?.0)
        };
        let number = value("name")?.strip_prefix('s')?.parse().ok()?;
        let types = value("parameter_types")?.trim_matches(['{', '}']);
        let types = types.split(',').filter(|one| !one.is_empty());
        Some((number, types.map(str::to_owned).collect()))
    });
    values.collect()
}
