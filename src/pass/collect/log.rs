//! The two logs: they add, and differ only in what their rows are and where these go.

use super::Collector;
use super::files::reader::Weighed;
use crate::domain::audit::AuditEvent;
use crate::domain::sign_in::SignIn;
use crate::report::PassReport;
use crate::store::StoreError;
use crate::store::logs::PartEnd;
use crate::store::sources::Source;

/// A row of a log.
pub(super) trait LogRow: Weighed + Send + Sized + 'static {
    const SOURCE: Source;
    /// Absorbs rows, and with them the parts that end with them, or where the reading goes on.
    async fn absorb(
        collector: &Collector<'_>,
        rows: &[Self],
        ended: &[PartEnd],
        reading: Option<&str>,
    ) -> Result<(), StoreError>;
    fn counter(report: &mut PassReport) -> &mut u64;
}

impl LogRow for SignIn {
    const SOURCE: Source = Source::SignIns;

    async fn absorb(
        collector: &Collector<'_>,
        rows: &[Self],
        ended: &[PartEnd],
        reading: Option<&str>,
    ) -> Result<(), StoreError> {
        let codes = &collector.config.result_codes;
        let store = collector.store;
        store.absorb_sign_ins(rows, codes, ended, reading).await
    }

    fn counter(report: &mut PassReport) -> &mut u64 {
        &mut report.read.sign_ins
    }
}

impl LogRow for AuditEvent {
    const SOURCE: Source = Source::Audits;

    async fn absorb(
        collector: &Collector<'_>,
        rows: &[Self],
        ended: &[PartEnd],
        reading: Option<&str>,
    ) -> Result<(), StoreError> {
        collector.store.absorb_audits(rows, ended, reading).await
    }

    fn counter(report: &mut PassReport) -> &mut u64 {
        &mut report.read.audits
    }
}
