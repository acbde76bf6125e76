//! Why sources could not be read: one cause is told once, with all the sources that it concerns.

use crate::sources::SourceError;
use crate::store::sources::Source;

/// What failed, in the order of reading.
#[derive(Debug, Default)]
pub(super) struct Failures {
    causes: Vec<Cause>,
}

#[derive(Debug)]
struct Cause {
    sources: Vec<Source>,
    /// What it says of one source alone.
    text: String,
    /// What it says of all of them.
    common: String,
}

impl Failures {
    pub(super) fn note(&mut self, source: Source, error: &SourceError, text: String) {
        let common = error.outage().unwrap_or_else(|| text.clone());
        let known = self.causes.iter_mut().find(|cause| cause.common == common);
        match known {
            Some(cause) => cause.sources.push(source),
            None => self.causes.push(Cause {
                sources: vec![source],
                text,
                common,
            }),
        }
    }

    /// A line for each cause.
    pub(super) fn told(&self) -> Vec<String> {
        let told = self.causes.iter().map(|cause| {
            let sources: Vec<&str> = cause.sources.iter().map(|source| source.as_str()).collect();
            let text = match sources.as_slice() {
                [_] => &cause.text,
                _ => &cause.common,
            };
            format!("{}: {text}", sources.join(", "))
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::chain;
    use crate::graph::GraphError;

    fn told(failures: Vec<(Source, GraphError)>) -> Vec<String> {
        let mut all = Failures::default();
        for (source, error) in failures {
            let error = SourceError::from(error);
            let text = chain(&error);
            all.note(source, &error, text);
        }
        all.told()
    }

    fn unavailable(what: &'static str, status: u16) -> GraphError {
        GraphError::Unavailable { what, status }
    }

    #[test]
    fn one_outage_is_told_once_with_what_it_concerns() {
        let refused = || GraphError::Unauthorized {
            code: "InvalidAuthenticationToken".to_owned(),
        };
        let told = told(vec![
            (Source::Users, unavailable("users", 503)),
            (Source::Groups, refused()),
            (Source::SignIns, unavailable("sign-ins", 503)),
            (Source::Audits, refused()),
            (Source::Registration, unavailable("the report", 504)),
        ]);
        insta::assert_snapshot!(told.join("\n"), @r"
        users, sign_ins: Graph cannot answer now (HTTP 503); the next pass goes on there
        groups, audits: Graph does not accept the token (InvalidAuthenticationToken): check directory.graph.cloud and the clock of this machine
        registration: Graph cannot give the report now (HTTP 504); the next pass goes on there
        ");
    }
}
