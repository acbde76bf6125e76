//! `docs/rules.md` says what the product does; here it is held to what it names: files, tests, and
//! the places that cite its numbers.

use std::collections::BTreeSet;
use std::fs;

use super::citations::{Bare, bare, borne, citations};
use super::repository::{root, test_names, texts};

const RULES: &str = "docs/rules.md";
/// A migration is never edited once it has been released.
const RELEASED: &str = "migrations";

#[test]
fn every_number_that_is_cited_stands_in_the_rules() {
    let known: BTreeSet<String> = rules().into_iter().map(|rule| rule.id).collect();
    let mut faults = Vec::new();
    for (path, text) in texts() {
        for cited in citations(&text).chain(borne(&text)) {
            if !known.contains(&cited.id) {
                faults.push(format!(
                    "{path}:{}: {RULES} has no {}",
                    cited.line, cited.id
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_number_stands_without_its_word() {
    let mut faults = Vec::new();
    for (path, text) in texts() {
        if path == RULES || path.starts_with(RELEASED) {
            continue;
        }
        let cited = citations(&text).collect::<Vec<_>>();
        for Bare { line, number } in bare(&path, &text) {
            let id = format!("rule {number}");
            if !cited
                .iter()
                .any(|cited| cited.line == line && cited.id == id)
            {
                faults.push(format!(
                    "{path}:{line}: what is {number}? Cite rule, case or invariant"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_names_files_and_tests_that_are_there() {
    let tests: BTreeSet<String> = texts().values().flat_map(|text| test_names(text)).collect();
    let mut faults = Vec::new();
    for Rule {
        id,
        files,
        shown_by,
    } in rules()
    {
        if files.is_empty() || shown_by.is_empty() {
            faults.push(format!("{id} does not name a file and a test"));
        }
        let missing = files.iter().filter(|file| !root().join(file).is_file());
        faults.extend(missing.map(|file| format!("{id}: there is no file {file}")));
        let missing = shown_by.iter().filter(|test| !tests.contains(*test));
        faults.extend(missing.map(|test| format!("{id}: there is no test {test}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_rule_is_cited_once_at_least_and_stands_there_once() {
    let mut cited = BTreeSet::new();
    for (path, text) in texts() {
        if path != RULES {
            cited.extend(citations(&text).chain(borne(&text)).map(|cited| cited.id));
        }
    }
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for Rule { id, .. } in rules() {
        if !cited.contains(&id) {
            faults.push(format!("nothing cites {id}"));
        }
        if !seen.insert(id.clone()) {
            faults.push(format!("{id} stands there twice"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_rule_ends_with_its_files_and_tests() {
    let text = "## T\n\n- **T1** Who (so `x`) is in.\n  (`src/a.rs`,\n  `src/b.rs`; `one`, `two`)\n\n### 7.3 Back\n\nText.\n\n(`c.md`; `three`)\n";
    let found: Vec<_> = parse(text)
        .into_iter()
        .map(|rule| (rule.id, rule.files.join(" "), rule.shown_by.join(" ")))
        .collect();
    let rule =
        |id: &str, files: &str, tests: &str| (id.to_owned(), files.to_owned(), tests.to_owned());
    assert_eq!(
        found,
        [
            rule("rule T1", "src/a.rs src/b.rs", "one two"),
            rule("rule 7.3", "c.md", "three")
        ]
    );
}

/// A rule as the document has it.
struct Rule {
    id: String,
    files: Vec<String>,
    shown_by: Vec<String>,
}

fn rules() -> Vec<Rule> {
    parse(&fs::read_to_string(root().join(RULES)).unwrap())
}

/// Rules begin with their number, in bold or in a heading, and end with `(files; tests)`.
fn parse(text: &str) -> Vec<Rule> {
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(id) = heading(line) {
            entries.push((id, String::new()));
        } else if line.starts_with("## ") {
            entries.push((String::new(), String::new()));
        }
        if let Some((_, body)) = entries.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    entries.retain(|(id, _)| !id.is_empty());
    entries
        .into_iter()
        .map(|(id, body)| {
            let proof = body.rfind("(`").map_or("", |at| &body[at..]);
            let (files, tests) = proof.split_once(';').unwrap_or_default();
            Rule {
                id,
                files: quoted(files),
                shown_by: quoted(tests),
            }
        })
        .collect()
}

/// The number with which a rule begins, if the line does.
fn heading(line: &str) -> Option<String> {
    let bold = line
        .strip_prefix("- **")
        .and_then(|rest| rest.split_once("**"));
    let number = match (bold, line.strip_prefix("### ")) {
        (Some((number, _)), _) => number,
        (None, Some(rest)) => rest.split_once(' ').map_or(rest, |(number, _)| number),
        (None, None) => return None,
    };
    Some(if number.contains(' ') {
        number.to_owned()
    } else {
        format!("rule {number}")
    })
}

fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}
