//! What the directory itself remembers of last sign-ins: asked for once, when an outage outlasted
//! the log and left a gap in it (case 23). A hint opens a window from now on, and no more.

use super::Graph;
use crate::graph::{Ask, Trail};
use crate::pass::collect::CollectError;
use crate::report::PassReport;
use crate::sources::Skip;
use crate::sources::graph::Pages;
use crate::sources::wire::{self, Row};
use crate::store::settings::ACTIVITY_ASKED_FOR;
use crate::store::sources::Source;

impl Graph<'_> {
    pub(super) async fn activity_in_gap(
        &self,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        let store = self.collector.store;
        let Some(gap) = store.log_gap().await? else {
            return Ok(());
        };
        if store.setting(&ACTIVITY_ASKED_FOR).await? == Some(gap.from) {
            return Ok(());
        }
        let ask = Ask::activity(gap.from);
        let (mut next, mut trail, mut pages) = (None, Trail::default(), Pages::default());
        let patience = self.patience();
        loop {
            let ask = ask.clone().at(next);
            let page = self.asked(self.client.page(&ask, &mut trail)).await?;
            let seen = |raw: &[u8]| {
                Ok(match wire::user(raw)? {
                    Row::Fact(person) => match person.last_sign_in_at {
                        Some(at) => Row::Fact((person.id, at)),
                        None => Row::Skipped(Skip::OtherKind),
                    },
                    Row::Skipped(why) => Row::Skipped(why),
                })
            };
            let (rows, _) = self.facts(Source::SignIns, &page, seen, report).await?;
            store.note_last_sign_ins(&rows).await?;
            next = page.next;
            if next.is_none() {
                return Ok(store.set(&ACTIVITY_ASKED_FOR, &gap.from).await?);
            }
            if pages.read() {
                return Err(super::endless("last sign-ins", &pages).into());
            }
            if patience.is_over(report) {
                return Ok(());
            }
        }
    }
}
