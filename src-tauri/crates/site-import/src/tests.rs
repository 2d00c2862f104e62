#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use vault::{Colour, TlsMode};

use super::*;

fn only(found: &Found) -> &FoundSite {
    assert_eq!(found.sites.len(), 1, "{found:?}");
    &found.sites[0]
}

fn password(site: &FoundSite) -> Option<&str> {
    site.password.as_ref().map(Secret::expose)
}

const FILEZILLA: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<FileZilla3 version="3.66.1" platform="*nix">
  <Servers>
    <Folder expanded="1">Customers
      <Folder expanded="0">A &amp; B
        <Server>
          <Host>ftp.shop.example</Host>
          <Port>2121</Port>
          <Protocol>4</Protocol>
          <Type>0</Type>
          <User>me</User>
          <Pass encoding="base64">c2VjcsOpdA==</Pass>
          <Logontype>1</Logontype>
          <PasvMode>MODE_ACTIVE</PasvMode>
          <MaximumMultipleConnections>3</MaximumMultipleConnections>
          <EncodingType>Custom</EncodingType>
          <CustomEncoding>windows-1251</CustomEncoding>
          <Name>The shop</Name>
          <Comments>first line
second &lt;line&gt;</Comments>
          <Colour>3</Colour>
          <LocalDir>/home/me/shop</LocalDir>
          <RemoteDir>1 0 6 public 10 two wörds!</RemoteDir>
          <Bookmark>
            <Name>Images</Name>
            <LocalDir>/home/me/img</LocalDir>
            <RemoteDir>1 0 3 img</RemoteDir>
          </Bookmark>
        </Server>
      </Folder>
    </Folder>
    <Server><Host>old.example</Host><Protocol>0</Protocol><Logontype>0</Logontype>Old one</Server>
    <Server><Host>ssh.example</Host><Protocol>1</Protocol><Name>Not FTP</Name></Server>
    <Server><Host>plain.example</Host><Protocol>6</Protocol><User>u</User><Pass encoding="crypt" pubkey="x">AAAA</Pass><Logontype>1</Logontype></Server>
    <Server><Host>bad host/</Host><Protocol>0</Protocol><Name>Broken</Name></Server>
  </Servers>
</FileZilla3>"#;

#[test]
fn filezilla() {
    let found = parse(Source::FileZilla, FILEZILLA.as_bytes()).unwrap();
    let [shop, old, plain] = &found.sites[..] else {
        panic!("{found:?}");
    };
    let site = &shop.site;
    assert_eq!(site.name, "The shop");
    assert_eq!(site.folder, ["Customers", "A & B"]);
    assert_eq!(
        (site.host.as_str(), site.port),
        ("ftp.shop.example", Some(2121))
    );
    assert_eq!(site.tls, TlsMode::Explicit);
    assert_eq!(site.user, "me");
    assert_eq!(password(shop), Some("secrét"));
    assert!(!site.passive);
    assert_eq!(site.connections, Some(3));
    assert_eq!(site.charset.as_deref(), Some("windows-1251"));
    assert_eq!(site.colour, Some(Colour::Blue));
    assert_eq!(site.notes, "first line\nsecond <line>");
    assert_eq!(site.remote_path, "/public/two wörds!");
    assert_eq!(site.local_path, "/home/me/shop");
    assert_eq!(site.bookmarks.len(), 1);
    assert_eq!(site.bookmarks[0].remote_path, "/img");

    assert_eq!(old.site.name, "Old one");
    assert_eq!((old.site.tls, old.site.user.as_str()), (TlsMode::Auto, ""));
    assert!(old.site.folder.is_empty() && old.password.is_none());

    assert_eq!(plain.site.name, "plain.example");
    assert!(plain.site.allow_plaintext && plain.password.is_none());
    assert!(plain.remarks[0].contains("master password"), "{plain:?}");

    let names: Vec<_> = found.left_out.iter().map(|left| &*left.name).collect();
    assert_eq!(names, ["Not FTP", "Broken"]);
    assert!(found.left_out[0].why.contains("SFTP"));
}

#[test]
fn folders_without_end_and_paths_without_sense() {
    let deep = format!(
        "<FileZilla3><Servers>{}<Server><Host>h</Host></Server>{}</Servers></FileZilla3>",
        "<Folder>x".repeat(200),
        "</Folder>".repeat(200)
    );
    assert!(
        parse(Source::FileZilla, deep.as_bytes())
            .unwrap()
            .sites
            .is_empty()
    );
    for path in [
        "1 0 9999999999999999999999 x",
        "1 0 5 ab",
        "7 3 C:\\ 1 x",
        "x",
        "1",
        "1 0",
    ] {
        let text = format!(
            "<FileZilla3><Servers><Server><Host>h</Host><RemoteDir>{path}</RemoteDir></Server></Servers></FileZilla3>"
        );
        let found = parse(Source::FileZilla, text.as_bytes()).unwrap();
        let kept = &only(&found).site.remote_path;
        assert!(["", "/", "/ab"].contains(&&**kept), "{path}: {kept}");
    }
}

