//! Who is where: one row per policy and person.

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::domain::state::State;

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these states; all if none is named.
    pub states: Vec<State>,
    /// Only this policy.
    pub policy: Option<String>,
    /// Only people whose name, user principal name, mail or id contains this.
    pub search: Option<String>,
}

/// The rows, by the id of the person.
pub async fn list(reader: &Reader, filter: &Filter) -> Result<Vec<PersonView>, DeskError> {
    if let Some(policy) = &filter.policy {
        reader.knows_policy(policy)?;
    }
    let search = filter.search.as_ref().map(|text| text.to_lowercase());
    let mut rows = Vec::new();
    reader
        .everybody(|outcome| {
            rows.extend(PersonView::of(&outcome).into_iter().filter(|row| {
                (filter.states.is_empty() || filter.states.contains(&row.state))
                    && filter
                        .policy
                        .as_ref()
                        .is_none_or(|policy| *policy == row.policy)
                    && search.as_ref().is_none_or(|text| contains(row, text))
            }));
        })
        .await?;
    Ok(rows)
}

fn contains(row: &PersonView, text: &str) -> bool {
    [
        Some(&row.id),
        Some(&row.user_principal_name),
        row.display_name.as_ref(),
        row.mail.as_ref(),
    ]
    .into_iter()
    .flatten()
    .any(|field| field.to_lowercase().contains(text))
}
