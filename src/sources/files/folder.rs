//! Lists a folder of exports by collection, in name order.
//!
//! Only names and file attributes are looked at. Links are followed, because mounted
//! configuration volumes are made of links; one to a folder that is being listed, or that holds
//! it, leads nowhere new. What bears the name of an export and cannot be read as one fails its
//! collection: what is passed over in silence seems to be gone.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::names::{Named, classify, in_name_order, split};
use super::{Fingerprint, Part};
use crate::domain::id::acts;
use crate::quote::quote;
use crate::sources::wire::{DateOrder, Recorded};
use crate::sources::{Collection, SourceError};

/// `insights-logs-signinlogs/tenantId=…/y=…/m=…/d=…/h=…/m=…/PT1H.json` is seven deep.
const MAX_DEPTH: usize = 10;

/// What a folder holds.
#[derive(Debug)]
pub struct Folder {
    path: String,
    parts: BTreeMap<Collection, Vec<Part>>,
    wrong: BTreeMap<Collection, Vec<Wrong>>,
    others: Vec<String>,
}

/// What bears the name of a collection and cannot serve as a part of it.
#[derive(Debug)]
struct Wrong {
    name: String,
    reason: String,
    remedy: &'static str,
}

/// Lists a folder. `dates` is how a CSV writes dates where nothing in it tells.
pub fn scan(folder: &Path, dates: Option<DateOrder>) -> Result<Folder, SourceError> {
    let unreadable = |source| SourceError::Unreadable {
        file: folder.display().to_string(),
        source,
    };
    let mut listing = Listing {
        dates,
        holding: holding(folder).map_err(unreadable)?,
        listed: HashSet::new(),
        found: Folder {
            path: folder.display().to_string(),
            parts: BTreeMap::new(),
            wrong: BTreeMap::new(),
            others: Vec::new(),
        },
    };
    listing.list(folder, "", None, 0).map_err(unreadable)?;
    let mut found = listing.found;
    for parts in found.parts.values_mut() {
        parts.sort_unstable_by(|a, b| in_name_order(&a.name, &b.name));
        // The same page plain and packed is one page.
        parts.dedup_by(|later, earlier| {
            let name = later.name.as_bytes();
            name.len() == earlier.name.len() + 3
                && name.starts_with(earlier.name.as_bytes())
                && name[earlier.name.len()..].eq_ignore_ascii_case(b".gz")
        });
    }
    Ok(found)
}

impl Folder {
    /// The parts of a collection in reading order; none if it is absent.
    pub fn parts(&self, collection: Collection) -> Result<&[Part], SourceError> {
        match self.wrong.get(&collection).and_then(|wrong| wrong.first()) {
            Some(wrong) => Err(SourceError::WrongFile {
                file: wrong.name.clone(),
                line: None,
                reason: wrong.reason.clone(),
                remedy: wrong.remedy.to_owned(),
            }),
            None => Ok(self.parts.get(&collection).map_or(&[], Vec::as_slice)),
        }
    }

    /// The parts of a collection that must be there.
    pub fn required(&self, collection: Collection) -> Result<&[Part], SourceError> {
        match self.parts(collection)? {
            [] => Err(SourceError::Absent {
                collection,
                folder: self.path.clone(),
            }),
            parts => Ok(parts),
        }
    }

    /// Files of other names that look like exports: nobody reads them.
    #[must_use]
    pub fn others(&self) -> &[String] {
        &self.others
    }
}

/// What tells two folders apart.
type Identity = (u64, u64);

/// A folder that is being listed.
struct Listing {
    dates: Option<DateOrder>,
    /// The folder itself and those that hold it.
    holding: HashSet<Identity>,
    /// The folders of pages that were listed.
    listed: HashSet<(Collection, Identity)>,
    found: Folder,
}

/// The collection and the kind of the folder of pages that is being listed.
type Within = Option<(Collection, Recorded)>;

impl Listing {
    /// Lists one folder.
    fn list(
        &mut self,
        folder: &Path,
        prefix: &str,
        within: Within,
        depth: usize,
    ) -> io::Result<()> {
        let mut entries: Vec<DirEntry> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        entries.sort_by_cached_key(DirEntry::file_name);
        for entry in entries {
            let file_name = entry.file_name();
            let name = file_name.to_str();
            if let Some(name) = name.filter(|name| !name.starts_with('.')) {
                self.look(&entry, name, prefix, within, depth);
            }
        }
        Ok(())
    }

