//! Groups, and the users below them.

use serde_json::{Value, json};

use super::answer::{Answer, Found};
use super::directory::spelled;
use super::filter::{self, Literal};
use super::paging::{Position, Sizes};
use super::question::Question;
use super::service::Service;
use super::users::{Unset, selected};

const SIZES: Sizes = Sizes {
    usual: 100,
    most: 999,
};

impl Service {
    pub fn group(&mut self, question: &Question) -> Found {
        let id = &question.id;
        let group = self.directory.groups.get(id);
        let group = group.ok_or_else(|| Answer::not_found(id))?;
        Ok(cut(spelled(id, group), question.option("$select")))
    }

    pub fn groups(&mut self, question: &Question) -> Found {
        let position = Position::of(question)?;
        let clauses = match position.option("$filter") {
            Some(text) => filter::parse(text).ok_or_else(Answer::invalid_filter)?,
            None => Vec::new(),
        };
        let mut names = Vec::new();
        for clause in clauses {
            match (
                clause.property.as_str(),
                clause.operator.as_str(),
                clause.value,
            ) {
                ("displayName", "eq", Literal::Text(name)) => names.push(name),
                _ => return Err(Answer::unsupported_query()),
            }
        }
        let select = position.option("$select").map(str::to_owned);
        let rows: Vec<(String, Value)> = self
            .directory
            .groups
            .iter()
            .filter(|(_, group)| names.iter().all(|name| same(name, &group.name)))
            .map(|(id, group)| (id.clone(), cut(spelled(id, group), select.as_deref())))
            .collect();
        self.paging
            .page(&self.url, question, position, SIZES, &rows)
    }

    /// An advanced query: the header and `$count=true` are needed on every page.
    pub fn members(&mut self, question: &Question) -> Found {
        let eventual = question
            .header("consistencylevel")
            .is_some_and(|level| level.eq_ignore_ascii_case("eventual"));
        if !eventual || question.option("$count") != Some("true") {
            return Err(Answer::unsupported_query());
        }
        let id = &question.id;
        if !self.directory.groups.contains_key(id) {
            return Err(Answer::not_found(id));
        }
        if self.directory.is_hidden(id) {
            return Err(Answer::denied());
        }
        let position = Position::of(question)?;
        let select = selected(position.option("$select"))?;
        let members = self
            .directory
            .members(id, question.is_transitive(), self.now());
        let rows: Vec<(String, Value)> = members
            .into_iter()
            .filter_map(|id| {
                let user = self.directory.user(&id)?;
                let row = self.spell(&id, user, &select, Unset::Null);
                Some((id, row))
            })
            .collect();
        self.paging
            .page(&self.url, question, position, SIZES, &rows)
    }
}

/// The service compares names without regard to case.
fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn cut(row: Value, select: Option<&str>) -> Value {
    let Some(select) = select else { return row };
    let mut cut = json!({});
    for name in select.split(',').map(str::trim) {
        cut[name] = row[name].clone();
    }
    cut
}
