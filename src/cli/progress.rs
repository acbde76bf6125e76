//! Progress of long work, on a terminal only, on stderr.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::Progress;

/// How often the line is drawn anew.
const EVERY: Duration = Duration::from_millis(200);

/// A line that says how far the work is.
pub(crate) struct Bar {
    progress: Arc<Progress>,
    drawing: Option<(ProgressBar, tokio::task::JoinHandle<()>)>,
}

impl Bar {
    /// Begins to draw, if stderr is a terminal.
    pub(crate) fn new() -> Self {
        let progress = Arc::new(Progress::default());
        let drawing = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(ProgressStyle::default_spinner());
            let (drawn, watched) = (bar.clone(), Arc::clone(&progress));
            let task = tokio::spawn(async move {
                loop {
                    let (rows, people, mails) = watched.counts();
                    drawn.set_message(format!(
                        "{rows} rows read, {people} people decided about, {mails} mails settled"
                    ));
                    drawn.tick();
                    tokio::time::sleep(EVERY).await;
                }
            });
            (bar, task)
        });
        Self { progress, drawing }
    }

    /// What the work reports to.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Takes the line away.
    pub(crate) fn finish(self) {
        if let Some((bar, task)) = self.drawing {
            task.abort();
            bar.finish_and_clear();
        }
    }
}