    /// Looks at one entry of a folder.
    fn look(&mut self, entry: &DirEntry, name: &str, prefix: &str, within: Within, depth: usize) {
        let named = Candidate::of(name, within, depth);
        if name.eq_ignore_ascii_case("manifest.json") {
            return;
        }
        let relative = printable(format!("{prefix}{name}"));
        // A name that means nothing here costs no look at the file.
        let Some(collection) = named.collection() else {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if looks_meant(name) && !is_folder {
                self.found.others.push(relative);
            }
            return;
        };
        let path = entry.path();
        let mut wrong = |reason: String, remedy| {
            let wrong = Wrong {
                name: relative.clone(),
                reason,
                remedy,
            };
            self.found.wrong.entry(collection).or_default().push(wrong);
        };
        let attributes = match fs::metadata(&path) {
            Ok(attributes) => attributes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Else it was removed since the folder was read.
                if fs::symlink_metadata(&path).is_ok() {
                    wrong(
                        "it is a link to nowhere".to_owned(),
                        "restore what it led to, or remove it",
                    );
                }
                return;
            }
            Err(error) => {
                wrong(
                    format!("it cannot be read: {error}"),
                    "let this user read it, or remove it",
                );
                return;
            }
        };
        if attributes.is_dir() {
            match named.folder {
                Named::Wrong(reason, remedy) => wrong(reason.to_owned(), remedy),
                Named::Part(collection, recorded) => {
                    if !self.is_new(collection, &attributes) {
                        return;
                    }
                    let within = Some((collection, recorded));
                    let prefix = format!("{relative}/");
                    if let Err(error) = self.list(&path, &prefix, within, depth + 1) {
                        let wrong = Wrong {
                            name: relative,
                            reason: format!("the folder cannot be read: {error}"),
                            remedy: "let this user read it, or remove it",
                        };
                        self.found.wrong.entry(collection).or_default().push(wrong);
                    }
                }
                Named::Other => {}
            }
            return;
        }
        match (named.file, split(name)) {
            (Named::Wrong(reason, remedy), Some(_)) => wrong(reason.to_owned(), remedy),
            (Named::Part(..), Some(_)) if !attributes.is_file() => wrong(
                "it is a pipe, a socket or a device".to_owned(),
                "write the export into a file",
            ),
            (Named::Part(collection, recorded), Some((_, format))) => {
                match fingerprint(&attributes) {
                    Ok(fingerprint) => {
                        self.found.parts.entry(collection).or_default().push(Part {
                            name: relative,
                            path,
                            format,
                            recorded,
                            dates: self.dates,
                            fingerprint,
                        });
                    }
                    Err(error) => wrong(
                        format!("it cannot be read: {error}"),
                        "let this user read it, or remove it",
                    ),
                }
            }
            (Named::Wrong(..) | Named::Part(..), None) | (Named::Other, _) => {}
        }
    }

    /// Whether a folder of pages was not listed yet, and does not hold what is being listed.
    fn is_new(&mut self, collection: Collection, attributes: &Metadata) -> bool {
        identity(attributes).is_none_or(|identity| {
            !self.holding.contains(&identity) && self.listed.insert((collection, identity))
        })
    }
}

