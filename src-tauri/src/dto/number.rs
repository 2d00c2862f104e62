//! Counts of bytes and moments in time, as the window's language has them.

use serde::Serialize;
use specta::{Type, Types, datatype::DataType};

/// A finite JavaScript number: a count of bytes, or milliseconds since 1970-01-01 UTC.
///
/// A plain `f64` would be typed `number | null`, because JSON has no NaN; this one can't be NaN.
/// Integers are exact up to 2^53, which is 9 PB or the year 287396.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub(crate) struct Number(f64);

impl Number {
    /// The moment `timestamp`, in milliseconds since the epoch.
    pub(crate) fn from_timestamp(timestamp: jiff::Timestamp) -> Self {
        Self::from(timestamp.as_millisecond())
    }

    /// The moment `seconds` after the epoch.
    pub(crate) fn from_unix_seconds(seconds: i64) -> Self {
        Self::from(seconds.saturating_mul(1000))
    }

    /// The number itself.
    #[cfg(test)]
    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Self(count as f64)
    }
}

impl From<i64> for Number {
    fn from(count: i64) -> Self {
        Self(count as f64)
    }
}

impl From<std::time::Duration> for Number {
    /// In milliseconds.
    fn from(duration: std::time::Duration) -> Self {
        Self(duration.as_secs_f64() * 1000.0)
    }
}

impl TryFrom<f64> for Number {
    type Error = NotFinite;

    fn try_from(value: f64) -> Result<Self, NotFinite> {
        if value.is_finite() {
            Ok(Self(value))
        } else {
            Err(NotFinite)
        }
    }
}

impl Type for Number {
    fn definition(types: &mut Types) -> DataType {
        specta_typescript::Number::<()>::definition(types)
    }
}

/// The value was NaN or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a finite number")]
pub(crate) struct NotFinite;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_json_cannot_say() {
        assert_eq!(Number::try_from(f64::NAN), Err(NotFinite));
        assert_eq!(Number::try_from(f64::INFINITY), Err(NotFinite));
        assert_eq!(Number::try_from(1.5).map(Number::get), Ok(1.5));
    }

    #[test]
    fn counts_in_milliseconds() {
        assert_eq!(Number::from_unix_seconds(2).get(), 2000.0);
        assert_eq!(Number::from_unix_seconds(i64::MAX).get(), i64::MAX as f64);
        assert_eq!(
            Number::from(std::time::Duration::from_micros(1500)).get(),
            1.5
        );
    }
}
