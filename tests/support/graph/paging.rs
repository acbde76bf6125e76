//! Pages: tokens that mean nothing to who holds them, and lists in pieces.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::form_urlencoded;
use uuid::Uuid;

use super::answer::{Answer, Found};
use super::question::Question;

/// How lists are cut.
#[derive(Debug, Default)]
pub struct Paging {
    /// At most so many rows on a page, whatever is asked for.
    pub size: Option<usize>,
    /// Whether an empty page precedes each page.
    pub empty: bool,
}

/// Where a list goes on. A link repeats the query, as the service's do.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Position {
    #[serde(skip)]
    query: BTreeMap<String, String>,
    after: Option<String>,
    after_empty: bool,
    /// No two links are the same, wherever they lead.
    number: Uuid,
}

impl Position {
    /// The beginning of a list, or where its link leads.
    pub fn of(question: &Question) -> Result<Self, Answer> {
        let mut query = question.query.clone();
        let position = match query.remove("$skiptoken") {
            Some(token) => decode(&token).ok_or_else(Answer::dead_skip_token)?,
            None => Self::default(),
        };
        Ok(Self { query, ..position })
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// `$top`, which must be within the limits of the endpoint.
    fn top(&self, most: usize) -> Result<Option<usize>, Answer> {
        let Some(text) = self.option("$top") else {
            return Ok(None);
        };
        match text.parse() {
            Ok(top) if (1..=most).contains(&top) => Ok(Some(top)),
            _ => {
                let message = format!(
                    "Invalid page size specified: '{text}'. Must be between 1 and {most} inclusive."
                );
                Err(Answer::error(400, "Request_BadRequest", &message))
            }
        }
    }
}

/// How many rows a page has when nothing is asked, and at most.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub usual: usize,
    pub most: usize,
}

impl Paging {
    /// A page of rows that are in the order of their keys.
    pub fn page(
        &self,
        base: &str,
        question: &Question,
        position: Position,
        sizes: Sizes,
        rows: &[(String, Value)],
    ) -> Found {
        let size = position.top(sizes.most)?.unwrap_or(sizes.usual);
        let size = self.size.unwrap_or(size).min(size);
        let rest: Vec<&(String, Value)> = rows
            .iter()
            .filter(|(key, _)| position.after.as_ref().is_none_or(|after| key > after))
            .collect();
        let mut body = json!({
            "@odata.context": format!("{base}/v1.0/$metadata#{}", question.path.trim_start_matches("/v1.0/")),
        });
        let counted = position.option("$count") == Some("true");
        if counted && position.after.is_none() {
            body["@odata.count"] = json!(rows.len());
        }
        let empty = self.empty && !position.after_empty && !rest.is_empty();
        let size = if empty { 0 } else { size };
        let shown = &rest[..size.min(rest.len())];
        body["value"] = shown.iter().map(|(_, row)| row.clone()).collect();
        if shown.len() < rest.len() {
            let next = Position {
                query: BTreeMap::new(),
                after: shown.last().map(|(key, _)| key.clone()).or(position.after),
                after_empty: empty,
                number: Uuid::new_v4(),
            };
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&position.query)
                .append_pair("$skiptoken", &encode(&next))
                .finish();
            body["@odata.nextLink"] = json!(format!("{base}{}?{query}", question.path));
        }
        Ok(body)
    }
}

pub fn encode<T: Serialize>(token: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(token).unwrap())
}

pub fn decode<T: DeserializeOwned>(token: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
