//! The sessions and users that are there now: counted for the limits, seen by the live view, reached by changes of speed.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ftp_net::Throttles;
use ftp_net::copy::Progress;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vfs::VPath;

use crate::event::{Direction, SessionId, TransferOutcome};
use crate::limits::{AccountLimits, Limits, SpeedLimits};
use crate::live::{Doing, SessionInfo, Totals};
use crate::lockout::home;
use crate::speed::{Speed, chain};

/// Users without a session whose limits are still remembered: who comes back gets no fresh allowance of speed.
const USERS: usize = 1024;

/// A session that hasn't logged in for so long gives way to a new one when there are too many of its kind.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that is there.
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    /// Of the whole server.
    pub(crate) speed: Speed,
}

#[derive(Default)]
struct Inner {
    sessions: BTreeMap<SessionId, Arc<Live>>,
    addresses: HashMap<IpAddr, usize>,
    users: HashMap<Vec<u8>, UserEntry>,
    /// What the owner has set by hand; stronger than what the accounts say.
    overrides: HashMap<Vec<u8>, (SpeedLimits, SpeedLimits)>,
    session_speed: SpeedLimits,
    totals: Totals,
}

struct UserEntry {
    sessions: usize,
    speed: Speed,
}

/// What others may know of a session, and do to it.
pub(crate) struct Live {
    id: SessionId,
    peer: SocketAddr,
    since: Instant,
    /// Ends it: the whole server stops, or it alone was told to go.
    pub(crate) stop: CancellationToken,
    kicked: AtomicBool,
    speed: Speed,
    facts: Mutex<Facts>,
}

struct Facts {
    /// Escaped.
    user: Option<String>,
    encrypted: bool,
    running: Option<Running>,
    idle_since: Instant,
    sent: u64,
    received: u64,
    user_speed: Option<UserSpeed>,
}

#[derive(Clone)]
struct UserSpeed {
    key: Vec<u8>,
    /// Of all sessions of the user.
    shared: Speed,
    own: Speed,
}

struct Running {
    path: VPath,
    direction: Direction,
    progress: Progress,
    total: Option<u64>,
    since: Instant,
}

/// Why a session is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Server,
    Address,
    HalfOpen,
}

