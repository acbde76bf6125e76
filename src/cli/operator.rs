//! Who acts, and whether they mean it.

use std::io::{self, IsTerminal as _};

use super::output::Printer;
use super::times::Times;
use crate::delivery::text::clean_line;
use crate::desk::{Present, present};
use crate::store::Store;
use crate::store::acts::Actor;

/// Who acts, for the journal: the name of the account, of the one behind `sudo` first; its number only
/// where the system knows no name. The environment can say any name, so the number stands beside it.
pub(super) fn operator() -> Actor {
    Actor {
        name: name(|variable| std::env::var(variable).ok()),
        uid: Some(rustix::process::getuid().as_raw()),
    }
}

fn name(variable: impl Fn(&str) -> Option<String>) -> String {
    let told = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
    let told = told.filter_map(variable);
    told.chain(whoami::username())
        .map(|name| clean_line(&name, NAME))
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::geteuid().as_raw()))
}

/// Longer than any name of an account.
const NAME: usize = 64;

/// Asks whether to go on, wherever a terminal shows the question: stdout may go into a pipe. Whatever is
/// not yes is no. Where nobody can be asked a script goes on without, and is told so; what is piped in is
/// no answer of anybody.
pub(super) fn agrees(question: &str, out: &mut Printer) -> io::Result<bool> {
    let question = format!("{question} [y/N] ");
    let is_shown = io::stderr().is_terminal() || io::stdout().is_terminal();
    if !io::stdin().is_terminal() || !is_shown {
        eprintln!("fortnight: nobody was asked, as this is no terminal; nothing of stdin was read");
        return Ok(true);
    }
    if io::stderr().is_terminal() {
        eprint!("{question}");
    } else {
        out.bytes(question.as_bytes())?;
    }
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Says so where an act goes by the time of a rehearsal that nobody named.
pub(super) async fn say_if_rehearsed(
    store: &Store,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let Present { at, is_rehearsed } = present(store).await?;
    if is_rehearsed {
        out.note(&format!(
            "The newest pass was a rehearsal as of {}: this act is dated so.",
            times.at(at)
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_acts_is_a_name() {
        let of = |told: &[(&str, &str)]| {
            name(|variable| {
                let told = told.iter().find(|(name, _)| *name == variable);
                told.map(|(_, value)| (*value).to_owned())
            })
        };
        for (told, expected) in [
            (&[("SUDO_USER", "ana"), ("USER", "root")][..], "ana"),
            (&[("USER", "bo"), ("LOGNAME", "cleo")], "bo"),
            (&[("SUDO_USER", ""), ("LOGNAME", "cleo")], "cleo"),
            (&[("USER", "bo\u{1b}[31m\nroot")], "bo[31m root"),
        ] {
            assert_eq!(of(told), expected);
        }
        // Of nobody's telling, the account that runs it: the system knows its name.
        let (none, id) = (of(&[]), rustix::process::geteuid().as_raw());
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let mut lines = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let known = lines.find(|fields| fields.get(2) == Some(&id.to_string().as_str()));
        let expected = known.map_or(format!("uid {id}"), |fields| fields[0].to_owned());
        assert_eq!(none, expected);
    }
}
