//! Texts of the configuration that mails in another language carry as they stand.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::domain::language::{Language, Wording};

/// What to say where people read a language that texts were not written for. The name of an organisation is
/// none: it is mostly the same in all.
pub(super) fn untranslated(config: &Config, preferred: &BTreeSet<Option<Language>>) -> Vec<String> {
    let Some(email) = &config.email else {
        return Vec::new();
    };
    let own = Language::choose(None, &email.sender.language);
    let others = preferred
        .iter()
        .flatten()
        .filter(|language| **language != own);
    others
        .filter_map(|language| {
            let lacking = lacking(config, *language);
            let first = lacking.first()?.split(' ').next()?;
            let name = language.name();
            Some(format!(
                "{name} mails carry {} as written: what is no {name} is given by language, {first} = {{ {} = \"…\", {} = \"…\" }}",
                lacking.join(", "),
                own.code(),
                language.code()
            ))
        })
        .collect()
}

/// The keys whose text was not written for that language.
fn lacking(config: &Config, language: Language) -> Vec<String> {
    let sender = config.email.as_ref().map(|email| &email.sender);
    let of_mail = sender.into_iter().flat_map(|sender| {
        [("help", &sender.help), ("signature", &sender.signature)]
            .map(|(key, wording)| (key.to_owned(), wording.as_ref()))
    });
    let of_policies = config.policies.iter().map(|policy| {
        (
            format!("title of policy {}", policy.name),
            policy.title.as_ref(),
        )
    });
    let lacks = |wording: Option<&Wording>| wording.is_some_and(|wording| wording.lacks(language));
    of_mail
        .chain(of_policies)
        .filter(|(_, wording)| lacks(*wording))
        .map(|(key, _)| key)
        .collect()
}
