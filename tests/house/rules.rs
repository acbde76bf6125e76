//! `docs/rules.md` and the numbers that code, tests and documents cite stay together.
//!
//! A citation is a word and its number, `rule 7.11`, or several after the plural: `cases 15 and 16`.
//! The trap are numbers without their word: nobody finds them, and this check could not either, so
//! it refuses those that look like one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const RULES: &str = "docs/rules.md";
/// Where citations may stand: all that people write here, but for the data of tests.
const PLACES: [&str; 12] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "benches",
    "contrib",
    "docs",
    "examples",
    "fortnight.example.toml",
    "migrations",
    "src",
    "tests",
];
const KINDS: [&str; 6] = ["md", "rs", "service", "sql", "toml", "txt"];
/// How a comment begins, where not all of a file is prose.
const MARKS: [(&str, &str); 3] = [(".rs", "//"), (".sql", "--"), (".toml", "#")];
/// A migration is never edited once it has been released.
const RELEASED: &str = "migrations";
/// Papers that are not here: a number of theirs leads nowhere.
const ELSEWHERE: [&str; 5] = ["contract", "delivery", "domain", "reliability", "stack"];

#[test]
fn every_number_that_is_cited_stands_in_the_rules() {
    let known: BTreeSet<String> = rules().into_iter().map(|rule| rule.id).collect();
    let mut faults = Vec::new();
    for (path, text) in sources() {
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
    for (path, text) in sources() {
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
    let tests: BTreeSet<String> = sources()
        .values()
        .flat_map(|text| test_names(text))
        .collect();
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
    for (path, text) in sources() {
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
fn a_citation_is_a_word_and_its_numbers() {
    for (text, expected) in [
        ("(rule 7.11).", &["rule 7.11"][..]),
        ("// Rules T7 and 7.12: proof.", &["rule T7", "rule 7.12"]),
        (
            "/// as rules T8,\n    /// R7 and R8 say",
            &["rule T8", "rule R7", "rule R8"],
        ),
        ("cases 15 and 16", &["case 15", "case 16"]),
        ("by the hint of case 23, 30 days later", &["case 23"]),
        ("invariant 1's deadline", &["invariant 1"]),
        ("rule 7.3, 14 days", &["rule 7.3"]),
        ("the rule that 14 days", &[]),
        ("in any case, 2 of them", &[]),
    ] {
        let found: Vec<String> = citations(text).map(|cited| cited.id).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn numbers_without_a_word_are_seen_in_prose_only() {
    for (path, text, expected) in [
        ("a.rs", "/// Nobody is flagged (R9).", &["R9"][..]),
        ("a.rs", "    // T11–T15 and 7.5", &["T11", "T15", "7.5"]),
        ("a.rs", "let x = 1; // (7.19)", &["7.19"]),
        ("a.sql", "-- delivery A5", &["delivery A5"]),
        ("a.md", "the sentence (contract 4)", &["contract 4"]),
        (
            "a.md",
            "a P1 licence, 7 days, version 7.x, at 17:30, of a domain of 4",
            &[],
        ),
        (
            "a.rs",
            "let url = \"https://example.com/T0/B0\"; // ours",
            &[],
        ),
        ("a.rs", "fn read<T1>(delivery: u8)", &[]),
    ] {
        let found: Vec<String> = bare(path, text).map(|bare| bare.number).collect();
        assert_eq!(found, expected, "{text}");
    }
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

/// Rules begin with `- **T1** ` or `### 7.3 ` and end with `(files; tests)`.
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

/// A number that is cited, as `rule 7.11`, `case 23` or `invariant 11`.
struct Cited {
    id: String,
    line: usize,
}

fn citations(text: &str) -> impl Iterator<Item = Cited> {
    let words: Vec<(usize, &str)> = words(text).collect();
    let mut found = Vec::new();
    for (at, (_, word)) in words.iter().enumerate() {
        let word = word.trim_start_matches(['(', '`', '"']).to_lowercase();
        let (kind, several) = match word.strip_suffix('s') {
            Some(kind) => (kind, true),
            None => (word.as_str(), false),
        };
        if !["rule", "case", "invariant"].contains(&kind) {
            continue;
        }
        for (line, word) in &words[at + 1..] {
            let Some(number) = number(kind, word) else {
                if ["and", "or"].contains(word) && several {
                    continue;
                }
                break;
            };
            found.push(Cited {
                id: format!("{kind} {number}"),
                line: *line,
            });
            if !several {
                break;
            }
        }
    }
    found.into_iter()
}

/// Words with their lines, but for the marks with which a comment begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().zip(1..).flat_map(|(line, number)| {
        line.split_whitespace()
            .filter(|word| !["//", "///", "//!", "--", "#"].contains(word))
            .map(move |word| (number, word))
    })
}

/// The number in a word that stands after `rule`, `case` or `invariant`.
fn number<'a>(kind: &str, word: &'a str) -> Option<&'a str> {
    let end = word
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .unwrap_or(word.len());
    let number = word[..end].trim_end_matches('.');
    let is_number = match kind {
        "rule" => is_rule(number),
        _ => is_short(number),
    };
    is_number.then_some(number)
}

fn is_rule(number: &str) -> bool {
    match number.split_once('.') {
        Some((chapter, rest)) => chapter.len() == 1 && is_short(chapter) && is_short(rest),
        None => number.strip_prefix(['T', 'R']).is_some_and(is_short),
    }
}

fn is_short(number: &str) -> bool {
    (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The cases and invariants whose numbers names of tests bear.
fn borne(text: &str) -> impl Iterator<Item = Cited> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let Some((_, name)) = line.split_once("fn ") else {
            continue;
        };
        let case = name.split_once("case_").map(|(_, rest)| ("case", rest));
        let invariant = name.strip_prefix('i').map(|rest| ("invariant", rest));
        for (kind, rest) in case.into_iter().chain(invariant) {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .map_or(rest, |end| &rest[..end]);
            if is_short(digits) {
                found.push(Cited {
                    id: format!("{kind} {}", digits.trim_start_matches('0')),
                    line: number,
                });
            }
        }
    }
    found.into_iter()
}

/// A number in prose that looks like a rule's, or like one of a paper that is not here.
struct Bare {
    line: usize,
    number: String,
}

fn bare(path: &str, text: &str) -> impl Iterator<Item = Bare> {
    text.lines().zip(1..).flat_map(|(text, line)| {
        let words: Vec<&str> = prose(path, text)
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .map(|word| word.trim_matches('.'))
            .filter(|word| !word.is_empty())
            .collect();
        let rules = words
            .iter()
            .filter(|word| is_rule(word) && (word.starts_with("7.") || !word.contains('.')));
        let elsewhere = words.windows(2).filter(|pair| {
            ELSEWHERE.contains(&pair[0].to_lowercase().as_str())
                && pair[1]
                    .trim_start_matches(|c: char| c.is_ascii_uppercase())
                    .starts_with(|c: char| c.is_ascii_digit())
        });
        let numbers: Vec<String> = rules
            .map(|word| (*word).to_owned())
            .chain(elsewhere.map(|pair| pair.join(" ")))
            .collect();
        numbers.into_iter().map(move |number| Bare { line, number })
    })
}

/// What a line says to people: in code its comment.
fn prose<'a>(path: &str, line: &'a str) -> &'a str {
    let Some(mark) = MARKS
        .iter()
        .find_map(|(kind, mark)| path.ends_with(kind).then_some(mark))
    else {
        return line;
    };
    let comment = line.trim_start();
    if comment.starts_with(mark) {
        return comment;
    }
    line.find(&format!(" {mark} ")).map_or("", |at| &line[at..])
}

/// The names of all tests, in whatever file.
fn test_names(text: &str) -> Vec<String> {
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

/// Every text in which a citation may stand, by its path.
fn sources() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for place in PLACES {
        collect(&root().join(place), &mut files);
    }
    let here = root().join("tests/house/rules.rs");
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
