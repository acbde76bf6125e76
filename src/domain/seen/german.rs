//! What holds saw, in German.

use jiff::Timestamp;

use super::{ClockFault, Form, GroupChange, MailTrouble, Rows, Seen, Unsettled, joined, joined_by};
use crate::domain::age::Frozen;

impl Seen {
    pub(super) fn german_title(&self) -> String {
        match self {
            Self::Stale {
                rows,
                reading: None,
                ..
            } => {
                format!("{} fehlt noch", rows.german_source())
            }
            Self::Stale { rows, .. } => format!("{} ist zu alt", rows.german_source()),
            Self::MailStuck { .. } => "E-Mails kommen nicht an".to_owned(),
            Self::WebhookStuck => "Ein Webhook nimmt nichts an".to_owned(),
            Self::Unresolved { names } => match names.as_slice() {
                [one] if one.matches > 0 => {
                    format!(
                        "„{}“ in der Konfiguration bezeichnet mehrere Gruppen",
                        one.name
                    )
                }
                [one] => format!("„{}“ in der Konfiguration bezeichnet nichts", one.name),
                all => format!("{} Namen in der Konfiguration sind unklar", all.len()),
            },
            Self::Mass { people: 1, .. } => "Noch eine Person würde markiert".to_owned(),
            Self::Mass { people, .. } => format!("{people} Personen würden markiert"),
            Self::Lost { people, .. } => {
                format!("{people} Personen haben auf einmal keine Registrierung mehr")
            }
            Self::Shrunk {
                rows, before, kept, ..
            } => {
                let lost = before.saturating_sub(*kept);
                format!("{} fehlen {lost} von {before} Zeilen", rows.german_place())
            }
            Self::Group { name, change, .. } => match change {
                GroupChange::MadeAnew { .. } => {
                    format!("Die Gruppe „{name}“ ist jetzt eine andere")
                }
                GroupChange::Shrank { .. } => {
                    format!("Die Gruppe „{name}“ hat Mitglieder verloren")
                }
                GroupChange::Gone => format!("Die Gruppe „{name}“ gibt es nicht mehr"),
            },
            Self::Unread { groups, .. } if groups.is_empty() => {
                "Ein Ausschluss hat unbekannte Mitglieder".to_owned()
            }
            Self::Unread { .. } => {
                "Gruppen einer Richtlinie sind nicht vollständig lesbar".to_owned()
            }
            Self::Proof { people: 1, .. } => {
                "Eine Person wartet auf einen neueren Registrierungsbericht".to_owned()
            }
            Self::Proof { people, .. } => {
                format!("{people} Personen warten auf einen neueren Registrierungsbericht")
            }
            Self::Frozen { .. } => "Der Registrierungsbericht ist vielleicht ein alter".to_owned(),
            Self::Clock(_) => "Die Uhr dieses Rechners geht vielleicht falsch".to_owned(),
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "a sentence for each kind of thing that is seen"
    )]
    pub(super) fn german(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::Stale {
                rows,
                reading,
                limit_h,
            } => {
                let rows = rows.german();
                reading.map_or_else(
                    || format!("{rows} wurden noch nie vollständig gelesen"),
                    |at| {
                        let at = moment(at);
                        format!("{rows} wurden zuletzt gelesen: {at}. Das ist länger als {limit_h} Stunden her")
                    },
                )
            }
            Self::MailStuck { trouble, unsettled } => {
                let why = match unsettled {
                    None => "",
                    Some(Unsettled::NoOperators) => {
                        "; ohne email.operators beendet dies nur eine angenommene Nachricht oder eine Freigabe"
                    }
                    Some(Unsettled::OnlyPeople) => {
                        "; solche an den Betrieb kommen an, die an Personen nicht: Das beendet nur eine, die angenommen wird, oder eine Freigabe"
                    }
                    Some(Unsettled::OperatorsRefuse) => {
                        "; auch die Adressen in email.operators lehnen ab: Nur eine angenommene Nachricht oder eine Freigabe beendet dies"
                    }
                };
                let how = trouble.german();
                format!("E-Mails kommen nicht an ({how}), also kann niemand informiert werden{why}")
            }
            Self::WebhookStuck => {
                "Ein Webhook, über den Personen informiert werden, nimmt nichts an".to_owned()
            }
            Self::Unresolved { names } => joined(names, |name| match name.matches {
                0 => format!(
                    "{} nennt „{}“, und das gibt es nicht",
                    name.list.key(),
                    name.name
                ),
                several => format!(
                    "{} nennt „{}“, und so heißen {several} Gruppen",
                    name.list.key(),
                    name.name
                ),
            }),
            Self::Mass {
                people,
                recent,
                in_scope,
            } => {
                let who = match people {
                    1 => format!("Eine von {in_scope} Personen im Geltungsbereich würde"),
                    people => format!("{people} von {in_scope} Personen im Geltungsbereich würden"),
                };
                let before = match recent {
                    0 => String::new(),
                    recent => format!(" (in den letzten 24 Stunden waren es schon {recent})"),
                };
                format!("{who} in diesem Lauf markiert{before}")
            }
            Self::Lost {
                people,
                before,
                now,
                missing,
            } => {
                let [before, now] = [before, now].map(|at| moment(*at));
                format!(
                    "{people} Personen waren im Bericht von {before} registriert und sind es in dem von {now} nicht mehr; vorher fehlte die Registrierung bei {missing}"
                )
            }
            Self::Shrunk {
                rows,
                form,
                before,
                kept,
                others,
            } => {
                let others = match others {
                    0 => String::new(),
                    others => format!(", dazu {others} andere"),
                };
                let (what, form) = (rows.shrunk_german(), form.german());
                format!(
                    "{form} stehen noch {kept} {what}, im letzten guten Stand waren es {before}{others}; der gilt weiter"
                )
            }
            Self::Group {
                name,
                before,
                change,
            } => match change {
                GroupChange::MadeAnew { members } => format!(
                    "Die Gruppe „{name}“ ist eine andere als bisher, mit {members} statt {before} Mitgliedern; die beider gelten"
                ),
                GroupChange::Shrank { kept, others: 0 } => format!(
                    "Die Gruppe „{name}“ hat {kept} Mitglieder, zuletzt waren es {before}; die letzten gelten weiter"
                ),
                GroupChange::Shrank { kept, others } => format!(
                    "Die Gruppe „{name}“ hat noch {kept} ihrer {before} Mitglieder und {others} andere; die letzten gelten weiter"
                ),
                GroupChange::Gone => format!(
                    "Die Gruppe „{name}“ gibt es nicht mehr, ihre {before} letzten Mitglieder bleiben ausgenommen"
                ),
            },
            Self::Unread {
                groups,
                strangers,
                more,
                last_stay,
            } => {
                let unread = (!groups.is_empty()).then(|| {
                    let names = joined_by(groups, ", ", |name| format!("„{name}“"));
                    format!("Die Mitglieder von {names} konnten nicht vollständig gelesen werden")
                });
                let strange = strange_german(strangers, *more);
                let seen: Vec<String> = unread.into_iter().chain(strange).collect();
                let follows = if *last_stay {
                    "die letzten gelten weiter"
                } else {
                    "vorher wird unter der Richtlinie niemand gebeten, informiert oder markiert"
                };
                format!("{}; {follows}", seen.join("; "))
            }
            Self::Proof { people, newest } => {
                let who = match people {
                    1 => "Eine Person wartet".to_owned(),
                    people => format!("{people} Personen warten"),
                };
                let newest = moment(*newest);
                format!(
                    "{who} auf einen Registrierungsbericht, der nach der Frist entstanden ist; der neueste gibt den Stand von {newest} wieder"
                )
            }
            Self::Frozen { why, reading } => {
                let reading = moment(*reading);
                match why {
                    Frozen::Copied => format!(
                        "Der Registrierungsbericht von {reading} ist Byte für Byte der vorige: Vielleicht ist er ein alter, der immer wieder kopiert wird"
                    ),
                    Frozen::Old { newest } => format!(
                        "Die neueste Zeile im Registrierungsbericht von {reading} ist von {}, mehr als 7 Tage davor: Vielleicht ist er ein alter, der immer wieder kopiert wird, oder der Dienst steht still",
                        moment(*newest)
                    ),
                    Frozen::Overtaken { newest, event } => format!(
                        "Die neueste Zeile im Registrierungsbericht von {reading} ist von {}, und jemand darin hat sich danach registriert ({}): Vielleicht ist er ein alter, der immer wieder kopiert wird, oder der Dienst steht still",
                        moment(*newest),
                        moment(*event)
                    ),
                }
            }
            Self::Clock(fault) => fault.german(moment),
        }
    }
}

