//! How a session begins and ends, and who is logged in meanwhile.

#[cfg(doc)]
use crate::ErrorKind;
use crate::{Client, Config, Error, LogKind, Login, control};

impl Client {
    /// Connects, lets `work` have the client, and says goodbye, whatever came of the work. That the goodbye went wrong is a line
    /// in the log and no failure. Where the login fails, the connection is closed before this returns.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), ftp_client::Error> {
    /// use ftp_client::{Client, Config, ftp_proto::RemotePath};
    ///
    /// let home = Client::with(Config::new("ftp.example.com"), async |client| client.pwd().await).await?;
    /// # drop(home); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Client::connect`], as the work's own kind of error, and those of the work.
    pub async fn with<T, E>(
        config: Config,
        work: impl AsyncFnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<Error>,
    {
        let observer = config.observer.clone();
        let client = Self::connect(config).await?;
        let outcome = work(&client).await;
        if let Err(error) = client.quit().await {
            control::log(observer.as_ref(), LogKind::Warning, error.to_string());
        }
        outcome
    }

    /// Closes the connection at once, without QUIT. The last handle that is dropped says QUIT; so does [`quit`](Self::quit).
    pub async fn close(self) {
        // A session that is gone is closed.
        let _ = self
            .run(|driver| {
                Box::pin(async {
                    driver.close().await;
                    Ok(())
                })
            })
            .await;
    }

    /// Logs in as somebody else (USER, PASS, ACCT), in the same session. What the server is asked for afterwards: where it is, and
    /// the type. Later connections of this handle use this login, too.
    ///
    /// # Errors
    /// [`ErrorKind::LoginRefused`] and what else [`Client::connect`] says of a login. Then nobody is logged in, as far as is known.
    pub async fn login(&self, login: &Login) -> Result<(), Error> {
        let login = login.clone();
        self.run(move |driver| Box::pin(driver.log_in_again(login)))
            .await
    }

    /// Logs out and stays connected (REIN, RFC 959 section 4.1.1). Next comes [`login`](Self::login).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] on most servers, and over TLS, where servers don't agree whether TLS goes on behind it; what
    /// else they refuse.
    pub async fn rein(&self) -> Result<(), Error> {
        self.run(|driver| Box::pin(driver.log_out())).await
    }
}
