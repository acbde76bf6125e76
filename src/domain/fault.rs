//! Whose fault it is that a mail was not accepted (rule 7.11): the recipient's, the channel's, or nobody can say yet.
//!
//! Answers go in as they come; out comes what each means for its row, what is to be tried next, and whether the channel is in
//! doubt. The trap is order: an acceptance shows that the channel worked *then*. So an address is at fault that failed, saw
//! somebody else's mail go through, and failed again; one outage, wherever it begins and ends, cannot look like that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::window::later;

/// So many different recipients who come to nothing are no coincidence, and so many failures in a row make a pass careful.
pub const FEW: usize = 5;
/// After that many in a row a pass goes on for at most so many attempts.
const MORE: u32 = 100;
/// An acceptance says something of the channel for so long, and deferrals alone are no outage before.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// That a person was heard, or an operator's word, lets operators vouch for any number of people for so long.
const HEARD: SignedDuration = SignedDuration::from_hours(72);
/// A deferral is the recipient's at the third …
const DEFERRALS: u32 = 3;
/// … so long after the first; and an address at fault is tried so rarely.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Operators are asked to be a witness after an hour each so often within a day …
const ASKED_HOURLY: usize = 3;
/// … then rarely enough to be asked all day …
const ASKED_RARELY: SignedDuration = SignedDuration::from_hours(3);
/// … and no more than that.
const ASKED_A_DAY: usize = 10;
/// So many rows are carried into the next delivery at most.
const CARRIED: usize = 1_000;

/// What an attempt says of whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The server has taken it.
    Accepted,
    /// Connecting, TLS or the login failed; a trial of these tells when that is over.
    NoWay,
    /// The channel's for good: the sender was refused, or a code says so.
    Channel,
    /// The channel's for now: not a word about the recipient was heard.
    Busy,
    /// The recipient's, as a code says.
    Recipient,
    /// Refused for good, and the words do not say whose fault it is.
    Unclear,
    /// Not now, which alone says nothing.
    Deferred,
    /// It may have been taken.
    Lost,
    /// The address is none, and no server was asked.
    Nowhere,
}

/// What is known of an address that did not accept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// It was found at fault then, and stays so until it accepts.
    pub at_fault: Option<Timestamp>,
    /// Deferrals that count, the first of them whatever went before.
    pub deferrals: u32,
    /// When the first and the last of them were.
    pub between: Option<(Timestamp, Timestamp)>,
    /// A mail to operators has named it.
    pub told: bool,
}

/// What is remembered of the channel between deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The last two acceptances by different recipients, the newest first.
    accepted: Vec<(String, Timestamp)>,
    /// The last one by a person.
    person: Option<Timestamp>,
    /// When an operator last said that the channel is well.
    approved: Option<Timestamp>,
    /// Who has come to nothing since.
    in_vain: Option<InVain>,
    /// The channel is in doubt.
    pub doubt: Option<Doubt>,
    /// When operators were asked within the last day.
    asked: Vec<Timestamp>,
    /// Rows that were refused, and nobody could say whose fault it is by the end of a delivery: by the next one somebody
    /// else may have been heard.
    #[serde(default)]
    suspects: BTreeMap<String, Suspect>,
    /// Those of them that were to be tried once more at once, when the delivery had to end: a budget was spent.
    #[serde(default)]
    again: BTreeSet<String>,
}

/// Recipients who came to nothing since the last acceptance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct InVain {
    since: Timestamp,
    /// Different ones, counted up to [`FEW`], and whether one was more than put off.
    addresses: BTreeMap<String, bool>,
}

impl InVain {
    fn is_lasting(&self) -> bool {
        self.addresses.values().any(|lasting| *lasting)
    }
}

/// That messages do not get through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The pass that found it.
    pub since: Timestamp,
    /// The last answer.
    pub text: String,
    /// Mails to operators get through all the same: only one to a person ends it.
    #[serde(default)]
    pub of_people: bool,
}

impl Memory {
    /// Nothing that it remembers lies in the future, as what was dated by a clock that was ahead, nor longer ago than it is
    /// of use.
    #[must_use]
    pub fn dated_by(mut self, now: Timestamp) -> Self {
        for (_, at) in &mut self.accepted {
            *at = (*at).min(now);
        }
        let others = self.person.iter_mut().chain(&mut self.approved);
        for at in self.asked.iter_mut().chain(others) {
            *at = (*at).min(now);
        }
        if let Some(in_vain) = &mut self.in_vain {
            in_vain.since = in_vain.since.min(now);
        }
        for suspect in self.suspects.values_mut() {
            suspect.first.0 = suspect.first.0.min(now);
        }
        self.suspects
            .retain(|_, suspect| now.duration_since(suspect.first.0) < HOUR);
        self.again.retain(|row| self.suspects.contains_key(row));
        self
    }

    /// An operator says that the channel is well.
    pub fn approve(&mut self, now: Timestamp) {
        self.approved = Some(now);
        self.trust();
    }

    fn is_in_doubt_of_people(&self) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| doubt.of_people)
    }

    fn trust(&mut self) {
        self.doubt = None;
        self.in_vain = None;
    }
}

