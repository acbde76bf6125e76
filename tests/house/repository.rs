//! The repository as files: what people wrote here, and which tests there are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where citations may stand: all that people write here, but for the data of tests.
const PLACES: [&str; 15] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "benches",
    "contrib",
    "docs",
    "examples",
    "fortnight.example.toml",
    "fortnight.schema.json",
    "migrations",
    "schemas",
    "src",
    "templates",
    "tests",
];
/// What is text; of the rest nothing is written by people, or nothing is read here.
const KINDS: [&str; 8] = ["jinja", "json", "md", "rs", "service", "sql", "toml", "txt"];

/// Every text in which a citation may stand, by its path.
pub(crate) fn texts() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for place in PLACES {
        collect(&root().join(place), &mut files);
    }
    // Its tests plant what it looks for.
    let here = root().join("tests/house/citations.rs");
    files
        .into_iter()
        .filter(|file| *file != here)
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(root()).unwrap();
            (path.to_str().unwrap().to_owned(), text)
        })
        .collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        if path.ends_with("tests/data") {
            return;
        }
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if path
        .extension()
        .is_some_and(|kind| KINDS.iter().any(|known| kind == *known))
    {
        files.push(path.to_owned());
    }
}

/// Where all paths begin.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of all tests, in whatever file.
pub(crate) fn test_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let function = line.trim_start_matches("pub ").trim_start_matches("async ");
        if let Some(rest) = function.strip_prefix("fn ") {
            let end = rest.find('(').unwrap_or(rest.len());
            if std::mem::take(&mut is_test) {
                names.push(rest[..end].to_owned());
            }
        }
    }
    names
}

#[test]
fn a_document_tells_of_each_exit_code_what_the_manual_does() {
    let texts = texts();
    for (code, meaning) in fortnight::exit::MEANINGS {
        let row = format!("| {code} | {meaning} |");
        assert!(texts.values().any(|text| text.contains(&row)), "{row}");
    }
}
