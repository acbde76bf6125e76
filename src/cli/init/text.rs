//! The text of a first configuration: the annotated example with the answers in it, and without what the
//! example only makes up.

use std::borrow::Cow;
use std::path::PathBuf;

/// The example of the repository. A test has every key below found in it.
const EXAMPLE: &str = include_str!("../../../fortnight.example.toml");

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) facts: Facts,
    /// Where the database and mails lie, if not beside the configuration.
    pub(super) state: Option<PathBuf>,
    pub(super) exclude: Vec<String>,
    pub(super) from: String,
    pub(super) operators: Vec<String>,
    pub(super) organisation: Option<String>,
    pub(super) help: Option<String>,
    /// None: nobody knows one.
    pub(super) zone: Option<String>,
}

/// Where facts come from.
#[derive(Debug, Clone)]
pub(super) enum Facts {
    Files {
        folder: PathBuf,
    },
    Graph {
        tenant_id: Option<String>,
        client_id: Option<String>,
        client_secret_file: String,
    },
}

/// What becomes of a key of the example.
enum Change {
    /// It is written so, whether or not the example only shows it.
    Set(String),
    /// It is only shown: nobody could guess its value.
    Show,
}

/// A key by its table and name, and what becomes of it.
type Changes = Vec<((&'static str, &'static str), Change)>;

/// The configuration.
pub(super) fn written(answers: &Answers) -> String {
    let mut changes = changes(answers);
    let mut text = String::with_capacity(EXAMPLE.len());
    let mut table = "";
    for line in EXAMPLE.lines() {
        // It names a file that lies beside the example only.
        if line.starts_with("#:schema") {
            continue;
        }
        if let Some(name) = header(line) {
            table = name;
        }
        let (name, shown) = match key(line) {
            Some(key) => (key, false),
            None => (
                line.strip_prefix("# ").and_then(key).unwrap_or_default(),
                true,
            ),
        };
        let found = changes
            .iter()
            .position(|(place, _)| *place == (table, name));
        let line = match found.map(|at| changes.remove(at).1) {
            Some(Change::Set(value)) => Cow::Owned(format!("{name} = {value}")),
            Some(Change::Show) if !shown => Cow::Owned(format!("# {line}")),
            Some(Change::Show) | None => Cow::Borrowed(line),
        };
        text.push_str(&line);
        text.push('\n');
    }
    debug_assert!(changes.is_empty(), "the example lacks a key");
    text
}

fn changes(answers: &Answers) -> Changes {
    let list = |texts: &[String]| {
        let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
        texts.join(", ")
    };
    let operators = format!("[{}]", list(&answers.operators));
    let operators = (!answers.operators.is_empty()).then_some(operators);
    let mut changes: Changes = vec![
        (
            ("", "timezone"),
            Change::Set(quoted(answers.zone.as_deref().unwrap_or(super::UTC))),
        ),
        (
            ("[policy]", "exclude"),
            Change::Set(format!("{{ users = [{}] }}", list(&answers.exclude))),
        ),
        (("email", "from"), Change::Set(quoted(&answers.from))),
        (("email", "reply_to"), Change::Show),
        (("email", "operators"), set_or_show(operators)),
        (
            ("email", "organisation"),
            set_or_show(answers.organisation.as_deref().map(quoted)),
        ),
        (
            ("email", "help"),
            set_or_show(answers.help.as_deref().map(quoted)),
        ),
        (("email", "signature"), Change::Show),
        (("[policy]", "title"), Change::Show),
        (("email.smtp", "host"), Change::Show),
        (("directory.files", "dates"), Change::Show),
        (("http", "listen"), Change::Show),
    ];
    if let Some(state) = &answers.state {
        let database = format!("sqlite:{}", state.join("fortnight.db").display());
        let outbox = state.join("outbox").display().to_string();
        changes.push((("database", "url"), Change::Set(quoted(&database))));
        changes.push((("email.file", "path"), Change::Set(quoted(&outbox))));
    }
    match &answers.facts {
        Facts::Files { folder } => {
            let folder = quoted(&folder.to_string_lossy());
            changes.push((("directory", "source"), Change::Set(quoted("files"))));
            changes.push((("directory.files", "path"), Change::Set(folder)));
        }
        Facts::Graph {
            tenant_id,
            client_id,
            client_secret_file,
        } => {
            let set =
                |value: &Option<String>| Change::Set(quoted(value.as_deref().unwrap_or_default()));
            let secret = Change::Set(quoted(client_secret_file));
            changes.push((("directory", "source"), Change::Set(quoted("graph"))));
            changes.push((("directory.graph", "tenant_id"), set(tenant_id)));
            changes.push((("directory.graph", "client_id"), set(client_id)));
            changes.push((("directory.graph", "client_secret_file"), secret));
            changes.push((("directory.files", "path"), Change::Show));
        }
    }
    changes
}

