//! The same over IPv6.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use engine_tests::{
    batches::{fetch, wanted},
    connect,
    files::{get, put},
    names,
    own::{OwnServer, Store},
    pattern,
};
use ftp_client::{DataMode, Security};
use support::Tls;

#[tokio::test]
async fn everything_goes_over_ipv6() {
    for tls in [Tls::Off, Tls::Explicit, Tls::Implicit] {
        let server = OwnServer::at("[::1]:0", Store::Memory, tls, |builder| builder).await;
        assert!(server.addr().is_ipv6());
        for (mode, bracketed) in [
            (DataMode::Auto, false),
            (DataMode::Passive, true),
            (DataMode::Active, false),
        ] {
            let mut config = server.config();
            config.data = mode;
            if bracketed {
                config.host = format!("[{}]", config.host);
            }
            let (client, log) = connect(config).await.unwrap();
            let content = pattern(70_000);
            put(&client, "/a", &content).await.unwrap();
            assert_eq!(get(&client, "/a", 0).await.unwrap(), content);
            assert_eq!(get(&client, "/a", 69_000).await.unwrap(), content[69_000..]);
            assert_eq!(names(&client, "/").await, ["a"]);
            let (outcomes, end) = fetch(&client, vec![wanted("/a", Some(70_000)); 5]).await;
            end.unwrap();
            for outcome in outcomes.values() {
                assert_eq!(outcome.as_ref().unwrap().data, content);
            }
            if let Security::Tls { resumes, .. } = client.facts().security.clone() {
                assert_eq!(resumes, Some(true));
            }
            // PASV and PORT have no room for such an address.
            let sent = log.sent();
            let old = |line: &&String| line.starts_with("PASV") || line.starts_with("PORT");
            assert_eq!(sent.iter().find(old), None, "{tls:?} {mode:?}");
            client.quit().await.unwrap();
        }
        server.stop().await;
    }
}
