//! The registration report: a copy of what was true when it was refreshed last.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::answer::{Answer, Found};
use super::directory::id_of;
use super::paging::{Position, Sizes};
use super::question::Question;
use super::service::Service;

const SIZES: Sizes = Sizes {
    usual: 1_000,
    most: 1_000,
};

#[derive(Debug, Default)]
pub struct Report {
    truth: BTreeMap<String, Value>,
    left_out: BTreeSet<String>,
    pub rows: BTreeMap<String, Value>,
}

impl Report {
    pub fn set(&mut self, id: &str, mut row: Value) {
        row["id"] = json!(id);
        self.truth.insert(id.to_owned(), row);
        self.left_out.remove(id);
    }

    /// Makes these the rows of the report, as it was refreshed last, and the truth.
    pub fn replace(&mut self, rows: &[Value]) {
        self.rows = rows
            .iter()
            .map(|row| (id_of(row).to_owned(), row.clone()))
            .collect();
        self.truth.clone_from(&self.rows);
        self.left_out.clear();
    }

    pub fn leave_out(&mut self, id: &str) {
        self.left_out.insert(id.to_owned());
    }

    pub fn one(&self, id: &str) -> Found {
        let row = self.rows.get(id).cloned();
        row.ok_or_else(|| Answer::not_found(id))
    }
}

impl Service {
    /// Who is in the bin is not in the report; who has no row has no method.
    pub fn refresh_report(&mut self) {
        let now = self.now().to_string();
        let report = &self.report;
        let rows = self
            .directory
            .present()
            .filter(|(id, _)| !report.left_out.contains(*id))
            .map(|(id, user)| {
                let mut row = json!({
                    "id": id, "isAdmin": false, "isMfaCapable": false, "isMfaRegistered": false,
                    "isPasswordlessCapable": false, "isSsprCapable": false, "isSsprEnabled": true,
                    "isSsprRegistered": false, "isSystemPreferredAuthenticationMethodEnabled": true,
                    "methodsRegistered": [], "systemPreferredAuthenticationMethods": [],
                    "userPreferredMethodForSecondaryAuthentication": "", "userType": "member",
                });
                if let Some(Value::Object(truth)) = report.truth.get(id) {
                    for (name, value) in truth {
                        row[name] = value.clone();
                    }
                }
                let property = |name| user.properties.get(name).cloned().unwrap_or_default();
                row["userPrincipalName"] = property("userPrincipalName");
                row["userDisplayName"] = property("displayName");
                row["lastUpdatedDateTime"] = json!(now);
                (id.clone(), row)
            })
            .collect();
        self.report.rows = rows;
    }

    pub fn registrations(&mut self, question: &Question) -> Found {
        let position = Position::of(question)?;
        let rows: Vec<(String, Value)> = self
            .report
            .rows
            .iter()
            .map(|(id, row)| (id.clone(), row.clone()))
            .collect();
        self.paging
            .page(&self.url, question, position, SIZES, &rows)
    }
}
