//! Journals with wrong bytes.

use super::damage::filled;
use super::*;

#[test]
fn any_byte_of_the_header_can_be_wrong() {
    let (folder, original) = place();
    filled(&original, 20);
    let bytes = std::fs::read(&original).unwrap();
    for at in 0..100 {
        let path = folder.path().join(format!("{at}"));
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x05;
        std::fs::write(&path, bytes).unwrap();
        match Journal::open(&path, "a test") {
            Ok(mut opened) => assert_eq!(opened.journal.load().unwrap().rows.len(), 20, "{at}"),
            // The version.
            Err(error) => assert!(
                matches!(error, OpenError::Newer { .. }) && (62..64).contains(&at),
                "{at}: {error}"
            ),
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    /// Whatever happens to its bytes, a journal can be opened, in a bounded time.
    #[test]
    fn any_bytes_can_be_wrong(
        spots in proptest::collection::vec((0.0..1.0_f64, proptest::prelude::any::<u8>(), 1..64_usize), 1..20)
    ) {
        let (_folder, path) = place();
        filled(&path, 300);
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, value, count) in spots {
            let at = (place * bytes.len() as f64) as usize;
            let end = (at + count).min(bytes.len());
            bytes[at..end].fill(value);
        }
        std::fs::write(&path, bytes).unwrap();
        match Journal::open(&path, "a test") {
            Ok(mut opened) => {
                let loaded = opened.journal.load().unwrap();
                assert!(loaded.rows.len() <= 300);
            }
            // The version may be what was hit.
            Err(error) => assert!(
                matches!(error, OpenError::Newer { .. } | OpenError::Foreign { .. }),
                "{error}"
            ),
        }
    }
}
