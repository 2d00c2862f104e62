//! How fast a job is, smoothed: a pure function of the samples and their times.

use super::Time;

/// The weight of the past falls to 1/e in this time.
const SMOOTHING_SECONDS: f64 = 2.0;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    last: Option<(Time, u64)>,
    elapsed: f64,
    per_second: Option<f64>,
}

impl Rate {
    pub(super) fn start(now: Time) -> Self {
        Self {
            last: Some((now, 0)),
            elapsed: 0.0,
            per_second: None,
        }
    }

    pub(super) fn sample(&mut self, now: Time, bytes: u64) {
        let Some((then, before)) = self.last else {
            return;
        };
        let seconds = now.saturating_sub(then).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.last = Some((now, bytes));
        self.elapsed += seconds;
        let current = bytes.saturating_sub(before) as f64 / seconds;
        self.per_second = Some(match self.per_second {
            None => current,
            Some(past) => {
                // At the beginning a plain average, since there is no past to lean on.
                let window = self.elapsed.min(SMOOTHING_SECONDS);
                let weight = 1.0 - (-seconds / window).exp();
                past + (current - past) * weight
            }
        });
    }

    pub(super) fn per_second(&self) -> Option<f64> {
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn steady_is_exact_and_a_stall_fades() {
        let mut rate = Rate::start(Time::ZERO);
        assert_eq!(rate.per_second(), None);
        for i in 1..=50u64 {
            rate.sample(Duration::from_millis(i * 100), i * 1000);
        }
        let steady = rate.per_second().unwrap_or(0.0);
        assert!((steady - 10_000.0).abs() < 1e-6, "{steady}");
        for i in 51..=110u64 {
            rate.sample(Duration::from_millis(i * 100), 50_000);
        }
        let stalled = rate.per_second().unwrap_or(f64::MAX);
        assert!(stalled < 600.0, "{stalled}");
    }

    #[test]
    fn same_time_and_counters_that_fall_are_harmless() {
        let mut rate = Rate::start(Duration::from_secs(5));
        rate.sample(Duration::from_secs(5), 100);
        rate.sample(Duration::from_secs(4), 100);
        assert_eq!(rate.per_second(), None);
        rate.sample(Duration::from_secs(6), 100);
        rate.sample(Duration::from_secs(7), 10);
        assert!(
            rate.per_second()
                .is_some_and(|r| (0.0..=100.0).contains(&r))
        );
    }
}