/// A folder and those that hold it.
fn holding(folder: &Path) -> io::Result<HashSet<Identity>> {
    let folder = fs::canonicalize(folder)?;
    let attributes = folder.ancestors().map(fs::metadata);
    Ok(attributes
        .filter_map(|attributes| identity(&attributes.ok()?))
        .collect())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn identity(attributes: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    Some((attributes.dev(), attributes.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}

/// How deep folders of pages nest. The log adds up; of a snapshot, a folder within is more
/// likely an older edition than a part.
fn deepest(collection: Collection) -> usize {
    match collection {
        Collection::SignIns | Collection::Audits => MAX_DEPTH,
        Collection::Users | Collection::Groups | Collection::Registration => 1,
    }
}

/// Whether somebody may have put a file there to be read.
fn looks_meant(name: &str) -> bool {
    let lower = name.to_lowercase();
    let plain = Path::new(lower.strip_suffix(".gz").unwrap_or(&lower));
    split(name).is_some() || plain.extension().is_some_and(|ending| ending == "log")
}

/// What an entry would be as a file and as a folder.
struct Candidate {
    file: Named,
    folder: Named,
}

impl Candidate {
    fn of(name: &str, within: Within, depth: usize) -> Self {
        let file = split(name).map_or(Named::Other, |(base, _)| classify(base));
        let folder = classify(name);
        let (file, folder) = match within {
            None => (file, folder),
            Some(place) => (
                split(name).map_or(Named::Other, |_| inside(file, place)),
                inside(folder, place),
            ),
        };
        let folder = match folder {
            Named::Part(collection, _) if depth >= deepest(collection) => Named::Other,
            folder => folder,
        };
        Self { file, folder }
    }

    /// The collection that it would belong to as either.
    fn collection(&self) -> Option<Collection> {
        [self.file, self.folder]
            .into_iter()
            .find_map(|named| match named {
                Named::Part(collection, _) => Some(collection),
                Named::Wrong(..) => Some(Collection::SignIns),
                Named::Other => None,
            })
    }
}

/// In a folder of pages every page belongs to it, and only sign-ins are told apart by name.
fn inside(named: Named, (collection, recorded): (Collection, Recorded)) -> Named {
    match named {
        Named::Wrong(..) if collection == Collection::SignIns => named,
        Named::Part(Collection::SignIns, Recorded::NonInteractive)
            if collection == Collection::SignIns =>
        {
            named
        }
        Named::Wrong(..) | Named::Part(..) | Named::Other => Named::Part(collection, recorded),
    }
}

/// A file name as it can stand in a message.
fn printable(name: String) -> String {
    if name.chars().any(acts) {
        quote(&name)
    } else {
        name
    }
}

fn fingerprint(attributes: &Metadata) -> io::Result<Fingerprint> {
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(attributes);
    #[cfg(not(unix))]
    let inode = 0;
    Ok(Fingerprint {
        size: attributes.len(),
        modified: Timestamp::try_from(attributes.modified()?).unwrap_or(Timestamp::UNIX_EPOCH),
        inode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = scan(dir.path(), None).unwrap();
        (dir, found)
    }

    fn names(folder: &Folder, collection: Collection) -> Vec<&str> {
        folder
            .parts(collection)
            .unwrap()
            .iter()
            .map(|part| part.name.as_str())
            .collect()
    }

    #[test]
    fn files_and_pages_in_name_order() {
        let (_dir, found) = folder(&[
            "users.json",
            "users/000001.json",
            "users/000000.json",
            "users/000000.json.gz",
            "users/manifest.json",
            "users/last-year/000000.json",
            "users/.hidden.json",
            "sign-ins-2026-01-05.json",
            "NonInteractiveSignIns_1.csv",
            "insights-logs-signinlogs/tenantId=x/y=2026/m=01/d=05/h=00/m=00/PT1H.json",
            "manifest.json",
            "notes.json",
            "elsewhere/users.json",
        ]);
        assert_eq!(
            names(&found, Collection::Users),
            ["users.json", "users/000000.json", "users/000001.json"]
        );
        assert_eq!(
            names(&found, Collection::SignIns),
            [
                "NonInteractiveSignIns_1.csv",
                "insights-logs-signinlogs/tenantId=x/y=2026/m=01/d=05/h=00/m=00/PT1H.json",
                "sign-ins-2026-01-05.json"
            ]
        );
        let parts = found.parts(Collection::SignIns).unwrap();
        assert_eq!(parts[0].recorded, Recorded::NonInteractive);
        assert_eq!(parts[1].recorded, Recorded::ByRow);
        assert!(names(&found, Collection::Audits).is_empty());
        let absent = found
            .required(Collection::Registration)
            .unwrap_err()
            .to_string();
        assert!(
            absent.contains("has no registration file: put registration.json"),
            "{absent}"
        );
    }

    #[test]
    fn exports_that_cannot_serve_fail_the_sign_ins_only() {
        for name in [
            "ApplicationSignIns_1.csv",
            "MSISignIns.json",
            "signIns/InteractiveSignIns_AuthDetails_1.csv",
        ] {
            let (_dir, found) = folder(&["users.json", "sign-ins.json", name]);
            assert!(found.parts(Collection::Users).is_ok());
            let error = found.required(Collection::SignIns).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{name}: it ")) && error.contains("InteractiveSignIns"),
                "{error}"
            );
        }
    }
}
