//! Citations: a word and its number, `rule 7.11`, or several after the plural, `cases 15 and 16`.
//!
//! The trap are numbers without their word: nobody finds them, and a check could not either. So
//! those that look like one are found too.

/// How a comment begins, where not all of a file is prose.
const MARKS: [(&str, &str); 3] = [(".rs", "//"), (".sql", "--"), (".toml", "#")];
/// Papers that are not here: a number of theirs leads nowhere.
const ELSEWHERE: [&str; 5] = ["contract", "delivery", "domain", "reliability", "stack"];

/// A number that is cited, as `rule 7.11`, `case 23` or `invariant 11`.
pub(crate) struct Cited {
    pub(crate) id: String,
    pub(crate) line: usize,
}

/// What a text cites.
pub(crate) fn citations(text: &str) -> impl Iterator<Item = Cited> {
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
    (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The cases and invariants whose numbers names of tests bear.
pub(crate) fn borne(text: &str) -> impl Iterator<Item = Cited> {
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
pub(crate) struct Bare {
    pub(crate) line: usize,
    pub(crate) number: String,
}

/// The numbers that stand in a text without their word, and those that have it too.
pub(crate) fn bare(path: &str, text: &str) -> impl Iterator<Item = Bare> {
    text.lines().zip(1..).flat_map(|(text, line)| {
        let words: Vec<&str> = prose(path, text)
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .map(|word| word.trim_matches('.'))
            .filter(|word| !word.is_empty())
            .collect();
        let alone = words.iter().filter(|word| stands_for_a_rule(word));
        let elsewhere = words.windows(2).filter(|pair| {
            ELSEWHERE.contains(&pair[0].to_lowercase().as_str()) && is_section(pair[1])
        });
        let numbers: Vec<String> = alone
            .map(|word| (*word).to_owned())
            .chain(elsewhere.map(|pair| pair.join(" ")))
            .collect();
        numbers.into_iter().map(move |number| Bare { line, number })
    })
}

/// A rule's number, or one of a list of failures or invariants that is not here.
fn stands_for_a_rule(word: &str) -> bool {
    let lettered = word.strip_prefix(['T', 'R', 'F', 'I']);
    lettered.is_some_and(is_short) || word.starts_with("7.") && is_rule(word)
}

/// A section of a paper: `4`, `7.11` or `A5`.
fn is_section(word: &str) -> bool {
    word.trim_start_matches(|c: char| c.is_ascii_uppercase())
        .starts_with(|c: char| c.is_ascii_digit())
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
        (
            "a.rs",
            "    // T11–T15, 7.5 and F57",
            &["T11", "T15", "7.5", "F57"],
        ),
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
