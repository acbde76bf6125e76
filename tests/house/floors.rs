//! No file imports from a floor above its own or beside it, and no imports run in a circle.
//!
//! An import is any path that begins with `crate::` or `super::`, in a `use` or in the middle of
//! code, outside tests. A folder's own `mod.rs` may name its children by `self::`: that is how it is
//! put together, and no dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use super::repository::root;

/// From the roof to the ground. What stands on one floor does not know one another.
const FLOORS: [&[&str]; 14] = [
    &["main"],
    &["cli"],
    &["daemon"],
    &["http"],
    &["desk", "engine"],
    &["pass"],
    &["courier"],
    &["report"],
    &["config"],
    &["sources", "delivery"],
    &["graph"],
    &["store", "entra"],
    // What every floor above the rules may use.
    &[
        "answer",
        "certificate",
        "errors",
        "exit",
        "private",
        "quote",
        "stop",
        "time",
    ],
    &["domain"],
];

/// Which files each file imports from, all by their paths of modules.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn imports_lead_downwards_and_never_in_a_circle() {
    let imports = imports_of(&sources());
    assert!(imports.len() > 100, "the sources were not found");
    assert_eq!(upwards(&imports), Vec::<String>::new());
    assert_eq!(circles(&imports), Vec::<String>::new());
}

#[test]
fn a_planted_circle_is_found() {
    let planted = imports_of(&[
        file("store/one.rs", "use super::two::Two;"),
        file("store/two.rs", "fn two() { crate::store::three::three(); }"),
        file("store/three.rs", "use crate::{domain::Rule, store::one};"),
        file("domain/mod.rs", ""),
    ]);
    assert_eq!(circles(&planted), ["store::one, store::three, store::two"]);
    assert_eq!(upwards(&planted), Vec::<String>::new());
}

#[test]
fn a_planted_edge_upwards_is_found_and_one_to_the_side() {
    let planted = imports_of(&[
        file(
            "store/one.rs",
            "use crate::pass::Pass;\n#[cfg(test)] mod tests { use crate::cli::run; }",
        ),
        file("sources/one.rs", "mod inner { use crate::delivery::Mail; }"),
        file("pass/mod.rs", "use self::inner::Thing;"),
        file("delivery.rs", ""),
        file("cli.rs", ""),
    ]);
    assert_eq!(
        upwards(&planted),
        ["sources::one -> delivery", "store::one -> pass"]
    );
}

#[test]
fn every_module_has_a_floor() {
    let strangers = planted_stranger();
    assert_eq!(upwards(&strangers), ["stranger has no floor"]);
}

fn planted_stranger() -> Imports {
    imports_of(&[
        file("stranger.rs", "use crate::domain::Rule;"),
        file("domain.rs", ""),
    ])
}

/// A module by its path, and its text.
pub(super) type Module = (Vec<String>, String);

fn file(path: &str, text: &str) -> Module {
    (module(Path::new(path)), text.to_owned())
}

pub(super) fn sources() -> Vec<Module> {
    let root = root().join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((module(path.strip_prefix(&root).unwrap()), text));
            }
        }
    }
    files
}

fn module(path: &Path) -> Vec<String> {
    let mut module: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|step| step.to_str().unwrap().to_owned())
        .collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        module.pop();
    }
    module
}

fn imports_of(files: &[Module]) -> Imports {
    let parsed: Vec<(&Vec<String>, syn::File)> = files
        .iter()
        .map(|(module, text)| (module, syn::parse_file(text).unwrap()))
        .collect();
    let of_tests: BTreeSet<Vec<String>> = parsed
        .iter()
        .flat_map(|(module, file)| modules_of_tests(module, file))
        .collect();
    let known: BTreeSet<&[String]> = files.iter().map(|(module, _)| module.as_slice()).collect();
    let mut imports = Imports::new();
    for (module, file) in parsed
        .iter()
        .filter(|(module, _)| !of_tests.contains(*module))
    {
        let mut reader = Reader {
            within: (*module).clone(),
            paths: Vec::new(),
        };
        reader.visit_file(file);
        let from = imports.entry(module.join("::")).or_default();
        for path in reader.paths {
            let target = (0..=path.len())
                .rev()
                .find(|end| known.contains(&path[..*end]));
            let target = target.map(|end| path[..end].to_vec()).unwrap_or_default();
            if !target.is_empty() && target != **module {
                from.insert(target.join("::"));
            }
        }
    }
    imports
}

/// Files that a file has for its tests alone.
pub(super) fn modules_of_tests(module: &[String], file: &syn::File) -> Vec<Vec<String>> {
    let items = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(child) if is_test(&child.attrs) => {
            Some([module, &[child.ident.to_string()]].concat())
        }
        _ => None,
    });
    items.collect()
}

pub(super) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|of| of.is_ident("test"))
    })
}

/// Collects the paths that a file names, each from the root of the crate.
struct Reader {
    within: Vec<String>,
    paths: Vec<Vec<String>>,
}

impl Reader {
    fn name(&mut self, steps: &[String]) {
        let Some(first) = steps.first() else { return };
        let ups = steps.iter().take_while(|step| *step == "super").count();
        if first == "crate" {
            self.paths.push(steps[1..].to_vec());
        } else if ups > 0 && ups <= self.within.len() {
            let base = &self.within[..self.within.len() - ups];
            self.paths.push([base, &steps[ups..]].concat());
        }
    }

    fn name_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.name_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.name(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.name(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.name(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.name_tree(before, tree);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test(&item.attrs) || item.content.is_none() {
            return;
        }
        self.within.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.within.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.name_tree(&[], &item.tree);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    // `pub(in crate::…)` says who may look, not what is imported.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let steps: Vec<String> = path
            .segments
            .iter()
            .map(|step| step.ident.to_string())
            .collect();
        self.name(&steps);
        visit::visit_path(self, path);
    }
}

/// Imports from a floor above or beside.
fn upwards(imports: &Imports) -> Vec<String> {
    let floor = |module: &str| {
        let top = module.split("::").next().unwrap_or_default();
        (
            FLOORS.iter().position(|floor| floor.contains(&top)),
            top.to_owned(),
        )
    };
    let mut found = Vec::new();
    for (from, targets) in imports.iter().filter(|(from, _)| !from.is_empty()) {
        let (Some(height), top) = floor(from) else {
            found.push(format!("{from} has no floor"));
            continue;
        };
        for to in targets {
            match floor(to) {
                (Some(below), other) if below > height || other == top => {}
                _ => found.push(format!("{from} -> {to}")),
            }
        }
    }
    found
}

/// Files that reach one another, each set of them once.
fn circles(imports: &Imports) -> Vec<String> {
    let reach = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = vec![from];
        while let Some(module) = next.pop() {
            for to in imports.get(module).into_iter().flatten() {
                if seen.insert(to.as_str()) {
                    next.push(to);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = imports
        .keys()
        .map(|from| (from.as_str(), reach(from)))
        .collect();
    let circles: BTreeSet<String> = reached
        .iter()
        .filter(|(from, seen)| seen.contains(**from))
        .map(|(from, seen)| {
            let back = seen
                .iter()
                .filter(|to| reached.get(**to).is_some_and(|seen| seen.contains(*from)));
            back.copied().collect::<Vec<_>>().join(", ")
        })
        .collect();
    circles.into_iter().collect()
}