fn set_or_show(value: Option<String>) -> Change {
    value.map_or(Change::Show, Change::Set)
}

/// The table that a line opens; of a list with one bracket left.
fn header(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

/// The key that a line sets.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(" = ")?;
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!key.is_empty() && key.chars().all(is_key)).then_some(key)
}

/// As TOML writes a text.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(facts: Facts) -> Answers {
        Answers {
            facts,
            state: Some("/var/lib/x".into()),
            exclude: vec!["a@contoso.com".to_owned(), "b\"\n@contoso.com".to_owned()],
            from: "Identity team <identity@contoso.com>".to_owned(),
            operators: Vec::new(),
            organisation: None,
            help: None,
            zone: Some("America/New_York".to_owned()),
        }
    }

    fn graph() -> Facts {
        Facts::Graph {
            tenant_id: Some("contoso.com".to_owned()),
            client_id: Some("c".to_owned()),
            client_secret_file: "graph-secret".to_owned(),
        }
    }

    /// The example and what `init` writes cannot drift apart: every key that is changed is in the example, once.
    #[test]
    fn every_change_meets_its_key_of_the_example() {
        for facts in [Facts::Files { folder: "x".into() }, graph()] {
            for ((table, name), _) in changes(&answers(facts)) {
                let mut at = "";
                let found = EXAMPLE.lines().filter(|line| {
                    at = header(line).unwrap_or(at);
                    let bare = line.strip_prefix("# ").unwrap_or(line);
                    at == table && key(bare) == Some(name)
                });
                assert_eq!(found.count(), 1, "[{table}] {name}");
            }
        }
    }

    #[test]
    fn the_answers_stand_in_the_text_and_what_the_example_makes_up_does_not() {
        let text = written(&answers(graph()));
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["timezone"].as_str(), Some("America/New_York"));
        assert_eq!(table["directory"]["source"].as_str(), Some("graph"));
        assert_eq!(
            table["directory"]["graph"]["tenant_id"].as_str(),
            Some("contoso.com")
        );
        assert!(table["directory"]["files"].get("path").is_none());
        let policy = &table["policy"][0];
        assert_eq!(policy["enforce"].as_str(), Some("report-only"));
        let excluded = policy["exclude"]["users"].as_array().unwrap();
        assert_eq!(excluded[1].as_str(), Some("b\"\n@contoso.com"));
        assert_eq!(policy["exclude"].get("groups"), None);
        assert_eq!(table["email"]["transport"].as_str(), Some("file"));
        assert_eq!(
            [
                table["database"]["url"].as_str(),
                table["email"]["file"]["path"].as_str()
            ],
            [
                Some("sqlite:/var/lib/x/fortnight.db"),
                Some("/var/lib/x/outbox")
            ]
        );
        for key in ["reply_to", "operators", "organisation", "help"] {
            assert!(table["email"].get(key).is_none(), "{key}");
            assert!(text.contains(&format!("\n# {key} = ")), "{key}");
        }
        let text = written(&Answers {
            operators: vec!["oncall@contoso.com".to_owned()],
            organisation: Some("Contoso".to_owned()),
            help: Some("Room \"12\"".to_owned()),
            ..answers(Facts::Files {
                folder: "ex ports".into(),
            })
        });
        let table: toml::Table = text.parse().unwrap();
        let email = &table["email"];
        assert_eq!(email["operators"][0].as_str(), Some("oncall@contoso.com"));
        assert_eq!(email["organisation"].as_str(), Some("Contoso"));
        assert_eq!(email["help"].as_str(), Some("Room \"12\""));
        assert_eq!(
            table["directory"]["files"]["path"].as_str(),
            Some("ex ports")
        );
        assert_eq!(table["directory"]["graph"].as_table().unwrap().len(), 0);
    }
}