/// A user has all the sessions that it may have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking session leaves behind is still whole: every change under the lock is complete.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(crate) fn new(speed: SpeedLimits, session_speed: SpeedLimits) -> Self {
        Self {
            inner: Mutex::new(Inner {
                session_speed,
                ..Inner::default()
            }),
            speed: Speed::new(speed),
        }
    }

    /// A place for one more session.
    pub(crate) fn admit(
        self: &Arc<Self>,
        id: SessionId,
        peer: SocketAddr,
        limits: &Limits,
        stop: CancellationToken,
        now: Instant,
    ) -> Result<Seat, Full> {
        let mut inner = lock(&self.inner);
        let full = inner.full(peer.ip(), limits, now);
        if let Some(full) = full {
            inner.totals.turned_away += 1;
            return Err(full);
        }
        *inner.addresses.entry(home(peer.ip())).or_default() += 1;
        inner.totals.sessions += 1;
        let live = Arc::new(Live {
            id,
            peer,
            since: now,
            stop,
            kicked: AtomicBool::new(false),
            speed: Speed::new(inner.session_speed),
            facts: Mutex::new(Facts {
                user: None,
                encrypted: false,
                running: None,
                idle_since: now,
                sent: 0,
                received: 0,
                user_speed: None,
            }),
        });
        inner.sessions.insert(id, Arc::clone(&live));
        Ok(Seat {
            registry: Arc::clone(self),
            live,
        })
    }

    /// Gives the session's place to others. Done when its last word is about to be sent, and in any case when its seat is dropped.
    pub(crate) fn leave(&self, live: &Live) {
        // Of a transfer that a panic or the server's end cut off.
        self.transfer_ended(live, &TransferOutcome::Aborted);
        let mut inner = lock(&self.inner);
        if inner.sessions.remove(&live.id).is_none() {
            return;
        }
        let address = home(live.peer.ip());
        if let Some(count) = inner.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                inner.addresses.remove(&address);
            }
        }
    }

    /// One was turned away before it was even counted.
    pub(crate) fn turned_away(&self) {
        lock(&self.inner).totals.turned_away += 1;
    }

    pub(crate) fn failed_login(&self) {
        lock(&self.inner).totals.failed_logins += 1;
    }

    /// A place among the sessions of this user, who is shown by the name that was said.
    ///
    /// # Errors
    /// None is left.
    pub(crate) fn log_in(
        self: &Arc<Self>,
        live: &Arc<Live>,
        key: &[u8],
        limits: &AccountLimits,
        shown: String,
    ) -> Result<UserSeat, TooMany> {
        let mut inner = lock(&self.inner);
        let (all, each) = match inner.overrides.get(key) {
            Some(set) => *set,
            None => (limits.speed, limits.session_speed),
        };
        let sessions = inner.users.get(key).map_or(0, |entry| entry.sessions);
        if limits.connections.is_some_and(|most| sessions >= most) {
            return Err(TooMany);
        }
        if inner.users.len() >= USERS && !inner.users.contains_key(key) {
            inner.users.retain(|_, entry| entry.sessions > 0);
        }
        let entry = inner
            .users
            .entry(key.to_vec())
            .or_insert_with(|| UserEntry {
                sessions: 0,
                speed: Speed::new(all),
            });
        entry.sessions += 1;
        if entry.speed.limits() != all {
            entry.speed.set(all);
        }
        let speed = UserSpeed {
            key: key.to_vec(),
            shared: entry.speed.clone(),
            own: Speed::new(each),
        };
        inner.totals.logins += 1;
        let mut facts = lock(&live.facts);
        facts.user = Some(shown);
        facts.user_speed = Some(speed);
        drop(facts);
        drop(inner);
        Ok(UserSeat {
            registry: Arc::clone(self),
            live: Arc::clone(live),
            key: key.to_vec(),
            released: false,
        })
    }

    /// Whether the user of this key has as many sessions as it may have.
    pub(crate) fn is_full(&self, key: &[u8], limits: &AccountLimits) -> bool {
        let inner = lock(&self.inner);
        let sessions = inner.users.get(key).map_or(0, |entry| entry.sessions);
        limits.connections.is_some_and(|most| sessions >= most)
    }

    /// What a transfer of this session is limited by.
    pub(crate) fn throttles(&self, live: &Live, direction: Direction) -> Throttles {
        let user = lock(&live.facts).user_speed.clone();
        let user = user.iter().flat_map(|user| [&user.shared, &user.own]);
        chain(
            [&self.speed, &live.speed].into_iter().chain(user),
            direction,
        )
    }

    pub(crate) fn transfer_ended(&self, live: &Live, outcome: &TransferOutcome) {
        let mut inner = lock(&self.inner);
        let mut facts = lock(&live.facts);
        facts.idle_since = Instant::now();
        let Some(running) = facts.running.take() else {
            return;
        };
        let bytes = running.progress.bytes();
        let complete = u64::from(*outcome == TransferOutcome::Complete);
        match running.direction {
            Direction::Upload => {
                facts.received += bytes;
                inner.totals.received += bytes;
                inner.totals.uploads += complete;
            }
            Direction::Download | Direction::Listing => {
                facts.sent += bytes;
                inner.totals.sent += bytes;
                if running.direction == Direction::Download {
                    inner.totals.downloads += complete;
                }
            }
        }
    }

    pub(crate) fn sessions(&self) -> Vec<SessionInfo> {
        let all: Vec<_> = lock(&self.inner).sessions.values().cloned().collect();
        all.iter().map(|live| live.info()).collect()
    }

    pub(crate) fn totals(&self) -> Totals {
        let inner = lock(&self.inner);
        let mut totals = inner.totals;
        totals.open = inner.sessions.len();
        for live in inner.sessions.values() {
            let facts = lock(&live.facts);
            totals.logged_in += usize::from(facts.user.is_some());
            if let Some(running) = &facts.running {
                match running.direction {
                    Direction::Upload => totals.received += running.progress.bytes(),
                    _ => totals.sent += running.progress.bytes(),
                }
            }
        }
        totals
    }

    pub(crate) fn kick(&self, id: SessionId) -> bool {
        let live = lock(&self.inner).sessions.get(&id).cloned();
        live.is_some_and(|live| {
            live.kick();
            true
        })
    }

    pub(crate) fn set_session_speed(&self, limits: SpeedLimits) {
        let mut inner = lock(&self.inner);
        inner.session_speed = limits;
        for live in inner.sessions.values() {
            live.speed.set(limits);
        }
    }

    pub(crate) fn set_speed_of(&self, id: SessionId, limits: SpeedLimits) -> bool {
        let live = lock(&self.inner).sessions.get(&id).cloned();
        live.is_some_and(|live| {
            live.speed.set(limits);
            true
        })
    }

    pub(crate) fn set_user_speed(&self, key: &[u8], all: SpeedLimits, each: SpeedLimits) {
        let mut inner = lock(&self.inner);
        inner.overrides.insert(key.to_vec(), (all, each));
        if let Some(entry) = inner.users.get(key) {
            entry.speed.set(all);
        }
        for live in inner.sessions.values() {
            if let Some(user) = lock(&live.facts).user_speed.as_ref()
                && user.key == key
            {
                user.own.set(each);
            }
        }
    }
}

