//! Users, one by one and as a list.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Found};
use super::directory::User;
use super::filter::{self, Clause, Literal};
use super::paging::{Position, Sizes};
use super::question::Question;
use super::service::Service;

/// What Graph gives when nothing is selected. Whether an account is enabled is not among it.
const USUAL: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "id",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];
/// What else can be selected.
const OTHERS: [&str; 20] = [
    "accountEnabled",
    "ageGroup",
    "assignedLicenses",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "creationType",
    "department",
    "employeeId",
    "employeeType",
    "externalUserState",
    "identities",
    "onPremisesSyncEnabled",
    "otherMails",
    "proxyAddresses",
    "signInActivity",
    "usageLocation",
    "userType",
    "manager",
];
/// Kept outside the directory.
const OUTSIDE: [&str; 3] = ["mailboxSettings", "birthday", "aboutMe"];

const SIZES: Sizes = Sizes {
    usual: 100,
    most: 999,
};

impl Service {
    pub fn user(&mut self, question: &Question) -> Found {
        let select = selected(question.option("$select"))?;
        // By object id or user principal name.
        let id = self.directory.id_of(&question.id);
        let user = self.directory.user(&id);
        let user = user.ok_or_else(|| Answer::not_found(&question.id))?;
        let mut row = self.spell(&id, user, &select, Unset::Null);
        row["@odata.context"] = json!(format!("{}/v1.0/$metadata#users/$entity", self.url));
        Ok(row)
    }

    pub fn users(&mut self, question: &Question) -> Found {
        let position = Position::of(question)?;
        let select = selected(position.option("$select"))?;
        let clauses = match position.option("$filter") {
            Some(text) => filter::parse(text).ok_or_else(Answer::invalid_filter)?,
            None => Vec::new(),
        };
        let mut rows = Vec::new();
        for (id, user) in self.directory.present() {
            let mut fits = true;
            for clause in &clauses {
                fits &= self.fits(id, user, clause)?;
            }
            if fits {
                rows.push((id.clone(), self.spell(id, user, &select, Unset::Null)));
            }
        }
        self.paging
            .page(&self.url, question, position, SIZES, &rows)
    }

    fn fits(&self, id: &str, user: &User, clause: &Clause) -> Result<bool, Answer> {
        match (
            clause.property.as_str(),
            clause.operator.as_str(),
            &clause.value,
        ) {
            ("signInActivity/lastSignInDateTime", operator, Literal::Time(at)) => {
                let Some(last) = self.sign_ins.last_of(id, self.now()) else {
                    return Ok(false);
                };
                match operator {
                    "ge" => Ok(last >= *at),
                    "le" => Ok(last <= *at),
                    _ => Err(Answer::unsupported_query()),
                }
            }
            (property, "eq", Literal::Text(text)) => {
                let value = user.properties.get(property).and_then(Value::as_str);
                Ok(value.is_some_and(|value| value.eq_ignore_ascii_case(text)))
            }
            _ => Err(Answer::unsupported_query()),
        }
    }

    /// The selected properties of a user.
    pub fn spell(&self, id: &str, user: &User, select: &[String], unset: Unset) -> Value {
        let mut row = Map::new();
        for name in select {
            if name == "signInActivity" {
                if let Some(last) = self.sign_ins.last_of(id, self.now()) {
                    row.insert(
                        name.clone(),
                        json!({ "lastSignInDateTime": last.to_string() }),
                    );
                }
                continue;
            }
            match (user.properties.get(name), unset) {
                (Some(value), _) => row.insert(name.clone(), value.clone()),
                (None, Unset::Null) => row.insert(name.clone(), Value::Null),
                (None, Unset::Absent) => None,
            };
        }
        row.insert("id".to_owned(), json!(id));
        Value::Object(row)
    }
}

/// What becomes of a property that was never set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    Null,
    Absent,
}

/// The names in `$select`, which must exist.
pub fn selected(select: Option<&str>) -> Result<Vec<String>, Answer> {
    let Some(select) = select else {
        return Ok(USUAL.map(str::to_owned).to_vec());
    };
    let names: Vec<String> = select
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    for name in &names {
        let name = name.as_str();
        if OUTSIDE.contains(&name) {
            let message = "This resource is not available in this way.";
            return Err(Answer::error(501, "NotImplemented", message));
        }
        if !USUAL.contains(&name) && !OTHERS.contains(&name) {
            let message =
                format!("Could not find a property named '{name}' on type 'microsoft.graph.user'.");
            return Err(Answer::error(400, "BadRequest", &message));
        }
    }
    Ok(names)
}
