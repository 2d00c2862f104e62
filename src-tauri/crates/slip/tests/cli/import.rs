//! Saved sites of other programs.

use crate::harness::Bench;

const FILEZILLA: &str = r#"<?xml version="1.0"?>
<FileZilla3><Servers><Folder>Work
  <Server><Host>ftp.example.com</Host><Port>2121</Port><Protocol>4</Protocol><User>me</User>
    <Pass encoding="base64">aHVudGVyMg==</Pass><Logontype>1</Logontype><Name>Shop</Name></Server>
  <Server><Host>ssh.example.com</Host><Protocol>1</Protocol><Name>Shell</Name></Server>
</Folder></Servers></FileZilla3>"#;

#[tokio::test]
async fn sites_of_filezilla_come_over_once() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("export.xml"), FILEZILLA).unwrap();
    let run = bench
        .slip(["sites", "import", "export.xml", "--dry-run"])
        .await
        .expect(0);
    assert!(run.out.contains("Shop (ftp.example.com)"), "{}", run.out);
    assert_eq!(bench.slip(["sites"]).await.expect(0).out, "");

    let run = bench
        .slip(["sites", "import", "export.xml"])
        .await
        .expect(0);
    assert!(run.out.contains("imported  Shop"), "{}", run.out);
    assert!(run.out.contains("--passwords"), "{}", run.out);
    assert!(run.out.contains("left out  Shell"), "{}", run.out);
    assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"));
    let list = bench.slip(["sites"]).await.expect(0).out;
    assert!(list.contains("me@ftp.example.com:2121"), "{list}");
    let file = bench.dir.path().join("config/sites.json");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("Work") && text.contains("explicit"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"));

    let run = bench
        .slip(["sites", "import", "export.xml", "--json"])
        .await
        .expect(0);
    assert!(run.out.contains(r#""outcome":"known""#), "{}", run.out);
    assert_eq!(bench.slip(["sites"]).await.expect(0).out, list);
}

#[tokio::test]
async fn the_usual_places_are_looked_into() {
    let bench = Bench::new();
    let run = bench.slip(["sites", "import"]).await.expect(1);
    assert!(run.err.contains("name a file"), "{}", run.err);
    // The home folder of the bench.
    let home = bench.dir.path();
    std::fs::write(home.join(".netrc"), "machine a.example login me password x").unwrap();
    std::fs::create_dir_all(home.join(".config/rclone")).unwrap();
    std::fs::write(
        home.join(".config/rclone/rclone.conf"),
        "[b]\ntype = ftp\nhost = b.example\n",
    )
    .unwrap();
    let run = bench
        .slip(["sites", "import", "--from", "rclone"])
        .await
        .expect(0);
    assert!(run.out.contains("b.example") && !run.out.contains("a.example"));
    let run = bench.slip(["sites", "import"]).await.expect(0);
    assert!(run.out.contains("known     b"), "{}", run.out);
    assert!(run.out.contains("imported  a.example"), "{}", run.out);
    assert!(run.err.contains(".netrc"), "{}", run.err);
}

#[tokio::test]
async fn files_of_nobody_and_missing_ones_are_told() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("diary.txt"), "Dear diary").unwrap();
    for (arguments, code, words) in [
        (vec!["diary.txt"], 1, "diary.txt: this is no file of"),
        (vec!["none.xml"], 1, "none.xml: No such file"),
        (vec!["diary.txt", "--from", "filezilla"], 1, "FileZilla"),
        (vec!["diary.txt", "--from", "putty"], 2, "winscp"),
    ] {
        let mut all = vec!["sites", "import"];
        all.extend(arguments);
        let run = bench.slip(&all).await.expect(code);
        assert!(run.err.contains(words), "{}", run.err);
    }
    // Without a keyring the sites are there all the same, and it is said.
    std::fs::write(
        bench.work().join("netrc"),
        "machine a.example login me password x",
    )
    .unwrap();
    let run = bench
        .slip(["sites", "import", "netrc", "--passwords"])
        .await
        .expect(1);
    assert!(run.err.contains("passwords are not kept"), "{}", run.err);
    let list = bench.slip(["sites"]).await.expect(0).out;
    assert!(list.contains("me@a.example"), "{list}");
}