impl Inner {
    fn full(&self, address: IpAddr, limits: &Limits, now: Instant) -> Option<Full> {
        let of_address = self.addresses.get(&home(address)).copied().unwrap_or(0);
        if of_address >= limits.connections_per_address {
            return Some(Full::Address);
        }
        if self.sessions.len() >= limits.connections {
            return Some(Full::Server);
        }
        let is_half_open = |live: &&Arc<Live>| {
            lock(&live.facts).user.is_none() && !live.kicked.load(Ordering::Relaxed)
        };
        let mut half_open = self.sessions.values().filter(is_half_open);
        // In the order of their numbers: the first is the oldest.
        let oldest = half_open.next();
        if 1 + half_open.count() < limits.half_open || oldest.is_none() {
            return None;
        }
        match oldest {
            // Who means to log in does so at once. Whoever holds places without it must not keep others out.
            Some(oldest) if now - oldest.since >= PATIENCE => {
                oldest.kick();
                None
            }
            _ => Some(Full::HalfOpen),
        }
    }
}

impl Live {
    fn kick(&self) {
        self.kicked.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }

    pub(crate) fn was_kicked(&self) -> bool {
        self.kicked.load(Ordering::Relaxed)
    }

    pub(crate) fn encrypted(&self) {
        lock(&self.facts).encrypted = true;
    }

    /// A command is done with.
    pub(crate) fn rest(&self) {
        lock(&self.facts).idle_since = Instant::now();
    }

    pub(crate) fn transfer_started(
        &self,
        path: VPath,
        direction: Direction,
        progress: Progress,
        total: Option<u64>,
    ) {
        lock(&self.facts).running = Some(Running {
            path,
            direction,
            progress,
            total,
            since: Instant::now(),
        });
    }

