//! `users/delta`: everybody, page by page, and later whoever changed.
//!
//! A token says where a round goes on; who holds it cannot tell. A round of changes may tell of
//! an object several times and in any order, and what it tells is always the present state.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Found};
use super::paging::{decode, encode};
use super::question::Question;
use super::service::Service;
use super::users::{Unset, selected};

/// Tokens of directory objects live this long.
const TOKEN_LIVES: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Rows of a page of a delta.
const PAGE: usize = 200;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Token {
    select: Option<String>,
    issued_at: Timestamp,
    stage: Stage,
    after_empty: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Stage {
    /// After this id; `seen` changes had been when the round began.
    Everybody { after: String, seen: usize },
    /// From this change on, up to that one; none: a new round.
    Changes { from: usize, until: Option<usize> },
}

impl Service {
    pub fn users_delta(&mut self, question: &Question) -> Found {
        for name in ["$top", "$expand", "$orderby", "$count", "$search"] {
            if question.option(name).is_some() {
                let message = format!("{name} is not supported with delta queries.");
                return Err(Answer::error(400, "Request_UnsupportedQuery", &message));
            }
        }
        let token = self.token(question)?;
        let select = selected(token.select.as_deref())?;
        if select.iter().any(|name| name == "signInActivity") {
            let message = "signInActivity is not available in delta queries.";
            return Err(Answer::error(501, "NotImplemented", message));
        }
        let (rows, token, over) = match &token.stage {
            Stage::Everybody { after, seen } => self.everybody(&token, &select, after, *seen),
            Stage::Changes { from, until } => self.changed(&token, &select, *from, *until),
        };
        let (link, parameter) = if over {
            ("@odata.deltaLink", "$deltatoken")
        } else {
            ("@odata.nextLink", "$skiptoken")
        };
        let (url, token) = (&self.url, encode(&token));
        Ok(json!({
            "@odata.context": format!("{url}/v1.0/$metadata#users"),
            (link): format!("{url}/v1.0/users/delta?{parameter}={token}"),
            "value": rows,
        }))
    }

    /// Where the question goes on; old tokens are gone, and an empty one begins anew.
    fn token(&self, question: &Question) -> Result<Token, Answer> {
        let given = question
            .option("$skiptoken")
            .or(question.option("$deltatoken"));
        let seen = self.directory.changes.len();
        let stage = match given {
            None | Some("") => Stage::Everybody {
                after: String::new(),
                seen,
            },
            Some("latest") => Stage::Changes {
                from: seen,
                until: None,
            },
            Some(token) => {
                let token: Token = decode(token)
                    .ok_or_else(|| Answer::error(400, "BadRequest", "Badly formed token."))?;
                if self.now().duration_since(token.issued_at) > TOKEN_LIVES {
                    return Err(self.gone(&token));
                }
                return Ok(token);
            }
        };
        Ok(Token {
            select: question.option("$select").map(str::to_owned),
            issued_at: self.now(),
            stage,
            after_empty: false,
        })
    }

    /// The codes are documented both; the place to go on is the same question anew.
    fn gone(&self, token: &Token) -> Answer {
        let code = match token.stage {
            Stage::Everybody { .. } => "resyncRequired",
            Stage::Changes { .. } => "syncStateNotFound",
        };
        let location = format!("{}/v1.0/users/delta?$deltatoken=", self.url);
        Answer::error(410, code, "Resync required.").with("Location", location)
    }

    fn everybody(
        &self,
        token: &Token,
        select: &[String],
        after: &str,
        seen: usize,
    ) -> (Vec<Value>, Token, bool) {
        let rest: Vec<_> = self
            .directory
            .present()
            .filter(|(id, _)| id.as_str() > after)
            .collect();
        let size = self.rows_of(token, rest.len());
        let rows = rest[..size]
            .iter()
            .map(|(id, user)| self.spell(id, user, select, Unset::Absent))
            .collect();
        let over = size == rest.len();
        let after = size
            .checked_sub(1)
            .map_or(after, |last| rest[last].0.as_str());
        let stage = if over {
            Stage::Changes {
                from: seen,
                until: None,
            }
        } else {
            Stage::Everybody {
                after: after.to_owned(),
                seen,
            }
        };
        (rows, self.follow(token, stage, size == 0), over)
    }

    fn changed(
        &self,
        token: &Token,
        select: &[String],
        from: usize,
        until: Option<usize>,
    ) -> (Vec<Value>, Token, bool) {
        let directory = &self.directory;
        let begin = match until {
            None => from.saturating_sub(directory.replays),
            Some(_) => from,
        };
        let until = until.unwrap_or(directory.changes.len());
        let replay = directory.replays > 0;
        let size = self.rows_of(token, until - begin);
        let end = begin + size;
        let mut rows = Vec::new();
        for (place, id) in directory.changes[begin..end].iter().enumerate() {
            let again = directory.changes[begin + place + 1..until].contains(id);
            if replay || !again {
                rows.push(self.change(id, select));
            }
        }
        if replay {
            // Each object twice, the newest first.
            rows = rows.iter().rev().chain(&rows).cloned().collect();
        }
        let over = end == until;
        let stage = Stage::Changes {
            from: end,
            until: (!over).then_some(until),
        };
        (rows, self.follow(token, stage, size == 0), over)
    }

    fn change(&self, id: &str, select: &[String]) -> Value {
        let reason = match self.directory.user(id) {
            Some(user) => return self.spell(id, user, select, Unset::Absent),
            None if self.directory.is_in_the_bin(id) => "changed",
            None => "deleted",
        };
        json!({ "id": id, "@removed": { "reason": reason } })
    }

    fn rows_of(&self, token: &Token, rest: usize) -> usize {
        if self.paging.empty && !token.after_empty && rest > 0 {
            return 0;
        }
        self.paging.size.unwrap_or(PAGE).min(rest)
    }

    fn follow(&self, token: &Token, stage: Stage, empty: bool) -> Token {
        Token {
            select: token.select.clone(),
            issued_at: self.now(),
            stage,
            after_empty: empty,
        }
    }
}
