//! What the client reads in single replies: sizes, times, hashes, and how much room there is.

use bytes::BytesMut;
use ftp_client::{
    HashAlgorithm,
    replies::{announced_size, hash_of, quota_of, size_of, time_of},
};
use ftp_proto::{RemotePath, ReplyDecoder};

use super::{Target, rough, shape};
use crate::check;

pub(super) const TARGETS: &[Target] = &[Target {
    name: "answers",
    about: "sizes, times, hashes and quotas in replies",
    seeds: &[
        b"213 12345\r\n",
        b"213 20240229235960.5\r\n",
        b"150 Opening BINARY mode data connection for f (1234 bytes).\r\n",
        b"213 SHA-256 0-49 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 f\r\n",
        b"250-XCRC\r\n 1A2B\r\n250 5d41402abc4b2a76b9719d911017c592\r\n",
        b"200-The current quota for this session are [current/limit]:\r\n   Uploaded Kb:\t12.50/1000.00\r\n \
          Uploaded files:\t3/unlimited\r\n200 Please contact\r\n",
        b"213-File and disk usage\r\n File count: 3\r\n File quota: unlimited\r\n Disk usage: 5K\r\n Disk quota: 1M\r\n213 File and disk usage end\r\n",
    ],
    words: &[
        b"213 ", b"-", b"(", b" bytes", b" bytes)", b"da39a3ee5e6b4b0d3255bfef95601890afd80709", b"00000000", b"\r\n",
        b"Disk usage:", b"Disk quota:", b"Uploaded Kb:", b"/", b"unlimited", b"available:", b"1e308", b"9.9e99", b".", b"TB", b"MiB", b"K", b":",
    ],
    run: answers,
}];

fn answers(input: &[u8]) -> u64 {
    let mut buffer = BytesMut::from(input);
    let mut decoder = ReplyDecoder::new();
    let mut parts = Vec::new();
    let path = RemotePath::try_from("/d/da39a3ee5e6b4b0d3255bfef95601890afd80709 5d41402a")
        .expect("a path");
    while let Ok(Some(reply)) = decoder.decode(&mut buffer) {
        let (size, time) = (size_of(&reply), time_of(&reply));
        assert!(
            reply.code.is_completion() || (size, time) == (None, None),
            "a refusal tells a size"
        );
        let announced = announced_size(&reply);
        for algorithm in HashAlgorithm::ALL {
            let hash = hash_of(algorithm, &reply, &path);
            if let Some(hash) = &hash {
                assert!(
                    hash.len() >= 8
                        && hash
                            .bytes()
                            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
                    "{hash}"
                );
            }
            parts.push(u64::from(hash.is_some()));
        }
        let space = quota_of(&reply);
        assert!(space.report.len() <= 100, "{} lines", space.report.len());
        for line in &space.report {
            check::printable(line);
            assert!(line.len() <= 900);
        }
        let known = [
            size.is_some(),
            time.is_some(),
            announced.is_some(),
            space.available.is_some(),
            space.used.is_some(),
            space.limit.is_some(),
            space.files_used.is_some(),
            space.files_limit.is_some(),
        ];
        parts.extend(known.map(u64::from));
        parts.push(rough(reply.lines.len()));
    }
    shape(parts)
}