impl MailTrouble {
    fn german(&self) -> String {
        match self {
            Self::Silent { seconds } => format!("seit {seconds} Sekunden keine Antwort"),
            Self::Closed { answer } => format!("keine Verbindung oder keine Anmeldung: {answer}"),
            Self::Refused { answer } => answer.clone(),
        }
    }
}

impl Rows {
    fn german_source(self) -> &'static str {
        match self {
            Self::Users => "Die Liste der Konten",
            Self::Registration => "Der Registrierungsbericht",
            Self::SignIns => "Das Anmeldeprotokoll",
        }
    }

    fn german_place(self) -> &'static str {
        match self {
            Self::Users => "In der Liste der Konten",
            Self::Registration => "Im Registrierungsbericht",
            Self::SignIns => "Im Anmeldeprotokoll",
        }
    }

    /// In the plural, so that one verb fits all.
    fn german(self) -> &'static str {
        match self {
            Self::Users => "Die Konten",
            Self::Registration => "Die Registrierungen",
            Self::SignIns => "Die Anmeldungen",
        }
    }

    /// What a snapshot has fewer of.
    fn shrunk_german(self) -> &'static str {
        match self {
            Self::Users => "Konten",
            Self::Registration => "aktivierte Konten",
            Self::SignIns => "Anmeldungen",
        }
    }
}

