//! Whether items belong together as they should.

use std::collections::HashSet;

use super::record::Row;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    /// On the way up from an item whose fate is being found out.
    Pending,
    Stays,
    Goes,
}

/// Removes rows whose site or parent is missing, those in circles, and what is below such ones. The rows are sorted by
/// number. Returns how many.
pub(super) fn drop_strays(rows: &mut Vec<Row>, sites: &HashSet<u32>) -> u64 {
    let mut fates = vec![Fate::Unknown; rows.len()];
    let mut trail = Vec::new();
    // Mostly the site is the one of the row before.
    let mut known = None;
    for start in 0..rows.len() {
        let mut at = start;
        let fate = loop {
            match fates[at] {
                Fate::Unknown => {}
                Fate::Stays => break Fate::Stays,
                Fate::Goes | Fate::Pending => break Fate::Goes,
            }
            fates[at] = Fate::Pending;
            trail.push(at);
            let site = Some(rows[at].site);
            if site != known {
                if !sites.contains(&rows[at].site) {
                    break Fate::Goes;
                }
                known = site;
            }
            if rows[at].parent == 0 {
                break Fate::Stays;
            }
            match position(rows, rows[at].parent) {
                Some(parent) => at = parent,
                None => break Fate::Goes,
            }
        };
        for passed in trail.drain(..) {
            fates[passed] = fate;
        }
    }
    let before = rows.len();
    if fates.contains(&Fate::Goes) {
        let mut fates = fates.into_iter();
        rows.retain(|_| fates.next() == Some(Fate::Stays));
    }
    (before - rows.len()) as u64
}

/// Where the item of this number is.
fn position(rows: &[Row], id: u32) -> Option<usize> {
    // Mostly there are no gaps in the numbers.
    let guess = id.checked_sub(rows.first()?.id)? as usize;
    if rows.get(guess).is_some_and(|row| row.id == id) {
        return Some(guess);
    }
    rows.binary_search_by_key(&id, |row| row.id).ok()
}
