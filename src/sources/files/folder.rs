//! Lists a folder of exports by collection, in name order.
//!
//! Only names and file attributes are looked at. Links are followed, because mounted
//! configuration volumes are made of links.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::names::{Named, classify, split};
use super::{Fingerprint, Part};
use crate::quote::quote;
use crate::sources::wire::Recorded;
use crate::sources::{Collection, SourceError};

/// `insights-logs-signinlogs/tenantId=…/y=…/m=…/d=…/h=…/m=…/PT1H.json` is seven deep; a circle
/// of links ends here too.
const MAX_DEPTH: usize = 10;

/// What a folder holds.
#[derive(Debug)]
pub struct Folder {
    path: String,
    parts: BTreeMap<Collection, Vec<Part>>,
    wrong: Vec<Wrong>,
}

/// An export that cannot serve as sign-ins.
#[derive(Debug)]
struct Wrong {
    name: String,
    reason: &'static str,
    remedy: &'static str,
}

/// Lists a folder. Files of other names are passed over.
pub fn scan(folder: &Path) -> Result<Folder, SourceError> {
    let mut found = Folder {
        path: folder.display().to_string(),
        parts: BTreeMap::new(),
        wrong: Vec::new(),
    };
    found
        .list(folder, "", None, 0)
        .map_err(|(file, source)| SourceError::Unreadable { file, source })?;
    for parts in found.parts.values_mut() {
        parts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        // The same page plain and packed is one page.
        parts.dedup_by(|later, earlier| {
            let name = later.name.as_bytes();
            name.len() == earlier.name.len() + 3
                && name.starts_with(earlier.name.as_bytes())
                && name[earlier.name.len()..].eq_ignore_ascii_case(b".gz")
        });
    }
    found.wrong.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

impl Folder {
    /// The parts of a collection in reading order; none if it is absent.
    pub fn parts(&self, collection: Collection) -> Result<&[Part], SourceError> {
        if collection == Collection::SignIns
            && let Some(wrong) = self.wrong.first()
        {
            return Err(SourceError::WrongFile {
                file: wrong.name.clone(),
                line: None,
                reason: wrong.reason.to_owned(),
                remedy: wrong.remedy.to_owned(),
            });
        }
        Ok(self.parts.get(&collection).map_or(&[], Vec::as_slice))
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

    /// Lists one folder; `within` is the collection of the folder of pages we are in.
    fn list(
        &mut self,
        folder: &Path,
        prefix: &str,
        within: Option<(Collection, Recorded)>,
        depth: usize,
    ) -> Result<(), (String, io::Error)> {
        let failed = |error| (folder.display().to_string(), error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file_name = entry.file_name();
            let Some(name) = file_name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            let named = Candidate::of(name, within);
            // A name that means nothing here costs no look at the file.
            if named.is_idle(within) || name.eq_ignore_ascii_case("manifest.json") {
                continue;
            }
            let path = entry.path();
            let relative = format!("{prefix}{name}");
            let attributes = match fs::metadata(&path) {
                Ok(attributes) => attributes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err((relative, error)),
            };
            if attributes.is_dir() {
                match named.folder {
                    Named::Wrong(reason, remedy) => self.wrong.push(Wrong {
                        name: relative,
                        reason,
                        remedy,
                    }),
                    Named::Part(collection, recorded) if depth < deepest(collection) => {
                        self.list(
                            &path,
                            &format!("{relative}/"),
                            Some((collection, recorded)),
                            depth + 1,
                        )?;
                    }
                    Named::Part(..) | Named::Other => {}
                }
                continue;
            }
            match (named.file, split(name)) {
                (Named::Wrong(reason, remedy), Some(_)) => self.wrong.push(Wrong {
                    name: relative,
                    reason,
                    remedy,
                }),
                (Named::Part(collection, recorded), Some((_, format))) if attributes.is_file() => {
                    let fingerprint =
                        fingerprint(&attributes).map_err(|error| (relative.clone(), error))?;
                    self.parts.entry(collection).or_default().push(Part {
                        name: printable(relative),
                        path,
                        format,
                        recorded,
                        fingerprint,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// How deep folders of pages nest. The log adds up; of a snapshot, a folder within is more
/// likely an older edition than a part.
fn deepest(collection: Collection) -> usize {
    match collection {
        Collection::SignIns | Collection::Audits => MAX_DEPTH,
        Collection::Users | Collection::Groups | Collection::Registration => 1,
    }
}

/// What an entry would be as a file and as a folder.
struct Candidate {
    file: Named,
    folder: Named,
}

impl Candidate {
    fn of(name: &str, within: Option<(Collection, Recorded)>) -> Self {
        let file = split(name).map_or(Named::Other, |(base, _)| classify(base));
        let folder = classify(name);
        match within {
            None => Self { file, folder },
            Some(place) => Self {
                file: split(name).map_or(Named::Other, |_| inside(file, place)),
                folder: inside(folder, place),
            },
        }
    }

    fn is_idle(&self, within: Option<(Collection, Recorded)>) -> bool {
        within.is_none() && self.file == Named::Other && self.folder == Named::Other
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
    if name.chars().any(char::is_control) {
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
        let found = scan(dir.path()).unwrap();
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
