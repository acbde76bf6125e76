//! `config`: the values that count with where they came from, and the schema of the file.

use serde::Serialize;
use serde_json::Value;

use super::output::{Format, Printer, foreign};
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
    let rows: Vec<[String; 3]> = rows.into_iter().map(cells).collect();
    if format == Format::Csv {
        let mut csv = out.csv(&["key", "value", "origin"])?;
        rows.iter().try_for_each(|row| csv.row(row))?;
        csv.end()?;
        return Ok(DONE);
    }
    let keys = rows.iter().map(|[key, ..]| key.chars().count());
    let column = keys.max().unwrap_or(0) + 2;
    for [key, value, origin] in rows {
        let text = format!("{} ({origin})", foreign(&value));
        out.entry(&key, &text, column)?;
    }
    Ok(DONE)
}

/// A row for people: key, value, and where that came from.
fn cells(row: Row<'_>) -> [String; 3] {
    let value = match row.value {
        Value::Null => "none".to_owned(),
        // With blanks, at which a line can be broken.
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        value => value.to_string(),
    };
    let origin = row.at.unwrap_or_else(|| "default".to_owned());
    [row.key.to_owned(), value, origin]
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
