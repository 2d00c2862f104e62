//! What an earlier try has brought of a file beyond gaps, and whether it is to be trusted.

use super::download::{is_refusal, on_disk};
use super::{Job, Stop};
use crate::partial::{Partial, TAIL};
use crate::work::{Identity, Island, Task};

/// Smaller islands are not worth the look at their ends.
pub(super) const WORTH_KEEPING: u64 = 2 * TAIL;

/// The islands that were noted, if they can be in a file of this length whose source has this size.
pub(super) fn islands_of(noted: &Identity, length: u64, size: Option<u64>) -> Box<[Island]> {
    let (Some(contiguous), Some(size)) = (noted.contiguous, size) else {
        return Box::default();
    };
    let mut at = contiguous;
    let good = noted.islands.iter().take_while(|&&(begin, end)| {
        let fits = at < begin && begin < end && end <= length.min(size);
        at = end;
        fits
    });
    good.copied().collect()
}

pub(super) fn bytes_of(islands: &[Island]) -> u64 {
    islands.iter().map(|(begin, end)| end - begin).sum()
}

impl Job<'_> {
    /// Whether what is there beyond gaps is the source's, by the ends of all islands. It also shows that the server leads
    /// there where the gaps begin.
    pub(super) async fn are_islands_right(
        &self,
        task: &Task,
        identity: &Identity,
        held: &mut Option<Partial>,
    ) -> Result<bool, Stop> {
        for &(begin, end) in &identity.islands {
            let length = (end - begin).min(TAIL) as usize;
            let ours = on_disk(held, move |partial| partial.tail_before(end, length)).await?;
            let place = end - length as u64;
            let wire = self.wire();
            let piece = self.remote.piece(&task.plan.remote, place, length, &wire);
            match self.live.or_stopped(piece).await {
                Ok(theirs) if theirs == ours => {}
                Err(stop) if !is_refusal(&stop) => return Err(stop),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
