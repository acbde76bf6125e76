//! Outcomes that the database could not take: kept beside it, and settled before anything else once it takes them again.
//!
//! What the mail server accepted must not be sent once more because the disk was full in that moment. So room for outcomes is
//! set aside in `<database>.outcomes` before anything is sent, and writing into it needs none.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outbox::{Settled, SettledTally};
use super::{Store, StoreError};
use crate::private;

/// Some thousand outcomes: more than are under way and not settled at any time.
const ROOM: u64 = 1 << 18;

/// No file of ours is longer.
const LONGEST: u64 = 1 << 25;
/// So much of a line that cannot be read is logged.
const SHOWN: usize = 200;

/// Destinations are delivered to side by side, and the file is one.
static KEEPING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One outcome, as a line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    destination: String,
    settled: Settled,
}

/// Where the outcomes of a database are kept.
pub(super) fn outcomes(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".outcomes");
    PathBuf::from(name)
}

impl Store {
    /// Sets room aside for what will be known of attempts. Without it nothing may be sent.
    pub fn set_room_aside(&self) -> Result<(), StoreError> {
        let path = outcomes(self.path());
        let room = || -> io::Result<()> {
            let file = private::open_own(&path, true)?;
            if file.metadata()?.len() < ROOM {
                rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, ROOM)?;
                file.sync_all()?;
            }
            Ok(())
        };
        room().map_err(|source| StoreError::Outcomes {
            path: path.clone(),
            source,
        })
    }

    /// Keeps outcomes that the database did not take.
    pub async fn keep_outcomes(
        &self,
        destination: &str,
        settled: &[Settled],
    ) -> Result<(), StoreError> {
        let _alone = KEEPING.lock().await;
        let path = outcomes(self.path());
        let keep = || -> io::Result<()> {
            let mut file = private::open_own(&path, false)?;
            let before = kept_in(&mut file)?.len();
            file.seek(SeekFrom::Start(before as u64))?;
            for settled in settled {
                let kept = Kept {
                    destination: destination.to_owned(),
                    settled: settled.clone(),
                };
                writeln!(file, "{}", serde_json::to_string(&kept)?)?;
            }
            file.sync_all()
        };
        keep().map_err(|source| StoreError::Outcomes {
            path: path.clone(),
            source,
        })
    }

    /// Settles what was kept, before anything else is done with these rows.
    pub async fn settle_kept(&self, now: Timestamp) -> Result<SettledTally, StoreError> {
        let _alone = KEEPING.lock().await;
        let path = outcomes(self.path());
        let failed = |source| StoreError::Outcomes {
            path: path.clone(),
            source,
        };
        let mut file = match private::open_own(&path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(SettledTally::default());
            }
            file => file.map_err(failed)?,
        };
        let bytes = kept_in(&mut file).map_err(failed)?;
        let mut tally = SettledTally::default();
        if bytes.is_empty() {
            return Ok(tally);
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let Ok(Kept {
                destination,
                settled,
            }) = serde_json::from_slice(line)
            else {
                // Cut off by a power cut, or not ours.
                let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
                tracing::warn!(
                    "{} has a line that cannot be read, {shown:?}: what it says of a mail or webhook is lost, and that one is tried once more",
                    path.display()
                );
                continue;
            };
            let settled = [settled];
            let one = self.settle_at(&destination, &settled, None, None, None, now);
            tally.add(one.await?);
        }
        let empty = vec![0; bytes.len()];
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.write_all(&empty))
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        Ok(tally)
    }
}

/// What the file holds before the room that is left in it.
fn kept_in(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    BufReader::new(file.take(LONGEST)).read_until(0, &mut bytes)?;
    if bytes.len() as u64 == LONGEST {
        return Err(io::Error::other(
            "it is too long to be one of fortnight's: move it away",
        ));
    }
    bytes.pop_if(|last| *last == 0);
    Ok(bytes)
}
