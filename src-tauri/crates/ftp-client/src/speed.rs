use std::num::NonZeroU64;

use ftp_net::{Throttle, Throttles};

/// The limits of speed of a client: one for each direction, which all of its data connections pass through together, listings too.
/// Clones share them, and they can be changed while transfers run. Commands and replies are not held up: an ABOR that
/// waits for its turn is none.
#[derive(Debug, Clone)]
pub struct Speed {
    /// Of what comes.
    pub download: Throttle,
    /// Of what goes.
    pub upload: Throttle,
}

impl Speed {
    /// Limits in bytes per second; `None` for none.
    #[must_use]
    pub fn new(download: Option<NonZeroU64>, upload: Option<NonZeroU64>) -> Self {
        Self {
            download: Throttle::new(download),
            upload: Throttle::new(upload),
        }
    }

    /// The same limits for somebody else: they share nothing, and nothing of what was moved is counted.
    #[must_use]
    pub fn unshared(&self) -> Self {
        Self::new(self.download.limit(), self.upload.limit())
    }

    /// The limits of a transfer in one direction, with its own behind them.
    pub(crate) fn with(&self, upload: bool, own: &Throttles) -> Throttles {
        let mut all = own.clone();
        all.push(match upload {
            true => self.upload.clone(),
            false => self.download.clone(),
        });
        all
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self::new(None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_and_the_unshared_do_not() {
        let speed = Speed::new(NonZeroU64::new(1000), None);
        let (shared, unshared) = (speed.clone(), speed.unshared());
        speed.download.set_limit(NonZeroU64::new(5));
        speed.upload.set_limit(NonZeroU64::new(6));
        assert_eq!(shared.download.limit(), NonZeroU64::new(5));
        assert_eq!(shared.upload.limit(), NonZeroU64::new(6));
        assert_eq!(unshared.download.limit(), NonZeroU64::new(1000));
        assert_eq!(unshared.upload.limit(), None);
        assert!(
            Speed::default()
                .with(true, &Throttles::default())
                .is_unlimited()
        );
        assert!(!speed.with(true, &Throttles::default()).is_unlimited());
    }
}
