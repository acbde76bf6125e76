//! The classes of result codes: a table that is data with a version, and `[result_codes]`.

use std::collections::BTreeMap;

use super::reader::Section;
use crate::domain::sign_in::{Block, Blocks, ResultCodes, SignInClass};

/// The embedded classes of result codes: data with a version.
const RESULT_CODES: &str = include_str!("../domain/result_codes.toml");

const CLASSES: &str = "completed, registration_interrupt, registration_blocked, mfa_challenge, post_primary, \
     policy_block, not_authenticated, credential_failure, token_expiry or unknown";

/// The built-in table, and what the configuration overrides.
pub(super) fn read(root: &Section<'_>) -> ResultCodes {
    let (version, mut classes, blocks) = embedded_codes();
    let overrides = root.codes(
        "result_codes",
        "Overrides of the classes of result codes: `50140 = \"completed\"`.",
    );
    let overridden = !overrides.is_empty();
    for (code, class) in overrides {
        let name = serde_json::Value::String(class.value.clone());
        if let Ok(known) = serde_json::from_value::<SignInClass>(name) {
            classes.insert(code.value, known);
        } else {
            let message = "there is no such class";
            root.document().error(class.place, message, CLASSES);
        }
    }
    ResultCodes::new(
        if overridden {
            format!("{version}+overrides")
        } else {
            version
        },
        classes,
        blocks,
    )
}

/// The table of this version, without overrides.
#[must_use]
pub fn default_result_codes() -> ResultCodes {
    let (version, classes, blocks) = embedded_codes();
    ResultCodes::new(version, classes, blocks)
}

fn embedded_codes() -> (String, BTreeMap<i64, SignInClass>, Blocks) {
    #[derive(serde::Deserialize)]
    struct Table {
        version: String,
        classes: BTreeMap<SignInClass, Vec<i64>>,
        blocked: BTreeMap<String, Block>,
    }
    let mut table: Table =
        toml::from_str(RESULT_CODES).expect("the embedded table is checked by a test");
    let classes = table
        .classes
        .into_iter()
        .flat_map(|(class, codes)| codes.into_iter().map(move |code| (code, class)))
        .collect();
    let other = table.blocked.remove("other");
    let known = table.blocked.into_iter();
    let blocks = Blocks {
        known: known
            .filter_map(|(code, block)| Some((code.parse().ok()?, block)))
            .collect(),
        other: other.expect("the embedded table is checked by a test"),
    };
    (table.version, classes, blocks)
}
