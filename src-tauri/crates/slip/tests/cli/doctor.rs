//! `slip doctor`.

use serde_json::{Value, json};
use support::{Peer, Script};

use crate::harness::{Bench, Site, keys, tree};

fn of<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    findings
        .iter()
        .find(|finding| finding["check"] == check)
        .unwrap_or_else(|| panic!("no {check} in {findings:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_examined_and_left_as_it_was() {
    let site = Site::new().await;
    site.write("in/file.bin", [1; 300]);
    let url = site.private("in");
    let findings = site
        .slip(&["doctor", &url, "--json", "--write"])
        .await
        .expect(0)
        .objects();
    assert_eq!(
        keys(&findings[0]),
        ["check", "seconds", "tell_admin", "verdict", "what"]
    );
    for (check, verdict) in [
        ("resolve", "skipped"),
        ("tcp", "good"),
        ("certificate", "notice"),
        ("login", "good"),
        ("epsv", "good"),
        ("pasv", "good"),
        ("active", "good"),
        ("mlsd", "good"),
        ("list", "good"),
        ("rest", "good"),
        ("names", "good"),
        ("set-time", "good"),
        ("clock", "good"),
        ("cleanup", "good"),
    ] {
        assert_eq!(of(&findings, check)["verdict"], verdict, "{findings:#?}");
    }
    let end = findings.last().unwrap();
    assert_eq!(
        (&end["check"], &end["healthy"], &end["problems"]),
        (&json!("summary"), &json!(true), &json!(0))
    );
    assert_eq!(tree(&site.root).len(), 1);
    // What was found is kept for later.
    let kept = std::fs::read_to_string(site.bench.dir.path().join("data/servers.json")).unwrap();
    assert!(
        kept.contains("\"active\": \"works\"") && kept.contains("\"pipelining\": \"batch\""),
        "{kept}"
    );
    // For people; nothing is written without leave.
    let run = site.slip(&["doctor", &url]).await.expect(0);
    assert!(
        run.out.contains("good     login") && run.out.contains("Tell the administrator"),
        "{}",
        run.out
    );
    assert!(run.out.contains("0 problems"), "{}", run.out);
    assert!(!run.out.contains("cleanup"), "{}", run.out);
    let run = site.slip(&["doctor", &url, "-q"]).await.expect(0);
    assert_eq!(run.out, "");
    // A folder that isn't there is a problem, and no reason to stop.
    let run = site
        .slip(&["doctor", &site.private("none")])
        .await
        .expect(1);
    assert!(run.out.contains("problem  folder"), "{}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_how_far_it_came() {
    let site = Site::new().await;
    let bench = Bench::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ftp://{}/", free.local_addr().unwrap());
    drop(free);
    let run = bench.slip(["doctor", &nobody]).await.expect(3);
    assert!(
        run.out.contains("problem  tcp") && run.out.contains("nobody listens"),
        "{}",
        run.out
    );
    let wrong = site
        .private("")
        .replace(crate::harness::PASSWORD, "wrong-one");
    let run = site.slip(&["doctor", &wrong]).await.expect(4);
    assert!(run.out.contains("problem  login"), "{}", run.out);
    assert!(!format!("{}{}", run.out, run.err).contains("wrong-one"));
    let run = bench.slip(["doctor", &site.url("")]).await.expect(5);
    assert!(
        run.out.contains("problem  certificate") && run.err.contains("--pin sha256:"),
        "{}",
        run.out
    );
    let findings = bench
        .slip(["doctor", &site.url(""), "--json"])
        .await
        .expect(5)
        .objects();
    assert!(
        findings.last().unwrap()["error"]
            .as_str()
            .unwrap()
            .contains("not trusted")
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ftp://{}/", silent.local_addr().unwrap());
    let run = bench
        .slip(["doctor", &url, "--timeout", "0.3"])
        .await
        .expect(3);
    assert!(
        run.out.contains("problem  greeting") && run.out.contains("implicit TLS"),
        "{}",
        run.out
    );
    // A sick one.
    let script = Script::logged_in()
        .answering(&[
            ("PASV", "227 (0,0,0,0,0,1)"),
            ("SITE *", "500 no"),
            ("EPSV", "500 no"),
            ("EPRT *", "500 no"),
            ("PORT *", "500 no"),
        ])
        .serve_rest();
    let peer = Peer::serve_each(vec![script.clone(), script.clone(), script.clone(), script]).await;
    let url = format!("ftp://{}/", peer.addr());
    let run = bench
        .slip(["doctor", &url, "--tls", "off", "--timeout", "2"])
        .await
        .expect(1);
    assert!(
        run.out.contains("problem  pasv") && run.out.contains("0.0.0.0"),
        "{}",
        run.out
    );
    bench.slip(["doctor"]).await.expect(2);
}
