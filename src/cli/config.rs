//! `config`: the values that count with where they came from, and the schema of the file.

use serde::Serialize;
use serde_json::Value;

use super::output::{Format, Printer};
use crate::config::{Config, Place, Setting, reference};
use crate::exit::DONE;

/// A value that counts, as the stable JSON has it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    key: &'a str,
    value: &'a Value,
    origin: Origin,
    /// The file and line, or the variable.
    at: Option<String>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    Default,
    File,
    Environment,
}

pub(super) fn show(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let rows: Vec<Row<'_>> = config
        .settings
        .iter()
        .map(|setting| row(config, setting))
        .collect();
    if format == Format::Json {
        out.json(&rows)?;
        return Ok(DONE);
    }
    let rows = rows.into_iter().map(|row| {
        let value = match row.value {
            Value::Null => "none".to_owned(),
            value => value.to_string(),
        };
        vec![
            row.key.to_owned(),
            value,
            row.at.unwrap_or_else(|| "default".to_owned()),
        ]
    });
    out.rows(format, &["key", "value", "origin"], rows.collect())?;
    Ok(DONE)
}

fn row<'a>(config: &Config, setting: &'a Setting) -> Row<'a> {
    let (origin, at) = match &setting.place {
        Place::Missing => (Origin::Default, None),
        Place::Variable(name) => (Origin::Environment, Some(name.clone())),
        Place::File(_) => {
            let line = config.line_of(setting);
            (
                Origin::File,
                line.map(|(file, line)| format!("{file}:{line}")),
            )
        }
    };
    Row {
        key: &setting.key,
        value: &setting.value,
        origin,
        at,
    }
}

/// The same as fortnight.schema.json.
pub(super) fn schema(out: &mut Printer) -> anyhow::Result<u8> {
    let text = serde_json::to_string_pretty(&reference::schema())?;
    out.line(text)?;
    Ok(DONE)
}