    fn info(&self) -> SessionInfo {
        let facts = lock(&self.facts);
        let (mut sent, mut received) = (facts.sent, facts.received);
        let doing = match &facts.running {
            None => Doing::Idle,
            Some(running) => {
                let bytes = running.progress.bytes();
                match running.direction {
                    Direction::Upload => received += bytes,
                    _ => sent += bytes,
                }
                Doing::Transfer {
                    path: running.path.clone(),
                    direction: running.direction,
                    bytes,
                    total: running.total,
                    running: running.since.elapsed(),
                }
            }
        };
        SessionInfo {
            id: self.id,
            peer: self.peer,
            user: facts.user.clone(),
            connected: self.since.elapsed(),
            idle: match doing {
                Doing::Idle => facts.idle_since.elapsed(),
                Doing::Transfer { .. } => Duration::ZERO,
            },
            encrypted: facts.encrypted,
            doing,
            sent,
            received,
            speed: self.speed.limits(),
        }
    }
}

/// A session's place; given back when it is dropped.
pub(crate) struct Seat {
    registry: Arc<Registry>,
    pub(crate) live: Arc<Live>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.leave(&self.live);
    }
}

/// A session's place among those of its user; given back when it is dropped.
pub(crate) struct UserSeat {
    registry: Arc<Registry>,
    live: Arc<Live>,
    key: Vec<u8>,
    released: bool,
}

impl UserSeat {
    /// Gives the place back before the session forgets whose it is.
    pub(crate) fn release(&mut self) {
        if std::mem::replace(&mut self.released, true) {
            return;
        }
        let mut inner = lock(&self.registry.inner);
        if let Some(entry) = inner.users.get_mut(&self.key) {
            entry.sessions -= 1;
            let unlimited = entry.speed.limits() == SpeedLimits::default();
            if entry.sessions == 0 && unlimited {
                inner.users.remove(&self.key);
            }
        }
    }

    /// The name to show.
    pub(crate) fn shown(&self) -> String {
        lock(&self.live.facts).user.clone().unwrap_or_default()
    }
}

