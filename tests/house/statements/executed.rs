//! What SQLite executes, as the driver logs it.

use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Each text that any connection of this process executed, white space folded, in the order in
/// which they came first.
#[derive(Clone, Default)]
pub(super) struct Executed(Arc<Mutex<Vec<String>>>);

impl Executed {
    /// Begins to keep them, for the rest of the process.
    pub(super) fn record() -> Self {
        let executed = Self::default();
        let only = tracing_subscriber::filter::Targets::new()
            .with_target("sqlx::query", tracing::Level::DEBUG);
        let subscriber = tracing_subscriber::registry().with(executed.clone().with_filter(only));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        executed
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Executed {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        // A short text is its own summary.
        let text = if statement.text.is_empty() {
            statement.summary
        } else {
            statement.text
        };
        let text = folded(&text);
        let mut texts = self.0.lock().unwrap();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
}

#[derive(Default)]
struct Statement {
    summary: String,
    text: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.text),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// A text with single blanks.
pub(super) fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
