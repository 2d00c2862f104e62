//! Users in memory.

use std::sync::Arc;

use async_trait::async_trait;
use ftp_proto::Secret;
use vfs::Vfs;

use super::{Account, Accounts, Authentication, LookUp, User};
use crate::builder::BuildError;

/// Users in memory: those with a name, anonymous ones, and one who takes every other name. They are asked in this order.
#[derive(Debug, Default)]
pub struct Users {
    named: Vec<(Vec<u8>, Option<Secret>, Account)>,
    anonymous: Option<Account>,
    everybody: Option<(Option<Secret>, Account)>,
}

impl Users {
    pub(crate) fn new(
        users: Vec<User>,
        anonymous: Option<User>,
        common: Option<&Arc<dyn Vfs>>,
    ) -> Result<Self, BuildError> {
        let account = |user: &User| user.account(common).ok_or(BuildError::NoVfs);
        let mut all = Self::default();
        for user in users {
            let account = account(&user)?;
            match user.name {
                Some(name) => all.named.push((name, user.password, account)),
                None if all.everybody.is_none() => all.everybody = Some((user.password, account)),
                None => {}
            }
        }
        all.anonymous = anonymous.as_ref().map(account).transpose()?;
        Ok(all)
    }
}

#[async_trait]
impl Accounts for Users {
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication {
        let named = self.named.iter().find(|(n, _, _)| n == name);
        let (right, account) = match (named, &self.anonymous, &self.everybody) {
            (Some((_, right, account)), _, _) => (right, account),
            // Anonymous users are asked for their address by custom, and any word will do.
            (None, Some(account), _) if is_anonymous(name) => {
                return match password {
                    Some(_) => Authentication::Accepted(account.clone()),
                    None => Authentication::Refused,
                };
            }
            (None, _, Some((right, account))) => (right, account),
            (None, _, None) => return Authentication::Refused,
        };
        match (right, password) {
            (None, _) => Authentication::Accepted(account.clone()),
            (Some(right), Some(given)) if same(right.expose(), given.expose()) => {
                Authentication::Accepted(account.clone())
            }
            _ => Authentication::Refused,
        }
    }

    async fn look_up(&self, name: &[u8]) -> LookUp {
        let named = self.named.iter().find(|(n, _, _)| n == name);
        let anonymous = self.anonymous.as_ref().filter(|_| is_anonymous(name));
        let everybody = self.everybody.as_ref().map(|(_, account)| account);
        let found = named.map(|(_, _, account)| account).or(anonymous);
        match found.or(everybody) {
            Some(account) => LookUp::Somebody(account.clone()),
            None => LookUp::Nobody,
        }
    }
}

fn is_anonymous(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}

/// Compares in a time that depends on the length alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && differing == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use vfs::MemoryTree;

    fn secret(text: &str) -> Secret {
        Secret::try_from(text).unwrap()
    }

    async fn who(users: &Users, name: &str, password: Option<&str>) -> Option<String> {
        let password = password.map(secret);
        match users.authenticate(name.as_bytes(), password.as_ref()).await {
            Authentication::Accepted(account) => Some(String::from_utf8(account.name).unwrap()),
            Authentication::Refused => None,
            Authentication::Busy => panic!("never busy"),
        }
    }

    #[tokio::test]
    async fn exact_names_win_then_anonymous_then_everybody() {
        let tree: Arc<dyn Vfs> = Arc::new(MemoryTree::new(1 << 20));
        let users = vec![
            User::everybody().password(secret("all")),
            User::everybody().password(secret("never asked")),
            User::new("ann").password(secret("a")),
            User::new("bob"),
        ];
        let users = Users::new(users, Some(User::new("guest")), Some(&tree)).unwrap();
        assert_eq!(who(&users, "ann", None).await, None);
        assert_eq!(who(&users, "ann", Some("a")).await.unwrap(), "ann");
        assert_eq!(who(&users, "ann", Some("all")).await, None);
        assert_eq!(who(&users, "bob", None).await.unwrap(), "bob");
        assert_eq!(who(&users, "Ftp", None).await, None);
        assert_eq!(who(&users, "Ftp", Some("x@y")).await.unwrap(), "guest");
        assert_eq!(who(&users, "carl", None).await, None);
        assert_eq!(who(&users, "carl", Some("all")).await.unwrap(), "");
        assert_eq!(who(&users, "carl", Some("never asked")).await, None);
    }

    #[tokio::test]
    async fn everybody_without_a_password_is_in_by_the_name_alone() {
        let tree: Arc<dyn Vfs> = Arc::new(MemoryTree::new(1 << 20));
        let users = Users::new(vec![User::everybody()], None, Some(&tree)).unwrap();
        assert_eq!(who(&users, "anonymous", None).await.unwrap(), "");
        assert_eq!(who(&users, "", Some("x")).await.unwrap(), "");
    }
}