impl Drop for UserSeat {
    fn drop(&mut self) {
        self.release();
        let mut facts = lock(&self.live.facts);
        facts.user = None;
        facts.user_speed = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct House {
        registry: Arc<Registry>,
        limits: Limits,
        last: u64,
    }

    impl House {
        fn new(limits: Limits) -> Self {
            let none = SpeedLimits::default();
            Self {
                registry: Arc::new(Registry::new(none, none)),
                limits,
                last: 0,
            }
        }

        fn come(&mut self, from: [u8; 4], now: Instant) -> Result<Seat, Full> {
            self.last += 1;
            let peer = SocketAddr::from((from, 1000));
            let stop = CancellationToken::new();
            self.registry
                .admit(SessionId(self.last), peer, &self.limits, stop, now)
        }
    }

    #[test]
    fn the_oldest_that_does_not_log_in_gives_way() {
        let mut house = House::new(Limits {
            half_open: 2,
            ..Limits::default()
        });
        let begin = Instant::now();
        let user = house.come([1, 0, 0, 1], begin).unwrap();
        let none = AccountLimits::default();
        let _ann = house
            .registry
            .log_in(&user.live, b"ann", &none, "ann".to_owned())
            .unwrap();
        let a = house.come([1, 0, 0, 2], begin).unwrap();
        let b = house.come([1, 0, 0, 3], begin).unwrap();
        let later = begin + Duration::from_secs(4);
        assert_eq!(house.come([1, 0, 0, 4], later).err(), Some(Full::HalfOpen));
        let later = begin + Duration::from_secs(5);
        let c = house.come([1, 0, 0, 4], later).unwrap();
        assert!(a.live.was_kicked() && a.live.stop.is_cancelled());
        assert!(!b.live.was_kicked() && !user.live.was_kicked());
        // Though it is still there, it counts no more: one more costs the next its place.
        let _d = house.come([1, 0, 0, 5], later).unwrap();
        assert!(b.live.was_kicked());
        // Those two are new.
        assert_eq!(house.come([1, 0, 0, 6], later).err(), Some(Full::HalfOpen));
        drop(c);
        assert!(house.come([1, 0, 0, 6], later).is_ok());
        assert_eq!(house.registry.totals().turned_away, 2);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let mut house = House::new(Limits {
            connections_per_address: 2,
            ..Limits::default()
        });
        let now = Instant::now();
        let mut come = |host: &str| {
            house.last += 1;
            let peer = SocketAddr::new(host.parse().unwrap(), 1000);
            let (id, stop) = (SessionId(house.last), CancellationToken::new());
            house.registry.admit(id, peer, &house.limits, stop, now)
        };
        let a = come("2001:db8::1").unwrap();
        let _b = come("2001:db8::2:1").unwrap();
        assert_eq!(come("2001:db8::3").err(), Some(Full::Address));
        assert!(come("2001:db8:0:1::1").is_ok());
        drop(a);
        assert!(come("2001:db8::3").is_ok());
    }

    #[test]
    fn addresses_and_the_server_have_limits_and_get_places_back() {
        let mut house = House::new(Limits {
            connections: 3,
            connections_per_address: 2,
            ..Limits::default()
        });
        let now = Instant::now();
        let a = house.come([1, 0, 0, 1], now).unwrap();
        let _b = house.come([1, 0, 0, 1], now).unwrap();
        assert_eq!(house.come([1, 0, 0, 1], now).err(), Some(Full::Address));
        let _c = house.come([1, 0, 0, 2], now).unwrap();
        assert_eq!(house.come([1, 0, 0, 3], now).err(), Some(Full::Server));
        drop(a);
        assert!(house.come([1, 0, 0, 1], now).is_ok());
    }

    #[test]
    fn what_the_owner_sets_for_a_user_is_stronger_than_the_account() {
        let mut house = House::new(Limits::default());
        let speed = |down: u64| SpeedLimits {
            download: std::num::NonZeroU64::new(down),
            upload: None,
        };
        let limits = AccountLimits {
            speed: speed(10),
            session_speed: speed(5),
            connections: None,
        };
        let now = Instant::now();
        let a = house.come([1, 0, 0, 1], now).unwrap();
        let b = house.come([1, 0, 0, 1], now).unwrap();
        let registry = Arc::clone(&house.registry);
        let log_in = |seat: &Seat| {
            registry
                .log_in(&seat.live, b"ann", &limits, String::new())
                .unwrap()
        };
        let of = |seat: &Seat| {
            let user = lock(&seat.live.facts).user_speed.clone().unwrap();
            (user.shared.limits(), user.own.limits())
        };
        let _one = log_in(&a);
        assert_eq!(of(&a), (speed(10), speed(5)));
        house.registry.set_user_speed(b"ann", speed(20), speed(7));
        assert_eq!(of(&a), (speed(20), speed(7)));
        let two = log_in(&b);
        assert_eq!(of(&b), (speed(20), speed(7)));
        drop(two);
        assert!(lock(&b.live.facts).user_speed.is_none());
        // Sessions of the server: those that are there, and those to come.
        house.registry.set_session_speed(speed(9));
        assert_eq!(a.live.speed.limits(), speed(9));
        assert!(house.registry.set_speed_of(a.live.id, speed(1)));
        assert_eq!(a.live.speed.limits(), speed(1));
        assert_eq!(b.live.speed.limits(), speed(9));
        let c = house.come([1, 0, 0, 1], now).unwrap();
        assert_eq!(c.live.speed.limits(), speed(9));
    }

    #[test]
    fn names_of_those_who_are_gone_do_not_pile_up() {
        let mut house = House::new(Limits::default());
        let seat = house.come([1, 0, 0, 1], Instant::now()).unwrap();
        let limits = AccountLimits {
            speed: SpeedLimits {
                download: std::num::NonZeroU64::new(1),
                upload: None,
            },
            ..AccountLimits::default()
        };
        for name in 0..3 * USERS {
            let _ = house.registry.log_in(
                &seat.live,
                name.to_string().as_bytes(),
                &limits,
                String::new(),
            );
        }
        let users = lock(&house.registry.inner).users.len();
        assert!((1..=USERS).contains(&users), "{users}");
    }
}