/// An attempt at a row.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The row.
    pub row: &'a str,
    /// To whom.
    pub address: &'a str,
    /// It is a mail to operators.
    pub to_operators: bool,
    /// What was known of the address when the row was claimed.
    pub account: Account,
    /// The server's code and words.
    pub text: &'a str,
}

/// What an answer means for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was sent.
    Sent,
    /// It fails: the recipient's fault.
    Fails,
    /// It is tried again.
    Waits,
    /// It is tried again, and not before tomorrow.
    WaitsADay,
    /// The outcome was lost, which has a rule of its own (rule 5.4).
    Lost,
    /// That is told by what comes after, in this delivery.
    Open,
}

/// What is to be tried when nothing more is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A mail to the operators: it decides.
    Ask,
    /// These rows once more.
    Again(Vec<String>),
    /// Nothing.
    Done,
}

/// In which order rows are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Whose turn it is.
    #[default]
    Turn,
    /// Those tried least, and else in no order: whoever goes first keeps nobody from being told.
    Fair,
    /// Those tried before, then as [`Order::Fair`].
    Again,
    /// Only mails to operators.
    Operators,
}

/// A moment of a delivery; by a fixed clock many share a time.
type Moment = (Timestamp, u64);

/// A row that was refused, and the words did not say whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    address: String,
    first: Moment,
    text: String,
}

impl Suspect {
    fn of(attempt: &Attempt<'_>, first: Moment) -> Self {
        Self {
            address: attempt.address.to_owned(),
            first,
            text: attempt.text.to_owned(),
        }
    }
}

/// The mail that operators get to be a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// There are no operators.
    Nobody,
    NotYet,
    Waits,
    Accepted,
    Failed,
}

/// The judge of one delivery.
#[derive(Debug)]
pub struct Judge {
    memory: Memory,
    /// As it was when it was written down.
    known: Memory,
    accounts: BTreeMap<String, Account>,
    touched: BTreeSet<String>,
    moments: u64,
    accepted: Vec<(String, Moment)>,
    /// Different people, counted up to [`FEW`], who came to nothing since one of them was heard.
    unheard: BTreeSet<String>,
    suspects: BTreeMap<String, Suspect>,
    /// Rows that a code accuses, until it is clear that the channel works.
    open: Vec<(String, Suspect)>,
    decided: Vec<(String, Verdict)>,
    in_a_row: usize,
    left: u32,
    asking: Asking,
    wants_a_witness: bool,
    /// A person was heard in this delivery.
    heard: bool,
    /// Rows that were refused and are tried once more.
    again: BTreeSet<String>,
    /// The second tries of this delivery have begun.
    tries_again: bool,
    text: String,
}

impl Judge {
    /// A judge who remembers that much; `witnesses` says that there are operators to be asked.
    #[must_use]
    pub fn new(memory: Memory, witnesses: bool) -> Self {
        let known = memory.clone();
        let mut memory = memory;
        let accepted = memory.accepted.iter();
        let accepted = accepted.map(|(who, at)| (who.clone(), (*at, 0))).collect();
        let suspects = std::mem::take(&mut memory.suspects);
        let again = std::mem::take(&mut memory.again);
        Self {
            accepted,
            again,
            tries_again: false,
            known,
            memory,
            accounts: BTreeMap::new(),
            touched: BTreeSet::new(),
            moments: 0,
            unheard: BTreeSet::new(),
            suspects,
            heard: false,
            open: Vec::new(),
            decided: Vec::new(),
            in_a_row: 0,
            left: MORE,
            asking: if witnesses {
                Asking::NotYet
            } else {
                Asking::Nobody
            },
            wants_a_witness: false,
            text: String::new(),
        }
    }

    /// What is to be remembered.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether anything is new since this was asked last.
    pub fn is_news(&mut self) -> bool {
        let is_news = self.memory != self.known || !self.touched.is_empty();
        self.known = self.memory.clone();
        is_news
    }

    /// The accounts that have changed since this was asked last; those without anything are to be forgotten.
    pub fn changed_accounts(&mut self) -> Vec<(String, Account)> {
        let touched = std::mem::take(&mut self.touched);
        let account = |address: String| {
            let account = self.accounts.get(&address).copied().unwrap_or_default();
            (address, account)
        };
        touched.into_iter().map(account).collect()
    }

    /// Rows that were [`Verdict::Open`] and are so no more.
    pub fn decided(&mut self) -> Vec<(String, Verdict)> {
        std::mem::take(&mut self.decided)
    }

    /// In which order rows are to be taken.
    #[must_use]
    pub fn order(&self) -> Order {
        match self.asking {
            Asking::Waits => Order::Operators,
            _ if !self.again.is_empty() => Order::Again,
            _ if self.in_a_row >= FEW => Order::Fair,
            _ => Order::Turn,
        }
    }

    /// How many more attempts there may be, after some failures in a row; none: as many as there are.
    #[must_use]
    pub fn left(&self) -> Option<u32> {
        let is_careful = self.in_a_row >= FEW && self.asking != Asking::Waits;
        (is_careful && self.again.is_empty()).then_some(self.left)
    }

