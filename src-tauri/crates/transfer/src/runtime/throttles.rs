//! The limits of speed of the queue, its sites and its single transfers, and the timetable of them.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ftp_client::{Throttle, Throttles};
use jiff::Zoned;

use crate::{Direction, Limits, SiteKey, Timetable};

/// The throttles that a transfer passes through.
pub(super) struct Speeds {
    all: Set,
    state: Mutex<State>,
}

struct State {
    limits: Limits,
    timetable: Option<Timetable>,
    /// What the timetable says at this time.
    timetable_limit: Option<Option<u64>>,
    sites: HashMap<SiteKey, Site>,
}

#[derive(Default)]
struct Site {
    set: Set,
    /// Set in the window or by a command, in place of the profile's.
    own: Option<Limits>,
}

/// One throttle for everything, one for each direction.
struct Set {
    total: Throttle,
    download: Throttle,
    upload: Throttle,
}

impl Default for Set {
    fn default() -> Self {
        let free = || Throttle::new(None);
        Self {
            total: free(),
            download: free(),
            upload: free(),
        }
    }
}

impl Set {
    fn limit(&self, limits: Limits) {
        let set = |throttle: &Throttle, limit: Option<u64>| {
            // A limit of nothing would be a pause; the slowest there is comes closest.
            let limit = limit.map(|limit| NonZeroU64::new(limit).unwrap_or(NonZeroU64::MIN));
            if throttle.limit() != limit {
                throttle.set_limit(limit);
            }
        };
        set(&self.total, limits.total);
        set(&self.download, limits.download);
        set(&self.upload, limits.upload);
    }

    fn add_to(&self, throttles: &mut Throttles, direction: Direction) {
        throttles.push(self.total.clone());
        throttles.push(match direction {
            Direction::Download => self.download.clone(),
            Direction::Upload => self.upload.clone(),
        });
    }
}

impl Speeds {
    pub(super) fn new(limits: Limits) -> Self {
        let speeds = Self {
            all: Set::default(),
            state: Mutex::new(State {
                limits,
                timetable: None,
                timetable_limit: None,
                sites: HashMap::new(),
            }),
        };
        speeds.apply();
        speeds
    }

    /// What one transfer passes through.
    pub(super) fn chain(
        &self,
        site: &SiteKey,
        profile: Limits,
        direction: Direction,
        own: Option<u64>,
    ) -> Throttles {
        let mut throttles = Throttles::default();
        self.all.add_to(&mut throttles, direction);
        let mut state = self.lock();
        let site = state.sites.entry(site.clone()).or_default();
        site.set.limit(site.own.unwrap_or(profile));
        site.set.add_to(&mut throttles, direction);
        drop(state);
        if let Some(limit) = own.and_then(NonZeroU64::new) {
            throttles.push(Throttle::new(Some(limit)));
        }
        throttles
    }

    pub(super) fn limits(&self) -> Limits {
        self.lock().limits
    }

    pub(super) fn set_limits(&self, limits: Limits) {
        self.lock().limits = limits;
        self.apply();
    }

    pub(super) fn set_site_limits(&self, site: &SiteKey, limits: Limits) {
        let mut state = self.lock();
        let site = state.sites.entry(site.clone()).or_default();
        site.own = Some(limits);
        site.set.limit(limits);
    }

    pub(super) fn timetable(&self) -> Option<Timetable> {
        self.lock().timetable.clone()
    }

    pub(super) fn set_timetable(&self, timetable: Option<Timetable>) {
        self.lock().timetable = timetable.filter(|timetable| !timetable.is_empty());
    }

    /// The limit that the timetable sets at this time, if it sets one.
    pub(super) fn timetable_limit(&self) -> Option<u64> {
        self.lock().timetable_limit.flatten()
    }

    /// Does what the timetable says; how long until it says something else, and whether this is news.
    pub(super) fn look_at_the_clock(
        &self,
        clock: impl FnOnce() -> Zoned,
    ) -> (Option<std::time::Duration>, bool) {
        let mut state = self.lock();
        let Some(timetable) = &state.timetable else {
            let news = state.timetable_limit.take().is_some();
            drop(state);
            if news {
                self.apply();
            }
            return (None, news);
        };
        let now = clock();
        let limit = timetable.limit_at(now.datetime());
        let next = timetable.next_change(&now).map(|next| {
            let left = next.duration_since(now.timestamp());
            std::time::Duration::try_from(left).unwrap_or_default()
        });
        let news = state.timetable_limit != limit;
        state.timetable_limit = limit;
        drop(state);
        if news {
            self.apply();
        }
        (next, news)
    }

    fn apply(&self) {
        let state = self.lock();
        self.all.limit(Limits {
            total: state.timetable_limit.unwrap_or(state.limits.total),
            ..state.limits
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