#[test]
fn entities_do_not_explode() {
    let mut bomb = String::from("<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a0 \"aaaaaaaaaa\">");
    for level in 1..12 {
        let before = level - 1;
        bomb += &format!(
            "<!ENTITY a{level} \"{}\">",
            format!("&a{before};").repeat(10)
        );
    }
    bomb += "]><FileZilla3><Servers><Server><Host>&a11;</Host></Server></Servers></FileZilla3>";
    assert!(matches!(
        parse(Source::FileZilla, bomb.as_bytes()),
        Err(ImportError::Damaged { .. })
    ));
}

#[test]
fn winscp() {
    let hidden = winscp::hide("pa%ss", "meftp.example.com");
    let text = format!(
        "\u{feff}[Configuration\\Interface]\r\nRandom=1\r\n[Sessions\\Default%20Settings]\r\nHostName=nobody\r\nFSProtocol=5\r\n         [Sessions\\Work/My%20Site]\r\nHostName=ftp.example.com\r\nPortNumber=990\r\nUserName=me\r\nPassword={hidden}\r\n         FSProtocol=5\r\nFtps=1\r\nRemoteDirectory=/a%20b\r\nLocalDirectory=C:%5CUsers\r\nFtpPasvMode=0\r\n         ProxyMethod=2\r\nProxyHost=gate\r\nProxyPort=1080\r\nProxyUsername=p\r\n         [Sessions\\ssh]\r\nHostName=ssh.example.com\r\n[Sessions\\plain]\r\nHostName=h\r\nFSProtocol=5\r\nUserName=u\r\nPassword=ZZ\r\n"
    );
    let found = parse(Source::WinScp, text.as_bytes()).unwrap();
    let [site, plain] = &found.sites[..] else {
        panic!("{found:?}");
    };
    assert_eq!(site.site.name, "My Site");
    assert_eq!(site.site.folder, ["Work"]);
    assert_eq!(
        (site.site.tls, site.site.port),
        (TlsMode::Implicit, Some(990))
    );
    assert_eq!(password(site), Some("pa%ss"));
    assert_eq!(site.site.remote_path, "/a b");
    assert_eq!(site.site.local_path, "C:\\Users");
    assert!(!site.site.passive);
    assert_eq!(
        site.site.network.proxy.as_deref(),
        Some("socks5://p@gate:1080")
    );
    assert_eq!(plain.site.tls, TlsMode::Off);
    assert!(plain.password.is_none() && plain.remarks.len() == 1);
    assert_eq!(found.left_out.len(), 1);
    // A password that was hidden for another user is none.
    let text =
        format!("[Sessions\\x]\nHostName=h\nFSProtocol=5\nUserName=other\nPassword={hidden}\n");
    assert!(
        parse(Source::WinScp, text.as_bytes()).unwrap().sites[0]
            .password
            .is_none()
    );
}

#[test]
fn cyberduck() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
  <key>Protocol</key><string>ftps</string>
  <key>Nickname</key><string>My duck</string>
  <key>Hostname</key><string>duck.example</string>
  <key>Port</key><string>21</string>
  <key>Username</key><string>me</string>
  <key>Path</key><string>/www</string>
  <key>Labels</key><array><string>blue</string></array>
  <key>Encoding</key><string>ISO-8859-1</string>
  <key>FTP Connect Mode</key><string>active</string>
  <key>Comment</key><string>quack</string>
</dict></plist>"#;
    let found = parse(Source::Cyberduck, text.as_bytes()).unwrap();
    let site = &only(&found).site;
    assert_eq!(
        (site.name.as_str(), site.host.as_str()),
        ("My duck", "duck.example")
    );
    assert_eq!(
        (site.tls, site.port, site.passive),
        (TlsMode::Explicit, Some(21), false)
    );
    assert_eq!(site.charset.as_deref(), Some("ISO-8859-1"));
    assert_eq!(
        (site.remote_path.as_str(), site.notes.as_str()),
        ("/www", "quack")
    );
    let other = text.replace(">ftps<", ">sftp<");
    let found = parse(Source::Cyberduck, other.as_bytes()).unwrap();
    assert!(found.sites.is_empty() && found.left_out[0].why.contains("sftp"));
    // A folder of them, one of which is broken.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.duck"), text).unwrap();
    std::fs::write(folder.path().join("b.duck"), "<plist>").unwrap();
    std::fs::write(folder.path().join("c.txt"), "no bookmark").unwrap();
    let found = read(folder.path(), None).unwrap();
    assert_eq!((found.sites.len(), found.left_out.len()), (1, 1));
    assert_eq!(found.left_out[0].name, "b.duck");
}