    /// An attempt came to an end.
    pub fn witness(&mut self, attempt: &Attempt<'_>, answer: Answer, now: Timestamp) -> Verdict {
        self.moments += 1;
        let at = (now, self.moments);
        let address = attempt.address;
        let account = *self
            .accounts
            .entry(address.to_owned())
            .or_insert(attempt.account);
        if answer == Answer::Accepted {
            self.accept(attempt, at);
            return Verdict::Sent;
        }
        if answer == Answer::NoWay {
            return Verdict::Waits;
        }
        if answer == Answer::Nowhere {
            self.convict(address, now);
            return Verdict::Fails;
        }
        self.text = code(attempt.text);
        if account.at_fault.is_some() && !matches!(answer, Answer::Channel | Answer::Busy) {
            return match answer {
                Answer::Lost => Verdict::Lost,
                Answer::Recipient | Answer::Unclear if self.memory.doubt.is_none() => {
                    Verdict::Fails
                }
                _ => Verdict::WaitsADay,
            };
        }
        let verdict = match answer {
            Answer::Deferred => self.defer(address, account, at),
            Answer::Recipient
                if self.memory.doubt.is_none() && !self.suspects.contains_key(attempt.row) =>
            {
                let suspect = Suspect::of(attempt, at);
                self.open.push((attempt.row.to_owned(), suspect));
                Verdict::Open
            }
            Answer::Recipient | Answer::Unclear => self.refuse(attempt, at),
            Answer::Lost => Verdict::Lost,
            Answer::Channel | Answer::Busy | Answer::Accepted | Answer::NoWay | Answer::Nowhere => {
                Verdict::Waits
            }
        };
        if verdict != Verdict::Fails {
            self.fail(address, answer, now);
            if attempt.to_operators && self.asking == Asking::Waits {
                self.asking = Asking::Failed;
            }
        }
        if answer == Answer::Channel {
            self.doubt(now);
        }
        verdict
    }

    fn accept(&mut self, attempt: &Attempt<'_>, at: Moment) {
        self.decide_open(at.0);
        self.suspects.remove(attempt.row);
        self.again.remove(attempt.row);
        if !attempt.to_operators {
            self.memory.person = Some(at.0);
            self.heard = true;
            self.unheard.clear();
        }
        if !attempt.to_operators || self.operators_vouch(at.0) {
            self.memory.trust();
        }
        self.in_a_row = 0;
        self.left = MORE;
        if self
            .accounts
            .insert(attempt.address.to_owned(), Account::default())
            != Some(Account::default())
        {
            self.touched.insert(attempt.address.to_owned());
        }
        self.accepted.retain(|(who, _)| who != attempt.address);
        self.accepted.insert(0, (attempt.address.to_owned(), at));
        self.accepted.truncate(2);
        let accepted = self.accepted.iter();
        self.memory.accepted = accepted.map(|(who, at)| (who.clone(), at.0)).collect();
        if attempt.to_operators && matches!(self.asking, Asking::Waits | Asking::Failed) {
            self.asking = Asking::Accepted;
        }
    }

    /// One more recipient who came to nothing. Whoever was told apart from the channel before says nothing of it.
    fn fail(&mut self, address: &str, answer: Answer, now: Timestamp) {
        if self.in_a_row >= FEW {
            self.left = self.left.saturating_sub(1);
        }
        self.in_a_row += 1;
        if self.unheard.len() < FEW {
            self.unheard.insert(address.to_owned());
        }
        let account = self.accounts.get(address).copied().unwrap_or_default();
        if answer == Answer::Deferred && account.deferrals > 1 {
            return;
        }
        let in_vain = self.memory.in_vain.get_or_insert_with(|| InVain {
            since: now,
            addresses: BTreeMap::new(),
        });
        let lasting = !matches!(answer, Answer::Deferred | Answer::Busy);
        if in_vain.addresses.len() < FEW || in_vain.addresses.contains_key(address) {
            *in_vain.addresses.entry(address.to_owned()).or_default() |= lasting;
        } else if lasting {
            in_vain.addresses.values_mut().for_each(|any| *any = true);
        }
    }

    /// Whether what operators accept says anything of mails to people: a server may well take those to its own house
    /// alone, and so nothing where five people and more came to nothing and none was heard for three days.
    fn operators_vouch(&self, now: Timestamp) -> bool {
        let is_doubted = self.memory.is_in_doubt_of_people();
        let mut good = self.memory.person.iter().chain(&self.memory.approved);
        (self.unheard.len() < FEW && !is_doubted) || good.any(|at| now.duration_since(*at) < HEARD)
    }

    /// A message to somebody else was accepted after that moment and less than an hour before now.
    fn others_got_through(&self, address: &str, after: Moment, now: Timestamp) -> bool {
        if !self.operators_vouch(now) {
            // Whatever was accepted lately, operators did.
            return false;
        }
        let mut others = self.accepted.iter().filter(|(who, _)| who != address);
        others.any(|(_, at)| *at > after && now.duration_since(at.0) < HOUR)
    }

    fn few_in_vain(&self) -> bool {
        let in_vain = self.memory.in_vain.as_ref();
        in_vain.is_none_or(|in_vain| in_vain.addresses.len() < FEW)
    }

