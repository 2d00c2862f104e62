#![allow(clippy::unwrap_used)]

use super::*;

const PIN: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn vault() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let folders = vault::Folders::new(dir.path().join("config"), dir.path().join("data"));
    let vault = Vault::new(&folders, Arc::new(vault::MemorySecrets::new()));
    (dir, vault)
}

fn request(address: &str, user: &str) -> ConnectRequest {
    ConnectRequest {
        site: None,
        address: address.into(),
        user: user.into(),
        password: None,
        tls: TlsMode::Auto,
        trust: None,
        allow_plaintext: false,
        remember_password: false,
    }
}

fn plan(vault: &Vault, request: ConnectRequest) -> Plan {
    match prepare(vault, request).unwrap() {
        Prepared::Plan(plan) => plan,
        Prepared::Question(question) => panic!("a question: {question:?}"),
    }
}

fn asked(vault: &Vault, request: ConnectRequest) -> PasswordReason {
    match prepare(vault, request).unwrap() {
        Prepared::Question(ConnectOutcome::Password { reason, .. }) => reason,
        _ => panic!("no question for the password"),
    }
}

#[test]
fn without_a_user_it_is_anonymous() {
    let (_dir, vault) = vault();
    let plan = plan(&vault, request("host", ""));
    assert_eq!((plan.user.as_str(), plan.port), (ANONYMOUS, 21));
    assert!(plan.password.is_none());
}

#[test]
fn an_address_says_everything() {
    let (_dir, vault) = vault();
    let plan = plan(&vault, request("ftps://me:pw@host/www", ""));
    assert_eq!(
        (plan.user.as_str(), plan.port, plan.tls),
        ("me", 990, TlsMode::Implicit)
    );
    assert_eq!(plan.password.unwrap().expose(), "pw");
    assert_eq!(plan.start.unwrap().to_string_lossy(), "/www");
}

#[test]
fn a_missing_password_is_asked_for_or_remembered() {
    let (_dir, vault) = vault();
    assert_eq!(
        asked(&vault, request("host", "me")),
        PasswordReason::Missing
    );
    remember_password(
        &vault,
        &vault::login_account("me", "host", 21),
        false,
        Secret::new("pw"),
    )
    .unwrap();
    assert_eq!(
        plan(&vault, request("host", "me"))
            .password
            .unwrap()
            .expose(),
        "pw"
    );
    assert_eq!(
        asked(&vault, request("host:2121", "me")),
        PasswordReason::Missing
    );
}

#[test]
fn a_site_knows_itself() {
    let (_dir, vault) = vault();
    let mut site = vault::Site::new("host").unwrap();
    site.user = "me".into();
    site.tls = vault::TlsMode::Explicit;
    site.remote_path = "/www".into();
    let id: String = vault.sites.save(site).unwrap().id.into();
    let request = || ConnectRequest {
        site: Some(id.clone()),
        ..request("ignored.example", "ignored")
    };
    assert_eq!(asked(&vault, request()), PasswordReason::Missing);
    remember_password(&vault, &id, true, Secret::new("pw")).unwrap();
    let plan = plan(&vault, request());
    assert_eq!(
        (plan.title.as_str(), plan.user.as_str(), plan.tls),
        ("host", "me", TlsMode::Explicit)
    );
    assert_eq!(plan.password.unwrap().expose(), "pw");
    assert!(vault.sites.list().unwrap()[0].remember_password);

    let unknown = ConnectRequest {
        site: Some("nosuchsite".into()),
        ..request()
    };
    assert_eq!(
        prepare(&vault, unknown).err().unwrap().code,
        crate::error::ErrorCode::SiteNotFound
    );
}

#[test]
fn trust_once_is_not_kept_and_trust_always_is() {
    let (_dir, vault) = vault();
    let answered = |always| ConnectRequest {
        trust: Some(TrustAnswer {
            fingerprint: PIN.into(),
            subject: format!("CN=h\r\nost{}", "é".repeat(9000)),
            always,
        }),
        ..request("host", "")
    };
    let once = plan(&vault, answered(false));
    assert_eq!(once.trust.pins.len(), 1);
    assert!(plan(&vault, request("host", "")).trust.pins.is_empty());

    plan(&vault, answered(true));
    let later = plan(&vault, request("HOST", ""));
    assert_eq!(later.trust.pins[0].to_string(), PIN);
    assert!(later.pinned_before);
    let kept = &vault.trusted.list().unwrap()[0].subject;
    assert!(kept.starts_with("CN=hosté") && kept.chars().count() == SUBJECT);
    assert!(!plan(&vault, request("host:22", "")).pinned_before);
}

#[test]
fn nonsense_is_refused() {
    let (_dir, vault) = vault();
    for bad in ["", "http://host", "host:99999", "ftp://host/a%0D%0ADELE"] {
        assert!(prepare(&vault, request(bad, "")).is_err(), "{bad:?}");
    }
    let bad_pin = ConnectRequest {
        trust: Some(TrustAnswer {
            fingerprint: "sha256:zz".into(),
            subject: String::new(),
            always: true,
        }),
        ..request("host", "")
    };
    assert!(prepare(&vault, bad_pin).is_err());
}

#[test]
fn what_a_site_says_of_its_connections_holds_in_the_window_too() {
    let (_dir, vault) = vault();
    let mut site = vault::Site::new("host").unwrap();
    site.network.proxy = Some("socks5://gate@proxy.example:1081".into());
    site.network.tls_min = Some(vault::TlsVersion::V13);
    site.data.active_ports = Some((50_000, 50_010));
    site.data.fallback = false;
    site.timeout = Some(7);
    let asks = |site: &vault::Site| ConnectRequest {
        site: Some(site.id.as_str().into()),
        ..request("", "")
    };
    vault.sites.save(site.clone()).unwrap();
    remember_password(
        &vault,
        "socks5://gate@proxy.example:1081",
        false,
        Secret::new("through"),
    )
    .unwrap();
    let plan = plan(&vault, asks(&site));
    let config = config(&Arc::default(), &HostMemory::default(), None, &plan).unwrap();
    let proxy = config.proxy.as_ref().unwrap();
    assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 1081));
    assert_eq!(proxy.login.as_ref().unwrap().password, "through");
    assert!(!format!("{:?}", plan.base).contains("through"));
    assert_eq!(config.tls_options.min, ftp_client::TlsVersion::V13);
    assert_eq!(config.data_options.active_ports, Some(50_000..=50_010));
    assert!(!config.data_options.fallback);
    assert_eq!(config.timeouts.reply, std::time::Duration::from_secs(7));

    // Connecting without what was asked for would be something else.
    let mut bad = vault::Site::new("other").unwrap();
    bad.network.certificate = Some("/no/such/file.pem".into());
    vault.sites.save(bad.clone()).unwrap();
    let Err(error) = prepare(&vault, asks(&bad)) else {
        panic!("it can't be used");
    };
    assert!(error.message.contains("certificate"), "{error:?}");
}
