//! Questions on a terminal; elsewhere what is missing is gathered, to be told at once.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::cli::Usage;

/// Whoever sits at the terminal, if anybody does.
pub(super) struct Asking {
    is_terminal: bool,
    missing: Vec<&'static str>,
}

impl Asking {
    pub(super) fn begin() -> Self {
        Self {
            is_terminal: io::stdin().is_terminal() && io::stderr().is_terminal(),
            missing: Vec::new(),
        }
    }

    /// What must be known: an option says it, or an answer.
    pub(super) fn needed<T>(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        question: &str,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Usage> {
        if let Some(text) = given {
            let read = read(text).map(Some);
            return read.map_err(|why| super::wrong(format!("{option}: {why}")));
        }
        if !self.is_terminal {
            self.missing.push(option);
            return Ok(None);
        }
        self.ask(question, None, read)
    }

    /// What may be left out: an option says it, or an answer that is not empty.
    pub(super) fn wished<T>(
        &mut self,
        option: &'static str,
        given: Option<&str>,
        question: &str,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Usage> {
        if given.is_some() {
            return self.needed(option, given, question, read);
        }
        let answer = self.ask(question, None, |text| match text {
            "" => Ok(None),
            text => read(text).map(Some),
        })?;
        Ok(answer.flatten())
    }

    /// Asks until the answer can be read; nothing where nobody can be asked.
    pub(super) fn ask<T>(
        &mut self,
        question: &str,
        usual: Option<&str>,
        read: impl Fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Usage> {
        if !self.is_terminal {
            return Ok(None);
        }
        loop {
            let shown = usual.map(|usual| format!(" [{usual}]")).unwrap_or_default();
            eprint!("{question}{shown}: ");
            io::stderr().flush().ok();
            let mut line = String::new();
            let got = io::stdin().lock().read_line(&mut line);
            if !matches!(got, Ok(1..)) {
                eprintln!();
                return Err(super::wrong("no answer came"));
            }
            let text = match (line.trim(), usual) {
                ("", Some(usual)) => usual,
                (text, _) => text,
            };
            match read(text) {
                Ok(value) => return Ok(Some(value)),
                Err(why) => eprintln!("  {why}"),
            }
        }
    }

    /// Whether everything is known.
    pub(super) fn end(self) -> Result<(), String> {
        match self.missing.as_slice() {
            [] => Ok(()),
            missing => Err(format!(
                "no terminal to ask on: {} must be given",
                missing.join(", ")
            )),
        }
    }
}
