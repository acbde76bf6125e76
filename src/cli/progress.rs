//! Progress of long work, on a terminal only, on stderr.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::Progress;

/// The line that is drawn at present: whoever writes to stderr meanwhile takes it away first.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

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
            set_drawn(Some(bar.clone()));
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

    /// Prints something else: the line is away meanwhile.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.drawing {
            Some((bar, _)) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the line away.
    pub(crate) fn finish(self) {
        if let Some((bar, task)) = self.drawing {
            task.abort();
            set_drawn(None);
            bar.finish_and_clear();
        }
    }
}

fn set_drawn(bar: Option<ProgressBar>) {
    *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// What is written to stderr while a line is drawn there: the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match drawn {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
