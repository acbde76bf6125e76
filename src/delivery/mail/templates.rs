//! The embedded templates, parsed once.
//!
//! A message's file sets `subject` and `body`; the body becomes parts, and `layout.txt` and
//! `layout.html` lay the same parts out. Values are data, never template source; an unknown one
//! is an error, and fuel bounds what a template can do.

use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, context};

use super::Language;
use super::body::parts;

/// Far beyond what the longest message uses (some 2,000), far below what would hold up a pass.
const FUEL: u64 = 200_000;

macro_rules! embed {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../templates/mail/", $file)))),*]
    };
}

/// Every file, by its name.
const FILES: &[(&str, &str)] = embed![
    "layout.txt",
    "layout.html",
    "about.en.jinja",
    "about.de.jinja",
    "help.en.jinja",
    "help.de.jinja",
    "how.en.jinja",
    "how.de.jinja",
    "clock.en.jinja",
    "clock.de.jinja",
    "done.en.jinja",
    "done.de.jinja",
    "closing.en.jinja",
    "closing.de.jinja",
    "opened.en.jinja",
    "opened.de.jinja",
    "reminder.en.jinja",
    "reminder.de.jinja",
    "last_day.en.jinja",
    "last_day.de.jinja",
    "extended.en.jinja",
    "extended.de.jinja",
    "resumed.en.jinja",
    "resumed.de.jinja",
    "registered.en.jinja",
    "registered.de.jinja",
    "blocked.en.jinja",
    "blocked.de.jinja",
    "released.en.jinja",
    "released.de.jinja",
    "deadline_passed.en.jinja",
    "deadline_passed.de.jinja",
    "hold_raised.en.jinja",
    "hold_raised.de.jinja",
    "hold_cleared.en.jinja",
    "hold_cleared.de.jinja",
    "delivery_dead.en.jinja",
    "delivery_dead.de.jinja",
    "registration_blocked.en.jinja",
    "registration_blocked.de.jinja",
    "digest.en.jinja",
    "digest.de.jinja",
    "test.en.jinja",
    "test.de.jinja",
    "test_of_mail.en.jinja",
    "test_of_mail.de.jinja",
];

/// What a template yields.
pub(super) struct Words {
    /// The subject, one line.
    pub(super) subject: String,
    /// The plain part.
    pub(super) text: String,
    /// The HTML part.
    pub(super) html: String,
}

/// Renders one message.
pub(super) fn render(message: &str, language: Language, values: &Value) -> Result<Words, Error> {
    let env = environment();
    let code = language.code();
    let captured = env
        .get_template(&format!("{message}.{code}.jinja"))?
        .render_captured(values.clone())?;
    let subject = one_line(&set(&captured, "subject")?);
    let body: Vec<Value> = parts(&set(&captured, "body")?)
        .into_iter()
        .map(Value::from)
        .collect();
    let layout = context! { subject => &subject, body, language => code, direction => "ltr" };
    Ok(Words {
        text: env.get_template("layout.txt")?.render(&layout)?,
        html: env.get_template("layout.html")?.render(&layout)?,
        subject,
    })
}

fn set(captured: &minijinja::Captured<'_>, name: &str) -> Result<String, Error> {
    captured
        .state()
        .lookup(name)
        .map(|value| value.to_string())
        .ok_or_else(|| Error::new(ErrorKind::UndefinedError, format!("no {name} is set")))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        let lines_of_tags_vanish = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .expect("the usual delimiters are valid");
        env.set_syntax(lines_of_tags_vanish);
        env.set_fuel(Some(FUEL));
        env.set_auto_escape_callback(|name| match name {
            "layout.html" => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        for (name, source) in FILES {
            env.add_template(name, source)
                .expect("the embedded templates are parsed in a test");
        }
        env
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_parsed() {
        assert_eq!(environment().templates().count(), FILES.len());
    }

    #[test]
    fn every_message_exists_in_every_language() {
        for (name, _) in FILES.iter().filter(|(name, _)| !name.starts_with("layout")) {
            let message = name.split('.').next().unwrap();
            for language in Language::ALL {
                let twin = format!("{message}.{}.jinja", language.code());
                assert!(FILES.iter().any(|(name, _)| *name == twin), "{twin}");
            }
        }
    }

    #[test]
    fn the_languages_of_a_message_use_the_same_values() {
        for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".en.jinja")) {
            let twin = name.replace(".en.", ".de.");
            let values = |name: &str| {
                environment()
                    .get_template(name)
                    .unwrap()
                    .undeclared_variables(true)
            };
            assert_eq!(values(name), values(&twin), "{name}");
        }
    }

    #[test]
    fn a_missing_value_is_an_error_and_not_a_gap() {
        for (name, _) in FILES.iter().filter(|(name, _)| !name.starts_with("layout")) {
            let template = environment().get_template(name).unwrap();
            if !template.undeclared_variables(false).is_empty() {
                assert!(template.render(context! {}).is_err(), "{name}");
            }
        }
    }
}