impl Form {
    fn german(self) -> &'static str {
        match self {
            Self::Export => "Im Export",
            Self::Directory => "Im Verzeichnis",
            Self::Report => "Im Bericht",
        }
    }
}

impl ClockFault {
    pub(super) fn german(&self, moment: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::Behind { wall, newest } => {
                let [wall, newest] = [wall, newest].map(|at| moment(*at));
                format!(
                    "Die Uhr dieses Rechners ({wall}) steht hinter dem neuesten Lauf; vor {newest} gibt es weder Markierung noch Nachricht"
                )
            }
            Self::Parted { by } => {
                format!("Die Uhr dieses Rechners weicht um {by} von der Zeit seit dem Start ab")
            }
            Self::FromGraph { by, ahead } => {
                let word = if *ahead { "vor" } else { "nach" };
                format!("Die Uhr dieses Rechners geht gegenüber der von Graph um {by} {word}")
            }
        }
    }
}

fn strange_german(strangers: &[(String, String)], more: usize) -> Option<String> {
    let named = joined_by(strangers, ", ", |(member, group)| {
        format!("„{member}“ in „{group}“")
    });
    match (strangers.len(), more) {
        (0, _) => None,
        (1, 0) => Some(format!(
            "{named} ist weder eine bekannte Gruppe noch eine bekannte Person"
        )),
        (_, 0) => Some(format!(
            "{named} sind weder bekannte Gruppen noch bekannte Personen"
        )),
        (_, more) => Some(format!(
            "{named} und {more} weitere sind weder bekannte Gruppen noch bekannte Personen"
        )),
    }
}