#[test]
fn netrc() {
    let text = "# a comment\nmachine a.example login me password \"two words\"\nmachine b.example\n\tlogin you\n\tpassword #hash port 2121\n                macdef init\ncd /tmp\nmachine not.this login x\n\nmachine c.example password nobody's\nmachine d.example login anonymous password me@\n                default login anonymous password x@y\nlogin stray";
    let found = parse(Source::Netrc, text.as_bytes()).unwrap();
    let rows: Vec<_> = found
        .sites
        .iter()
        .map(|s| {
            (
                s.site.host.as_str(),
                s.site.user.as_str(),
                password(s),
                s.site.port,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("a.example", "me", Some("two words"), None),
            ("b.example", "you", Some("#hash"), Some(2121)),
            ("c.example", "", None, None),
            ("d.example", "", None, None),
        ]
    );
    assert_eq!(found.left_out[0].name, "default");
}

#[test]
fn lftp() {
    let text = "shop\tftp://me:p%40ss@ftp.example.com:2121/%2Fwww/a%20b/\nsix ftps://[2001:db8::1]/\nbare ftp.example.org\nssh sftp://x/\nalone\n";
    let found = parse(Source::Lftp, text.as_bytes()).unwrap();
    let [shop, six, bare] = &found.sites[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (shop.site.host.as_str(), shop.site.port),
        ("ftp.example.com", Some(2121))
    );
    assert_eq!(
        (shop.site.user.as_str(), password(shop)),
        ("me", Some("p@ss"))
    );
    assert_eq!(shop.site.remote_path, "/www/a b");
    assert_eq!(
        (six.site.host.as_str(), six.site.tls),
        ("2001:db8::1", TlsMode::Implicit)
    );
    assert_eq!(bare.site.host, "ftp.example.org");
    assert_eq!(found.left_out.len(), 2);
}

#[test]
fn rclone() {
    // What "rclone obscure" has made of it.
    let text = "[shop]\ntype = ftp\nhost = ftp.example.com\nuser = me\npass = 76WRzrdWOcrD97hrAZKElGpbaleQn13ED_iicg\nexplicit_tls = true\nno_check_certificate = true\n                [drive]\ntype = drive\n[plain]\ntype = ftp\nhost = h\nuser = u\npass = short\n";
    let found = parse(Source::Rclone, text.as_bytes()).unwrap();
    let [shop, plain] = &found.sites[..] else {
        panic!("{found:?}");
    };
    assert_eq!(password(shop), Some("pässword %1"));
    assert_eq!((shop.site.tls, shop.remarks.len()), (TlsMode::Explicit, 1));
    assert!(plain.password.is_none() && plain.remarks.len() == 1);
    assert_eq!(found.left_out[0].name, "drive");
    let encrypted = "# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nAAAA\n";
    let error = parse(Source::Rclone, encrypted.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("rclone config show"), "{error}");
}

#[test]
fn files_are_recognised() {
    for (name, content, source) in [
        ("export.xml", FILEZILLA, Some(Source::FileZilla)),
        (
            "x.ini",
            "[Configuration]\n[Sessions\\a]\nHostName=h\n",
            Some(Source::WinScp),
        ),
        (
            "x",
            "<?xml version=\"1.0\"?><plist version=\"1.0\"/>",
            Some(Source::Cyberduck),
        ),
        (".netrc", "", Some(Source::Netrc)),
        ("x", "machine a login b", Some(Source::Netrc)),
        ("bookmarks", "", Some(Source::Lftp)),
        ("x", "a ftp://b/\n", Some(Source::Lftp)),
        ("x.conf", "[a]\ntype = ftp\n", Some(Source::Rclone)),
        ("x.txt", "Dear diary", None),
    ] {
        assert_eq!(
            Source::recognise(name, content.as_bytes()),
            source,
            "{name} {content}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("diary.txt");
    std::fs::write(&file, "Dear diary").unwrap();
    assert!(matches!(read(&file, None), Err(ImportError::Unknown)));
    assert!(matches!(
        read(&folder.path().join("none"), None),
        Err(ImportError::Io { .. })
    ));
    assert!(matches!(
        read(folder.path(), None),
        Err(ImportError::Unknown)
    ));
    assert!(
        "winscp".parse::<Source>() == Ok(Source::WinScp)
            && "netrc".parse::<Source>() == Ok(Source::Netrc)
    );
    assert!("putty".parse::<Source>().unwrap_err().contains("filezilla"));
}

#[test]
fn no_secret_is_shown() {
    let found = parse(Source::Netrc, b"machine a login me password hunter2").unwrap();
    assert!(!format!("{found:?}").contains("hunter2"));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..600), name in ".{0,12}") {
        let _ = Source::recognise(&name, &content);
        for source in Source::ALL {
            let _ = parse(source, &content);
        }
    }

    #[test]
    fn any_text_is_survived(content in "(machine|login|password|\\[Sessions.a\\]|HostName=|Password=|type = ftp|pass = |FF|[a-z:@/%\"\\n =]){0,80}") {
        for source in Source::ALL {
            if let Ok(found) = parse(source, content.as_bytes()) {
                for entry in found.sites {
                    prop_assert!(entry.site.check().is_ok());
                }
            }
        }
    }
}
