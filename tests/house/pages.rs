//! The documents that people read, taken apart: headings, first cells of tables, links, and what they
//! tell to type.

use std::collections::BTreeMap;
use std::fs;

use super::repository::root;

/// A document.
pub(crate) struct Page {
    /// Its path from the root of the repository.
    pub(crate) file: String,
    /// What stands under each heading, in order; what comes before the first is under none.
    pub(crate) sections: Vec<Section>,
}

/// What stands under one heading.
#[derive(Default)]
pub(crate) struct Section {
    pub(crate) heading: String,
    /// What a link to it ends with.
    pub(crate) anchor: String,
    /// The words in `code` of the first cells of its tables.
    pub(crate) terms: Vec<String>,
    /// Where its links lead, with their lines.
    pub(crate) links: Vec<(usize, String)>,
    /// Its lines of code that are no pictures of output, with their lines.
    pub(crate) typed: Vec<(usize, String)>,
    /// What stands in `code` in its prose, with their lines.
    pub(crate) spans: Vec<(usize, String)>,
}

/// README, contrib/README.md and all that is in docs.
pub(crate) fn pages() -> Vec<Page> {
    let mut files = vec!["README.md".to_owned(), "contrib/README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "md") {
            let path = path.strip_prefix(root()).unwrap();
            files.push(path.display().to_string());
        }
    }
    files.sort();
    files.iter().map(|file| page(file)).collect()
}

/// The document in that file.
pub(crate) fn page(file: &str) -> Page {
    let text = fs::read_to_string(root().join(file)).unwrap_or_default();
    Page {
        file: file.to_owned(),
        sections: sections(&text),
    }
}

impl Page {
    /// What stands under that heading.
    pub(crate) fn section(&self, heading: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.heading == heading)
    }
}

/// A text, cut at its headings.
pub(crate) fn sections(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut anchors: BTreeMap<String, usize> = BTreeMap::new();
    let mut fence: Option<String> = None;
    for (line, number) in text.lines().zip(1..) {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            fence = match fence {
                None => Some(kind.to_owned()),
                Some(_) => None,
            };
            continue;
        }
        let last = sections.len() - 1;
        match (&fence, line.trim_start_matches('#')) {
            (Some(kind), _) => {
                if kind == "sh" {
                    sections[last].typed.push((number, line.trim().to_owned()));
                }
            }
            (None, heading) if heading.len() < line.len() && heading.starts_with(' ') => {
                sections.push(Section {
                    heading: heading.trim().to_owned(),
                    anchor: anchor(heading.trim(), &mut anchors),
                    ..Section::default()
                });
            }
            (None, _) => sections[last].read(line, number),
        }
    }
    sections
}

impl Section {
    fn read(&mut self, line: &str, number: usize) {
        if let Some(cell) = line.strip_prefix('|').and_then(|row| row.split('|').next()) {
            self.terms.extend(in_code(cell).map(str::to_owned));
        }
        let spans = in_code(line).map(|span| (number, span.to_owned()));
        self.spans.extend(spans);
        let links = line.split("](").skip(1).chain(line.split("src=\"").skip(1));
        for link in links {
            let end = link.find([')', '"', ' ']).unwrap_or(link.len());
            self.links.push((number, link[..end].to_owned()));
        }
    }
}

/// What stands between two backticks.
fn in_code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What a link to a heading ends with, as forges make it; a second one alike is numbered.
fn anchor(heading: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let plain: String = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect();
    let count = seen.entry(plain.clone()).or_insert(0);
    *count += 1;
    match *count {
        1 => plain,
        more => format!("{plain}-{}", more - 1),
    }
}

#[test]
fn a_page_is_cut_at_its_headings() {
    let text = "See [one](docs/one.md#here) and <img src=\"two.png\">.\n\n## The `x` y\n\n| `a`, `b` | `c` |\n\n```sh\n# no heading\nfortnight status\n```\n\n```\n$ fortnight users\n```\n\n## The x y\n";
    let sections = sections(text);
    let shown: Vec<_> = sections
        .iter()
        .map(|section| {
            let links: Vec<&str> = section.links.iter().map(|(_, to)| to.as_str()).collect();
            let typed: Vec<&str> = section
                .typed
                .iter()
                .map(|(_, line)| line.as_str())
                .collect();
            (
                section.anchor.as_str(),
                section.terms.join(" "),
                links.join(" "),
                typed.join(" | "),
            )
        })
        .collect();
    let row = |anchor, terms: &str, links: &str, typed: &str| {
        (anchor, terms.to_owned(), links.to_owned(), typed.to_owned())
    };
    assert_eq!(
        shown,
        [
            row("", "", "docs/one.md#here two.png", ""),
            row("the-x-y", "a b", "", "# no heading | fortnight status"),
            row("the-x-y-1", "", "", ""),
        ]
    );
}
