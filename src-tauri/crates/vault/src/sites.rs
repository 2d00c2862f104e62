//! `sites.json`: the saved sites. No secrets: the password of a site is in the keyring under the site's id.

use serde::{Deserialize, Serialize};

use crate::Folders;
use crate::document::{Document, Extra, Version};
use crate::error::{Error, Result};
use crate::site::{Site, SiteId};

/// The saved sites, in the order in which they were first saved. Its functions block.
#[derive(Debug, Clone)]
pub struct Sites(Document);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    version: Version,
    #[serde(default)]
    sites: Vec<Site>,
    #[serde(flatten)]
    extra: Extra,
}

impl Sites {
    /// The sites in the configuration folder.
    pub fn new(folders: &Folders) -> Self {
        Self(Document::new(folders.config(), "sites.json"))
    }

    /// Where the file lies, for people.
    pub fn path(&self) -> std::path::PathBuf {
        self.0.path()
    }

    /// All sites.
    ///
    /// # Errors
    /// If the file is there but can't be read, is damaged, or of a newer version.
    pub fn list(&self) -> Result<Vec<Site>> {
        Ok(self.0.read::<Content>()?.sites)
    }

    /// One site.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`Error::SiteNotFound`].
    pub fn get(&self, id: &SiteId) -> Result<Site> {
        self.list()?
            .into_iter()
            .find(|site| site.id == *id)
            .ok_or_else(|| not_found(id))
    }

    /// Writes a site: in place of the one with its id, or as a new last one. What a newer version keeps in the saved
    /// one stays.
    ///
    /// # Errors
    /// [`Error::Invalid`] as [`Site::check`]; as [`list`](Self::list); and if the file can't be written. The old file
    /// then stays.
    pub fn save(&self, mut site: Site) -> Result<Site> {
        site.check()?;
        self.0.update(|content: &mut Content| {
            match content.sites.iter_mut().find(|s| s.id == site.id) {
                Some(saved) => {
                    site.extra.adopt(&saved.extra);
                    *saved = site.clone();
                }
                None => content.sites.push(site.clone()),
            }
            Ok(site)
        })
    }

    /// Writes new sites behind the others, in one step.
    ///
    /// # Errors
    /// As [`save`](Self::save); then none is written.
    pub fn add_all(&self, sites: Vec<Site>) -> Result<()> {
        for site in &sites {
            site.check()?;
        }
        self.0.update(|content: &mut Content| {
            content.sites.extend(sites);
            Ok(())
        })
    }

    /// Takes a site off the list. Its password in the keyring is the caller's to delete.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the file can't be written.
    pub fn delete(&self, id: &SiteId) -> Result<()> {
        self.0.update(|content: &mut Content| {
            let before = content.sites.len();
            content.sites.retain(|site| site.id != *id);
            if content.sites.len() == before {
                return Err(not_found(id));
            }
            Ok(())
        })
    }
}