    fn refuse(&mut self, attempt: &Attempt<'_>, at: Moment) -> Verdict {
        let Some(suspect) = self.suspects.get(attempt.row) else {
            let suspect = Suspect::of(attempt, at);
            self.suspects.insert(attempt.row.to_owned(), suspect);
            return Verdict::Waits;
        };
        let first = suspect.first;
        let convicts = self.again.remove(attempt.row)
            && self.memory.doubt.is_none()
            && self.few_in_vain()
            && self.others_got_through(attempt.address, first, at.0);
        if convicts {
            self.suspects.remove(attempt.row);
            self.convict(attempt.address, at.0);
            return Verdict::Fails;
        }
        Verdict::Waits
    }

    /// A deferral counts where others got through since the one before.
    fn defer(&mut self, address: &str, mut account: Account, at: Moment) -> Verdict {
        let now = at.0;
        let (first, last) = account.between.unwrap_or((now, now));
        let (first, last) = (first.min(now), last.min(now));
        let is_first = account.deferrals == 0;
        // By a fixed clock what came after it has the same time.
        let since = (later(last, SignedDuration::from_micros(-1)), u64::MAX);
        let contrasts = self.memory.doubt.is_none()
            && self.few_in_vain()
            && self.others_got_through(address, since, now);
        let is_old = now.duration_since(first) >= DAY;
        if is_first || contrasts {
            account.deferrals += 1;
        } else if account.deferrals + 1 >= DEFERRALS && is_old {
            self.wants_a_witness = true;
        }
        account.between = Some((first, now));
        self.accounts.insert(address.to_owned(), account);
        self.touched.insert(address.to_owned());
        if contrasts && account.deferrals >= DEFERRALS && is_old {
            self.convict(address, now);
            return Verdict::Fails;
        }
        Verdict::Waits
    }

    fn convict(&mut self, address: &str, now: Timestamp) {
        let account = self.accounts.entry(address.to_owned()).or_default();
        account.at_fault = Some(now);
        self.touched.insert(address.to_owned());
        // From now on it says nothing of the channel.
        if let Some(in_vain) = &mut self.memory.in_vain {
            in_vain.addresses.remove(address);
            if in_vain.addresses.is_empty() {
                self.memory.in_vain = None;
            }
        }
    }

    /// What a code said holds where anything was accepted within the hour, unless too many said the same with nothing
    /// accepted between.
    fn decide_open(&mut self, now: Timestamp) {
        let believed =
            self.memory.doubt.is_none() && self.few_in_vain() && self.is_heard_lately(now);
        for (row, suspect) in std::mem::take(&mut self.open) {
            if believed {
                self.convict(&suspect.address, now);
                self.decided.push((row, Verdict::Fails));
            } else {
                self.decided.push((row.clone(), Verdict::Waits));
                self.suspects.insert(row, suspect);
            }
        }
    }

    fn is_heard_lately(&self, now: Timestamp) -> bool {
        let newest = self.accepted.first();
        newest.is_some_and(|(_, at)| now.duration_since(at.0) < HOUR)
    }

    /// Whether messages do not get through, as it looks now.
    fn is_doubtful(&self, now: Timestamp) -> bool {
        // Who comes to nothing after others were heard is told apart by what comes next, where nobody can be asked.
        let is_open = match self.asking {
            Asking::Nobody => self.heard,
            Asking::NotYet => {
                let is_near = self.is_heard_lately(now) && self.operators_vouch(now);
                !self.may_ask(now) && (self.heard || is_near)
            }
            Asking::Accepted => self.operators_vouch(now),
            Asking::Waits | Asking::Failed => false,
        };
        let in_vain = self.memory.in_vain.as_ref();
        self.memory.doubt.is_some()
            || in_vain.is_some_and(|in_vain| {
                if in_vain.is_lasting() {
                    (in_vain.addresses.len() >= FEW && !is_open)
                        || !self.is_heard_lately(now)
                        || self.asking == Asking::Failed
                } else {
                    now.duration_since(in_vain.since) >= HOUR
                }
            })
    }

    fn doubt(&mut self, now: Timestamp) {
        let text = self.text.clone();
        let of_people = self.is_heard_lately(now) && !self.operators_vouch(now);
        let doubt = self.memory.doubt.get_or_insert_with(|| Doubt {
            since: now,
            text: String::new(),
            of_people: false,
        });
        if !text.is_empty() {
            doubt.text = text;
        }
        doubt.of_people |= of_people;
        // What failed while the channel was in doubt is held against nobody.
        for (address, account) in &mut self.accounts {
            if account.at_fault.is_none() && account.deferrals == 1 {
                *account = Account::default();
                self.touched.insert(address.clone());
            }
        }
    }

    /// Whether operators may be asked now: not without end, for one cause one mail.
    #[must_use]
    fn may_ask(&self, now: Timestamp) -> bool {
        let asked = &self.memory.asked;
        let apart = if asked.len() < ASKED_HOURLY {
            HOUR
        } else {
            ASKED_RARELY
        };
        !self.memory.is_in_doubt_of_people()
            && asked.len() < ASKED_A_DAY
            && asked.iter().all(|at| now.duration_since(*at) >= apart)
    }

