//! Addresses that guess passwords: each wrong one makes the next answer slower, and too many shut the address out for a while.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// Addresses that are remembered. More at a time push out those that were silent for longest.
const ADDRESSES: usize = 4096;

/// What is known of addresses with wrong passwords. What time it is comes from outside.
#[derive(Default)]
pub(crate) struct Lockout(Mutex<HashMap<IpAddr, Record>>);

struct Record {
    failures: u32,
    last: Instant,
    until: Option<Instant>,
}

impl Record {
    fn is_locked(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether there is nothing left to remember.
    fn is_over(&self, limits: &Limits, now: Instant) -> bool {
        !self.is_locked(now) && now.saturating_duration_since(self.last) >= limits.lockout_window
    }
}

/// The home of an address: with IPv6 everybody has as many as a /64 holds, so that counts as one.
pub(crate) fn home(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

impl Lockout {
    /// Whether this address is shut out now.
    pub(crate) fn is_locked(&self, address: IpAddr, now: Instant) -> bool {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records
            .get(&home(address))
            .is_some_and(|record| record.is_locked(now))
    }

    /// A wrong password. How long its answer should take.
    pub(crate) fn failed(&self, address: IpAddr, limits: &Limits, now: Instant) -> Duration {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let home = home(address);
        if !records.contains_key(&home) && records.len() >= ADDRESSES {
            records.retain(|_, record| !record.is_over(limits, now));
            if records.len() >= ADDRESSES {
                // Whoever guesses from thousands of addresses must not lift the lock of one by it.
                let oldest = records
                    .iter()
                    .min_by_key(|(_, record)| (record.is_locked(now), record.last))
                    .map(|(address, _)| *address);
                oldest.map(|address| records.remove(&address));
            }
        }
        let record = records.entry(home).or_insert(Record {
            failures: 0,
            last: now,
            until: None,
        });
        if record.is_over(limits, now) {
            record.failures = 0;
            record.until = None;
        }
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        if limits.lockout_after > 0 && record.failures >= limits.lockout_after {
            record.until = Some(now + limits.lockout);
        }
        let doublings = (record.failures - 1).min(16);
        limits
            .wrong_password_delay
            .saturating_mul(1 << doublings)
            .min(
                limits
                    .longest_password_delay
                    .max(limits.wrong_password_delay),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn limits() -> Limits {
        Limits {
            wrong_password_delay: Duration::from_secs(1),
            longest_password_delay: Duration::from_secs(8),
            lockout_after: 6,
            lockout_window: 10 * MINUTE,
            lockout: 30 * MINUTE,
            ..Limits::default()
        }
    }

    fn four(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn answers_grow_slower_until_the_address_is_shut_out_and_let_in_again() {
        let (lockout, limits) = (Lockout::default(), limits());
        let begin = Instant::now();
        let delays: Vec<u64> = (0..6)
            .map(|_| {
                assert!(!lockout.is_locked(four(1), begin));
                lockout.failed(four(1), &limits, begin).as_secs()
            })
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 8, 8]);
        assert!(lockout.is_locked(four(1), begin));
        assert!(!lockout.is_locked(four(2), begin), "others are not");
        assert!(lockout.is_locked(four(1), begin + 29 * MINUTE));
        assert!(!lockout.is_locked(four(1), begin + 30 * MINUTE));
        // And begins anew.
        let later = begin + 31 * MINUTE;
        assert_eq!(lockout.failed(four(1), &limits, later).as_secs(), 1);
        assert!(!lockout.is_locked(four(1), later));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let (lockout, limits) = (Lockout::default(), limits());
        let mut now = Instant::now();
        for _ in 0..50 {
            assert_eq!(lockout.failed(four(1), &limits, now).as_secs(), 1);
            now += 10 * MINUTE;
        }
        // Slow guessing with shorter pauses is seen.
        for _ in 0..6 {
            lockout.failed(four(1), &limits, now);
            now += 9 * MINUTE;
        }
        assert!(lockout.is_locked(four(1), now));
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let (lockout, limits) = (Lockout::default(), limits());
        let now = Instant::now();
        for host in 1..=6u16 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, host, 0, 0, 1);
            lockout.failed(address.into(), &limits, now);
        }
        let same = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, 9);
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 1, 0, 0, 1);
        assert!(lockout.is_locked(same.into(), now));
        assert!(!lockout.is_locked(other.into(), now));
    }

    #[test]
    fn the_table_is_bounded_and_a_flood_of_addresses_lifts_no_lock() {
        let (lockout, limits) = (Lockout::default(), limits());
        let now = Instant::now();
        for _ in 0..6 {
            lockout.failed(four(1), &limits, now);
        }
        for number in 0..3 * ADDRESSES {
            let address = IpAddr::from((0x0a00_0000 + number as u32).to_be_bytes());
            lockout.failed(address, &limits, now + Duration::from_secs(1));
        }
        let records = lockout.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(records.len(), ADDRESSES);
        drop(records);
        assert!(lockout.is_locked(four(1), now));
    }

    #[test]
    fn it_can_be_switched_off() {
        let lockout = Lockout::default();
        let limits = Limits {
            lockout_after: 0,
            wrong_password_delay: Duration::ZERO,
            ..limits()
        };
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(lockout.failed(four(1), &limits, now), Duration::ZERO);
        }
        assert!(!lockout.is_locked(four(1), now));
    }
}
