//! Secrets: never in the file, and in no fault.

use std::path::Path;

use secrecy::SecretString;

use super::document::{CREDENTIALS, Found, Kind};
use super::fault::Place;
use super::reader::Section;
use crate::private;

impl Section<'_> {
    /// A secret: `KEY_file` names a file, or the variable of the key holds it. Never inline. The
    /// value is in no fault.
    pub(super) fn secret(
        &self,
        key: &'static str,
        key_file: &'static str,
        about: &'static str,
    ) -> Option<SecretString> {
        self.note(key_file, Kind::Text, "", about);
        if let Some((inline, _)) = self.table.and_then(|table| table.get_key_value(key)) {
            self.known.borrow_mut().insert(key);
            let message = format!(
                "`{}` is a secret and does not belong in this file",
                self.shown(key)
            );
            let remedy = format!(
                "write it into a file of its own, name that in `{key_file}`, and change it if others could read it here"
            );
            self.document
                .error(Place::File(inline.span()), message, remedy);
            return None;
        }
        if let Some((name, value)) = self.variable(key) {
            // An override needs no file beside it.
            self.variable(key_file);
            self.record_secret(key, name.clone());
            return self.filled(Place::Variable(name), "the secret is empty", &value);
        }
        self.read_secret(key_file).map(|found| found.value)
    }

    /// The same where there is no variable and the key itself is none of this program.
    pub(super) fn secret_file(
        &self,
        key_file: &'static str,
        about: &'static str,
    ) -> Option<Found<SecretString>> {
        self.note(key_file, Kind::Text, "", about);
        self.read_secret(key_file)
    }

    fn read_secret(&self, key_file: &str) -> Option<Found<SecretString>> {
        let found = self.raw_text(key_file, Kind::Text, "the path of a file, in quotes")?;
        let credentials = self.document.variables.get(CREDENTIALS).map(Path::new);
        let path = match credentials {
            Some(folder) => folder.join(&found.value),
            None => self.document.resolve(&found.value),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                tracing::debug!("read {} from {}", self.shown(key_file), path.display());
                if private::is_readable_by_others(&path, credentials) {
                    let key = self.shown(key_file);
                    let message = format!("others can read the file that `{key}` names");
                    let remedy = "leave it to the user that runs fortnight: chmod 600";
                    self.document.warning(found.place.clone(), message, remedy);
                    self.document.exposed.borrow_mut().push(key);
                }
                let message = format!("the file that `{}` names is empty", self.shown(key_file));
                let value = self.filled(found.place.clone(), &message, &text)?;
                Some(Found {
                    value,
                    place: found.place,
                })
            }
            Err(error) => {
                let key = self.shown(key_file);
                let message = format!("cannot read the file that `{key}` names: {error}");
                self.document.error(found.place, message, "check the path, its owner and its mode; relative paths start at $CREDENTIALS_DIRECTORY, else at this file's folder");
                None
            }
        }
    }

    fn filled(&self, place: Place, message: &str, secret: &str) -> Option<SecretString> {
        // A mark that Windows PowerShell writes in front is no part of it.
        let secret = secret.trim_start_matches('\u{feff}').trim_end();
        if secret.is_empty() {
            self.document
                .error(place, message, "write the secret into it");
            return None;
        }
        Some(SecretString::from(secret.to_owned()))
    }
}