    /// What is to be tried when nothing more is due.
    pub fn next(&mut self, now: Timestamp) -> Next {
        self.memory.asked.retain(|at| now.duration_since(*at) < DAY);
        if self.is_heard_lately(now) {
            self.decide_open(now);
        }
        let mut suspects = self.suspects.values();
        let is_plain = self.open.is_empty()
            && suspects.all(|one| self.others_got_through(&one.address, one.first, now));
        if self.asking == Asking::Waits {
            // It was not taken: no row of it was due.
            self.asking = Asking::Failed;
        }
        let asks = !is_plain || self.is_doubtful(now) || self.wants_a_witness;
        if asks && self.asking == Asking::NotYet && self.may_ask(now) {
            return Next::Ask;
        }
        if self.suspects.is_empty()
            || self.tries_again
            || self.memory.doubt.is_some()
            || self.asking == Asking::Failed
        {
            return Next::Done;
        }
        self.tries_again = true;
        self.again.extend(self.suspects.keys().cloned());
        Next::Again(self.suspects.keys().cloned().collect())
    }

    /// The operators are asked: what they are told of whom, by row.
    pub fn ask(&mut self, now: Timestamp) -> Vec<(String, String)> {
        self.asking = Asking::Waits;
        self.memory.asked.push(now);
        let open = self.open.iter().map(|(row, suspect)| (row, suspect));
        let refused = self.suspects.iter().chain(open);
        refused
            .map(|(row, suspect)| {
                let account = self.accounts.entry(suspect.address.clone()).or_default();
                account.told = true;
                self.touched.insert(suspect.address.clone());
                (row.clone(), suspect.text.clone())
            })
            .collect()
    }

    /// The delivery is over. Whether operators are still to be asked.
    pub fn end(&mut self, now: Timestamp) -> bool {
        self.decide_open(now);
        if self.is_doubtful(now) {
            self.doubt(now);
        }
        if self.memory.doubt.is_none() {
            let carried = self.suspects.iter().take(CARRIED).map(|(row, one)| {
                // Only times are remembered, and by a fixed clock what came after it has the same.
                let is_before = self.others_got_through(&one.address, one.first, now);
                let earlier = SignedDuration::from_micros(-i64::from(is_before));
                let first = (later(one.first.0, earlier), 0);
                let one = one.clone();
                (row.clone(), Suspect { first, ..one })
            });
            self.memory.suspects = carried.collect();
            self.memory.again = std::mem::take(&mut self.again);
        }
        self.memory.doubt.is_some() && self.asking == Asking::NotYet && self.may_ask(now)
    }
}