fn not_found(id: &SiteId) -> Error {
    Error::SiteNotFound { id: id.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Field, Problem, TlsMode};
    use proptest::prelude::*;

    fn fresh() -> (tempfile::TempDir, Sites) {
        let dir = tempfile::tempdir().unwrap();
        let sites = Sites::new(&Folders::new(dir.path(), dir.path()));
        (dir, sites)
    }

    #[test]
    fn create_change_delete() {
        let (_dir, sites) = fresh();
        let mut a = sites.save(Site::new("a.example").unwrap()).unwrap();
        let b = sites.save(Site::new("b.example").unwrap()).unwrap();
        a.port = Some(2121);
        a.name = "Ä site".into();
        sites.save(a.clone()).unwrap();
        assert_eq!(sites.list().unwrap(), [a.clone(), b.clone()]);
        assert_eq!(sites.get(&b.id).unwrap(), b);
        sites.delete(&a.id).unwrap();
        assert!(matches!(sites.get(&a.id), Err(Error::SiteNotFound { .. })));
        assert!(matches!(
            sites.delete(&a.id),
            Err(Error::SiteNotFound { .. })
        ));
        assert_eq!(sites.list().unwrap(), [b]);
    }

    #[test]
    fn a_short_file_by_hand_has_safe_defaults() {
        let (_dir, sites) = fresh();
        std::fs::write(
            sites.path(),
            r#"{"version":1,"sites":[{"id":"mine","host":"h.example"}]}"#,
        )
        .unwrap();
        let site = sites.list().unwrap().remove(0);
        assert!(site.passive && !site.allow_plaintext && !site.remember_password);
        assert_eq!((site.tls, site.port), (TlsMode::Auto, None));
        assert_eq!((site.connections, site.conflict), (None, None));
    }

    #[test]
    fn unknown_fields_of_a_site_survive_a_change_from_scratch() {
        let (_dir, sites) = fresh();
        std::fs::write(
            sites.path(),
            r#"{"version":1,"sites":[{"id":"s","host":"previous.example","sparkle": "red"}],"folders":[1]}"#,
        )
        .unwrap();
        let id = SiteId::try_from("s".to_owned()).unwrap();
        sites.save(Site::with_id(id, "new")).unwrap();
        let text = std::fs::read_to_string(sites.path()).unwrap();
        assert!(text.contains("new") && !text.contains("previous"), "{text}");
        assert!(text.contains("red") && text.contains("folders"), "{text}");
    }

    #[test]
    fn bad_values_are_refused_by_field() {
        let (_dir, sites) = fresh();
        let base = || Site::new("h").unwrap();
        let cases = [
            (
                Site {
                    host: String::new(),
                    ..base()
                },
                Field::Host,
                Problem::Empty,
            ),
            (
                Site {
                    host: "a\r\nb".into(),
                    ..base()
                },
                Field::Host,
                Problem::ControlCharacter(1),
            ),
            (
                Site {
                    host: "a b".into(),
                    ..base()
                },
                Field::Host,
                Problem::ForbiddenCharacter(1),
            ),
            (
                Site {
                    host: "u@h".into(),
                    ..base()
                },
                Field::Host,
                Problem::ForbiddenCharacter(1),
            ),
            (
                Site {
                    port: Some(0),
                    ..base()
                },
                Field::Port,
                Problem::Zero,
            ),
            (
                Site {
                    user: "a\0".into(),
                    ..base()
                },
                Field::User,
                Problem::ControlCharacter(1),
            ),
            (
                Site {
                    name: "\x1b[1m".into(),
                    ..base()
                },
                Field::Name,
                Problem::ControlCharacter(0),
            ),
            (
                Site {
                    remote_path: "/\n".into(),
                    ..base()
                },
                Field::RemotePath,
                Problem::ControlCharacter(1),
            ),
            (
                Site {
                    local_path: "x".repeat(5000),
                    ..base()
                },
                Field::LocalPath,
                Problem::TooLong(4096),
            ),
            (
                Site {
                    connections: Some(65),
                    ..base()
                },
                Field::Connections,
                Problem::OutOfRange(1, 64),
            ),
        ];
        for (site, expected_field, expected_problem) in cases {
            match sites.save(site).unwrap_err() {
                Error::Invalid { field, problem } => {
                    assert_eq!((field, problem), (expected_field, expected_problem));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(!sites.path().exists(), "a refused site writes nothing");
    }

    #[test]
    fn ids_differ_and_bad_ids_are_refused() {
        let ids: std::collections::HashSet<_> =
            (0..100).map(|_| SiteId::random().unwrap()).collect();
        assert_eq!(ids.len(), 100);
        for bad in ["", "a/b", "a b", "ü", &"a".repeat(65)] {
            assert!(SiteId::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_is_refused_or_comes_back(host in ".*", user in ".*", name in ".*", port: Option<u16>) {
            let (_dir, sites) = fresh();
            let site = Site { user, name, port, ..Site::new(host).unwrap() };
            if sites.save(site.clone()).is_ok() {
                prop_assert_eq!(sites.list().unwrap(), vec![site]);
            } else {
                prop_assert!(sites.list().unwrap().is_empty());
            }
        }
    }
}
