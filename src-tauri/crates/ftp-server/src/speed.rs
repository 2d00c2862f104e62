//! Limits of speed: where they hang, and how they are changed while transfers run.

use ftp_net::{Throttle, Throttles};

use crate::event::Direction;
use crate::limits::SpeedLimits;

/// Two limits, one for each direction; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Speed {
    download: Throttle,
    upload: Throttle,
}

impl Speed {
    pub(crate) fn new(limits: SpeedLimits) -> Self {
        Self {
            download: Throttle::new(limits.download),
            upload: Throttle::new(limits.upload),
        }
    }

    /// Holds for transfers that are under way, too.
    pub(crate) fn set(&self, limits: SpeedLimits) {
        self.download.set_limit(limits.download);
        self.upload.set_limit(limits.upload);
    }

    pub(crate) fn limits(&self) -> SpeedLimits {
        SpeedLimits {
            download: self.download.limit(),
            upload: self.upload.limit(),
        }
    }

    /// The limit of one direction; a listing goes to the client as a download does.
    fn of(&self, direction: Direction) -> Throttle {
        match direction {
            Direction::Download | Direction::Listing => self.download.clone(),
            Direction::Upload => self.upload.clone(),
        }
    }
}

/// The chain that a transfer passes through. A limit that is none today may be one tomorrow, so all of them are in it.
pub(crate) fn chain<'a>(
    speeds: impl IntoIterator<Item = &'a Speed>,
    direction: Direction,
) -> Throttles {
    Throttles::new(speeds.into_iter().map(|s| s.of(direction)).collect())
}