/// The codes of an answer, without the words, which may name somebody; words of ours have no codes.
fn code(text: &str) -> String {
    let codes: Vec<&str> = text
        .split(' ')
        .take_while(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    if codes.is_empty() {
        text.to_owned()
    } else {
        codes.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(minutes: i64) -> Timestamp {
        NOW + SignedDuration::from_mins(minutes)
    }

    /// Deliveries as the courier makes them, to a server that answers by a function of the recipient and of the number of
    /// the attempt.
    struct Post<F> {
        server: F,
        operators: bool,
        /// So many mails to people in one delivery at most.
        budget: u64,
        tried: BTreeSet<String>,
        memory: Memory,
        accounts: BTreeMap<String, Account>,
        waiting: Vec<(String, bool)>,
        failed: BTreeSet<String>,
        sent: Vec<String>,
        attempts: u64,
    }

    impl<F: FnMut(&str, u64) -> Answer> Post<F> {
        fn new(server: F) -> Self {
            Self {
                server,
                operators: true,
                budget: u64::MAX,
                tried: BTreeSet::new(),
                memory: Memory::default(),
                accounts: BTreeMap::new(),
                waiting: Vec::new(),
                failed: BTreeSet::new(),
                sent: Vec::new(),
                attempts: 0,
            }
        }

        fn queue(&mut self, names: &[&str]) -> &mut Self {
            self.waiting
                .extend(names.iter().map(|name| ((*name).to_owned(), false)));
            self
        }

        fn crowd(&mut self, prefix: &str, people: usize) -> &mut Self {
            let names = (0..people).map(|number| (format!("{prefix}{number}"), false));
            self.waiting.extend(names);
            self
        }

        /// A pass whose mails are all due.
        fn deliver(&mut self, now: Timestamp) -> &mut Self {
            let memory = self.memory.clone().dated_by(now);
            let mut judge = Judge::new(memory, self.operators);
            let mut due: Vec<(String, bool)> = std::mem::take(&mut self.waiting);
            let mut later: Vec<(String, bool)> = Vec::new();
            let mut spent = 0;
            loop {
                while !due.is_empty() && judge.left() != Some(0) {
                    let tried = |(name, _): &(String, bool)| self.tried.contains(name);
                    let place = match judge.order() {
                        Order::Again => due.iter().position(tried).unwrap_or(0),
                        Order::Fair => usize::try_from(self.attempts * 7).unwrap() % due.len(),
                        Order::Turn | Order::Operators => 0,
                    };
                    if spent >= self.budget && !due[place].1 {
                        break;
                    }
                    let (name, to_operators) = due.remove(place);
                    spent += u64::from(!to_operators);
                    self.tried.insert(name.clone());
                    self.attempts += 1;
                    let answer = (self.server)(&name, self.attempts);
                    let attempt = Attempt {
                        row: &name,
                        address: &name,
                        to_operators,
                        account: self.accounts.get(&name).copied().unwrap_or_default(),
                        text: "550 5.7.1 no",
                    };
                    match judge.witness(&attempt, answer, now) {
                        Verdict::Sent => self.sent.push(name),
                        Verdict::Fails => {
                            self.failed.insert(name);
                        }
                        _ => later.push((name, to_operators)),
                    }
                }
                let next = judge.next(now);
                self.settle(&mut judge, &mut later);
                match next {
                    Next::Ask => {
                        judge.ask(now);
                        due.insert(0, ("operators".to_owned(), true));
                    }
                    Next::Again(rows) => {
                        let (again, rest) =
                            later.into_iter().partition(|(name, _)| rows.contains(name));
                        later = rest;
                        due.extend::<Vec<_>>(again);
                    }
                    Next::Done => break,
                }
            }
            if judge.end(now) {
                judge.ask(now);
                later.push(("operators".to_owned(), true));
            }
            self.settle(&mut judge, &mut later);
            for (address, account) in judge.changed_accounts() {
                self.accounts.insert(address, account);
            }
            self.memory = judge.memory().clone();
            self.waiting = [due, later].concat();
            self
        }

        fn settle(&mut self, judge: &mut Judge, later: &mut Vec<(String, bool)>) {
            for (row, verdict) in judge.decided() {
                if verdict == Verdict::Fails {
                    later.retain(|(name, _)| *name != row);
                    self.failed.insert(row);
                }
            }
        }

        fn is_held(&self) -> bool {
            self.memory.doubt.is_some()
        }

        fn mails_to_operators(&self) -> usize {
            self.sent.iter().filter(|name| *name == "operators").count()
        }
    }

    fn restricted(name: &str, _: u64) -> Answer {
        if name.starts_with("bad") {
            Answer::Unclear
        } else {
            Answer::Accepted
        }
    }

    #[test]
    fn one_due_and_refused_is_at_fault_once_a_mail_to_operators_got_through() {
        let mut post = Post::new(restricted);
        post.queue(&["bad"]).deliver(NOW);
        assert_eq!((post.failed.len(), post.mails_to_operators()), (1, 1));
        assert!(!post.is_held());
        let mut nobody = Post::new(|_, _| Answer::Unclear);
        nobody.queue(&["ana"]).deliver(NOW);
        assert!(nobody.is_held());
        assert_eq!(nobody.failed.len(), 0);
    }

    #[test]
    fn without_operators_one_due_and_refused_is_an_outage_until_an_approval() {
        let mut post = Post::new(restricted);
        post.operators = false;
        post.queue(&["bad"]).deliver(NOW);
        assert_eq!((post.failed.len(), post.is_held()), (0, true));
        post.memory.approve(NOW);
        post.queue(&["ana"]).deliver(at(30));
        assert_eq!((post.failed.len(), post.is_held()), (1, false));
    }

    #[test]
    fn forty_restricted_and_ten_good_cost_at_most_one_mail_to_operators_in_whatever_order() {
        for good_first in [false, true] {
            let mut post = Post::new(restricted);
            if good_first {
                post.crowd("good", 10).crowd("bad", 40);
            } else {
                post.crowd("bad", 40).crowd("good", 10);
            }
            post.deliver(NOW);
            let asked = usize::from(good_first);
            assert_eq!((post.failed.len(), post.sent.len()), (40, 10 + asked));
            assert_eq!((post.mails_to_operators(), post.is_held()), (asked, false));
        }
    }

    /// Second tries that a budget puts off are made by the deliveries after.
    #[test]
    fn budgets_keep_nobody_from_being_told_apart() {
        for good_first in [false, true] {
            let mut post = Post::new(restricted);
            post.budget = 30;
            if good_first {
                post.crowd("good", 10).crowd("bad", 40);
            } else {
                post.crowd("bad", 40).crowd("good", 10);
            }
            for minute in 0..62 {
                post.deliver(at(minute));
                assert!(!post.is_held(), "minute {minute}");
            }
            assert_eq!(post.failed.len(), 40, "{good_first}");
            assert!(post.mails_to_operators() <= 2);
        }
    }

    #[test]
    fn thirty_restricted_within_three_days_of_somebody_good_are_told_from_an_outage_by_the_operators()
     {
        let mut post = Post::new(restricted);
        post.queue(&["good"]).deliver(NOW);
        post.crowd("bad", 30).deliver(at(4_319));
        assert_eq!((post.failed.len(), post.is_held()), (30, false));
        let mut post = Post::new(|_, _| Answer::Unclear);
        post.crowd("p", 30).deliver(NOW);
        assert_eq!((post.failed.len(), post.is_held()), (0, true));
    }

    /// A server that takes mails to its own house and relays none, or not yet for this sender: the control is the same with
    /// four people, of whom operators decide.
    #[test]
    fn five_people_refused_are_an_outage_whatever_operators_get() {
        for answer in [Answer::Unclear, Answer::Recipient, Answer::Deferred] {
            for (people, failed) in [(4, 4), (5, 0), (40, 0)] {
                let mut post = Post::new(move |name, _| match name {
                    "operators" => Answer::Accepted,
                    _ => answer,
                });
                post.crowd("p", people);
                for half_hour in 0..100 {
                    post.deliver(at(30 * half_hour));
                }
                let told = (post.failed.len(), post.is_held());
                assert_eq!(told, (failed, failed == 0), "{answer:?} to {people}");
                assert!(post.mails_to_operators() <= 3, "{answer:?} to {people}");
            }
        }
    }

    #[test]
    fn an_outage_of_people_ends_with_the_first_of_them_who_accepts_or_an_approval() {
        for approves in [false, true] {
            let mut post = Post::new(restricted);
            post.crowd("bad", 6).deliver(NOW).deliver(at(120));
            assert_eq!((post.failed.len(), post.is_held()), (0, true));
            if approves {
                post.memory.approve(at(180));
            } else {
                post.queue(&["good"]);
            }
            post.deliver(at(181)).deliver(at(240));
            assert_eq!(
                (post.failed.len(), post.is_held()),
                (6, false),
                "{approves}"
            );
        }
    }

    #[test]
    fn a_code_accuses_the_recipient_at_once_and_nobody_where_it_is_said_to_all() {
        let mut post = Post::new(|name, _| match name {
            "gone" => Answer::Recipient,
            _ => Answer::Accepted,
        });
        post.queue(&["ana", "gone"]).deliver(NOW);
        assert_eq!(
            (post.failed.len(), post.attempts, post.is_held()),
            (1, 2, false)
        );
        // Where nothing was accepted lately, operators decide here too.
        post.queue(&["gone"]).accounts.clear();
        post.deliver(at(120));
        assert_eq!((post.mails_to_operators(), post.is_held()), (1, false));
        let mut post = Post::new(|_, _| Answer::Recipient);
        post.crowd("p", 6).deliver(NOW);
        assert_eq!((post.failed.len(), post.is_held()), (0, true));
    }

    #[test]
    fn a_blocked_sender_fails_no_row_and_everything_goes_out_afterwards() {
        for answer in [
            Answer::Channel,
            Answer::Unclear,
            Answer::Recipient,
            Answer::Lost,
        ] {
            let mut post = Post::new(move |_, attempt| match attempt {
                41..=400 => answer,
                _ => Answer::Accepted,
            });
            post.crowd("p", 300);
            for pass in 0..30 {
                post.deliver(at(30 * pass));
                assert_eq!(post.failed.len(), 0, "{answer:?} in pass {pass}");
                assert!(
                    post.is_held() || post.attempts > 400,
                    "{answer:?} in pass {pass}"
                );
            }
            assert_eq!(
                (post.sent.len() >= 300, post.is_held()),
                (true, false),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn greylisting_is_no_outage_and_deferrals_of_an_hour_are() {
        let mut post = Post::new(|_, attempt| match attempt {
            0..=12 => Answer::Deferred,
            _ => Answer::Accepted,
        });
        post.crowd("p", 12).deliver(NOW);
        assert!(!post.is_held());
        post.deliver(at(10));
        assert_eq!((post.sent.len(), post.mails_to_operators()), (12, 0));
        let mut post = Post::new(|_, _| Answer::Deferred);
        post.crowd("p", 12).deliver(NOW).deliver(at(59));
        assert!(!post.is_held());
        post.deliver(at(60));
        assert_eq!((post.is_held(), post.failed.len()), (true, 0));
    }

    #[test]
    fn who_defers_three_times_in_a_day_while_others_get_through_is_at_fault() {
        let mut post = Post::new(|name, _| match name {
            "full" => Answer::Deferred,
            _ => Answer::Accepted,
        });
        post.queue(&["full"]);
        for half_hour in 0..=48 {
            post.queue(&["ana"]).deliver(at(30 * half_hour));
            let failed = usize::from(half_hour >= 48);
            assert_eq!(post.failed.len(), failed, "after {half_hour} half hours");
        }
        assert!(!post.is_held());
    }

    #[test]
    fn a_person_alone_who_defers_for_days_is_at_fault_after_two_mails_to_operators() {
        let mut post = Post::new(|name, _| match name {
            "full" => Answer::Deferred,
            _ => Answer::Accepted,
        });
        post.queue(&["full"]);
        for half_hour in 0..=60 {
            post.deliver(at(30 * half_hour));
        }
        assert_eq!((post.failed.len(), post.is_held()), (1, false));
        assert!(post.mails_to_operators() <= 3, "{:?}", post.sent);
    }

    #[test]
    fn an_address_at_fault_says_nothing_of_the_channel_and_is_so_until_it_accepts() {
        let mut post = Post::new(|name, attempt| match name {
            "bad" if attempt < 10 => Answer::Unclear,
            _ => Answer::Accepted,
        });
        post.queue(&["bad"]).deliver(NOW);
        assert_eq!(post.failed.len(), 1);
        for day in 1..4 {
            post.failed.clear();
            post.queue(&["bad"]).deliver(at(day * 1_440));
            assert_eq!((post.failed.len(), post.is_held()), (1, false), "day {day}");
        }
        assert_eq!(post.mails_to_operators(), 1);
        post.attempts = 10;
        post.queue(&["bad"]).deliver(at(9_000));
        assert_eq!(post.accounts["bad"], Account::default());
    }

    #[test]
    fn operators_are_asked_no_more_than_ten_times_a_day() {
        let mut post = Post::new(restricted);
        for half_hour in 0..48 {
            post.queue(&[format!("bad{half_hour}").as_str()])
                .deliver(at(30 * half_hour));
        }
        assert!(post.mails_to_operators() <= ASKED_A_DAY, "{:?}", post.sent);
    }

    /// Each mail to operators is taken, and its answer lost.
    #[test]
    fn what_is_tried_while_nothing_gets_through_is_tried_all_day() {
        let mut post = Post::new(|_, _| Answer::Lost);
        post.queue(&["ana"]);
        let mut asked = Vec::new();
        for half_hour in 0..48 {
            post.deliver(at(30 * half_hour));
            let lost = post.waiting.iter().any(|(name, _)| name == "operators");
            post.waiting.retain(|(name, _)| name != "operators");
            asked.extend(lost.then_some(half_hour / 2));
        }
        assert_eq!(asked, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23]);
    }

    /// Whom a judge accuses who looks for a contrast and not for its order.
    fn without_order(answers: &[Answer]) -> usize {
        let refused = answers.iter().filter(|one| **one == Answer::Unclear);
        if answers.contains(&Answer::Accepted) {
            refused.count()
        } else {
            0
        }
    }

    /// Whom a judge accuses who believes what codes say.
    fn by_the_table(answers: &[Answer]) -> usize {
        let accused = answers.iter().filter(|one| **one == Answer::Recipient);
        accused.count()
    }

    #[test]
    fn an_outage_accuses_nobody_where_contrast_without_order_or_codes_alone_would() {
        type Naive = fn(&[Answer]) -> usize;
        for (answer, naive) in [
            (Answer::Unclear, without_order as Naive),
            (Answer::Recipient, by_the_table as Naive),
        ] {
            // It ends in the middle of a pass: whoever came first was refused.
            let server = move |attempt| match attempt {
                1..=10 => answer,
                _ => Answer::Accepted,
            };
            let answers: Vec<Answer> = (1..=20).map(server).collect();
            assert_eq!(naive(&answers), 10, "{answer:?}");
            let mut post = Post::new(move |_, attempt| server(attempt));
            post.crowd("p", 20).deliver(NOW);
            assert_eq!((post.failed.len(), post.sent.len()), (0, 20), "{answer:?}");
        }
    }

    fn answer_of_an_outage() -> impl Strategy<Value = Answer> {
        prop_oneof![
            Just(Answer::Unclear),
            Just(Answer::Deferred),
            Just(Answer::Busy),
            Just(Answer::Channel),
            Just(Answer::Lost),
        ]
    }

    proptest! {
        /// Wherever an outage begins and ends, and whatever is answered in it: nobody's row fails by it.
        #[test]
        fn no_row_fails_by_an_outage(
            people in 1_usize..40,
            begins in 1_u64..60,
            lasts in 1_u64..120,
            answers in prop::collection::vec(answer_of_an_outage(), 1..6),
            operators in any::<bool>(),
            minutes in 1_i64..90,
        ) {
            let mut post = Post::new(move |_, attempt| {
                if (begins..begins + lasts).contains(&attempt) {
                    answers[usize::try_from(attempt).unwrap() % answers.len()]
                } else {
                    Answer::Accepted
                }
            });
            post.operators = operators;
            post.crowd("p", people);
            for pass in 0..12 {
                post.deliver(at(minutes * pass));
                prop_assert!(post.failed.is_empty(), "{:?}", post.failed);
                post.crowd(&format!("later{pass}"), 2);
            }
        }

        /// The same among mailboxes that really refuse: only these are ever at fault.
        #[test]
        fn only_who_refuses_is_at_fault(
            order in Just((0..30_u64).collect::<Vec<_>>()).prop_shuffle(),
            bad in 0_u64..30,
            begins in 1_u64..60,
            lasts in 0_u64..60,
            minutes in 1_i64..90,
        ) {
            let mut post = Post::new(move |name, attempt| {
                if (begins..begins + lasts).contains(&attempt) || name.starts_with("bad") {
                    Answer::Unclear
                } else {
                    Answer::Accepted
                }
            });
            let names = order.iter().map(|number| {
                let kind = if *number < bad { "bad" } else { "good" };
                (format!("{kind}{number}"), false)
            });
            post.waiting = names.collect();
            for pass in 0..8 {
                post.deliver(at(minutes * pass));
            }
            let wrong: Vec<&String> = post.failed.iter().filter(|name| name.starts_with("good")).collect();
            prop_assert!(wrong.is_empty(), "{wrong:?}");
        }
    }
}
